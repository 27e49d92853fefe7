"""A day in review: what each job and the pod were like, as far as it is known. Pure.

Semantics: HEARTBEATS.md, "Digest". Time of which nothing is known is never counted as healthy, nor as down. Jobs
are seen through the Pushgateway and the pod through the API server: each may be blind while the other sees.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.alerting import Incident, Kind
from bot.domain.heartbeat import Health
from bot.domain.history import BEAT, SOURCE, Happening, pod_source
from bot.domain.pod_watch import blind_key, key_of
from bot.domain.repair import Case, Delivery
from bot.domain.spans import Span, What, Window, cut, merged
from bot.domain.target import HeartbeatPolicy, Target, canonical_job
from bot.domain.watch import BLIND

NOTHING = timedelta()
MOST_LANES = 12
"""Jobs in a picture: more would be no picture for a phone, and cost memory that the bot has not."""
ON_TIME = timedelta(minutes=5)
"""A run that ends so long after its time is on time: it has to run first."""


def window(day: date, zone: str) -> Window:
    """The local day of that date."""
    first, last = (_midnight(d, zone) for d in (day, day + timedelta(days=1)))
    return Window(day, first, last)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def yesterday(now: datetime, zone: str) -> date:
    """The last complete local day at ``now``."""
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


@dataclass(frozen=True)
class Lane:
    """One job, or the pod, through the day."""

    subject: str
    spans: tuple[Span, ...] = ()
    """In order; no two of them overlap."""
    runs: tuple[datetime, ...] = ()
    """When heartbeats came; for the pod when it was started anew."""

    def total(self, what: What) -> timedelta:
        """How long it was like that."""
        return sum((s.length for s in self.spans if s.what is what), NOTHING)

    @property
    def downs(self) -> int:
        """How often it was down. One before and one after a time of which nothing is known are one."""
        count, end, going_on = 0, None, False
        for span in self.spans:
            goes_on = going_on and span.start == end
            count += span.what is What.DOWN and not goes_on
            going_on = span.what is What.DOWN or (span.what is What.UNKNOWN and goes_on)
            end = span.end
        return count


@dataclass(frozen=True)
class Day:
    """One target's day."""

    target: str
    window: Window
    pod: Lane
    jobs: tuple[Lane, ...]
    paused: tuple[str, ...] = ()
    """Jobs of which nothing was expected all day: they are neither on time nor late."""
    never: tuple[str, ...] = ()
    """Jobs of which no heartbeat ever came: neither are they."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The jobs, and the pod last."""
        return (*self.jobs, self.pod)

    @property
    def of_jobs(self) -> timedelta:
        """For how long nothing was known of a job, at the most: they have one source."""
        return max((lane.total(What.UNKNOWN) for lane in self.jobs), default=NOTHING)

    @property
    def of_pod(self) -> timedelta:
        """For how long nothing was known of the pod."""
        return self.pod.total(What.UNKNOWN)

    @property
    def known(self) -> bool:
        """Whether anything at all is known of it."""
        return any(self.knows(lane) for lane in self.lanes)

    def knows(self, lane: Lane) -> bool:
        """Whether anything is known of a lane."""
        return lane.total(What.UNKNOWN) < self.window.length

    @property
    def uptime(self) -> float | None:
        """The pod's share of the known time in which it was up, in percent; None where nothing is known."""
        known = self.window.length - self.of_pod
        return 100.0 * (1 - self.pod.total(What.DOWN) / known) if known > NOTHING else None

    def worst_jobs(self) -> tuple[Lane, ...]:
        """Those that a picture has room for, in their order: that were down or late for longest."""
        ranked = sorted(self.jobs, key=lambda j: (j.total(What.DOWN), j.total(What.LATE)), reverse=True)
        chosen = {id(lane) for lane in ranked[:MOST_LANES]}
        return tuple(lane for lane in self.jobs if id(lane) in chosen)

    @property
    def late(self) -> int:
        """How many jobs ran late."""
        return sum(lane.total(What.LATE) > NOTHING for lane in self.jobs)

    @property
    def good(self) -> bool:
        """Whether nothing was down, and that is known. A job may have run late: see `late`."""
        bad = (What.DOWN, What.UNKNOWN)
        return not any(s.what in bad for lane in self.lanes for s in lane.spans)


