"""Rounds of `image pull` while bots are killed: the pod is replaced at most once a request, by what was approved.

In each round the tag has moved in the registry. In some it moves once more while the request is open, which voids
it: the pod then stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from bot.domain.approvals.actions.image_action import DIGEST
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from sandbox.cluster import kinds
from sandbox.cluster.store import Change
from tests.postgres import Postgres
from tests.soak.declared import LIVE, DeclaredProof, prepared_declared, text_of

MOVES = 0.2
"""In which share of the rounds the tag moves while the request is open."""


class ImageProof(DeclaredProof):
    """One run of the proof."""

    fixture: ClassVar[str] = "containers: {kali: {}}\n"
    target: ClassVar[Mapping[str, Any]] = {"runbook": ["secure-agent-pod"], "argocd": None}
    MOST: ClassVar[Mapping[str, int]] = {"commit": 12, "look": 6, "change": 2, "post": 3, "edit": 6}
    _made: Sequence[tuple[str, ...]] = ()
    _moves = False

    async def round(self, number: int, fault: str = "") -> None:
        """As `DeclaredProof` does, with a tag that has moved each time."""
        self.line = "image pull"
        self.sandbox.cluster.simulation.speed = 0.3
        self.sandbox.registry.push(not self.sandbox.registry.pushed)
        self._moves = not fault and self.dice.random() < MOVES
        self._known = 0
        self._made = made = []  # type: list[tuple[str, ...]]
        with self.sandbox.cluster.store.subscribe() as queue:
            noting = asyncio.create_task(_note(queue, made))
            try:
                await super().round(number, fault)
            finally:
                noting.cancel()

    async def _asked(self, reason: str) -> RepairRequest:
        repair = await super()._asked(reason)
        if self._moves:
            self.sandbox.registry.push(not self.sandbox.registry.pushed)
        return repair

    @property
    def _ran(self) -> Sequence[tuple[str, ...]]:
        return tuple(self._made)

    def _is_true(self, repair: RepairRequest, ran: Sequence[tuple[str, ...]]) -> bool:
        """Whether the outcome is true of the pods that were made, and of what runs."""
        if repair.state is RequestState.SUCCEEDED:
            return len(ran) == 1 and self._runs.endswith(repair.details[DIGEST])
        if repair.state is RequestState.VOID:
            return not ran and self._moves
        if any(words in text_of(repair) for words in ("nothing was changed", "was not begun")):
            return not ran
        return repair.state not in LIVE and len(ran) <= 1

    @property
    def _runs(self) -> str:
        """The image that the pod's container reports."""
        [pod] = self.sandbox.cluster.simulation.pods()
        return str(pod["status"]["containerStatuses"][0].get("imageID"))

    async def _true_card(self, repair: RepairRequest, reason: str) -> None:
        if repair.state is not RequestState.VOID:  # its card has another mark
            await super()._true_card(repair, reason)


async def _note(queue: asyncio.Queue[Change], made: list[tuple[str, ...]]) -> None:
    """Note the pods that are created, by their uid."""
    while True:
        change = await queue.get()
        if change.type == "ADDED" and change.kind is kinds.POD:
            made.append((change.object["metadata"]["uid"],))


def prepared_images(
    *, postgres: Postgres | None = None, seed_: int = 0, between: bool = True
) -> AbstractAsyncContextManager[DeclaredProof]:
    """Start everything; see `prepared_declared`."""
    return prepared_declared(ImageProof, postgres=postgres, seed_=seed_, between=between)
