"""The watcher of heartbeats: read, judge, decide, and keep all of it in one transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.core.frozen import replace
from bot.domain.core.history import BEAT, SOURCE, HistoryEvent
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.heartbeats.heartbeat import Health, Snapshot
from bot.domain.incidents import alerting, job_state
from bot.domain.incidents.alerting import AlertRules, Incident, State
from bot.domain.incidents.job_state import JobState, Look, Watched
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.pushgateway import PUSHGATEWAY
from bot.errors import AgentpodError, unexpected
from bot.ports.clock import Clock
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.ledger import Writing
from bot.services.heartbeats.due import Attention, Held
from bot.services.incidents.incident_cache import IncidentCache, reasons
from bot.services.incidents.incident_service import IncidentService
from bot.services.incidents.muting import Why
from bot.services.incidents.poll_coverage import heartbeat_looks

logger = logging.getLogger("agentpod.watch")

Mute = Callable[[Writing, Target, datetime], Awaitable[Why]]
"""For a target now: why nothing is said of a job that missed that deadline; empty where nothing is in the way."""

SLEPT = timedelta(seconds=30)
"""More than a read may take: the machine slept over it, or its clock was set."""
Looked = tuple[Watched, Look, Problem | None]
"""A job, what a look at it gave, and what is wrong with it."""


@dataclass
class HeartbeatWatch:
    """One source, and the jobs of all targets."""

    source: HeartbeatSource
    clock: Clock
    rules: AlertRules
    targets: Sequence[Target]
    incidents: IncidentService
    mute: Mute
    _failures: int = 0
    _blind_since: datetime | None = None
    _seen_once: bool = False
    """Whether the source has answered once since it was blind."""
    _started: datetime | None = None
    """When the source was started, as it says."""
    _known: IncidentCache = field(init=False)
    _memories: dict[str, JobState] = field(default_factory=dict)
    _held: Held = field(default_factory=Held)
    _attention: dict[str, Attention] = field(default_factory=dict)
    """By target: which of its jobs have to be looked at."""

    def __post_init__(self) -> None:
        """Knows nothing yet."""
        self._known = IncidentCache(self.incidents, self._reread)

    async def run(self) -> None:
        """Look until cancelled. What goes wrong with the ledger is waited out: the next look makes up for it."""
        while True:
            try:
                await self.tick()
            except AgentpodError as error:
                logger.warning("the heartbeats were not judged: %s", error.message)
            await asyncio.sleep(self.rules.poll.total_seconds())

    async def tick(self) -> list[Incident]:
        """One look; gives the incidents that changed. Raises as the ledger does.

        Whatever else goes wrong, however unexpected, is no data: nothing is known of any job.
        """
        metrics = {m for t in self.targets for m in self._attention_to(t).metrics}
        try:
            snapshot = await self._read(metrics)
        except AgentpodError as error:
            return await self._blind(error)
        except Exception as error:
            return await self._defect("They could not be read", error)
        try:
            kept = await self._look(snapshot)
        except AgentpodError:
            raise
        except Exception as error:
            return await self._defect("What it holds could not be judged", error)
        self._failures, self._blind_since = 0, None
        return kept

    async def _defect(self, what: str, error: Exception) -> list[Incident]:
        logger.error("the heartbeats were not judged", exc_info=None if self._failures else error)
        return await self._blind(unexpected(what, error))

    async def _read(self, metrics: Collection[str]) -> Snapshot:
        """What the source has now: what was read before the machine slept is old, and says nothing of now."""
        while True:
            asked = self.clock.now()
            snapshot = await self.source.read(metrics)
            if self.clock.now() - asked < SLEPT:
                return snapshot

    # -- blind

    async def _blind(self, error: AgentpodError) -> list[Incident]:
        """Nothing is judged; after some looks in vain that is told, once."""
        now = self.clock.now()
        self._failures += 1
        self._blind_since = self._blind_since or now
        if self._failures < self.rules.blind_after:
            return []
        self._seen_once = False
        window = self.rules.window_over([t.name for t in self.targets], now)
        muted = f"maintenance {window.name}" if window is not None else ""
        problem = PUSHGATEWAY.problem(self.targets[0], self._blind_since, reasons(error), muted)
        async with self._known.looking(now) as tx:
            if problem.key not in self._known.open:
                await tx.add_history([HistoryEvent("", SOURCE, self._blind_since, "blind")])
            return await self._known.keep(tx, [problem], now)

    # -- seeing

    async def _look(self, snapshot: Snapshot) -> list[Incident]:
        now = self.clock.now()
        async with self._known.looking(now) as tx:
            touched, self._started = self._held.take(snapshot.groups), snapshot.started
            for target in self.targets:
                self._attention_to(target).wake(touched)
            await heartbeat_looks(self.rules).note(tx, now)
            blind = self._known.open.get(PUSHGATEWAY.key())
            if blind is not None and not self._seen_once:
                self._seen_once = True  # what it answers first may be half of it: the next look speaks
                return []
            kept: list[Incident] = []
            if blind is not None:
                kept += await self._known.keep(tx, [], now, [blind.key])
                if blind.state is not State.RECOVERING:
                    await tx.add_history([HistoryEvent("", SOURCE, now, "ok")])
            for target in self.targets:
                kept += await self._target(tx, target, now)
            return kept

    def _attention_to(self, target: Target) -> Attention:
        found = self._attention.get(target.name)
        if found is None or found.target is not target:
            found = self._attention[target.name] = Attention(target)
        return found

    async def _target(self, tx: Writing, target: Target, now: datetime) -> list[Incident]:
        looks, broken = self._looks(target, now)
        await self._remember(tx, target, looks)
        wrong = [(job.policy, found, problem) for job, found, problem in looks if problem is not None]
        problems = [*(await self._muted(tx, target, wrong, now) if wrong else []), *broken]
        about = [j.incident for j, f, _ in looks if f.status.health is not Health.PAUSED]
        kept = await self._closed(tx, [(j, f) for j, f, problem in looks if problem is None], now)
        kept += await self._known.keep(tx, problems, now, about)
        self._rest(self._attention_to(target), looks)
        return kept

    async def _closed(self, tx: Writing, well: Sequence[tuple[Watched, Look]], now: datetime) -> list[Incident]:
        """End what no heartbeat has ended: nobody says that the job sends them again."""
        over = [
            alerting.closed(incident, why, now)
            for job, found in well
            if (incident := self._known.open.get(job.incident)) is not None
            and found.status.health is not Health.PAUSED
            and (why := job_state.unproven(incident, job.policy.metric, found.memory))
        ]
        return await self._known.save(tx, over, now)

    def _rest(self, attention: Attention, looks: Sequence[Looked]) -> None:
        """Those that are well, with nothing open or odd of them, have nothing new to show until they are due."""
        for job, found, problem in looks:
            if problem is None and not found.memory.note and job.incident not in self._known.open:
                attention.rest(job, found.memory.next_at)

    async def _muted(
        self, tx: Writing, target: Target, wrong: Sequence[tuple[HeartbeatPolicy, Look, Problem]], now: datetime
    ) -> list[Problem]:
        """The problems, with what is in the way of telling each."""
        why = await self.mute(tx, target, now)
        return [replace(p, muted=reason) if (reason := _reason(why, h, f, p)) else p for h, f, p in wrong]

    def _looks(self, target: Target, now: datetime) -> tuple[list[Looked], list[Problem]]:
        """The jobs that had to be looked at, and those that could not be: one job's defect is not the others'."""
        looks, broken = [], []
        attention = self._attention_to(target)
        for job in attention.awake(now):
            try:
                if (found := self._look_at(job, now)) is not None:
                    looks.append((job, found, job_state.problem(target.name, found, now)))
                else:
                    attention.rest(job, self._memories[job.memory].next_at)
            except Exception as error:
                logger.exception("a job could not be judged", extra={"target": target.name, "job": job.policy.job})
                broken.append(job_state.defect(target.name, job.policy, error, now))
        return looks, broken

    def _look_at(self, job: Watched, now: datetime) -> Look | None:
        """A look, if something was pushed, a deadline has passed, or an incident is open."""
        memory, seen = self._memories.get(job.memory), self._held.of(job.job)
        if job.incident not in self._known.open and job_state.unchanged(job.policy, memory, seen, now):
            return None
        return job_state.look(job.policy, seen, memory, now, self._started)

    async def _remember(self, tx: Writing, target: Target, looks: Sequence[Looked]) -> None:
        """Keep what is new, and what happened: each heartbeat that came, each change of health."""
        changed, events = [], []
        for job, found, _ in looks:
            if found.memory is self._memories.get(job.memory):
                continue
            changed.append(found.memory)
            if found.beat is not None:
                events.append(HistoryEvent(target.name, job.job, found.beat, BEAT))
            if found.flip is not None:
                events.append(HistoryEvent(target.name, job.job, found.flip.at, found.flip.after.value))
            self._memories[job.memory] = found.memory
        await tx.remember(target.name, changed)
        await tx.add_history(events)

    async def _reread(self, tx: Writing) -> None:
        """Another process, or a person, has changed what is kept here: nothing is as it was at the last look."""
        self._memories = dict(await tx.job_states())
        for attention in self._attention.values():
            attention.wake(None)


def _reason(why: Why, policy: HeartbeatPolicy, look: Look, problem: Problem) -> str:
    """What is in the way of telling it; nothing where that can't be judged: silence is worse."""
    try:
        return why(policy, problem.since, look.status.health is Health.FAILED)
    except Exception:
        logger.exception("what is in the way of an alert could not be judged", extra={"job": policy.job})
        return ""