@dataclass(frozen=True)
class Watched:
    """Since when the bot has looked at each source: before that, and for None always, nothing is known."""

    jobs: datetime | None = None
    pod: datetime | None = None
    never: frozenset[str] = frozenset()
    """The jobs, by their canonical names, of which no heartbeat ever came and none has to yet."""
    each: Mapping[str, datetime] = field(default_factory=dict)
    """Since when each job is looked at, by its canonical name, where that is known."""


@dataclass(frozen=True)
class Facts:
    """All that a digest is made of."""

    days: Sequence[Day]
    """One a target."""
    before: Sequence[Day]
    """The day before, in the same order."""
    cases: Sequence[Case] = ()
    """Repairs that were carried out on the day."""
    waiting: Sequence[Case] = ()
    """Requests that wait for a decision."""
    open: Sequence[Incident] = ()
    undelivered: Sequence[Delivery] = ()
    zone: str = "UTC"
    late_by: timedelta = field(default_factory=timedelta)
    missed: Sequence[date] = ()
    """Days before of which no digest was posted."""
    was_off: bool = False
    """Whether that was because no bot was running."""
    heartbeats: bool = True
    """Whether heartbeats are read at all: else it is about the pod only."""


def day(
    target: Target,
    of: Window,
    incidents: Sequence[Incident],
    history: Sequence[Happening],
    now: datetime,
    watched: Watched,
) -> Day:
    """The target's day from what was told and what happened; ``history`` begins some time before the day."""
    seen = Window(of.day, of.start, max(min(of.end, now), of.start))
    story = _Story.of(target, incidents, history, seen)
    unknown = [*story.blind(BLIND), *story.states("", SOURCE, _OFF), *_before(watched.jobs, seen)]
    there = [h for h in target.heartbeats if _was_there(story, canonical_job(h.job), watched)]
    silent = watched.never if watched.jobs is not None else ()
    never = tuple(h.job for h in there if canonical_job(h.job) in silent)
    found = [_job(story, h, unknown) for h in there if h.job not in never]
    paused = tuple(lane.subject for lane in found if _all_paused(lane, seen))
    jobs = tuple(lane for lane in found if lane.subject not in paused)
    return Day(target.name, seen, _pod(story, _before(watched.pod, seen)), jobs, paused, never)


def off_at(history: Sequence[Happening], moment: datetime, sources: Iterable[str]) -> bool:
    """Whether nobody looked at any of the sources then: no bot was running."""
    of = Window(moment.date(), moment, moment + timedelta.resolution)
    return all(_spans(_of(history, "", source), {"off": What.UNKNOWN}, of) for source in sources)


_OFF = {"blind": What.UNKNOWN, "off": What.UNKNOWN}
_HEALTH = {
    Health.LATE.value: What.LATE,
    Health.STALE.value: What.DOWN,
    Health.FAILED.value: What.DOWN,
    Health.PAUSED.value: What.PAUSED,
}
_POD = {"down": What.DOWN}


