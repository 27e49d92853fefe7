"""Which jobs a look has to look at: of ten thousand that are as they were, none."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from operator import is_

from bot.domain.core.target import Target, canonical_job
from bot.domain.heartbeats.heartbeat import Group, by_job
from bot.domain.incidents import job_state
from bot.domain.incidents.job_state import Watched


class Held:
    """The source's groups by job, brought up to date by what an answer has changed.

    A source gives a group that is as it was as the same object; where it does not, all of them are looked at.
    """

    def __init__(self) -> None:
        """Nothing is held yet."""
        self._groups: dict[int, Group] = {}
        self._by_job: dict[str, list[Group]] = {}

    def of(self, job: str) -> Sequence[Group]:
        """The groups of a job, by its canonical name."""
        return self._by_job.get(job, ())

    def take(self, groups: Sequence[Group]) -> Collection[str]:
        """The answer's groups from now on; gives the jobs whose groups are not what they were."""
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
        self._groups = now  # they are kept, so that no other one gets their place in memory
        return touched


class Attention:
    """The jobs of a target that may have something new to show, until a look at them shows nothing."""

    def __init__(self, target: Target) -> None:
        """At first all may have."""
        self.target = target
        self.metrics = frozenset(h.metric for h in target.heartbeats)
        self._jobs = {job.job: job for job in job_state.watched(target)}
        self._awake = dict(self._jobs)
        self._alarms: dict[str, datetime] = {}
        """When each is to be looked at though nothing was pushed."""
        self._at: dict[datetime, list[str]] = {}
        """The same by time; a job that got an earlier one since is in both, which is one look more."""
        self._times: list[datetime] = []
        """A heap of those times."""

    def wake(self, jobs: Iterable[str] | None) -> None:
        """These may have something new to show; None: all of them."""
        for job in self._jobs if jobs is None else jobs:
            if job in self._jobs:
                self._awake[job] = self._jobs[job]

    def awake(self, now: datetime) -> list[Watched]:
        """Those to look at now."""
        while self._times and self._times[0] <= now:
            for job in self._at.pop(at := heapq.heappop(self._times)):
                if self._alarms.get(job) == at:
                    del self._alarms[job]
                self._awake[job] = self._jobs[job]
        return list(self._awake.values())

    def rest(self, job: Watched, until: datetime | None) -> None:
        """It has nothing new to show until then (None: for good), unless it is woken."""
        del self._awake[job.job]
        alarm = self._alarms.get(job.job)
        if until is None or (alarm is not None and alarm <= until):  # an earlier one does: it is set anew then
            return
        self._alarms[job.job] = until
        if until not in self._at:
            self._at[until] = []
            heapq.heappush(self._times, until)
        self._at[until].append(job.job)

    @property
    def alarms(self) -> int:
        """How many looks are kept for later: about one a job."""
        return sum(map(len, self._at.values()))
