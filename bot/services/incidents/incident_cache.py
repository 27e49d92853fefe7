"""The incidents as a watcher knows them between two looks, and what the watchers of one target share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.core.target import Target
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import AlertRules, Incident, Problem
from bot.errors import AgentpodError
from bot.ports.clock import (
    Clock,
)
from bot.ports.cluster import (
    Cluster,
)
from bot.ports.ledger import (
    Writing,
)
from bot.services.incidents.incident_service import IncidentService
from bot.services.incidents.muting import Muting


def reasons(error: AgentpodError) -> tuple[tuple[str, str], ...]:
    """Why something can't be read, and what to do, as facts of the incident."""
    return (("Why", error.message), *([("What to do", error.remedy)] if error.remedy else []))


@dataclass
class IncidentCache:
    """Read anew when another process, another watcher or a click has changed them."""

    incidents: IncidentService
    _version: str = ""
    _by_key: dict[str, Incident] = field(default_factory=dict)

    async def freshen(self, tx: Writing, now: datetime) -> None:
        """Bring it to what the ledger holds."""
        version = await tx.watched()
        if version != self._version:
            recent = now - max(self.incidents.rules.flap_window, timedelta(hours=1))
            self._by_key = dict(await tx.newest_incidents(recent))
            self._version = version

    def open(self, key: str) -> Incident | None:
        """The open incident of a key."""
        found = self._by_key.get(key)
        return found if found is not None and found.open else None

    def open_keys(self, prefix: str) -> set[str]:
        """The keys of open incidents that begin so."""
        return {key for key, found in self._by_key.items() if key.startswith(prefix) and found.open}

    async def keep(
        self, tx: Writing, problems: Sequence[Problem], now: datetime, about: Collection[str]
    ) -> list[Incident]:
        """One look at the keys of ``about``; gives the incidents that changed, as they are saved."""
        changed = alerting.step(self._by_key, problems, self.incidents.rules, now, about=about)
        kept = await self.incidents.keep(tx, self._by_key, changed, now)
        if kept:
            self._version = ""  # read again: what is kept here is only true once it is committed
        return kept


@dataclass
class TargetWatch:
    """A watcher of something of one target in its cluster."""

    target: Target
    cluster_of: Callable[[str], Cluster]
    clock: Clock
    rules: AlertRules
    incidents: IncidentService
    muting: Muting
    _known: IncidentCache = field(init=False)

    def __post_init__(self) -> None:
        """Knows nothing yet."""
        self._known = IncidentCache(self.incidents)

    def _told(self, kept: list[Incident]) -> list[Incident]:
        """Once it is committed."""
        if kept:
            self.incidents.changed()
        return kept
