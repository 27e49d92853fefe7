"""Rounds of `ssh keys copy`, while bots are killed: the pod's file is always whole, and each outcome is true.

Each round changes the Secret, so that there is something to copy, and compares the pretend pod's file with it.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from sandbox.cluster import kinds, objects
from sandbox.cluster.exec import inside
from sandbox.cluster.files import KEYS_FILE
from sandbox.cluster.rbac import NAMESPACE
from tests.postgres import Postgres
from tests.soak.declared import DeclaredProof, prepared_declared

FIXTURE = "containers: {kali: {}}\n"


class KeysProof(DeclaredProof):
    """One run of the proof."""

    fixture: ClassVar[str] = FIXTURE
    before: str = ""
    """The pod's file at the beginning of the round."""
    wanted: str = ""
    """The Secret's file."""

    async def round(self, number: int, fault: str = "") -> None:
        """As `DeclaredProof` does, with another Secret each time."""
        self.line = "ssh keys copy"
        simulation = self.sandbox.cluster.simulation
        self.wanted = f"# round {number}\n{objects.PUBLIC_KEY}"
        draft = simulation.store.draft(kinds.SECRET, NAMESPACE, objects.SSH_SECRET)
        draft["data"]["authorized_keys"] = base64.b64encode(self.wanted.encode()).decode()
        simulation.store.put(kinds.SECRET, draft)
        for runtime in simulation.runtimes.values():
            runtime.mounted = self.wanted
        self.before = self.now
        await super().round(number, fault)

    @property
    def now(self) -> str:
        """The pod's file."""
        simulation = self.sandbox.cluster.simulation
        [pod] = simulation.pods()
        return inside(simulation, pod).files[KEYS_FILE].text

    @property
    def _ran(self) -> Sequence[tuple[str, ...]]:
        return ()

    def _is_true(self, repair: RepairRequest, ran: Sequence[tuple[str, ...]]) -> bool:
        """Whether the outcome is true of the pod's file."""
        if repair.state is RequestState.SUCCEEDED:
            return self.now == self.wanted
        text = repair.outcome.text if repair.outcome is not None else ""
        if "nothing was changed" in text:
            return self.now == self.before
        return self.now in (self.before, self.wanted) and repair.state is RequestState.FAILED


@asynccontextmanager
async def prepared_keys(
    *, postgres: Postgres | None = None, seed_: int = 0, between: bool = True
) -> AsyncIterator[DeclaredProof]:
    """See `prepared_declared`."""
    async with prepared_declared(KeysProof, postgres=postgres, seed_=seed_, between=between) as proof:
        yield proof
