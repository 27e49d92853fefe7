"""The incidents as a watcher knows them between two looks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain import alerting
from bot.domain.alerting import Incident, Problem
from bot.jobs.incidents import Incidents
from bot.ports import Writing


@dataclass
class Known:
    """Read anew when another process, another watcher or a click has changed them."""

    incidents: Incidents
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

    async def keep(
        self, tx: Writing, problems: Sequence[Problem], now: datetime, about: Collection[str]
    ) -> list[Incident]:
        """One look at the keys of ``about``; gives the incidents that changed, as they are saved."""
        changed = alerting.step(self._by_key, problems, self.incidents.rules, now, about=about)
        kept = await self.incidents.keep(tx, self._by_key, changed, now)
        if kept:
            self._version = ""  # read again: what is kept here is only true once it is committed
        return kept
