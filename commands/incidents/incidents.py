"""``incidents`` lists open and recent incidents; ``ack`` and ``snooze`` are also the buttons of an alert."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import Field as Param
from pydantic import field_validator, model_validator

from bot.domain.approvals import card
from bot.domain.core import aside, words
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Button, Fact, Line, Link, Menu, Reply, parts
from bot.domain.core.target import limited, parse_duration
from bot.domain.incidents import incident_card, message_keys, sources
from bot.domain.incidents.alerting import Incident, IncidentState, Notice
from bot.domain.incidents.concerned import concerned
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import UnavailableSource
from bot.domain.outbox.message import UNDELIVERED_FOR
from bot.domain.rbac.roles import Capability
from bot.errors import Permanent, UsageError
from bot.ports.ledger import Ledger
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Alerts, Context
from bot.services.approvals.request_links import ALERT
from bot.services.incidents import backgrounds, incident_links, muting
from commands.shared import incident_ids, shape

MOST = 10
MOST_REPORTS = 25
"""Most incidents in the menu of reports."""
LINKED = 3
"""Most open incidents whose alerts are linked."""
MORNING = 9
"""The local hour at which a snooze until tomorrow ends."""
LONGEST = timedelta(days=7)
_span = limited(timedelta(minutes=1), timedelta(days=90))
SHORT = "it may be over by itself"
"""Why a problem that has not yet lasted long enough for an alert is held back."""


class IncidentsParams(Params):
    """One incident, or all."""

    id: str | None = Param(
        default=None, json_schema_extra={"positional": True}, description="show this one in full"
    )
    since: timedelta = Param(
        default=timedelta(days=1),
        description="how far back incidents that are over are listed, such as 7d, at most 90d",
    )

    @field_validator("since", mode="before")
    @classmethod
    def _duration(cls, value: object) -> timedelta:
        return _span(parse_duration(value))


class AckParams(Params):
    """Which incident."""

    id: str | None = Param(
        default=None,
        json_schema_extra={"positional": True},
        description="the incident's id, such as i-7k2m9xw; without it, the only open one",
    )


DEFAULT = "30m"
"""How long a snooze without a time lasts."""


class SnoozeParams(AckParams):
    """Which incident, and for how long."""

    time: str = Param(
        default=DEFAULT,
        json_schema_extra={"positional": True},
        description=f"{DEFAULT} (the default), 2h, up to 7d; or tomorrow, which is 9:00",
    )

    @model_validator(mode="before")
    @classmethod
    def _time_alone(cls, given: dict[str, object]) -> dict[str, object]:
        """Take a first word that is no id as the time: ``snooze 2h``. Of two words either may be the id."""
        first, second = given.get("id"), given.get("time")
        if not isinstance(first, str) or first.startswith("i-"):
            return given
        if second is not None and not str(second).startswith("i-"):
            raise ValueError("A snooze takes one time and one id, such as i-7k2m9xw")
        return {**given, "id": second, "time": first}


def _ledger(ctx: Context) -> Ledger:
    if ctx.ledger is None:
        raise Permanent("There is no ledger here.", remedy="Set AGENTPOD_LEDGER__URL.")
    return ctx.ledger


def _alerts(ctx: Context) -> Alerts:
    if ctx.alerts is None:
        raise UsageError("Alerts are answered in Slack, where it is known who does it.")
    return ctx.alerts


async def run(ctx: Context, params: IncidentsParams) -> Reply:
    """List open incidents, those since ``--since`` and undeliverable messages; or show one incident."""
    if params.id is not None:
        return await _one(ctx, params.id)
    began, now = ctx.clock.monotonic(), ctx.clock.now()
    ledger = _ledger(ctx)
    live = [_shown(ctx, i) for i in await ledger.incidents(live=True, limit=None) if _listed(ctx, i)]
    ended = await ledger.incidents(live=False, since=now - params.since, limit=incident_ids.MOST_READ)
    over = [_shown(ctx, i) for i in ended if _listed(ctx, i)]
    unnotified = await ledger.incidents(live=True, notified=False, limit=None)
    muted = [i for i in unnotified if i.recovered_at is None and _listed(ctx, i)]
    held = [_shown(ctx, await muting.as_now(ledger, i)) for i in muted]
    everything = shape.sees(ctx, ctx.targets)
    dead = await ledger.dead(now - UNDELIVERED_FOR) if everything else ()
    not_delivered = await shape.undelivered(ctx, dead)
    unread = await ledger.set_aside(now - aside.LISTED_FOR) if everything else ()
    not_read = aside.lines(unread)
    live.sort(key=incident_card.rank)
    over.sort(key=lambda one: one.ended_at, reverse=True)
    buttons = [
        (f"Acknowledge {i.problem.subject}", f"ack {i.id}")
        for i in live
        if i.state is IncidentState.FIRING and _handles(ctx, i)
    ][:3]
    return Reply(
        _headline(live, held, over, params.since, _where(ctx)),
        _verdict(live, held),
        body=(
            *(_line(i, now, named=n > 0) for n, i in enumerate(live)),
            *_held_lines(held, now),
            *(_line(i, now) for i in over[:MOST]),
            *_more(len(over), "that ended"),
            *shape.not_shown(ctx),
        ),
        facts=(
            *(Fact("Not delivered", line, Verdict.WARN) for line in not_delivered[:MOST]),
            *(Fact("Not delivered", line, Verdict.WARN) for line in _more(len(not_delivered))),
            *(Fact("Set aside", line, Verdict.WARN) for line in not_read[:MOST]),
            *(Fact("Set aside", line, Verdict.WARN) for line in _more(len(not_read))),
        ),
        buttons=shape.buttons(ctx, buttons),
        menus=_reports([*live, *over[:MOST]], now),
        links=await _to_alerts(ctx, live),
        notes=shape.notes(ctx, began),
        data={
            "open": [i.id for i in live],
            "held": [i.problem.key for i in held],
            "undelivered": [d.key for d in dead],
            "set_aside": [f"{a.kind} {a.id}" for a in unread],
        },
    )


def _shown(ctx: Context, incident: Incident) -> Incident:
    return incident_card.with_target(incident, several=ctx.several)


def _listed(ctx: Context, incident: Incident) -> bool:
    return incident_ids.sees(ctx, incident) and incident_ids.concerns(ctx, incident)


def _handles(ctx: Context, incident: Incident) -> bool:
    return shape.allowed(ctx, Capability.HANDLE_INCIDENTS, concerned(incident, ctx.targets)).allowed


def _where(ctx: Context) -> str:
    """The targets that are listed, as the end of "nothing is wrong"; empty where these are all."""
    if named := incident_ids.target_named(ctx):
        return f" in {named}"
    hidden = set(shape.hidden(ctx))
    return f" in {words.listed([name for name in ctx.targets if name not in hidden])}" if hidden else ""


def _headline(
    live: Sequence[Incident],
    held: Sequence[Incident],
    over: Sequence[Incident],
    since: timedelta,
    where: str = "",
) -> str:
    back = f"{words.plural(len(held), 'problem')} held back" if held else ""
    unread = _could_not_tell(held)
    if unread and not any(one.there for one in live):
        return unread
    if not live:
        lately = f"; {words.plural(len(over), 'incident')} in {words.the_last(since)}" if over else ""
        return _held_back(held) or f"Nothing is wrong{where} now{lately}"
    more = [words.plural(len(live) - 1, "more open incident")] if len(live) > 1 else []
    also = [*more, *([back] if back else [])]
    return incident_card.said(live[0]) + (f"; {' and '.join(also)}" if also else "")


def _held_back(held: Sequence[Incident]) -> str:
    """The worst of what is held back, and how much more is; empty where nothing is."""
    if not held:
        return ""
    more = f"; {words.plural(len(held) - 1, 'more problem')} held back" if len(held) > 1 else ""
    return f"{min(held, key=incident_card.rank).problem.text} (held back){more}"


def _could_not_tell(held: Sequence[Incident]) -> str:
    """What can't be read, where no alert has said so yet; empty where all can."""
    unread = sorted((one for one in held if _unreadable(one)), key=incident_card.rank)
    if not unread:
        return ""
    more = f"; {words.plural(len(held) - 1, 'more problem')} held back" if len(held) > 1 else ""
    return f"Could not tell: {unread[0].problem.text}{more}"


