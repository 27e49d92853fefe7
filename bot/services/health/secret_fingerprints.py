"""Saves fingerprints of the values in a target's Secrets, to tell a changed value from a mere rewrite.

What changed between two polls is recorded by the names of the keys, also of the ConfigMaps that are watched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.core.look import is_ahead
from bot.domain.core.target import Target
from bot.domain.core.workload import Right, SecretFacts
from bot.domain.health import secret_memory
from bot.errors import AgentpodError, NotFound
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.services.change_log import ChangeLog
from bot.services.health.key_looks import KeyLooks
from bot.services.health.rights import config_map_right, secret_rights

logger = logging.getLogger("agentpod.watch")

EVERY = 300.0
"""Seconds between two polls."""


@dataclass
class SecretWatch:
    """Polls the Secrets of one target, and its ConfigMaps that are watched."""

    target: Target
    cluster_of: Callable[[str], Cluster]
    ledger: Ledger
    clock: Clock
    change_log: ChangeLog | None = None
    """Where changes are recorded; None: they aren't."""
    _said: dict[str, str] = field(default_factory=dict)
    """Why a ConfigMap could not be read the last time, by name: said once."""

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The rights to read each Secret whose changes are recorded, and each ConfigMap that is watched."""
        return [*secret_rights(target.watched_secrets), *map(config_map_right, target.config_maps)]

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Save the fingerprints of each Secret, and compare all keys with the last look.

        What can't be read keeps its old ones.
        """
        looks = KeyLooks(self.target.name, self.change_log) if self.change_log is not None else None
        for name in self.target.watched_secrets:
            try:
                await self._note(name, looks)
            except AgentpodError as error:
                which = {"target": self.target.name, "secret": name}
                logger.info("fingerprints of a Secret not updated: %s", error.message, extra=which)
        if looks is not None:
            for name in self.target.config_maps:
                await self._note_config_map(name, looks)

    async def _note(self, name: str, looks: KeyLooks | None) -> None:
        now = self.clock.now()
        try:
            facts = await self.cluster_of(self.target.name).secret(name)
        except NotFound:
            if looks is not None:
                await looks.note_secret(name, None, now)
            raise
        await self._remember(name, facts, now)
        if looks is not None:
            await looks.note_secret(name, facts, now)

    async def _remember(self, name: str, facts: SecretFacts, now: datetime) -> None:
        key = secret_memory.mark(self.target.name, name)
        async with self.ledger.writing() as tx:
            before = secret_memory.from_json(await tx.mark(key) or "")
            if before is not None and now < before.until and not is_ahead(before.until, self.clock.now()):
                return  # another replica has read it since
            before = secret_memory.dated(before, now) if before is not None else None
            await tx.set_mark(key, secret_memory.to_json(secret_memory.noted(before, facts, now)))

    async def _note_config_map(self, name: str, looks: KeyLooks) -> None:
        try:
            await looks.note_config_map(name, self.cluster_of(self.target.name), self.clock.now())
        except AgentpodError as error:
            if self._said.get(name) != error.message:
                which = {"target": self.target.name, "configmap": name, "remedy": error.remedy}
                logger.info("a ConfigMap could not be compared: %s", error.message, extra=which)
            self._said[name] = error.message
        else:
            self._said.pop(name, None)
