"""Keeps the values of the targets' Secrets in mind, so that they are found in whatever is about to be shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.core.outside import Outside
from bot.domain.core.target import Target
from bot.errors import AgentpodError, Transient
from bot.ports.cluster import Cluster

logger = logging.getLogger("agentpod.secrets")

EVERY = 120.0
"""Seconds between two looks: a value that was changed is known as long after it."""
SOON = 10.0
"""Seconds until the next look while the API server is away."""


@dataclass
class KnownSecrets:
    """Reads with the rights that `logs` has; what can't be read is known by its shape alone."""

    targets: Sequence[Target]
    cluster_of: Callable[[str], Cluster]
    outside: Outside

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        known = False
        while True:
            errors = await self.look()
            if not known and not errors:
                known = True
                logger.info("the values of the targets' Secrets are known, and redacted from now on")
            await asyncio.sleep(SOON if any(isinstance(e, Transient) for e in errors) else EVERY)

    async def look(self) -> list[AgentpodError]:
        """Read every Secret once; gives why any could not be read. Its values stay known as they were."""
        wanted = [(target, name) for target in self.targets for name in target.secrets]
        read = await asyncio.gather(*(self._read(*one) for one in wanted))
        await asyncio.to_thread(self.outside.prepare)
        return [error for error in read if error is not None]

    async def _read(self, target: Target, name: str) -> AgentpodError | None:
        try:
            values = await self.cluster_of(target.name).secret_values([name])
        except AgentpodError as error:
            logger.debug("Secret %s is redacted by its shape alone: %s", name, error.message)
            return error
        self.outside.learn(f"{target.name}/{name}", values)
        return None
