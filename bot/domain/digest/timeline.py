"""Compute a target's day from its incidents and its history events. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.core.history import BEAT, SOURCE, HistoryEvent, pod_source
from bot.domain.core.intervals import Interval, LocalDay, What, cut, merged, without
from bot.domain.core.target import POD, HeartbeatPolicy, Target, canonical_job
from bot.domain.digest.day import NOTHING, Day, DayTrack, WatchedSince
from bot.domain.heartbeats.heartbeat import Health
from bot.domain.incidents import planned
from bot.domain.incidents.alerting import Incident, Maintenance
from bot.domain.incidents.sources.cluster import CLUSTER
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.incidents.sources.pushgateway import PUSHGATEWAY

ON_TIME = timedelta(minutes=5)
"""A heartbeat this late still counts as on time, since the run itself takes time."""


def day(
    target: Target,
    of: LocalDay,
    incidents: Sequence[Incident],
    history: Sequence[HistoryEvent],
    now: datetime,
    watched: WatchedSince,
    maintenance: Sequence[Maintenance] = (),
) -> Day:
    """Compute the target's day; ``history`` begins some time before the day, to know the state at its start."""
    seen = LocalDay(of.day, of.start, max(min(of.end, now), of.start))
    timeline = _Timeline.of(target, incidents, history, seen, maintenance)
    unknown = [
        *timeline.blind(PUSHGATEWAY.key()),
        *timeline.states("", SOURCE, _OFF),
        *_before(watched.jobs, seen),
    ]
    there = [h for h in target.heartbeats if _was_there(timeline, canonical_job(h.job), watched)]
    silent = watched.never if watched.jobs is not None else ()
    never = tuple(h.job for h in there if canonical_job(h.job) in silent)
    found = [_job(timeline, h, unknown) for h in there if h.job not in never]
    paused, away = (
        tuple(j.subject for j in found if _all_of(j, what, seen)) for what in (What.PAUSED, What.MAINTENANCE)
    )
    jobs = tuple(lane for lane in found if lane.subject not in (*paused, *away))
    return Day(target.name, seen, _pod(timeline, _before(watched.pod, seen)), jobs, paused, never, away)


def off_at(history: Sequence[HistoryEvent], moment: datetime, sources: Iterable[str]) -> bool:
    """Whether no bot was running at the moment: no source was polled."""
    of = LocalDay(moment.date(), moment, moment + timedelta.resolution)
    return all(_spans(_of(history, "", source), {"off": What.UNKNOWN}, of) for source in sources)


_OFF = {"blind": What.UNKNOWN, "off": What.UNKNOWN}
_HEALTH = {
    Health.LATE.value: What.LATE,
    Health.STALE.value: What.DOWN,
    Health.FAILED.value: What.DOWN,
    Health.PAUSED.value: What.PAUSED,
}
_POD = {"down": What.DOWN}
_LAST = {None: 1, What.UNKNOWN: 2}
"""Tie-break for events with the same timestamp: the later state wins. Good states come after bad ones, since a pod
may only be readable again once it is ready; unknown comes last, since a bot that polled once and stopped has no
data from that poll on."""


@dataclass(frozen=True)
class _Timeline:
    """A target's incidents and history events, indexed by subject."""

    target: Target
    seen: LocalDay
    incidents: Sequence[Incident]
    of_jobs: Mapping[str, Sequence[Incident]]
    by_subject: Mapping[tuple[str, str], Sequence[HistoryEvent]]
    maintenance: Sequence[Maintenance]

    @classmethod
    def of(
        cls,
        target: Target,
        incidents: Sequence[Incident],
        history: Sequence[HistoryEvent],
        seen: LocalDay,
        maintenance: Sequence[Maintenance],
    ) -> _Timeline:
        jobs, by_subject = defaultdict(list), defaultdict(list)
        for one in incidents:
            if HEARTBEAT.owns(one.key) and one.problem.target == target.name:
                jobs[canonical_job(one.problem.subject)].append(one)
        for event in history:
            by_subject[(event.target, event.subject)].append(event)
        return cls(target, seen, incidents, jobs, by_subject, maintenance)

    def events(self, target: str, subject: str) -> Sequence[HistoryEvent]:
        return self.by_subject.get((target, subject), ())

    def states(self, target: str, subject: str, kinds: Mapping[str, What]) -> list[Interval]:
        return _spans(self.events(target, subject), kinds, self.seen)

    def blind(self, key: str) -> list[Interval]:
        """Spans in which a source could not be read, by its incidents."""
        return _incident_spans((i for i in self.incidents if i.key == key), What.UNKNOWN, self.seen)

    def track(self, subject: str, job: str, spans: Sequence[Interval], runs: tuple[datetime, ...]) -> DayTrack:
        """The track of a job (``""``: the pod) from its spans, with those in maintenance reclassified."""
        spans = [*spans, *planned.excused(spans, self.maintenance, self.target.name, job, self.seen)]
        found, known = merged(spans), merged(s for s in spans if s.what is not What.UNKNOWN)
        gap = DayTrack(subject, known).total(What.DOWN) - DayTrack(subject, found).total(What.DOWN)
        return DayTrack(subject, found, runs, gap)

    def moments(self, subject: str, what: str) -> tuple[datetime, ...]:
        """Times of an event within the day."""
        events = self.events(self.target.name, subject)
        return tuple(h.at for h in events if h.what == what and self.seen.start <= h.at < self.seen.end)