def _unreadable(incident: Incident) -> bool:
    """Whether it hides what else may be wrong."""
    return incident.there and isinstance(sources.of(incident.problem), UnavailableSource)


def _more(count: int, what: str = "") -> list[str]:
    """The line that says how many of ``count`` are not shown."""
    return [f"… and {count - MOST} more {what}".strip()] if count > MOST else []


def _alarming(incident: Incident) -> bool:
    return incident.there and incident.problem.severity == "critical"


def _verdict(live: Sequence[Incident], held: Sequence[Incident]) -> Verdict:
    if any(map(_alarming, live)):
        return Verdict.FAIL
    if any(map(_unreadable, (*live, *held))):
        return Verdict.UNKNOWN
    return Verdict.WARN if held or any(one.there for one in live) else Verdict.OK


def _held_lines(held: Sequence[Incident], now: datetime) -> list[str]:
    """Return the problems that are held back from alerting, each with the reason."""
    shown = sorted(held, key=incident_card.rank)[:MOST]
    lines = [f"🤫 {i.problem.text}{_unread_why(i)}\n{_held_why(i.problem, now)}" for i in shown]
    return [*lines, *_more(len(held), "held back")]


def _unread_why(incident: Incident) -> str:
    """Why it can't be read."""
    why = dict(incident.problem.facts).get("Why", "") if _unreadable(incident) else ""
    return f": {words.lower_first(why)}" if why else ""


