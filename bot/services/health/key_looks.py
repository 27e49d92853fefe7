"""Compares a target's Secrets and ConfigMaps with the last look, to record which keys changed.

The record has looks of its own: how old a Secret's values are is judged by `secret_memory` alone. States are made
in a thread: an object may have 100,000 keys.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from bot.domain.core.change import CONFIG_MAP, SECRET
from bot.domain.core.look import Look, State
from bot.domain.core.workload import SecretFacts
from bot.domain.health import stored_keys
from bot.errors import NotFound
from bot.ports.cluster import Cluster
from bot.services.change_log import ChangeLog
from bot.services.health.rights import config_map_right


@dataclass
class KeyLooks:
    """The looks at the keys of one target's Secrets and ConfigMaps."""

    target: str
    log: ChangeLog

    async def note_secret(self, name: str, facts: SecretFacts | None, now: datetime) -> None:
        """Compare a Secret that was read at ``now``; None: it is not there."""
        if facts is None:
            await self._note(SECRET, name, stored_keys.GONE, now)
            return
        state = await asyncio.to_thread(stored_keys.of_secret, facts)
        await self._note(SECRET, name, state, now, facts.resource_version)

    async def note_config_map(self, name: str, cluster: Cluster, now: datetime) -> None:
        """Read and compare a ConfigMap. Raises as `Cluster.objects` does, except when it is not there."""
        try:
            raw = await cluster.objects(config_map_right(name), "v1")
        except NotFound:
            await self._note(CONFIG_MAP, name, stored_keys.GONE, now)
            return
        state = await asyncio.to_thread(stored_keys.of_config_map, raw, self.log.fingerprints)
        version = str((raw.get("metadata") or {}).get("resourceVersion", ""))
        await self._note(CONFIG_MAP, name, state, now, version)

    async def _note(self, kind: str, name: str, state: State, now: datetime, version: str = "") -> None:
        look = Look(self.target, kind, state, now, stored_keys.order(version), subject=name)
        await self.log.note(look, stored_keys.compare(name), stored_keys.merged)
