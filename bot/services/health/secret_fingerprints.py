"""Saves fingerprints of the values in a target's Secrets, to tell a changed value from a mere rewrite.

What changed between two polls is recorded by the names of the keys.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.core.change import SECRET, Change
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health import secret_memory
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.services.health.rights import secret_rights

logger = logging.getLogger("agentpod.watch")

EVERY = 300.0
"""Seconds between two polls."""


@dataclass
class SecretWatch:
    """Polls the Secrets of one target."""

    target: Target
    cluster_of: Callable[[str], Cluster]
    ledger: Ledger
    clock: Clock

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The rights to read each Secret of the pod."""
        return secret_rights(target.every_secret)

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Save the fingerprints of each Secret; one that can't be read keeps its old ones."""
        for name in self.target.every_secret:
            try:
                await self._note(name)
            except AgentpodError as error:
                which = {"target": self.target.name, "secret": name}
                logger.info("fingerprints of a Secret not updated: %s", error.message, extra=which)

    async def _note(self, name: str) -> None:
        now = self.clock.now()
        facts = await self.cluster_of(self.target.name).secret(name)
        key = secret_memory.mark(self.target.name, name)
        async with self.ledger.writing() as tx:
            before = secret_memory.from_json(await tx.mark(key) or "")
            if before is not None and now < before.until:
                return  # another replica has read it since
            if before is not None and (said := secret_memory.changed_keys(before, facts)):
                await tx.add_changes([Change(self.target.name, SECRET, name, "", said, now, before.until)])
            await tx.set_mark(key, secret_memory.to_json(secret_memory.noted(before, facts, now)))
