"""Jobs that are due for evaluation; unchanged ones are skipped.

A Pushgateway may hold ten thousand jobs, and few of them change between two polls. `GroupIndex` says whose
groups an answer has changed, and `DueJobs` which jobs to evaluate: those, and the ones whose next deadline has
come.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from operator import is_

from bot.domain.core.target import Target, canonical_job
from bot.domain.heartbeats.heartbeat import Group, by_job
from bot.domain.incidents import job_state
from bot.domain.incidents.job_state import WatchedJob


class GroupIndex:
    """The source's groups by job, updated with each answer.

    Groups are compared by identity: the source returns an unchanged group as the same object. With a source that
    doesn't, every job is evaluated each time.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._groups: dict[int, Group] = {}
        self._by_job: dict[str, list[Group]] = {}

    def of(self, job: str) -> Sequence[Group]:
        """The groups of a job, by its canonical name."""
        return self._by_job.get(job, ())

    def update(self, groups: Sequence[Group]) -> Collection[str]:
        """Replace the groups by those of an answer; returns the jobs whose groups came, changed or went."""
        before = self._groups
        if len(groups) == len(before) and all(map(is_, groups, before.values())):
            return ()
        now = dict(zip(map(id, groups), groups, strict=True))
        came, gone = now.keys() - before.keys(), before.keys() - now.keys()
        touched = {canonical_job(before[i].job) for i in gone}
        for job in touched:
            self._by_job[job] = [g for g in self._by_job[job] if id(g) not in gone]
        for job, more in by_job([now[i] for i in came]).items():
            self._by_job[job] = [*self._by_job.get(job, ()), *more]
            touched.add(job)
        for job in touched:
            if not self._by_job[job]:
                del self._by_job[job]
        self._groups = now  # keeps the objects alive, so that no new one gets the same id()
        return touched


class DueJobs:
    """The jobs of a target that are due for evaluation, each until `postpone` says that it isn't."""

    def __init__(self, target: Target) -> None:
        """Start with all jobs due."""
        self.target = target
        self.metrics = frozenset(h.metric for h in target.heartbeats)
        self._jobs = {job.job: job for job in job_state.watched(target)}
        self._due = dict(self._jobs)
        self._next_at: dict[str, datetime] = {}
        """Job → when it becomes due though nothing was pushed."""
        self._by_time: dict[datetime, list[str]] = {}
        """The same by time. A job that has since got an earlier time is listed twice, and evaluated once more."""
        self._times: list[datetime] = []
        """A heap of those times."""

    def wake(self, jobs: Iterable[str] | None) -> None:
        """Make these jobs due; None: all of them."""
        for job in self._jobs if jobs is None else jobs:
            if job in self._jobs:
                self._due[job] = self._jobs[job]

    def due(self, now: datetime) -> list[WatchedJob]:
        """The jobs to evaluate now."""
        while self._times and self._times[0] <= now:
            for job in self._by_time.pop(at := heapq.heappop(self._times)):
                if self._next_at.get(job) == at:
                    del self._next_at[job]
                self._due[job] = self._jobs[job]
        return list(self._due.values())

    def postpone(self, job: WatchedJob, until: datetime | None) -> None:
        """Take a job off the list until then (None: until it is woken)."""
        del self._due[job.job]
        planned = self._next_at.get(job.job)
        if until is None or (planned is not None and planned <= until):  # due earlier: postponed again then
            return
        self._next_at[job.job] = until
        if until not in self._by_time:
            self._by_time[until] = []
            heapq.heappush(self._times, until)
        self._by_time[until].append(job.job)

    @property
    def planned(self) -> int:
        """How many later evaluations are planned: about one per job."""
        return sum(map(len, self._by_time.values()))
