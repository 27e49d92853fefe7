"""Rounds of `egress repair` while bots are killed: policy, pod and Cilium agent are replaced once, none is lost.

Each round breaks the policy, and counts the objects that are created from then on. In every other one a repair
first leaves the policy missing, and the next one creates it once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from bot.domain.approvals.actions.egress_create import EGRESS_CREATE
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from sandbox.cluster import kinds
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.store import Change
from tests.postgres import Postgres
from tests.soak.declared import LIVE, DeclaredProof, prepared_declared, text_of

POLICY, POD, AGENT = "policy", "pod", "agent"
KEPT = ("nothing was changed", "was not begun", "was not deleted")
"""What an outcome says that leaves policy and pod as they were."""


class EgressProof(DeclaredProof):
    """One run of the proof."""

    fixture: ClassVar[str] = "containers: {kali: {}}\n"
    target: ClassVar[Mapping[str, Any]] = {"runbook": ["secure-agent-pod"], "egress": {"restart_cilium": True}}
    MOST: ClassVar[Mapping[str, int]] = {"commit": 20, "look": 14, "change": 4, "post": 3, "edit": 10}
    _made: Sequence[tuple[str, ...]] = ()

    async def round(self, number: int, fault: str = "") -> None:
        """A repair, or in every other round the creation of a policy that a repair left missing."""
        await (self.repair(number, fault) if number % 2 else self.creation(number, fault))

    async def repair(self, number: int, fault: str = "") -> None:
        """As `DeclaredProof.round` does, with a policy that is not valid each time."""
        self._begin()
        await self.sandbox.workspace.panel.apply("egress-policy", "lru")
        await self._noted(number, fault)

    async def creation(self, number: int, fault: str = "") -> None:
        """The same, after a repair that left the policy missing: nobody may create one meanwhile."""
        self._begin()
        panel, before = self.sandbox.workspace.panel, f"before round {number}"
        await panel.apply("egress-policy", "lru")
        await panel.apply("egress-frozen", True)
        await self._ended(await self._asked(before), before)
        await panel.apply("egress-frozen", False)
        await self._noted(number, fault)

    def _begin(self) -> None:
        self.line, self.sandbox.cluster.simulation.speed = "egress repair", 0.3
        self._known, self._made = 0, []

    async def _noted(self, number: int, fault: str) -> None:
        """Make the round, and note what is created meanwhile."""
        self._made = made = []  # type: list[tuple[str, ...]]
        with self.sandbox.cluster.store.subscribe() as queue:
            noting = asyncio.create_task(_note(queue, made))
            try:
                await super().round(number, fault)
            finally:
                noting.cancel()

    @property
    def _ran(self) -> Sequence[tuple[str, ...]]:
        return tuple(self._made)

    def _is_true(self, repair: RepairRequest, ran: Sequence[tuple[str, ...]]) -> bool:
        """Whether the outcome is true; a repair leaves the policy there, whatever its outcome is."""
        there = self.sandbox.cluster.store.get(kinds.CILIUM_POLICY, NAMESPACE, "agent-egress")
        made = Counter(kind for kind, _ in ran)
        if repair.action is EGRESS_CREATE:
            return _is_true_creation(repair, made, there=there is not None)
        if there is None or any(count > 1 for count in made.values()):
            return False
        if repair.state is RequestState.SUCCEEDED:
            return made == {POLICY: 1, POD: 1, AGENT: 1}
        if any(words in text_of(repair) for words in KEPT):
            return not made[POLICY] and not made[POD]
        return repair.state not in LIVE


def _is_true_creation(repair: RepairRequest, made: Counter[str], *, there: bool) -> bool:
    """Whether a creation's outcome is true: the policy was created once and nothing else, or it is missing."""
    if made not in ({}, {POLICY: 1}) or there != bool(made[POLICY]):
        return False
    if repair.state is RequestState.SUCCEEDED:
        return there
    return repair.state not in LIVE and ("MISSING" not in text_of(repair) or not there)


async def _note(queue: asyncio.Queue[Change], made: list[tuple[str, ...]]) -> None:
    """Note the policies, pods and agents that are created, by kind and uid."""
    while True:
        change = await queue.get()
        meta = change.object["metadata"]
        if change.type == "ADDED" and change.kind is kinds.CILIUM_POLICY:
            made.append((POLICY, meta["uid"]))
        elif change.type == "ADDED" and change.kind is kinds.POD:
            made.append((POD if meta["namespace"] == NAMESPACE else AGENT, meta["uid"]))


def prepared_egress(
    *, postgres: Postgres | None = None, seed_: int = 0, between: bool = True
) -> AbstractAsyncContextManager[DeclaredProof]:
    """Start everything; see `prepared_declared`."""
    return prepared_declared(EgressProof, postgres=postgres, seed_=seed_, between=between)
