"""The digest as people read it with the morning coffee: worst first, and all good is one line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain import card, incident_card, words
from bot.domain.alerting import Incident
from bot.domain.approval import Choice, State
from bot.domain.digest import Day, Lane, What
from bot.domain.repair import Case, Delivery
from bot.domain.reply import Button, Fact, Image, Line, Reply

MOST_BAD, MOST_GOOD = 10, 8
"""Lines and names that a digest has at most, so that all of it is one message: the worst ones."""
LATE_AFTER = timedelta(minutes=10)
"""From then on a digest says that it is late."""


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


def digest(facts: Facts, now: datetime, images: Sequence[Image] = ()) -> Reply:
    """The message."""
    lines: list[Line] = []
    if facts.late_by > LATE_AFTER:
        lines.append(f"This digest is {words.age(facts.late_by)} late: it could not be posted at its time.")
    lines += _lanes(facts)
    lines += [_repair(c, facts.zone) for c in facts.cases[:MOST_BAD]]
    if len(facts.cases) > MOST_BAD:
        lines.append(f"… and {words.plural(len(facts.cases) - MOST_BAD, 'other repair')}: audit lists them")
    return Reply(
        _headline(facts),
        body=tuple(lines),
        facts=tuple(_still(facts, now)),
        images=tuple(images),
        buttons=_buttons(facts),
        notes=(_small_print(facts),),
        shareable=False,
        repeatable=False,
    )


def _headline(facts: Facts) -> str:
    name = facts.days[0].window.day.strftime("%a %d %b")
    if all(d.good for d in facts.days) and not facts.open:
        return f"✅ {name}: all good, {_jobs(facts)} on time, {_uptime(facts.days)}"
    if all(d.uptime is None for d in facts.days):
        return f"🔎 {name}: nothing is known of it"
    return f"🔎 {name}: {_worst(facts)}, {_uptime(facts.days)}"


def _jobs(facts: Facts) -> str:
    return words.plural(sum(len(d.jobs) for d in facts.days), "job")


def _uptime(days: Sequence[Day]) -> str:
    shares = [d.uptime for d in days]
    known = [s for s in shares if s is not None]
    if len(known) < len(shares):
        return "pod not known" if len(days) == 1 else "a pod not known"
    least = min(known)
    return f"pod up {_percent(least)}"


def _percent(share: float) -> str:
    """Never rounded up to all of it."""
    if share >= 100.0:
        return "100 %"
    return f"{min(share, 99.99):.2f}".rstrip("0").rstrip(".") + " %"


def _worst(facts: Facts) -> str:
    down = sorted(_all(facts), key=lambda lane: -lane.total(What.DOWN))
    first = down[0] if down else None
    if first is not None and first.downs:
        others = sum(1 for lane in down[1:] if lane.downs)
        more = f" and {words.plural(others, 'other')}" if others else ""
        return f"{first.subject} down {words.age(first.total(What.DOWN))}{more}"
    most = max(facts.days, key=lambda d: d.unknown)
    if most.unknown and not facts.open:
        return f"all good but for {words.age(most.unknown)} of which nothing is known"
    return f"{words.plural(len(facts.open), 'incident')} open"


def _all(facts: Facts) -> list[Lane]:
    return [lane for d in facts.days for lane in (*d.jobs, d.pod)]


def _lanes(facts: Facts) -> list[Line]:
    """A line for what was not well, the worst first, beside the day before; what was well in one line."""
    bad: list[tuple[timedelta, str, str]] = []
    good: list[str] = []
    for now, then in zip(facts.days, facts.before, strict=True):
        several = len(facts.days) > 1
        for lane, old in zip((*now.jobs, now.pod), (*then.jobs, then.pod), strict=True):
            name = f"{now.target} {lane.subject}" if several else lane.subject
            if lane.downs or lane.total(What.LATE) or old.downs:
                past = "not known" if then.uptime is None else _of(old)
                bad.append((lane.total(What.DOWN), f"{_mark(lane)} {name}: {_of(lane)}", past))
            else:
                good.append(name)
    pasts = {past for _, _, past in bad}
    alike = pasts.pop() if len(bad) > 1 and len(pasts) == 1 else ""
    worst_first = sorted(bad, key=lambda b: (-b[0], b[1]))
    found: list[Line] = [
        text if alike else f"{text} · the day before: {past}" for _, text, past in worst_first[:MOST_BAD]
    ]
    if len(bad) > MOST_BAD:
        found.append(f"… and {words.plural(len(bad) - MOST_BAD, 'more', 'more')} that had trouble")
    if alike:
        found.append(f"The day before, each of them: {alike}")
    if bad and good:
        more = [words.plural(len(good) - MOST_GOOD, "other")] if len(good) > MOST_GOOD else []
        found.append(f"✅ {words.listed([*good[:MOST_GOOD], *more])}: all good")
    unknown = max(d.unknown for d in facts.days)
    if unknown and found:
        found.append(f"🙈 For {words.age(unknown)} nothing is known; that time counts for nothing.")
    return found


def _mark(lane: Lane) -> str:
    return "🔴" if lane.downs else "🕒" if lane.total(What.LATE) else "✅"


def _of(lane: Lane) -> str:
    if lane.downs:
        often = "once" if lane.downs == 1 else f"{lane.downs} times"
        return f"down {words.age(lane.total(What.DOWN))}, {often}"
    late = lane.total(What.LATE)
    return f"late for {words.age(late)}" if late else "all good"


def _repair(case: Case, zone: str) -> Line:
    at = (case.outcome.at if case.outcome else case.request.created_at).astimezone(ZoneInfo(zone))
    decisions = case.request.decisions
    approvers = [d.by for d in decisions if d.choice is Choice.APPROVE]
    alone = [d for d in decisions if d.choice is Choice.BREAK_GLASS]
    asked = card.person(case.request.requester)
    parts: list[object] = [f"{'💥' if alone else '🔁'} {at:%H:%M} {card.what(case)}, asked by ", *_parts(asked)]
    for number, who in enumerate(approvers):
        parts += [", approved by " if number == 0 else ", ", *_parts(card.person(who))]
    for one in alone:
        parts += [", GLASS BROKEN by ", *_parts(card.person(one.by)), f" ({words.cut(one.reason, 80)})"]
    if case.state is State.FAILED:
        parts.append(": failed")
    elif case.outcome is not None and case.outcome.seconds:
        parts.append(f": ready after {words.took(case.outcome.seconds).removeprefix('took ')}")
    return tuple(parts)  # type: ignore[arg-type]  # texts and mentions


def _parts(line: Line) -> tuple[object, ...]:
    return (line,) if isinstance(line, str) else tuple(line)


def _still(facts: Facts, now: datetime) -> list[Fact]:
    """What is so at this moment."""
    found = [Fact("Still open", incident_card.headline(i, now)) for i in facts.open[:5]]
    if len(facts.open) > 5:
        found.append(Fact("And", f"{len(facts.open) - 5} more"))
    if facts.waiting:
        found.append(Fact("Waits for approval", words.listed([c.id for c in facts.waiting[:5]])))
    found += [Fact("Not delivered", f"{d.key}: {words.cut(d.error, 160)}") for d in facts.undelivered[:3]]
    return found


def _buttons(facts: Facts) -> tuple[Button, ...]:
    buttons = [Button("Status", "status")]
    if facts.open:
        buttons.append(Button("Incidents", "incidents"))
    if facts.waiting:
        buttons.append(Button("Approvals", "approvals"))
    return tuple(buttons)


def _small_print(facts: Facts) -> str:
    of = facts.days[0].window
    start, end = (moment.astimezone(ZoneInfo(facts.zone)) for moment in (of.start, of.end))
    return f"{start:%a %d %b %H:%M} to {end:%a %d %b %H:%M}, {facts.zone}"
