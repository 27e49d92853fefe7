"""Rounds of `configs rotate` while bots are killed: the Secret is changed once a round, and each outcome is true.

Each round encrypts other files, and counts the versions of the Secret from then on.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from sandbox.cluster import kinds, objects
from sandbox.cluster.rbac import NAMESPACE
from sandbox.cluster.store import Change
from tests.postgres import Postgres
from tests.soak.declared import LIVE, DeclaredProof, prepared_declared, text_of


class ConfigsProof(DeclaredProof):
    """One run of the proof."""

    fixture: ClassVar[str] = "containers: {kali: {}}\n"
    sandbox_options: ClassVar[Mapping[str, Any]] = {"configs": True}
    MOST: ClassVar[Mapping[str, int]] = {"commit": 8, "look": 3, "change": 1, "post": 3, "edit": 3}
    wanted: Mapping[str, str] = {}
    """The files."""
    before: Mapping[str, str] = {}
    """What the Secret held at the beginning of the round."""
    _made: Sequence[tuple[str, ...]] = ()

    async def round(self, number: int, fault: str = "") -> None:
        """As `DeclaredProof` does, with other files each time."""
        self.line, self._known, self.before = "configs rotate", 0, self.now
        self.wanted = {"kubeconfig": f"file-{number}-of-{number}", f"key-{number}": "another"}
        if self.sandbox.configs is None:
            raise AssertionError("the sandbox has no config files")
        self.sandbox.configs.replace(dict(self.wanted))
        self._made = made = []  # type: list[tuple[str, ...]]
        with self.sandbox.cluster.store.subscribe() as queue:
            noting = asyncio.create_task(_note(queue, made))
            try:
                await super().round(number, fault)
            finally:
                noting.cancel()

    @property
    def now(self) -> Mapping[str, str]:
        """What the Secret holds."""
        found = self.sandbox.cluster.store.get(kinds.SECRET, NAMESPACE, objects.CONFIG_SECRET)
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    @property
    def _ran(self) -> Sequence[tuple[str, ...]]:
        return tuple(self._made)

    def _is_true(self, repair: RepairRequest, ran: Sequence[tuple[str, ...]]) -> bool:
        """Whether the outcome is true of the Secret, which is always as it was or as the files."""
        if len(ran) > 1 or self.now != (self.wanted if ran else self.before):
            return False
        if repair.state is RequestState.SUCCEEDED:
            return len(ran) == 1
        if "nothing was changed" in text_of(repair) or "was not begun" in text_of(repair):
            return not ran
        return repair.state not in LIVE


async def _note(queue: asyncio.Queue[Change], made: list[tuple[str, ...]]) -> None:
    """Note each version of the Secret."""
    while True:
        change = await queue.get()
        meta = change.object["metadata"]
        if change.kind is kinds.SECRET and meta["name"] == objects.CONFIG_SECRET:
            made.append((change.type, meta["resourceVersion"]))


def prepared_configs(
    *, postgres: Postgres | None = None, seed_: int = 0, between: bool = True
) -> AbstractAsyncContextManager[DeclaredProof]:
    """Start everything; see `prepared_declared`."""
    return prepared_declared(ConfigsProof, postgres=postgres, seed_=seed_, between=between)
