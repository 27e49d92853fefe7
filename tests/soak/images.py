"""Rounds of `image pull` and `image set` while bots are killed: one new pod at most, and of what was approved.

In each round the tag points to another image than the one that runs. In some it moves while the request is open,
which voids it: the pod then stays as it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from bot.domain.approvals.actions.image_action import DIGEST
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from sandbox import images
from sandbox.cluster import kinds, objects
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.store import Change
from sandbox.cluster.workload import is_ready
from tests.postgres import Postgres
from tests.soak.declared import LIVE, DeclaredProof, prepared_declared, text_of
from tests.soak.fleet import PATIENCE

MOVES = 0.2
"""In which share of the rounds the tag moves while the request is open."""


class ImageProof(DeclaredProof):
    """One run of the proof."""

    fixture: ClassVar[str] = "containers: {kali: {}}\n"
    target: ClassVar[Mapping[str, Any]] = {
        "runbook": ["secure-agent-pod"],
        "argocd": None,
        "image_set": ["kali"],
    }
    MOST: ClassVar[Mapping[str, int]] = {"commit": 12, "look": 6, "change": 2, "post": 3, "edit": 6}
    _made: Sequence[tuple[str, ...]] = ()
    _moves = False
    _tag = ""

    async def round(self, number: int, fault: str = "") -> None:
        """As `DeclaredProof` does, with a tag that has moved each time; every other round sets it."""
        self.sandbox.cluster.simulation.speed = 0.3
        self._tag = "1.1.0" if number % 2 else "latest"
        self.line = "image set 1.1.0" if number % 2 else "image pull"
        await self._name_latest()
        self._point(elsewhere=True)
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
            self._point(elsewhere=False)
        return repair

    def _point(self, *, elsewhere: bool) -> None:
        """Point the tag to another image than the one that runs, or to that one."""
        both = [images.image(number).digest for number in (1, 2)]
        self.sandbox.registry.tags[self._tag] = next(
            one for one in both if self._runs.endswith(one) is not elsewhere
        )

    async def _name_latest(self) -> None:
        """Have the Deployment name ``:latest``, as it did before the last image was set."""
        store, end = self.sandbox.cluster.store, time.monotonic() + PATIENCE
        draft = store.draft(kinds.DEPLOYMENT, NAMESPACE, objects.APP)
        draft["spec"]["template"]["spec"]["containers"][0]["image"] = objects.IMAGE
        store.put(kinds.DEPLOYMENT, draft)
        await self.sandbox.cluster.simulation.settle()
        while not self._is_quiet(draft) and time.monotonic() < end:  # noqa: ASYNC110 - a pod signals nothing here
            await asyncio.sleep(0.05)

    def _is_quiet(self, wanted: Any) -> bool:
        """Whether the only pod is of this Deployment, and ready."""
        pods, template = self.sandbox.cluster.simulation.pods(), objects.template_hash(wanted["spec"]["template"])
        return (
            len(pods) == 1 and is_ready(pods[0]) and pods[0]["metadata"]["labels"]["pod-template-hash"] == template
        )

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
