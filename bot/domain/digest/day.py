"""A day in review: what each job and the pod were like, as far as it is known. Pure; `timeline` makes it.

The rules are in docs/alerts.md, "The digest". Time of which nothing is known is never counted as healthy, nor as
down. Jobs are seen through the Pushgateway and the pod through the API server: each may be blind while the other
sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.intervals import Interval, LocalDay, What
from bot.domain.core.reply import Line
from bot.domain.incidents.alerting import Incident

NOTHING = timedelta()
MOST_LANES = 12
"""Jobs in a picture: more would be no picture for a phone, and cost memory that the bot has not."""


def window(day: date, zone: str) -> LocalDay:
    """The local day of that date."""
    first, last = (_midnight(d, zone) for d in (day, day + timedelta(days=1)))
    return LocalDay(day, first, last)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def yesterday(now: datetime, zone: str) -> date:
    """The last complete local day at ``now``."""
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


@dataclass(frozen=True)
class DayTrack:
    """One job, or the pod, through the day."""

    subject: str
    spans: tuple[Interval, ...] = ()
    """In order; no two of them overlap."""
    runs: tuple[datetime, ...] = ()
    """When heartbeats came; for the pod when it was started anew."""

    def total(self, what: What) -> timedelta:
        """How long it was like that."""
        return sum((s.length for s in self.spans if s.what is what), NOTHING)

    @property
    def downs(self) -> int:
        """How often it was down. One before and one after a time that counts for nothing are one."""
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
    """Jobs of which nothing was expected all day: they are neither on time nor late."""
    never: tuple[str, ...] = ()
    """Jobs of which no heartbeat ever came: neither are they."""
    away: tuple[str, ...] = ()
    """Jobs that were in maintenance all day, and not up: neither are they."""

    @property
    def lanes(self) -> tuple[DayTrack, ...]:
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

    def knows(self, lane: DayTrack) -> bool:
        """Whether anything is known of a lane."""
        return lane.total(What.UNKNOWN) < self.window.length

    @property
    def uptime(self) -> float | None:
        """The pod's share of the known time in which it was up, in percent, without what was maintenance.

        None where nothing is left.
        """
        known = self.window.length - self.of_pod - self.pod.total(What.MAINTENANCE)
        return 100.0 * (1 - self.pod.total(What.DOWN) / known) if known > NOTHING else None

    def worst_jobs(self) -> tuple[DayTrack, ...]:
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
class WatchedSince:
    """Since when the bot has looked at each source: before that, and for None always, nothing is known."""

    jobs: datetime | None = None
    pod: datetime | None = None
    never: frozenset[str] = frozenset()
    """The jobs, by their canonical names, of which no heartbeat ever came and none has to yet."""
    each: Mapping[str, datetime] = field(default_factory=dict)
    """Since when each job is looked at, by its canonical name, where that is known."""


@dataclass(frozen=True)
class DigestFacts:
    """All that a digest is made of."""

    days: Sequence[Day]
    """One a target."""
    before: Sequence[Day]
    """The day before, in the same order."""
    cases: Sequence[RepairRequest] = ()
    """Repairs that were carried out on the day."""
    waiting: Sequence[RepairRequest] = ()
    """Requests that wait for a decision."""
    open: Sequence[Incident] = ()
    undelivered: Sequence[Line] = ()
    """What could not be delivered, a line for each place and reason."""
    zone: str = "UTC"
    late_by: timedelta = field(default_factory=timedelta)
    missed: Sequence[date] = ()
    """Days before of which no digest was posted."""
    was_off: bool = False
    """Whether that was because no bot was running."""
    heartbeats: bool = True
    """Whether heartbeats are read at all: else it is about the pod only."""
