"""Rounds of restarts of one container, while bots are killed: its main process is ended at most once a request.

The pretend cluster counts the containers that a command in them has ended, and each outcome must be true of that.
A bot killed between recording the command and sending it leaves nobody who knows, and the restart count decides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from sandbox.cluster import kinds
from sandbox.cluster.rbac import NAMESPACE
from tests.postgres import Postgres
from tests.soak.declared import DeclaredProof, prepared_declared

FIXTURE = "containers: {kali: {}, proxy: {processes: [squid]}}\n"
CONTAINERS = ("kali", "proxy")


class ContainerProof(DeclaredProof):
    """One run of the proof."""

    fixture: ClassVar[str] = FIXTURE

    async def round(self, number: int, fault: str = "") -> None:
        """As `DeclaredProof` does, of either container; a process that does not end is soon given up."""
        self.line = f"restart --container {CONTAINERS[number % 2]}"
        simulation = self.sandbox.cluster.simulation
        simulation.faults.exec_dies = self.dice.random() < 0.5
        for pod in simulation.pods():
            draft = simulation.store.draft(kinds.POD, NAMESPACE, pod["metadata"]["name"])
            draft["spec"]["terminationGracePeriodSeconds"] = 0
            simulation.store.put(kinds.POD, draft)
        await super().round(number, fault)

    @property
    def _ran(self) -> Sequence[tuple[str, ...]]:
        return [(name,) for name in self.sandbox.cluster.simulation.ended]

    def _is_true(self, repair: RepairRequest, ran: Sequence[tuple[str, ...]]) -> bool:
        """Whether the outcome is true of the containers that were ended."""
        if repair.state is RequestState.SUCCEEDED:
            return list(ran) == [(repair.subject,)]
        return repair.state in (RequestState.FAILED, RequestState.VOID) and not ran


@asynccontextmanager
async def prepared_containers(
    *, postgres: Postgres | None = None, seed_: int = 0, between: bool = True
) -> AsyncIterator[DeclaredProof]:
    """See `prepared_declared`."""
    async with prepared_declared(ContainerProof, postgres=postgres, seed_=seed_, between=between) as proof:
        yield proof