def _was_there(timeline: _Timeline, name: str, watched: WatchedSince) -> bool:
    """Whether a job was watched on the day: it was polled by then, or has history events."""
    since = watched.each.get(name)
    return since is None or since < timeline.seen.end or bool(timeline.events(timeline.target.name, name))


def _job(timeline: _Timeline, policy: HeartbeatPolicy, unknown: Sequence[Interval]) -> DayTrack:
    name = canonical_job(policy.job)
    spans = timeline.states(timeline.target.name, name, _HEALTH)
    # Incidents as well: one may have begun before the history does.
    incidents = timeline.of_jobs.get(name, ())
    from_incidents = _incident_spans(incidents, What.DOWN, timeline.seen)
    unseen = _not_read_later(unknown, incidents, timeline.seen)
    track = timeline.track(policy.job, name, [*spans, *from_incidents, *unseen], timeline.moments(name, BEAT))
    return replace(track, spans=tuple(s for s in track.spans if s.what is not What.LATE or s.length >= ON_TIME))


def _not_read_later(
    unknown: Sequence[Interval], incidents: Iterable[Incident], of: LocalDay
) -> Sequence[Interval]:
    """The spans without data, but for those of which a later poll told: the last heartbeat was still the same.

    So the job was silent from that heartbeat on until it recovered, whether or not anybody polled meanwhile.
    """
    for one in incidents:
        last, end = one.problem.success, one.recovered_at or one.resolved_at or of.end
        if last is not None and last < one.problem.since and (silent := cut(What.DOWN, last, end, of)):
            unknown = [
                part
                for span in unknown
                for part in (without([span], [silent]) if span.end < silent.end else [span])
            ]
    return unknown


def _all_of(lane: DayTrack, what: What, of: LocalDay) -> bool:
    """Whether the lane was in that state all day, as far as is known."""
    long = lane.total(what)
    return long > NOTHING and long + lane.total(What.UNKNOWN) >= of.length


def _pod(timeline: _Timeline, unseen: Sequence[Interval]) -> DayTrack:
    name = timeline.target.name
    # Not incidents of the same stored kind, such as a missing process: the pod was not down then.
    from_incidents = [
        i for i in timeline.incidents if i.key == POD_HEALTH.key(name) and i.problem.severity == "critical"
    ]
    down = [*timeline.states(name, POD, _POD), *_incident_spans(from_incidents, What.DOWN, timeline.seen)]
    unknown = [*timeline.blind(CLUSTER.key(name)), *timeline.states("", pod_source(name), _OFF), *unseen]
    return timeline.track(POD, "", [*down, *unknown], timeline.moments(POD, "ready"))


def _before(since: datetime | None, of: LocalDay) -> list[Interval]:
    """The span before the first poll."""
    unseen = cut(What.UNKNOWN, of.start, since or of.end, of)
    return [unseen] if unseen is not None else []


def _of(history: Sequence[HistoryEvent], target: str, subject: str) -> list[HistoryEvent]:
    return [h for h in history if h.target == target and h.subject == subject]


def _spans(events: Iterable[HistoryEvent], kinds: Mapping[str, What], of: LocalDay) -> list[Interval]:
    """The spans of a subject's states: each lasts until the next event."""
    mine = sorted((h for h in events if h.what != BEAT), key=lambda h: (h.at, _LAST.get(kinds.get(h.what), 0)))
    ends = [*(h.at for h in mine[1:]), of.end]
    found = [(kinds[h.what], h.at, end) for h, end in zip(mine, ends, strict=False) if h.what in kinds]
    return [s for what, start, end in found if (s := cut(what, start, end, of)) is not None]


def _incident_spans(incidents: Iterable[Incident], what: What, of: LocalDay) -> list[Interval]:
    ends = [(i.problem.since, i.recovered_at or i.resolved_at or of.end) for i in incidents]
    return [s for start, end in ends if (s := cut(what, start, end, of)) is not None]
