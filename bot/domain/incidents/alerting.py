"""The state machine of incidents: when a problem fires, is repeated and is resolved. Pure; ``now`` is an argument.

The rules are in docs/alerts.md. A problem is what is wrong now; an incident is its history and notifications. All
problems go through `decide`, which asks their source (`sources`) for what differs between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from bot.domain.core import ids, moments
from bot.domain.core.cron import Dialect, check_crontab, next_run
from bot.domain.core.frozen import make, replace
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.stored import Stored, Unreadable
from bot.domain.core.target import DurationOrZero, Number, Zone, canonical_job, limited, parse_duration
from bot.domain.incidents import message_keys, sources
from bot.domain.incidents.background import Background
from bot.domain.incidents.problem import Problem, Reason
from bot.domain.incidents.runbook_urls import RunbookUrls
from bot.domain.outbox.key import MessageKey

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
RUNS = 10
"""Most runs of a maintenance schedule to search for a pair with a gap between them."""
EARLIER = 4
"""Most earlier causes that an incident keeps: the first, and the newest."""
LASTING = timedelta(minutes=10)
"""A state that each restart passes through, and that has lasted for so long, is a problem of its own."""
_COUNT = re.compile(r"\d+(?:[.,:]\d+)*\s*[%\w]*")
"""A number with its unit."""
Delay = Annotated[DurationOrZero, AfterValidator(limited(timedelta(), DAY))]
Window = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(limited(SECOND, DAY))]
Longer = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(limited(MINUTE, 30 * DAY))]


class Maintenance(BaseModel):
    """A time in which nothing is told: once from ``start`` on, or whenever a crontab line says."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str = Field(min_length=1, max_length=60)
    """How messages call it."""
    lasts: Longer
    """How long it lasts: one minute to 30 days, but not until its next run."""
    start: datetime | None = None
    """When it begins, where it is once; either this or ``schedule``."""
    schedule: str | None = None
    """When it begins each time, as in a crontab."""
    timezone: Zone = "UTC"
    """The zone of the schedule, and of a start that names none."""
    cron: Dialect = "supercronic"
    """Whose reading of the schedule counts: supercronic's, or that of Debian's cron (debian)."""
    targets: tuple[str, ...] = ()
    """The targets that it is about; empty: all."""
    jobs: tuple[str, ...] = ()
    """The jobs that it is about; empty: all, and the pod as well."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.start is None) == (self.schedule is None):
            raise ValueError(f"maintenance {self.name!r} needs start or schedule, and only one of them")
        if self.schedule is not None:
            check_crontab(self.schedule, self.cron)
            self._check_end(self.schedule)
        return self

    def _check_end(self, schedule: str) -> None:
        at = next_run(schedule, self.timezone, datetime(2026, 1, 1, tzinfo=UTC), self.cron)
        for _ in range(RUNS):
            if (following := next_run(schedule, self.timezone, at, self.cron)) - at > self.lasts:
                return
            at = following
        raise ValueError(f"maintenance {self.name!r} lasts until its next run: it would never end")

    def covers(self, target: str, job: str) -> bool:
        """Whether it applies to that target and job; the pod is the job ``""``."""
        mine = not self.jobs or canonical_job(job) in map(canonical_job, self.jobs)
        return mine and (not self.targets or target in self.targets)

    @property
    def begins(self) -> datetime | None:
        """When a maintenance without a schedule begins; None with a schedule."""
        naive = self.start is not None and self.start.tzinfo is None
        return self.start.replace(tzinfo=ZoneInfo(self.timezone)) if self.start and naive else self.start

    def active(self, now: datetime) -> bool:
        """Whether it is in progress."""
        if self.begins is not None:
            return self.begins <= now < self.begins + self.lasts
        return next_run(self.schedule or "", self.timezone, now - self.lasts, self.cron) <= now


class AlertRules(BaseModel):
    """When alerts are sent, repeated and held back."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    for_: Delay = Field(default=timedelta(), alias="for")
    """How long a problem has to last before an alert is sent, at most 1d. Heartbeats have their grace already."""
    keep_firing: Delay = timedelta(minutes=1)
    """How long a problem has to be gone until it is resolved, at most 1d. If it is back sooner, it goes on."""
    remind: Longer = timedelta(hours=4)
    """The time between two reminders of an incident that nobody acknowledged: 1m to 30d."""
    ack_for: Longer = timedelta(hours=12)
    """How long an acknowledgement stops the reminders: 1m to 30d."""
    flaps: Number = Field(default=3, ge=1, le=100)
    """How often a problem may come back within ``flap_window``; from then on it counts as flapping."""
    flap_window: Window = timedelta(hours=1)
    """The time within which ``flaps`` are counted: 1s to 1d."""
    group_at: Number = Field(default=10, ge=2, le=1000)
    """How many incidents within ``group_within`` become one message."""
    group_within: Window = timedelta(minutes=1)
    """The time within which ``group_at`` incidents become one message: 1s to 1d."""
    poll: Window = timedelta(seconds=30)
    """The time between two polls of the heartbeats: 1s to 1h."""
    blind_after: Number = Field(default=3, ge=1, le=1000)
    """How many polls have to fail in a row before the bot says that it can't read them."""
    pod_for: Delay = timedelta(minutes=2)
    """How long the pod has to be unhealthy before an alert is sent, at most 1d. A restart by hand is none."""
    outages: Number = Field(default=4, ge=2, le=100)
    """How many short outages of the pod (restarted, evicted, not ready) in ``outage_window`` are an incident."""
    outage_window: Window = timedelta(minutes=10)
    """The time in which ``outages`` are counted: 1s to 1d. Without one for that long, the incident is over."""
    mention: tuple[str, ...] = ()
    """Users (U…) and user groups (S…) that a critical incident mentions."""
    runbook_urls: RunbookUrls = RunbookUrls()
    """The pages on what to do, by kind of alert."""
    crash_log: bool = False
    """Whether a crash's alert shows the container's last log lines, redacted, to everybody in its channel."""
    maintenance: tuple[Maintenance, ...] = ()
    """Times in which no alert is sent."""

    @field_validator("poll")
    @classmethod
    def _reasonable(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(hours=1):
            raise ValueError("takes one second to one hour")
        return value

    @model_validator(mode="after")
    def _blindness_is_told(self) -> Self:
        if self.blind_after * self.poll > DAY:
            raise ValueError("blind_after looks, one each poll, take longer than a day: take fewer")
        return self

    @field_validator("mention")
    @classmethod
    def _ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return ids.people(value)

    def window(self, target: str, job: str, now: datetime) -> Maintenance | None:
        """The active maintenance of a target or one of its jobs; None where there is none."""
        for one in self.maintenance:
            if one.covers(target, job) and one.active(now):
                return one
        return None

    def window_over(self, targets: Sequence[str], now: datetime) -> Maintenance | None:
        """The first target's active maintenance, if all targets are in maintenance as a whole; else None."""
        found = [self.window(target, "", now) for target in targets]
        return found[0] if found and None not in found else None


class IncidentState(Enum):
    """The state of an incident. Snoozing and muting are independent of it."""

    PENDING = "pending"
    FIRING = "firing"
    ACKED = "acknowledged"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


REMINDERS = frozenset({Reason.REMINDER_DUE, Reason.SNOOZE_ENDED})
"""Reasons for which a known problem is notified again, since nobody has acknowledged it."""


@dataclass(frozen=True)
class Notice:
    """One notification about an incident."""

    reason: Reason
    at: datetime
    text: str = ""
    by: str = ""


@dataclass(frozen=True)
class Ack:
    """An acknowledgement: by whom, and until when it is valid."""

    by: str
    at: datetime
    until: datetime


@dataclass(frozen=True)
class Incident:
    """An incident: a problem with its history and notifications."""

    id: str
    problem: Problem
    """The problem as last observed."""
    state: IncidentState
    opened_at: datetime
    fired_at: datetime | None = None
    recovered_at: datetime | None = None
    """When the problem disappeared; meaningful from `RECOVERING` on."""
    resolved_at: datetime | None = None
    ack: Ack | None = None
    snoozed_by: str = ""
    snoozed_until: datetime | None = None
    flapping: bool = False
    back_at: datetime | None = None
    """When the problem last reappeared while recovering."""
    alarmed: bool = False
    """Whether people were notified of it as critical."""
    calmer_at: datetime | None = None
    """Since when it is less severe than notified."""
    firings: tuple[datetime, ...] = ()
    """Recent times at which incidents of the same key fired, this incident's own last."""
    notices: tuple[Notice, ...] = ()
    group: str = ""
    """The id of the group message that it shares with others; empty if it has its own message."""
    apart: bool = False
    """Whether its own message was posted before it joined the group."""
    closed: str = ""
    """Why it was closed without recovery; else empty."""
    background: Background | None = None
    """What preceded it; None where nothing did, or where that could not be read."""
    earlier: tuple[str, ...] = ()
    """The causes before the present problem, oldest first; none that each restart passes through."""
    direct: tuple[str, ...] = ()
    """The keys of the direct messages that show it: people's own, and summaries after quiet hours."""
    version: int = 0

    @property
    def key(self) -> str:
        """The key of the problem."""
        return self.problem.key

    @property
    def open(self) -> bool:
        """Whether it is not resolved."""
        return self.state is not IncidentState.RESOLVED

    @property
    def root(self) -> MessageKey:
        """The key of the channel message whose thread has its notifications."""
        in_group = self.group and not self.apart
        return message_keys.group(self.group) if in_group else message_keys.incident(self.id)

    @property
    def there(self) -> bool:
        """Whether the problem is still present."""
        return self.open and self.state is not IncidentState.RECOVERING

    @property
    def notified(self) -> bool:
        """Whether it was ever notified."""
        return self.fired_at is not None

    @property
    def began_as(self) -> str:
        """The first cause that is known: what came later may only follow from it."""
        return self.earlier[0] if self.earlier else self.problem.text

    @property
    def seconds(self) -> float:
        """How long the problem lasted, in seconds; 0 while it lasts."""
        end = self.recovered_at or self.resolved_at
        return max((end - self.problem.since).total_seconds(), 0.0) if end else 0.0

    @property
    def ended_at(self) -> datetime:
        """When the problem was gone; while it is there, when it began."""
        return self.recovered_at or self.resolved_at or self.problem.since

    @property
    def changed_at(self) -> datetime:
        """When the incident last changed, including acknowledgements and snoozes."""
        last = self.notices[-1].at if self.notices else None
        times = (self.opened_at, self.recovered_at, self.resolved_at, self.back_at, last)
        return max(time for time in times if time is not None)

    def snoozed(self, now: datetime) -> bool:
        """Whether it is snoozed now."""
        return self.snoozed_until is not None and now < self.snoozed_until

    def noted(self, reason: Reason, now: datetime, text: str = "", by: str = "") -> Incident:
        """A copy with one more notice."""
        return replace(self, notices=(*self.notices, Notice(reason, now, text, by)))


def new_id(prefix: str = "i-") -> str:
    """Return a new incident id, short enough to type on a phone."""
    return ids.short(prefix, 7)


def decide(
    incident: Incident | None, problem: Problem | None, rules: AlertRules, now: datetime
) -> Incident | None:
    """Update an incident after a poll of its problem; returns the same object if nothing has changed.

    ``incident`` is the open one of the problem's key, or the last resolved one, by which flapping is detected.
    ``problem`` is None if it is gone. New notices are at the end of ``notices``.
    """
    if incident is None or not incident.open:
        return incident if problem is None else _opened(problem, incident, rules, now)
    return _absent(incident, rules, now) if problem is None else _present(incident, problem, rules, now)


def _opened(problem: Problem, before: Incident | None, rules: AlertRules, now: datetime) -> Incident:
    recent = tuple([at for at in before.firings if now - at < rules.flap_window]) if before else ()
    if not _due(problem, rules, now):
        return make(
            Incident, id=new_id(), problem=problem, state=IncidentState.PENDING, opened_at=now, firings=recent
        )
    firing = _firing(recent, (), problem, rules, now)
    return make(Incident, id=new_id(), problem=problem, opened_at=now, **firing)


def _due(problem: Problem, rules: AlertRules, now: datetime) -> bool:
    """Whether the problem has lasted long enough to fire, and is not muted."""
    return not problem.muted and now >= problem.since + max(rules.for_, problem.hold)


def _present(incident: Incident, problem: Problem, rules: AlertRules, now: datetime) -> Incident:
    """The open incident's problem is present."""
    before, known = incident.problem, _last_cause(incident)
    if incident.state is IncidentState.PENDING:
        incident = replace(incident, recovered_at=None) if incident.recovered_at else incident
        incident = _with(incident, _with_first_since(problem, before), now)
        return _fired(incident, rules, now) if _due(incident.problem, rules, now) else incident
    back = incident.state is IncidentState.RECOVERING
    incident = _reappeared(incident, now) if back else incident
    incident = _with_alarm_reset(_with(incident, _with_first_since(problem, before), now), rules, now)
    other = back and not problem.passing and cause(problem.text) != cause(known)
    return incident if problem.muted else _with_due_notice(incident, before, rules, now, other=other)


def _with_first_since(problem: Problem, before: Problem) -> Problem:
    """Keep the earlier beginning: a later poll must not make the problem start later."""
    return problem if problem.since <= before.since else replace(problem, since=before.since)


def _reappeared(incident: Incident, now: datetime) -> Incident:
    """The problem came back while recovering. An acknowledgement that has expired meanwhile is dropped."""
    ack = incident.ack if incident.ack is not None and now < incident.ack.until else None
    state = IncidentState.ACKED if ack else IncidentState.FIRING
    return replace(incident, state=state, ack=ack, recovered_at=None, back_at=now)


def _with_alarm_reset(incident: Incident, rules: AlertRules, now: datetime) -> Incident:
    """Reset ``alarmed`` once it has been below critical for `flap_window`, so that critical is notified again.

    Until then, a severity that goes up and down causes no further notification.
    """
    if not incident.alarmed:
        return incident
    if incident.problem.severity == "critical":
        return incident if incident.calmer_at is None else replace(incident, calmer_at=None)
    if incident.calmer_at is None:
        return replace(incident, calmer_at=now)
    over = now - incident.calmer_at >= rules.flap_window
    return replace(incident, alarmed=False, calmer_at=None) if over else incident


def _with(incident: Incident, problem: Problem, now: datetime) -> Incident:
    before = incident.problem
    if before is problem or before == problem:
        return incident
    return replace(incident, problem=problem, earlier=_earlier(incident, problem, now))


def _earlier(incident: Incident, now: Problem, at: datetime) -> tuple[str, ...]:
    """The earlier causes once ``now`` is there: the first, and each other once that is not the present one.

    Before anybody was notified, a cause counts only until another one is known. A state that each restart passes
    through counts where it was the first and has lasted.
    """
    before, present = incident.problem, cause(now.text)
    if cause(before.text) == present:
        return incident.earlier
    if not incident.notified and not now.passing:
        return ()
    passed = before.passing and (incident.earlier or at - before.since < LASTING)
    ended = () if passed else (before.text,)
    causes = {cause(text): text for text in (*incident.earlier, *ended)}
    if causes.keys() <= {present}:
        return ()
    first, *others = causes.values()
    return (first, *[text for text in others if cause(text) != present][-(EARLIER - 1) :])


def _last_cause(incident: Incident) -> str:
    """The last cause that is known; else what is there."""
    passed = incident.problem.passing and incident.earlier
    return incident.earlier[-1] if passed else incident.problem.text


def cause(text: str) -> str:
    """The text of a problem without its counts, ages and times: those differ while the cause stays."""
    return _COUNT.sub("#", moments.bare(text))


def _fired(incident: Incident, rules: AlertRules, now: datetime) -> Incident:
    return replace(incident, **_firing(incident.firings, incident.notices, incident.problem, rules, now))


def _firing(
    before: tuple[datetime, ...], notices: tuple[Notice, ...], problem: Problem, rules: AlertRules, now: datetime
) -> dict[str, Any]:
    """Fields of an incident that fires now; ``before`` are the recent times at which its key fired."""
    flapping = len(before) >= rules.flaps
    reason = Reason.FLAPPING if flapping else sources.of(problem).begins
    return {
        "state": IncidentState.FIRING,
        "fired_at": now,
        "firings": (*before, now),
        "flapping": flapping,
        "alarmed": problem.severity == "critical",
        "notices": (*notices, Notice(reason, now)),
    }


def _with_due_notice(
    incident: Incident, before: Problem, rules: AlertRules, now: datetime, *, other: bool
) -> Incident:
    """Add a notice about a continuing problem where one is due: at most one at a time.

    ``other``: it is back with another cause, after people were told that it is well again.
    """
    current = _with_flapping_reset(_without_expired_ack(incident, now), rules, now)
    if current.problem.severity == "critical" and not current.alarmed:
        raised = replace(current, state=IncidentState.FIRING, ack=None, snoozed_by="", snoozed_until=None)
        return replace(raised, alarmed=True).noted(Reason.SEVERITY_RAISED, now)
    if incident.snoozed(now):
        return incident
    if incident.snoozed_until is not None or before.muted:
        why = "the snooze is over" if incident.snoozed_until is not None else f"over: {before.muted}"
        raised = replace(current, snoozed_by="", snoozed_until=None)
        return raised.noted(Reason.SNOOZE_ENDED, now, why)
    if other and not current.flapping:
        return current.noted(Reason.OTHER_CAUSE, now)
    if current.state is IncidentState.ACKED or not sources.of(current.problem).reminds:
        return current
    return _with_due_reminder(current, incident, rules, now)


def _without_expired_ack(incident: Incident, now: datetime) -> Incident:
    """Drop an expired acknowledgement."""
    expired = incident.ack is not None and now >= incident.ack.until
    return replace(incident, state=IncidentState.FIRING, ack=None) if expired else incident


def _with_due_reminder(current: Incident, before: Incident, rules: AlertRules, now: datetime) -> Incident:
    """Add a reminder where one is due: the incident is neither acknowledged nor snoozed nor muted."""
    if before.ack is not None and current.ack is None:
        text = "its acknowledgement has expired"
        return current.noted(Reason.REMINDER_DUE, now, text, before.ack.by)
    if before.flapping and not current.flapping:
        return current.noted(Reason.REMINDER_DUE, now, "it came and went before; now it stays")
    last = current.notices[-1].at if current.notices else current.opened_at
    return current if current.flapping or now - last < rules.remind else current.noted(Reason.REMINDER_DUE, now)


def _with_flapping_reset(incident: Incident, rules: AlertRules, now: datetime) -> Incident:
    """Reset ``flapping`` once the problem has been present for `flap_window` without interruption."""
    since = incident.back_at or incident.fired_at or incident.opened_at
    stays = incident.flapping and now - since >= rules.flap_window
    return replace(incident, flapping=False) if stays else incident


def _absent(incident: Incident, rules: AlertRules, now: datetime) -> Incident:
    """The open incident's problem is gone."""
    keep = incident.problem.keep
    if incident.state is IncidentState.PENDING:  # it never fired, so its end is not notified either
        incident = incident if incident.recovered_at else replace(incident, recovered_at=now)
        waits = incident.recovered_at is not None and now < incident.recovered_at + keep
        return incident if waits else replace(incident, state=IncidentState.RESOLVED, resolved_at=now)
    if incident.state is not IncidentState.RECOVERING:
        incident = replace(incident, state=IncidentState.RECOVERING, recovered_at=now)
    quiet = rules.flap_window if incident.flapping else max(rules.keep_firing, keep)
    if incident.recovered_at is None or now < incident.recovered_at + quiet:
        return incident
    over = replace(incident, state=IncidentState.RESOLVED, resolved_at=now, snoozed_by="", snoozed_until=None)
    return over.noted(sources.of(incident.problem).ends, now)


def closed(incident: Incident, why: str, now: datetime) -> Incident:
    """Close an incident without claiming a recovery, because its subject is gone; ``why`` says so."""
    over = replace(incident, state=IncidentState.RESOLVED, resolved_at=now, closed=why)
    return over.noted(Reason.CLOSED, now, why) if incident.notified else over


class NotNow(Exception):
    """An acknowledgement or a snooze does not apply to the incident; the message says why."""


def acknowledged(incident: Incident, by: str, rules: AlertRules, now: datetime) -> Incident:
    """Acknowledge an incident: no reminders until the acknowledgement expires. Raises NotNow."""
    _require_fired(incident)
    if incident.state is IncidentState.ACKED and incident.ack is not None and now < incident.ack.until:
        raise NotNow("you have acknowledged it already" if by == incident.ack.by else "it is acknowledged already")
    ack = Ack(by, now, now + rules.ack_for)
    state = IncidentState.RECOVERING if incident.state is IncidentState.RECOVERING else IncidentState.ACKED
    return replace(incident, state=state, ack=ack).noted(Reason.ACKED, now, by=by)


def snoozed(incident: Incident, by: str, until: datetime, now: datetime) -> Incident:
    """Snooze an incident: no notifications until then, unless it becomes critical. Raises NotNow."""
    _require_fired(incident)
    if until <= now:
        raise NotNow("that time is over already")
    quiet = replace(incident, snoozed_by=by, snoozed_until=until)
    return quiet.noted(Reason.SNOOZED, now, until.isoformat(), by)


def _require_fired(incident: Incident) -> None:
    if not incident.open:
        raise NotNow("it is over" if not incident.closed else f"it was closed: {incident.closed}")
    if not incident.notified:
        raise NotNow("it has not been announced yet")


def step(
    incidents: Mapping[str, Incident],
    problems: Iterable[Problem],
    rules: AlertRules,
    now: datetime,
    *,
    about: Iterable[str] = (),
) -> list[Incident]:
    """Update many incidents after a poll; returns those that changed, oldest problem first.

    ``incidents`` has the newest incident of each key; ``about`` are the keys that were checked, also those without
    a problem. Incidents of other keys stay unchanged: without data, nothing is resolved.
    """
    wrong = {p.key: p for p in problems}
    changed = []
    for key in dict.fromkeys((*wrong, *about)):
        before = incidents.get(key)
        after = decide(before, wrong.get(key), rules, now)
        if after is not None and after is not before:
            changed.append(after)
    return sorted(changed, key=lambda i: (i.problem.since, i.problem.key))


KEPT = Stored(Incident)


def to_json(incident: Incident) -> str:
    """Serialize for the ledger."""
    return KEPT.dump(incident)


def from_json(text: object) -> Incident:
    """Deserialize. Raises `Unreadable` (a ValueError) for what `to_json` did not write."""
    found = KEPT.load(text)
    if not sources.known(found.problem):
        raise Unreadable("no source of problems is called what it names")
    return found
