"""The data of a digest: the state of each job and the pod through a day. Pure; `timeline` computes it.

The rules are in docs/alerts.md, "The digest". Time without data counts neither as healthy nor as down. Data on
jobs comes from the Pushgateway and data on the pod from the API server, so one may be missing without the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.anchors import Anchor
from bot.domain.core.intervals import Interval, LocalDay, What
from bot.domain.core.reply import Line
from bot.domain.digest.checks import ChecksRead
from bot.domain.incidents.alerting import Incident

NOTHING = timedelta()
MOST_LANES = 12
"""Most jobs in a picture: more would be unreadable on a phone, and take too much memory to draw."""


def window(day: date, zone: str) -> LocalDay:
    """The local day of a date, from midnight to midnight."""
    first, last = (_midnight(d, zone) for d in (day, day + timedelta(days=1)))
    return LocalDay(day, first, last)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def yesterday(now: datetime, zone: str) -> date:
    """The last complete local day at ``now``."""
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


@dataclass(frozen=True)
class DayTrack:
    """A job or the pod through the day: one row of the picture."""

    subject: str
    spans: tuple[Interval, ...] = ()
    """In order, without overlaps."""
    runs: tuple[datetime, ...] = ()
    """Times of heartbeats; for the pod, times at which it became ready."""
    gap: timedelta = NOTHING
    """How long of its downtimes, as alerts count them, nothing was known: that is left out of ``spans``."""

    def total(self, what: What) -> timedelta:
        """The total length of spans of that kind."""
        return sum((s.length for s in self.spans if s.what is what), NOTHING)

    @property
    def unplanned(self) -> DayTrack:
        """The same without the downtimes that somebody had asked for."""
        return replace(self, spans=tuple(s for s in self.spans if s.what is not What.DOWN or not s.planned))

    @property
    def planned(self) -> tuple[Interval, ...]:
        """The downtimes that somebody had asked for."""
        return tuple(span for span in self.spans if span.what is What.DOWN and span.planned)

    @property
    def downs(self) -> int:
        """How often it was down. Two downtimes with only unknown or maintenance time between them count once."""
        count, end, going_on = 0, None, False
        for span in self.spans:
            goes_on = going_on and span.start == end
            count += span.what is What.DOWN and not goes_on
            going_on = span.what is What.DOWN or (span.what in (What.UNKNOWN, What.MAINTENANCE) and goes_on)
            end = span.end
        return count


@dataclass(frozen=True)
class Day:
    """One target's day."""

    target: str
    window: LocalDay
    pod: DayTrack
    jobs: tuple[DayTrack, ...]
    paused: tuple[str, ...] = ()
    """Jobs that were paused all day; they count neither as on time nor as late."""
    never: tuple[str, ...] = ()
    """Jobs that have never sent a heartbeat; the same."""
    away: tuple[str, ...] = ()
    """Jobs that were down or late in maintenance all day; the same."""

    @property
    def lanes(self) -> tuple[DayTrack, ...]:
        """The jobs, then the pod."""
        return (*self.jobs, self.pod)

    @property
    def of_jobs(self) -> timedelta:
        """How long there was no data on the jobs: the longest of them, since all have the same source."""
        return max((lane.total(What.UNKNOWN) for lane in self.jobs), default=NOTHING)

    @property
    def of_pod(self) -> timedelta:
        """How long there was no data on the pod."""
        return self.pod.total(What.UNKNOWN)

    @property
    def known(self) -> bool:
        """Whether there is any data on the day."""
        return any(self.knows(lane) for lane in self.lanes)

    def knows(self, lane: DayTrack) -> bool:
        """Whether there is any data on a lane."""
        return lane.total(What.UNKNOWN) < self.window.length

    @property
    def uptime(self) -> float | None:
        """The pod's uptime in percent of the time that is known and not maintenance; None where that is zero."""
        known = self.window.length - self.of_pod - self.pod.total(What.MAINTENANCE)
        return 100.0 * (1 - self.pod.total(What.DOWN) / known) if known > NOTHING else None

    def worst_jobs(self) -> tuple[DayTrack, ...]:
        """The jobs for the picture, in their order: those that were down or late for the longest time."""
        ranked = sorted(self.jobs, key=lambda j: (j.total(What.DOWN), j.total(What.LATE)), reverse=True)
        chosen = {id(lane) for lane in ranked[:MOST_LANES]}
        return tuple(lane for lane in self.jobs if id(lane) in chosen)

    @property
    def late(self) -> int:
        """Number of jobs that ran late."""
        return sum(lane.total(What.LATE) > NOTHING for lane in self.jobs)

    @property
    def good(self) -> bool:
        """Whether nothing was down and no data is missing. Jobs may have run late: see `late`."""
        bad = (What.DOWN, What.UNKNOWN)
        return not any(s.what in bad for lane in self.lanes for s in lane.spans)


@dataclass(frozen=True)
class WatchedSince:
    """Since when the bot has polled each source; before that, and if None, there is no data."""

    jobs: datetime | None = None
    pod: datetime | None = None
    never: frozenset[str] = frozenset()
    """Canonical names of jobs without any heartbeat so far, and none overdue."""
    each: Mapping[str, datetime] = field(default_factory=dict)
    """Since when each job is polled, by canonical name, where it is known."""


@dataclass(frozen=True)
class DigestFacts:
    """The input of a digest."""

    days: Sequence[Day]
    """One for each target."""
    before: Sequence[Day]
    """The day before, in the same order."""
    repairs: Sequence[RepairRequest] = ()
    """Repair requests that were carried out on the day."""
    waiting: Sequence[RepairRequest] = ()
    """Repair requests that wait for a decision."""
    open: Sequence[Incident] = ()
    ended: Sequence[Incident] = ()
    """The announced incidents that ended on the day, without those of jobs, which have lines of their own."""
    checks: ChecksRead | None = None
    """The checks that are not ok and that no open incident says; None where none were made."""
    undelivered: Sequence[Line] = ()
    """Undelivered messages, a line for each place and reason."""
    zone: str = "UTC"
    late_by: timedelta = field(default_factory=timedelta)
    missed: Sequence[date] = ()
    """Earlier days without a digest."""
    was_off: bool = False
    """Whether they are missing because no bot was running."""
    anchor: Anchor | None = None
    """The audit trail's anchor that was taken for this digest."""
    heartbeats: bool = True
    """Whether heartbeats are read at all; else the digest is about the pod only."""

    @property
    def not_ok(self) -> int:
        """How many checks are not ok, those that an open incident says left out."""
        return len(self.checks.not_ok) + self.checks.more if self.checks is not None else 0
