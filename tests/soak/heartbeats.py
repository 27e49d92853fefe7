"""Rounds of `heartbeats push` with approval, while bots are killed: each request pushes at most once.

The pretend Pushgateway counts the pushes that are marked as manual, and each outcome must be true of that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from tests.postgres import Postgres
from tests.soak.declared import DeclaredProof, prepared_declared

FIXTURE = "containers: {kali: {}}\n"


class HeartbeatProof(DeclaredProof):
    """One run of the proof."""

    fixture: ClassVar[str] = FIXTURE
    settings: ClassVar[Mapping[str, Any]] = {"approvals": {"heartbeats_push": "approval"}}

    async def round(self, number: int, fault: str = "") -> None:
        """As `DeclaredProof` does, with a group of its own each time."""
        self.line = f"heartbeats push audit_digest round=r{number}"
        await super().round(number, fault)

    @property
    def _ran(self) -> Sequence[tuple[str, ...]]:
        return [(labels.get("round", ""),) for labels in self.sandbox.pushgateway.by_hand]

    def _is_true(self, repair: RepairRequest, ran: Sequence[tuple[str, ...]]) -> bool:
        """Whether the outcome is true of the pushes."""
        if repair.state is RequestState.SUCCEEDED:
            return len(ran) == 1
        return repair.state is RequestState.FAILED and not ran


@asynccontextmanager
async def prepared_heartbeats(
    *, postgres: Postgres | None = None, seed_: int = 0, between: bool = True
) -> AsyncIterator[DeclaredProof]:
    """See `prepared_declared`."""
    async with prepared_declared(HeartbeatProof, postgres=postgres, seed_=seed_, between=between) as proof:
        yield proof