def _held_why(problem: Problem, now: datetime) -> str:
    """Why there is no alert; for one that is to come, when."""
    due = problem.since + problem.hold
    if problem.muted or due <= now:
        return f"no alert: {problem.muted or SHORT}"
    return f"no alert before {words.moment(due)}: {SHORT}"


def _reports(found: Sequence[Incident], now: datetime) -> tuple[Menu, ...]:
    """Return the menu of the incidents' reports."""
    options = tuple(
        Button(f"{i.problem.subject}, {_when(i, now)}", f"report {i.id}") for i in found[:MOST_REPORTS]
    )
    return (Menu("Report of …", options),) if options else ()


def _when(incident: Incident, now: datetime) -> str:
    if incident.open:
        long = words.age((incident.recovered_at or now) - incident.problem.since)
        return f"overdue for {long}" if incident.problem.overdue else f"for {long}"
    return f"ended {words.ago(incident.ended_at, now)}"


def _line(incident: Incident, now: datetime, *, named: bool = True) -> Line:
    """Return an incident as a paragraph: a table's columns would not fit on a phone.

    Without its name where the headline has it.
    """
    answered = incident_card.answered(incident, now)
    was = "" if incident.there else f" · was: {incident_card.was(incident)}"
    name = f"{incident_card.headline(incident, now)}\n" if named else ""
    line = f"{name}{incident.id} · {_when(incident, now)}"
    return (line, " · ", *parts(answered), was) if answered else f"{line}{was}"


async def _one(ctx: Context, id_: str) -> Reply:
    ledger = _ledger(ctx)
    incident = await ledger.incident(id_)
    if incident is None:
        raise await incident_ids.unknown(ctx, ledger, id_, "incidents")
    now = ctx.clock.now()
    after = await backgrounds.ended_after(ledger, incident, now)
    links = ctx.links.of_problem(incident.problem) if ctx.links is not None else ()
    of_now = _shown(ctx, await muting.as_now(ledger, incident))
    shown = incident_card.message(of_now, now, ended_after=after, links=links)
    said = tuple(Fact(words.moment(n.at), _notice_line(n)) for n in incident.notices)
    return Reply(
        shown.headline,
        body=shown.body,
        facts=(*shown.facts, *said),
        buttons=shape.buttons(
            ctx, [(b.label, b.command) for b in shown.buttons], targets=concerned(incident, ctx.targets)
        ),
        links=(*await incident_links.of(ctx.message_links, ledger, incident), *shown.links),
        notes=shown.notes,
        data={"id": incident.id, "state": incident.state.value},
    )


def _notice_line(said: Notice) -> Line:
    """Return the reason of a notice, and who caused it."""
    who = card.person(said.by)
    if isinstance(who, str):
        return said.reason.value + (f" by {who}" if who else "")
    return (f"{said.reason.value} by ", *who)


async def ack(ctx: Context, params: AckParams) -> Reply:
    """Acknowledge an incident: its reminders stop for a while."""
    alerts = _alerts(ctx)
    id_ = params.id or await incident_ids.only_open(ctx, _ledger(ctx), "ack {}", ACK.needs, unanswered=True)
    if isinstance(id_, Reply):
        return id_
    incident = _shown(ctx, await alerts.acknowledge(id_, ctx.caller.who))
    until = f" until {words.moment(incident.ack.until)}" if incident.ack else ""
    return await _done(ctx, f"👀 Acknowledged: {incident.problem.subject}. No more reminders{until}", incident)


