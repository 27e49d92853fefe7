"""Render the digest: worst first, and a good day is one line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.approvals import card
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import moments, words
from bot.domain.core.outside import with_texts
from bot.domain.core.reply import Button, Fact, Image, Line, Reply
from bot.domain.digest.alt_text import as_data
from bot.domain.digest.day import DigestFacts, window
from bot.domain.digest.lines import MOST_BAD, beside, headline, lanes
from bot.domain.incidents import incident_card
from bot.domain.incidents.alerting import Incident

MOST_MISSED = 3
"""Most days without a digest that get a button."""
MOST_CHECKS = 5
"""Most checks that are named."""
LATE_AFTER = timedelta(minutes=2)
"""A digest that is later than this says so."""


def digest(facts: DigestFacts, now: datetime, images: Sequence[Image] = (), notes: Sequence[str] = ()) -> Reply:
    """The digest's message, with all times in its zone, as in its picture. ``notes`` say why that is missing."""
    zone = ZoneInfo(facts.zone)
    return with_texts(_digest(facts, now, images, notes), lambda text: moments.short(text, now, zone))


def _digest(facts: DigestFacts, now: datetime, images: Sequence[Image], notes: Sequence[str]) -> Reply:
    lines: list[Line] = []
    if facts.late_by > LATE_AFTER:
        lines.append(f"This digest is {words.age(facts.late_by)} late: it could not be posted at its time.")
    if facts.missed:
        why = ": the bot was off" if facts.was_off else ""
        lines.append(f"No digest was posted for {_dates(facts.missed)}{why}.")
    lines += [*lanes(facts), *beside(facts)]
    lines += [_ended(i) for i in facts.ended[:MOST_BAD]]
    if len(facts.ended) > MOST_BAD:
        more = words.plural(len(facts.ended) - MOST_BAD, "other incident")
        lines.append(f"… and {more}: `/agentpod incidents` lists them")
    lines += [_repair(c) for c in facts.repairs[:MOST_BAD]]
    if len(facts.repairs) > MOST_BAD:
        lines.append(f"… and {words.plural(len(facts.repairs) - MOST_BAD, 'other repair')}: audit lists them")
    return Reply(
        headline(facts),
        body=tuple(lines),
        facts=tuple(_still(facts, now)),
        images=tuple(images),
        buttons=_buttons(facts),
        notes=(_small_print(facts), *_anchor(facts), *notes),
        shareable=False,
        repeatable=False,
        data={"days": [as_data(d) for d in facts.days], "checks": _checks_as_data(facts)},
    )


def _dates(days: Sequence[date]) -> str:
    """``23 and 24 November``; of more than four days only the first and the last."""
    first, last = min(days), max(days)
    if len(days) > 4:
        return f"{len(days)} days, from {first.day} {first:%B} to {last.day} {last:%B}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{words.listed([str(d.day) for d in sorted(days)])} {first:%B}"
    return words.listed([f"{d.day} {d:%B}" for d in sorted(days)])


def _ended(incident: Incident) -> Line:
    at, long = words.moment(incident.problem.since), timedelta(seconds=incident.seconds)
    how = f"closed, {incident.closed}" if incident.closed else f"over {incident.problem.after(long)}"
    return f"{incident_card.mark(incident, incident.ended_at)} {at}, {incident.began_as}: {how}"


def _repair(repair: RepairRequest) -> Line:
    at = words.moment(repair.outcome.at if repair.outcome else repair.request.created_at)
    decisions = repair.request.decisions
    approvers = [d.by for d in decisions if d.choice is Choice.APPROVE]
    alone = [d for d in decisions if d.choice is Choice.BREAK_GLASS]
    asked = card.person(repair.request.requester)
    parts: list[object] = [f"{'💥' if alone else '🔁'} {at}, {card.what(repair)}, asked by ", *_parts(asked)]
    for number, who in enumerate(approvers):
        parts += [", approved by " if number == 0 else ", ", *_parts(card.person(who))]
    for one in alone:
        parts += [", break-glass by ", *_parts(card.person(one.by)), f" ({words.cut(one.reason, 80)})"]
    if repair.state is RequestState.FAILED:
        parts.append(": failed")
    elif repair.outcome is not None and repair.outcome.seconds:
        parts.append(f": {repair.action.took(repair, repair.outcome.seconds)}")
    return tuple(parts)  # type: ignore[arg-type]  # texts and mentions


def _parts(line: Line) -> tuple[object, ...]:
    return (line,) if isinstance(line, str) else tuple(line)


def _still(facts: DigestFacts, now: datetime) -> list[Fact]:
    """The present state: open incidents, checks that are not ok, waiting requests, undelivered messages."""
    found = [Fact("Still open", incident_card.headline(i, now)) for i in facts.open[:5]]
    if len(facts.open) > 5:
        found.append(Fact("And", f"{len(facts.open) - 5} more"))
    found += _not_ok(facts)
    if facts.waiting:
        found.append(
            Fact("Waiting for approval", words.listed([f"{card.what(c)} ({c.id})" for c in facts.waiting[:5]]))
        )
    found += [Fact("Not delivered", line) for line in facts.undelivered[:3]]
    return found


def _not_ok(facts: DigestFacts) -> list[Fact]:
    """The checks that were not ok when they were made, worst first."""
    read = facts.checks
    if read is None:
        return []
    label, shown = f"Not ok at {words.moment(read.at)}", read.not_ok[:MOST_CHECKS]
    several = len(facts.days) > 1
    found = [
        Fact(
            label,
            f"{words.of_target(one.title, one.target) if several else one.title}: {one.summary}",
            one.verdict,
        )
        for one in shown
    ]
    left = facts.not_ok - len(shown)
    return (
        [*found, Fact("And", f"{words.plural(left, 'other check')}: `/agentpod status` shows all")]
        if left
        else found
    )


def _checks_as_data(facts: DigestFacts) -> list[dict[str, str]]:
    found = facts.checks.not_ok if facts.checks is not None else ()
    return [
        {"target": one.target, "check": one.check, "verdict": one.verdict.value, "summary": one.summary}
        for one in found
    ]


def _buttons(facts: DigestFacts) -> tuple[Button, ...]:
    buttons = [Button("Status", "status")]
    if facts.open or facts.ended:
        buttons.append(Button("Incidents", "incidents"))
    if facts.waiting:
        buttons.append(Button("Approvals", "approvals"))
    buttons += [Button(f"{d:%a} {d.day} {d:%b}", f"digest {d}") for d in facts.missed[-MOST_MISSED:]]
    return tuple(buttons)


def _anchor(facts: DigestFacts) -> tuple[str, ...]:
    """The audit trail's anchor, in the form that `audit verify --anchor` takes."""
    anchor = facts.anchor
    return () if anchor is None else (f"Audit trail: {words.plural(anchor.number, 'record')}, anchor {anchor}",)


def _small_print(facts: DigestFacts) -> str:
    of = facts.days[0].window
    start, end = (moment.astimezone(ZoneInfo(facts.zone)) for moment in (of.start, of.end))
    hours = window(of.day, facts.zone).length / timedelta(hours=1)
    change = "" if hours == 24 else f", {hours:g} hours: the clock was set {'forward' if hours < 24 else 'back'}"
    only = "" if facts.heartbeats else "; of the pod only: no Pushgateway is set"
    return f"{start:%a %d %b %H:%M} to {end:%a %d %b %H:%M}, {facts.zone}{change}{only}"
