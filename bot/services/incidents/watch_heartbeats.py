"""Watches heartbeats: polls the Pushgateway, evaluates jobs, and saves all results in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from bot.domain.core import words
from bot.domain.core.frozen import replace
from bot.domain.core.history import BEAT, SOURCE, HistoryEvent
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.heartbeats import judge_heartbeats
from bot.domain.heartbeats.heartbeat import Health, HeartbeatPoll
from bot.domain.incidents import alerting, job_state
from bot.domain.incidents.alerting import AlertRules, Incident, IncidentState
from bot.domain.incidents.job_state import JobEvaluation, JobState, WatchedJob
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.pushgateway import EMPTY, PUSHGATEWAY, UNREACHED
from bot.errors import AgentpodError, Transient, Unreachable, unexpected
from bot.ports.clock import Clock
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.ledger import Writing
from bot.services.heartbeats.due import DueJobs, GroupIndex
from bot.services.incidents.incident_cache import IncidentCache, reasons
from bot.services.incidents.incident_service import IncidentService
from bot.services.incidents.muting import MuteReason
from bot.services.incidents.poll_coverage import heartbeat_coverage
from bot.services.repeat import repeat

logger = logging.getLogger("agentpod.watch")

Mute = Callable[[Writing, Target, datetime], Awaitable[MuteReason]]
"""(transaction, target, now) → why alerts of its jobs are muted; see `Muting.of`."""

SLEPT = timedelta(seconds=30)
"""A read that seems to take longer was interrupted: the machine slept, or its clock was set."""
Evaluated = tuple[WatchedJob, JobEvaluation, Problem | None]
"""A job, the result of its evaluation, and its problem if there is one."""


class LostAll(Transient):
    """The source answers, and holds nothing of what it held before."""

    def __init__(self, started: datetime | None) -> None:
        since = f" It was started at {words.moment(started)}." if started is not None else ""
        super().__init__(f"It answers, and holds no heartbeats at all.{since}", remedy=judge_heartbeats.EMPTIED)


@dataclass
class HeartbeatWatch:
    """Watches the jobs of all targets through one source."""

    subject: ClassVar[str] = "the watcher of the heartbeats"
    source: HeartbeatSource
    clock: Clock
    rules: AlertRules
    targets: Sequence[Target]
    incidents: IncidentService
    mute: Mute
    _failures: int = 0
    _unavailable_since: datetime | None = None
    _answered_once: bool = False
    """Whether the source has answered once since it was unavailable."""
    _started: datetime | None = None
    """When the source was started, by its own metrics."""
    _cache: IncidentCache = field(init=False)
    _states: dict[str, JobState] = field(default_factory=dict)
    """``target/job`` → its last saved state."""
    _groups: GroupIndex = field(default_factory=GroupIndex)
    _due: dict[str, DueJobs] = field(default_factory=dict)
    """Target name → its jobs that are due."""

    def __post_init__(self) -> None:
        """Start with an empty cache."""
        self._cache = IncidentCache(self.incidents, self._reload)

    async def run(self) -> None:
        """Poll until cancelled. The ledger's errors are logged: the next poll makes up for it."""
        await repeat(self.tick, self.rules.poll, self._failed)

    def _failed(self, error: AgentpodError) -> None:
        logger.warning("the heartbeats were not judged: %s", error.message)

    async def tick(self) -> list[Incident]:
        """Poll once; returns the incidents that changed. Raises as the ledger does.

        Any other exception, a defect included, counts as missing data for all jobs.
        """
        metrics = {m for t in self.targets for m in self._due_jobs(t).metrics}
        try:
            snapshot = await self._read(metrics)
        except AgentpodError as error:
            return await self._source_unavailable(error)
        except Exception as error:
            return await self._defect("They could not be read", error)
        try:
            changed = await self._evaluate(snapshot)
        except LostAll as error:
            return await self._source_unavailable(error)
        except AgentpodError:
            raise
        except Exception as error:
            return await self._defect("What it holds could not be judged", error)
        self._failures, self._unavailable_since = 0, None
        return changed

    async def _defect(self, what: str, error: Exception) -> list[Incident]:
        logger.error("the heartbeats were not judged", exc_info=None if self._failures else error)
        return await self._source_unavailable(unexpected(what, error))

    async def _read(self, metrics: Collection[str]) -> HeartbeatPoll:
        """Read the source; an answer from before the machine slept is stale, so the read is repeated."""
        while True:
            asked = self.clock.now()
            snapshot = await self.source.read(metrics)
            if self.clock.now() - asked < SLEPT:
                return snapshot

    # -- the source is unavailable

    async def _source_unavailable(self, error: AgentpodError) -> list[Incident]:
        """Evaluate no job; raise the source's own incident after ``blind_after`` failed polls."""
        now = self.clock.now()
        self._failures += 1
        self._unavailable_since = self._unavailable_since or now
        if self._failures < self.rules.blind_after:
            return []
        self._answered_once = False
        window = self.rules.window_over([t.name for t in self.targets], now)
        muted = f"maintenance {window.name}" if window is not None else ""
        problem = PUSHGATEWAY.problem(self.targets[0], self._unavailable_since, reasons(error), muted)
        problem = replace(problem, summary=_summary(error, problem.summary))
        async with self._cache.evaluation(now) as tx:
            if problem.key not in self._cache.open:
                await tx.add_history([HistoryEvent("", SOURCE, self._unavailable_since, "blind")])
            return await self._cache.update(tx, [problem], now)

    # -- the source answered

    async def _evaluate(self, snapshot: HeartbeatPoll) -> list[Incident]:
        now = self.clock.now()
        async with self._cache.evaluation(now, [heartbeat_coverage(self.rules).last]) as tx:
            if job_state.has_lost_all(snapshot, self._known_states()):
                raise LostAll(snapshot.started)
            touched = self._groups.update(snapshot.groups)
            restarted = snapshot.started not in (None, self._started)
            self._started = snapshot.started
            for target in self.targets:
                self._due_jobs(target).wake(None if restarted else touched)
            await heartbeat_coverage(self.rules).note(tx, now)
            unavailable = self._cache.open.get(PUSHGATEWAY.key())
            if unavailable is not None and not self._answered_once:
                self._answered_once = True  # its first answer may be incomplete: wait for the next one
                return []
            changed: list[Incident] = []
            if unavailable is not None:
                changed += await self._cache.update(tx, [], now, [unavailable.key])
                if unavailable.state is not IncidentState.RECOVERING:
                    await tx.add_history([HistoryEvent("", SOURCE, now, "ok")])
            for target in self.targets:
                changed += await self._target(tx, target, now)
            return changed

    def _known_states(self) -> Iterator[JobState | None]:
        return (self._states.get(job.memory) for target in self.targets for job in job_state.watched(target))

    def _due_jobs(self, target: Target) -> DueJobs:
        found = self._due.get(target.name)
        if found is None or found.target is not target:
            found = self._due[target.name] = DueJobs(target)
        return found

    async def _target(self, tx: Writing, target: Target, now: datetime) -> list[Incident]:
        """Evaluate one target's due jobs, and save the results."""
        evaluated, broken = self._evaluate_due(target, now)
        await self._save_states(tx, target, evaluated)
        wrong = [(job.policy, found, problem) for job, found, problem in evaluated if problem is not None]
        problems = [*(await self._muted(tx, target, wrong, now) if wrong else []), *broken]
        about = [j.incident for j, f, _ in evaluated if f.status.health is not Health.PAUSED]
        changed = await self._closed(tx, [(j, f) for j, f, problem in evaluated if problem is None], now)
        changed += await self._cache.update(tx, problems, now, about)
        self._postpone(self._due_jobs(target), evaluated)
        return changed

    async def _closed(
        self, tx: Writing, well: Sequence[tuple[WatchedJob, JobEvaluation]], now: datetime
    ) -> list[Incident]:
        """Close incidents whose problem went away without a new heartbeat of the job: that proves no recovery."""
        over = [
            alerting.closed(incident, why, now)
            for job, found in well
            if (incident := self._cache.open.get(job.incident)) is not None
            and found.status.health is not Health.PAUSED
            and (why := job_state.unproven(incident, job.policy.metric, found.memory))
        ]
        return await self._cache.save(tx, over, now)

    def _postpone(self, due: DueJobs, evaluated: Sequence[Evaluated]) -> None:
        """Postpone healthy jobs without an open incident or a note until their health changes by itself."""
        for job, found, problem in evaluated:
            if problem is None and not found.memory.note and job.incident not in self._cache.open:
                due.postpone(job, found.memory.next_at)

    async def _muted(
        self,
        tx: Writing,
        target: Target,
        wrong: Sequence[tuple[HeartbeatPolicy, JobEvaluation, Problem]],
        now: datetime,
    ) -> list[Problem]:
        """The problems, each with the reason why it is muted, if any."""
        why = await self.mute(tx, target, now)
        return [replace(p, muted=reason) if (reason := _reason(why, h, f, p)) else p for h, f, p in wrong]

    def _evaluate_due(self, target: Target, now: datetime) -> tuple[list[Evaluated], list[Problem]]:
        """Evaluate the due jobs; a job whose evaluation raises becomes a problem and doesn't stop the others."""
        evaluated, broken = [], []
        due = self._due_jobs(target)
        for job in due.due(now):
            try:
                if (found := self._evaluate_job(job, now)) is not None:
                    evaluated.append((job, found, job_state.problem(target.name, job.incident, found, now)))
                else:
                    due.postpone(job, self._states[job.memory].next_at)
            except Exception as error:
                logger.exception("a job could not be judged", extra={"target": target.name, "job": job.policy.job})
                broken.append(job_state.defect(target.name, job.policy, error, now))
        return evaluated, broken

    def _evaluate_job(self, job: WatchedJob, now: datetime) -> JobEvaluation | None:
        """Evaluate a job; None if nothing was pushed, no deadline has passed, and no incident is open."""
        state, groups = self._states.get(job.memory), self._groups.of(job.job)
        if job.incident not in self._cache.open and job_state.unchanged(
            job.policy, state, groups, now, self._started
        ):
            return None
        return job_state.look(job.policy, groups, state, now, self._started)

    async def _save_states(self, tx: Writing, target: Target, evaluated: Sequence[Evaluated]) -> None:
        """Save changed job states, and the history: each new heartbeat, each change of health."""
        changed, events = [], []
        for job, found, _ in evaluated:
            if found.memory is self._states.get(job.memory):
                continue
            changed.append(found.memory)
            if found.beat is not None:
                events.append(HistoryEvent(target.name, job.job, found.beat, BEAT))
            if found.flip is not None:
                events.append(HistoryEvent(target.name, job.job, found.flip.at, found.flip.after.value))
            self._states[job.memory] = found.memory
        await tx.save_job_states(target.name, changed)
        await tx.add_history(events)

    async def _reload(self, tx: Writing) -> None:
        """Reload the job states after another process or a person changed something, and make all jobs due."""
        self._states = dict(await tx.job_states())
        for due in self._due.values():
            due.wake(None)


def _summary(error: AgentpodError, otherwise: str) -> str:
    if isinstance(error, LostAll):
        return EMPTY
    return UNREACHED if isinstance(error, Unreachable) else otherwise


def _reason(why: MuteReason, policy: HeartbeatPolicy, look: JobEvaluation, problem: Problem) -> str:
    """Why a problem is muted; empty where that can't be judged: a needless alert is better than a missing one."""
    try:
        return why(policy, problem.since, look.status.health is Health.FAILED)
    except Exception:
        logger.exception("whether to mute an alert could not be judged", extra={"job": policy.job})
        return ""