async def snooze(ctx: Context, params: SnoozeParams) -> Reply:
    """Snooze an incident: no reminders for a while, unless it gets worse."""
    alerts = _alerts(ctx)
    until, line = _until(params.time, ctx.clock.now(), ctx.timezone), f"snooze {{}} {params.time}"
    label = f"Snooze {{}} {_how_long(params.time)}"
    id_ = params.id or await incident_ids.only_open(ctx, _ledger(ctx), line, SNOOZE.needs, label=label)
    if isinstance(id_, Reply):
        return id_
    incident = _shown(ctx, await alerts.snooze(id_, ctx.caller.who, until))
    said = await _done(ctx, f"💤 {incident.problem.subject} is snoozed until {words.moment(until)}", incident)
    if "time" in params.model_fields_set:
        return said
    lasts = f"That is {_how_long(DEFAULT).removeprefix('for ')}, as no time was given"
    return replace(said, body=(f"{lasts}: `{ctx.prefix} snooze {incident.id} 2h` sets another.",))


def _how_long(text: str) -> str:
    return "until tomorrow" if text.lower() == "tomorrow" else f"for {words.age(parse_duration(text))}"


def _until(text: str, now: datetime, zone: str) -> datetime:
    if text.lower() == "tomorrow":
        here = now.astimezone(ZoneInfo(zone)) + timedelta(days=1)
        return here.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{error}.", remedy="Or say tomorrow.") from error
    if not timedelta(minutes=1) <= span <= LONGEST:
        raise UsageError("A snooze lasts from a minute to seven days.", remedy="30m, 2h, 1d, or tomorrow.")
    return now + span


async def _done(ctx: Context, headline: str, incident: Incident) -> Reply:
    """Return the answer to whoever handled an incident, with the way back to its alert."""
    alert = await _to_alert(ctx, ALERT, incident)
    return Reply(headline, links=alert, notes=(incident.id,), shareable=False, repeatable=False)


async def _to_alert(ctx: Context, label: str, incident: Incident) -> tuple[Link, ...]:
    links = ctx.message_links
    return () if links is None else await links.to(label, message_keys.incident(incident.id))


async def _to_alerts(ctx: Context, live: Sequence[Incident]) -> tuple[Link, ...]:
    """Return links to the first open alerts, each with its name where there are several."""
    several = len(live) > 1
    labels = [f"{ALERT}: {words.cut(i.problem.subject, 40)}" if several else ALERT for i in live[:LINKED]]
    found = await asyncio.gather(*(_to_alert(ctx, *one) for one in zip(labels, live, strict=False)))
    return tuple(link for links in found for link in links)


COMMAND = Command(
    "incidents",
    "What is wrong now, and what ended lately",
    Capability.VIEW,
    run,
    IncidentsParams,
    quick=True,
    group="Alerts",
    concerns=Concerns.INCIDENT,
    sensitive_args=True,
    examples=("incidents", "incidents --since 7d", "incidents i-7k2m9xw"),
    details=(
        "Open incidents first, by severity and then the newest, with those that are muted and why. Then those "
        "that ended. Messages that could not be delivered are listed for a week."
    ),
)
ACK = Command(
    "ack",
    "Acknowledge an incident",
    Capability.HANDLE_INCIDENTS,
    ack,
    AckParams,
    quick=True,
    group="Alerts",
    concerns=Concerns.INCIDENT,
    sensitive_args=True,
    examples=("ack", "ack i-7k2m9xw"),
    offered=shape.in_slack,
    unoffered=shape.IN_SLACK,
    details="Without an id it is about the only open incident that nobody has acknowledged.",
)
SNOOZE = Command(
    "snooze",
    "Snooze an incident: no reminders for a while",
    Capability.HANDLE_INCIDENTS,
    snooze,
    SnoozeParams,
    quick=True,
    group="Alerts",
    concerns=Concerns.INCIDENT,
    sensitive_args=True,
    examples=("snooze", "snooze 2h", "snooze i-7k2m9xw tomorrow"),
    offered=shape.in_slack,
    unoffered=shape.IN_SLACK,
    details=(
        f"Without a time it is muted {_how_long(DEFAULT)}. "
        "It notifies again if it is still firing when the time is over, or as soon as it gets worse."
    ),
)
