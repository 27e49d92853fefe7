"""A day in review: what each job, the pod and the bot's own sight were like. Pure.

Semantics: HEARTBEATS.md, "Digest". Time of which nothing is known is never counted as healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from bot.domain.alerting import Incident, Kind
from bot.domain.heartbeat import Health
from bot.domain.history import BEAT, Happening
from bot.domain.pod_watch import key_of
from bot.domain.target import Target, canonical_job

NOTHING = timedelta()


@dataclass(frozen=True)
class Window:
    """A local day: 23, 24 or 25 hours."""

    day: date
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


def window(day: date, zone: str) -> Window:
    """The local day of that date."""
    first, last = (_midnight(d, zone) for d in (day, day + timedelta(days=1)))
    return Window(day, first, last)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def yesterday(now: datetime, zone: str) -> date:
    """The last complete local day at ``now``."""
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


class What(Enum):
    """What a span of time was like."""

    LATE = "late"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Span:
    """A time in which something was not as it should be, within the window."""

    what: What
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it was."""
        return self.end - self.start


@dataclass(frozen=True)
class Lane:
    """One job, or the pod, through the day."""

    subject: str
    spans: tuple[Span, ...] = ()
    runs: tuple[datetime, ...] = ()
    """When heartbeats came; for the pod when it was started anew."""

    def total(self, what: What) -> timedelta:
        """How long it was like that."""
        return sum((s.length for s in self.spans if s.what is what), NOTHING)

    @property
    def downs(self) -> int:
        """How often it was down."""
        return sum(s.what is What.DOWN for s in self.spans)


@dataclass(frozen=True)
class Day:
    """One target's day."""

    target: str
    window: Window
    pod: Lane
    jobs: tuple[Lane, ...]
    blind: tuple[Span, ...]
    """When nobody could see: the source was away, or the bot was."""

    @property
    def unknown(self) -> timedelta:
        """For how long nothing was known."""
        return sum((s.length for s in self.blind), NOTHING)

    @property
    def uptime(self) -> float | None:
        """The pod's share of the known time in which it was up, in percent; None where nothing is known."""
        known = self.window.length - self.unknown
        if known <= NOTHING:
            return None
        down = sum((s.length for s in _without(self.pod.spans, self.blind) if s.what is What.DOWN), NOTHING)
        return 100.0 * (1 - down / known)

    @property
    def good(self) -> bool:
        """Whether all was well, and known to be."""
        lanes = (self.pod, *self.jobs)
        return not self.blind and not any(s.what is What.DOWN for lane in lanes for s in lane.spans)


def day(
    target: Target,
    of: Window,
    incidents: Sequence[Incident],
    history: Sequence[Happening],
    now: datetime,
    since: datetime | None,
) -> Day:
    """The target's day from what was told and what happened; ``history`` begins some time before the day.

    ``since`` is when the bot first looked: before that (and always, for None) nothing is known.
    """
    mine = [i for i in incidents if i.problem.target == target.name]
    end = min(of.end, now)
    seen = Window(of.day, of.start, max(end, of.start))
    jobs = tuple(_job(target, canonical_job(h.job), h.job, seen, mine, history) for h in target.heartbeats)
    blind = _incident_spans(incidents, Kind.BLIND, What.UNKNOWN, seen)
    blind += _states(history, "", "source", _OFF, seen)
    unseen = _cut(What.UNKNOWN, seen.start, since or seen.end, seen)
    blind += [unseen] if unseen is not None else []
    return Day(target.name, seen, _pod(target, seen, mine, history), jobs, _merged(blind))


_OFF = {"blind": What.UNKNOWN, "off": What.UNKNOWN}
_HEALTH = {Health.LATE.value: What.LATE, Health.STALE.value: What.DOWN, Health.FAILED.value: What.DOWN}
_POD = {"down": What.DOWN}


def _job(
    target: Target, name: str, shown: str, of: Window, incidents: Sequence[Incident], history: Sequence[Happening]
) -> Lane:
    spans = _states(history, target.name, name, _HEALTH, of)
    told = [i for i in incidents if i.problem.kind is Kind.HEARTBEAT and canonical_job(i.problem.subject) == name]
    # An incident that began before the history does reaches into the day all the same.
    spans = _merged([*spans, *_incident_spans(told, Kind.HEARTBEAT, What.DOWN, of)])
    mine = (h for h in history if h.target == target.name and h.subject == name)
    return Lane(shown, spans, tuple(h.at for h in mine if h.what == BEAT and _in(h.at, of)))


def _pod(target: Target, of: Window, incidents: Sequence[Incident], history: Sequence[Happening]) -> Lane:
    # Others of its kind, such as a process that is gone, don't say that the pod was down.
    told = [i for i in incidents if i.key == key_of(target.name) and i.problem.severity == "critical"]
    spans = [*_states(history, target.name, "pod", _POD, of), *_incident_spans(told, Kind.POD, What.DOWN, of)]
    own = (h for h in history if h.target == target.name and h.subject == "pod")
    return Lane("pod", _merged(spans), tuple(h.at for h in own if h.what == "ready" and _in(h.at, of)))


def _in(at: datetime, of: Window) -> bool:
    return of.start <= at < of.end


def _states(
    history: Sequence[Happening], target: str, subject: str, kinds: dict[str, What], of: Window
) -> tuple[Span, ...]:
    """The spans of a subject's states: each lasts until the next one."""
    mine = sorted(
        (h for h in history if h.target == target and h.subject == subject and h.what != BEAT), key=lambda h: h.at
    )
    ends = [*(h.at for h in mine[1:]), of.end]
    found = [(kinds[h.what], h.at, end) for h, end in zip(mine, ends, strict=False) if h.what in kinds]
    return tuple(s for what, start, end in found if (s := _cut(what, start, end, of)) is not None)


def _incident_spans(incidents: Iterable[Incident], kind: Kind, what: What, of: Window) -> list[Span]:
    found = []
    for one in incidents:
        if one.problem.kind is kind:
            span = _cut(what, one.problem.since, one.recovered_at or one.resolved_at or of.end, of)
            found += [span] if span is not None else []
    return found


def _cut(what: What, start: datetime, end: datetime, of: Window) -> Span | None:
    start, end = max(start, of.start), min(end, of.end)
    return Span(what, start, end) if start < end else None


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans of one kind that touch are one; what is down is not late as well."""
    merged: list[Span] = []
    for kind in (What.DOWN, What.UNKNOWN, What.LATE):
        mine = sorted((s for s in spans if s.what is kind), key=lambda s: s.start)
        joined: list[Span] = []
        for span in mine:
            if joined and span.start <= joined[-1].end:
                joined[-1] = Span(kind, joined[-1].start, max(joined[-1].end, span.end))
            else:
                joined.append(span)
        merged += _without(joined, merged) if kind is What.LATE else joined
    return tuple(sorted(merged, key=lambda s: s.start))


def _without(spans: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """What is left of spans outside of others."""
    left = list(spans)
    for other in others:
        left = [piece for span in left for piece in _minus(span, other)]
    return left


def _minus(span: Span, other: Span) -> list[Span]:
    if other.end <= span.start or span.end <= other.start:
        return [span]
    pieces = [(span.start, min(span.end, other.start)), (max(span.start, other.end), span.end)]
    return [Span(span.what, start, end) for start, end in pieces if start < end]
