"""Reads the values of the targets' Secrets into memory, so that they are redacted from everything shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import field

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.outside import Outside
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.errors import AgentpodError, Transient
from bot.ports.cluster import Cluster
from bot.services.health.rights import secret_rights

logger = logging.getLogger("agentpod.secrets")

EVERY = 120.0
"""Seconds between two polls: a changed value is redacted by its shape alone until the next one."""
SOON = 10.0
"""Seconds until the next poll while the API server can't be reached."""


@dataclass
class KnownSecrets:
    """Polls the Secrets; unreadable ones are redacted by shape alone."""

    targets: Sequence[Target]
    cluster_of: Callable[[str], Cluster]
    outside: Outside
    unknown: set[tuple[str, str]] = field(default_factory=set)
    """Target and name of the Secrets whose values were not read by the last poll, or not yet."""

    @property
    def wanted(self) -> set[tuple[str, str]]:
        """Target and name of all Secrets that it reads."""
        return {(target.name, name) for target in self.targets for name, _ in _secrets(target)}

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The rights to read each Secret whose values are redacted."""
        return secret_rights([name for name, _ in _secrets(target)])

    async def run(self) -> None:
        """Poll until cancelled."""
        known = False
        while True:
            errors = await self.look()
            if not known and not errors:
                known = True
                logger.info("all values of the targets' Secrets are known and redacted from now on")
            await asyncio.sleep(SOON if any(isinstance(e, Transient) for e in errors) else EVERY)

    async def look(self) -> list[AgentpodError]:
        """Read every Secret once; returns the errors. A Secret that can't be read keeps its known values."""
        wanted = [(target, *one) for target in self.targets for one in _secrets(target)]
        self.unknown = self.wanted
        read = await asyncio.gather(*(self._read(*one) for one in wanted))
        await asyncio.to_thread(self.outside.prepare)
        return [error for error in read if error is not None]

    async def _read(self, target: Target, name: str, files: bool) -> AgentpodError | None:
        cluster = self.cluster_of(target.name)
        try:
            values = await (cluster.secret_values([name], files=True) if files else cluster.secret_values([name]))
        except AgentpodError as error:
            logger.debug("Secret %s is redacted by its shape alone: %s", name, error.message)
            return error
        self.outside.learn(f"{target.name}/{name}", values)
        self.unknown.discard((target.name, name))
        return None


def _secrets(target: Target) -> list[tuple[str, bool]]:
    """The Secrets whose values are redacted, and whether each holds config files."""
    spec, plain = target.configs_rotate, dict.fromkeys(target.secrets, False)
    return list((plain if spec is None else {spec.secret: True} | plain).items())
