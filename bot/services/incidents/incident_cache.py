"""A watcher's cache of incidents between two evaluations, and the base class of a target's watchers.

Watchers evaluate every few seconds, and incidents may be changed meanwhile by another watcher, another process
or a click. To read all incidents each time would be slow, so each watcher caches them, validated by the ledger's
``watched`` mark, which changes with every saved incident and job state:

- an evaluation reads the mark in its own transaction, and reloads the cache where it is another one;
- what the evaluation saves is put into the cache, together with the mark that the transaction leaves behind;
- an evaluation that fails, at the commit or before it, clears the mark, so the next one reloads.

Whatever else a watcher caches is reloaded with it (``reload``).

An evaluation may wait for its transaction while another process evaluates later facts and commits first. The later
decision stays, and the next evaluation goes on from it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.problem import Problem
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Writing
from bot.services.change_log import ChangeLog
from bot.services.health.reads import CheckContext
from bot.services.incidents.incident_service import IncidentService
from bot.services.incidents.muting import Muting


def reasons(error: AgentpodError) -> tuple[tuple[str, str], ...]:
    """The error's message and remedy as facts of an incident."""
    return (("Why", error.message), *([("What to do", error.remedy)] if error.remedy else []))


OVERTAKEN = timedelta(seconds=30)
"""Longest time that an evaluation waits for its transaction.

An incident changed up to this long after the evaluation's ``now`` was changed later. One further in the future
comes from another process's clock, which says nothing about the order.
"""


async def _nothing(_: Writing) -> None:
    """Reload nothing else."""


@dataclass
class IncidentCache:
    """One watcher's incidents; see the module. Evaluations of one cache must not overlap."""

    incidents: IncidentService
    reload: Callable[[Writing], Awaitable[None]] = _nothing
    """Reloads whatever else the watcher caches."""
    _mark: str = ""
    """The ledger's mark at which the cache was valid; empty: not valid."""
    _by_key: dict[str, Incident] = field(default_factory=dict)
    """The newest recent incident of each key, open or not."""
    _open: dict[str, Incident] = field(default_factory=dict)
    """The open ones among them."""
    _reloaded: bool = False
    """Whether the current evaluation reloaded the cache, since somebody else had changed something."""
    _saved: bool = False
    """Whether the current evaluation has saved anything."""

    @property
    def open(self) -> Mapping[str, Incident]:
        """The open incidents by key."""
        return self._open

    @asynccontextmanager
    async def evaluation(self, now: datetime, marks: Collection[str] = ()) -> AsyncIterator[Writing]:
        """The transaction of one evaluation, with a valid cache; ``marks`` are read ahead.

        Wakes the outbox worker after the commit, if anything was saved.
        """
        self._saved = False
        try:
            async with self.incidents.ledger.writing() as tx:
                await tx.read_marks(marks)
                await self._validate(tx, now)
                yield tx
                self._mark = await tx.watched()
        except BaseException:
            self._mark = ""
            raise
        if self._saved:
            self.incidents.changed()

    async def _validate(self, tx: Writing, now: datetime) -> None:
        mark = await tx.watched()
        self._reloaded = mark != self._mark
        if not self._reloaded:
            return
        recent = now - max(self.incidents.rules.flap_window, timedelta(hours=1))
        self._by_key, self._open = {}, {}
        self._store(list((await tx.newest_incidents(recent)).values()))
        await self.reload(tx)

    async def update(
        self, tx: Writing, problems: Sequence[Problem], now: datetime, about: Collection[str] = ()
    ) -> list[Incident]:
        """Update incidents by the problems that an evaluation found; returns those that changed, as saved.

        ``about`` are the keys that could be evaluated: incidents of other keys don't resolve.
        """
        changed = alerting.step(self._by_key, problems, self.incidents.rules, now, about=about)
        return await self.save(tx, changed, now)

    async def save(self, tx: Writing, changed: Sequence[Incident], now: datetime) -> list[Incident]:
        """Save changed incidents, except those that a later evaluation changed first; returns them as saved."""
        if self._reloaded:
            changed = [incident for incident in changed if not self._overtaken(incident.key, now)]
        saved = await self.incidents.save(tx, self._open, changed, now)
        self._store(saved)
        self._saved = self._saved or bool(saved)
        return saved

    def _overtaken(self, key: str, now: datetime) -> bool:
        """Whether the key's incident was changed by an evaluation later than this one."""
        before = self._by_key.get(key)
        return before is not None and now < before.changed_at <= now + OVERTAKEN

    def _store(self, incidents: Sequence[Incident]) -> None:
        for incident in incidents:
            self._by_key[incident.key] = incident
            if incident.open:
                self._open[incident.key] = incident
            else:
                self._open.pop(incident.key, None)


@dataclass
class TargetWatch:
    """Base of the watchers of one target in its cluster. A subclass in a module of this package is run."""

    task: ClassVar[str]
    """What its background tasks are called, before the target's name."""
    subject: ClassVar[str] = "the watcher of {target}"
    """What the watcher is called in the incident that it keeps crashing."""

    target: Target
    cluster_of: Callable[[str], Cluster]
    clock: Clock
    rules: AlertRules
    incidents: IncidentService
    muting: Muting
    context: CheckContext | None = None
    """What checks of the target are made of, for a watcher that makes some."""
    change_log: ChangeLog | None = None
    """Where changes of what is watched are recorded; None: nowhere."""
    _cache: IncidentCache = field(init=False)

    def __post_init__(self) -> None:
        """Start with an empty cache."""
        self._cache = IncidentCache(self.incidents)

    async def run(self) -> None:
        """Watch until cancelled."""
        raise NotImplementedError

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - not every watcher asks Kubernetes
        """The Kubernetes rights that it needs for a target."""
        return ()