@dataclass(frozen=True)
class _Story:
    """What is told of a target and happened to it, by subject."""

    target: Target
    seen: Window
    incidents: Sequence[Incident]
    of_jobs: Mapping[str, Sequence[Incident]]
    happened: Mapping[tuple[str, str], Sequence[Happening]]

    @classmethod
    def of(
        cls, target: Target, incidents: Sequence[Incident], history: Sequence[Happening], seen: Window
    ) -> _Story:
        jobs, happened = defaultdict(list), defaultdict(list)
        for one in incidents:
            if one.problem.kind is Kind.HEARTBEAT and one.problem.target == target.name:
                jobs[canonical_job(one.problem.subject)].append(one)
        for thing in history:
            happened[(thing.target, thing.subject)].append(thing)
        return cls(target, seen, incidents, jobs, happened)

    def things(self, target: str, subject: str) -> Sequence[Happening]:
        return self.happened.get((target, subject), ())

    def states(self, target: str, subject: str, kinds: Mapping[str, What]) -> list[Span]:
        return _spans(self.things(target, subject), kinds, self.seen)

    def blind(self, key: str) -> list[Span]:
        """When a source could not be read, as it was told."""
        return _incident_spans((i for i in self.incidents if i.key == key), What.UNKNOWN, self.seen)

    def moments(self, subject: str, what: str) -> tuple[datetime, ...]:
        """When that happened in the day."""
        things = self.things(self.target.name, subject)
        return tuple(h.at for h in things if h.what == what and self.seen.start <= h.at < self.seen.end)


def _was_there(story: _Story, name: str, watched: Watched) -> bool:
    """Whether a job was looked at on that day, or earlier; one that was taken out meanwhile has a story."""
    since = watched.each.get(name)
    return since is None or since < story.seen.end or bool(story.things(story.target.name, name))


def _job(story: _Story, policy: HeartbeatPolicy, unknown: Sequence[Span]) -> Lane:
    name = canonical_job(policy.job)
    spans = story.states(story.target.name, name, _HEALTH)
    # An incident that began before the history does reaches into the day all the same.
    told = _incident_spans(story.of_jobs.get(name, ()), What.DOWN, story.seen)
    spans = [s for s in merged([*spans, *told, *unknown]) if s.what is not What.LATE or s.length >= ON_TIME]
    return Lane(policy.job, tuple(spans), story.moments(name, BEAT))


def _all_paused(lane: Lane, of: Window) -> bool:
    paused = lane.total(What.PAUSED)
    return paused > NOTHING and paused + lane.total(What.UNKNOWN) >= of.length


def _pod(story: _Story, unseen: Sequence[Span]) -> Lane:
    name = story.target.name
    # Others of its kind, such as a process that is gone, don't say that the pod was down.
    told = [i for i in story.incidents if i.key == key_of(name) and i.problem.severity == "critical"]
    down = [*story.states(name, "pod", _POD), *_incident_spans(told, What.DOWN, story.seen)]
    unknown = [*story.blind(blind_key(name)), *story.states("", pod_source(name), _OFF), *unseen]
    return Lane("pod", merged([*down, *unknown]), story.moments("pod", "ready"))


def _before(since: datetime | None, of: Window) -> list[Span]:
    """The time before the first look."""
    unseen = cut(What.UNKNOWN, of.start, since or of.end, of)
    return [unseen] if unseen is not None else []


def _of(history: Sequence[Happening], target: str, subject: str) -> list[Happening]:
    return [h for h in history if h.target == target and h.subject == subject]


def _spans(things: Iterable[Happening], kinds: Mapping[str, What], of: Window) -> list[Span]:
    """The spans of a subject's states: each lasts until the next one."""
    # Of two at one moment the good one comes last: a pod that was seen again only when it was ready again.
    mine = sorted((h for h in things if h.what != BEAT), key=lambda h: (h.at, h.what not in kinds))
    ends = [*(h.at for h in mine[1:]), of.end]
    found = [(kinds[h.what], h.at, end) for h, end in zip(mine, ends, strict=False) if h.what in kinds]
    return [s for what, start, end in found if (s := cut(what, start, end, of)) is not None]


def _incident_spans(incidents: Iterable[Incident], what: What, of: Window) -> list[Span]:
    ends = [(i.problem.since, i.recovered_at or i.resolved_at or of.end) for i in incidents]
    return [s for start, end in ends if (s := cut(what, start, end, of)) is not None]
