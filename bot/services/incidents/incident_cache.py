"""The incidents as a watcher knows them between two looks, and what the watchers of one target share.

One rule: what is kept here is what the ledger held at the mark that it bears. Every incident that is saved, and
whatever is remembered of a job, changes the ledger's mark, whoever does it: this watcher, another one, another
process, or a click. So

- a look begins with the mark, in its own transaction, and reads everything anew where that is another one;
- what the look saves is taken over, and with it the mark that the transaction leaves behind;
- a look that fails, at the commit or before it, leaves no mark: the next one reads everything anew.

What else a watcher keeps beside the ledger goes by the same mark (``reread``), and nothing has a rule of its own.

A look may have waited for its transaction while another process looked later, and decided. What was decided then
stays: the next look judges it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.core.target import Target
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.problem import Problem
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Writing
from bot.services.incidents.incident_service import IncidentService
from bot.services.incidents.muting import Muting


def reasons(error: AgentpodError) -> tuple[tuple[str, str], ...]:
    """Why something can't be read, and what to do, as facts of the incident."""
    return (("Why", error.message), *([("What to do", error.remedy)] if error.remedy else []))


OVERTAKEN = timedelta(seconds=30)
"""Longest that a look may be older than what is in the ledger: it waits no longer for its transaction.

What lies further ahead is of another clock, and says nothing of what came first.
"""


async def _nothing(_: Writing) -> None:
    """Nothing else is kept."""


@dataclass
class IncidentCache:
    """One watcher's incidents, kept by the rule above: looks of the same cache don't overlap."""

    incidents: IncidentService
    reread: Callable[[Writing], Awaitable[None]] = _nothing
    """Reads anew what else the watcher keeps."""
    _mark: str = ""
    """The ledger's at which all this was true; empty: at none."""
    _by_key: dict[str, Incident] = field(default_factory=dict)
    """The newest one of each key, of late."""
    _open: dict[str, Incident] = field(default_factory=dict)
    """Those of them that are not over."""
    _read: bool = False
    """Whether the look that goes on had to read anew: somebody else has decided since the last one."""
    _saved: bool = False
    """Whether the look that goes on has saved anything."""

    @property
    def open(self) -> Mapping[str, Incident]:
        """The open incidents by key."""
        return self._open

    @asynccontextmanager
    async def looking(self, now: datetime) -> AsyncIterator[Writing]:
        """The transaction of one look, which begins with what the ledger holds.

        Who sends messages is told of those that it has enqueued, once it is committed.
        """
        self._saved = False
        try:
            async with self.incidents.ledger.writing() as tx:
                await self._freshen(tx, now)
                yield tx
                self._mark = await tx.watched()
        except BaseException:
            self._mark = ""
            raise
        if self._saved:
            self.incidents.changed()

    async def _freshen(self, tx: Writing, now: datetime) -> None:
        mark = await tx.watched()
        self._read = mark != self._mark
        if not self._read:
            return
        recent = now - max(self.incidents.rules.flap_window, timedelta(hours=1))
        self._by_key, self._open = {}, {}
        self._take(list((await tx.newest_incidents(recent)).values()))
        await self.reread(tx)

    async def keep(
        self, tx: Writing, problems: Sequence[Problem], now: datetime, about: Collection[str] = ()
    ) -> list[Incident]:
        """What a look at the keys of ``about`` has found; gives the incidents that changed, as they are saved."""
        changed = alerting.step(self._by_key, problems, self.incidents.rules, now, about=about)
        return await self.save(tx, changed, now)

    async def save(self, tx: Writing, changed: Sequence[Incident], now: datetime) -> list[Incident]:
        """Save incidents that the look has changed, unless a later look did; gives them as they are saved."""
        if self._read:
            changed = [incident for incident in changed if not self._overtaken(incident.key, now)]
        kept = await self.incidents.keep(tx, self._open, changed, now)
        self._take(kept)
        self._saved = self._saved or bool(kept)
        return kept

    def _overtaken(self, key: str, now: datetime) -> bool:
        """Whether what is known of a key was decided after this look."""
        before = self._by_key.get(key)
        return before is not None and now < before.changed_at <= now + OVERTAKEN

    def _take(self, incidents: Sequence[Incident]) -> None:
        for incident in incidents:
            self._by_key[incident.key] = incident
            if incident.open:
                self._open[incident.key] = incident
            else:
                self._open.pop(incident.key, None)


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

    async def run(self) -> None:
        """Look until cancelled."""
        raise NotImplementedError
