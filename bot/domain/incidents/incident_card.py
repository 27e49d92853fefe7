"""Render incidents for Slack: the alert, notifications in its thread, and the alert about a group. Pure.

Each message is rendered from the whole incident, so that any process can update it at any time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.approvals.card import person
from bot.domain.core import labels, moments, words
from bot.domain.core.frozen import replace
from bot.domain.core.reply import Button, Excerpt, Fact, Line, Link, Mention, Menu, Reply, parts
from bot.domain.incidents import background, message_keys, sources
from bot.domain.incidents.alerting import REMINDERS, Incident, IncidentState, Notice, cause
from bot.domain.incidents.problem import COMMAND, Problem, Reason
from bot.domain.incidents.sources.source import ProblemSource

MOST = 12
"""Most incidents that the message of a group lists."""
WHILE_SO = ("Evidence", "Why", "What to do", COMMAND, "Last success")
"""Labels of facts that are shown only while the problem is present."""


def with_target(incident: Incident, *, several: bool) -> Incident:
    """The incident as it is shown: with ``several`` targets in the settings, its subject names the target."""
    problem = incident.problem
    if not several or not sources.of(problem).one_target:
        return incident
    return replace(incident, problem=replace(problem, subject=words.of_target(problem.subject, problem.target)))


def severity(incident: Incident) -> str:
    """The severity in words, for people who can't see the colours."""
    return "CRITICAL" if incident.problem.severity == "critical" else "WARNING"


def mark(incident: Incident, now: datetime) -> str:
    """An emoji for the state, each with a different shape."""
    if not incident.open:
        return "⚪" if incident.closed else "✅"
    if incident.state is IncidentState.RECOVERING:
        return "🌤️"
    if incident.snoozed(now):
        return "💤"
    if incident.state is IncidentState.ACKED:
        return "👀"
    return "🔴" if incident.problem.severity == "critical" else "⚠️"


def headline(incident: Incident, now: datetime, *, named: bool = True) -> str:
    """The incident in one line, with its mark."""
    return f"{mark(incident, now)} {said(incident, named=named)}"


def said(incident: Incident, *, named: bool = True) -> str:
    """The incident in one line: what is wrong, or that it has recovered.

    Without ``named``, a problem that is there is said without its subject, which stands above it.
    """
    problem = incident.problem
    if incident.closed:
        return _begun(f"{problem.subject}: closed, {incident.closed}")
    if not incident.open:
        return _begun(_ended(incident))
    if incident.state is IncidentState.RECOVERING:
        return _begun(f"{_recovered(incident)}, resolved if it stays so")
    text = problem.text if named else problem.text.removeprefix(f"{problem.subject}: ")
    return f"{severity(incident)} {'flapping: ' if incident.flapping else ''}{text}"


def _begun(text: str) -> str:
    """The text with a capital at its beginning, unless that is a name."""
    return words.upper_first(text) if text.startswith("the ") else text


def _ended(incident: Incident) -> str:
    return f"{_recovered(incident)} {incident.problem.after(timedelta(seconds=incident.seconds))}"


def _recovered(incident: Incident) -> str:
    return sources.of(incident.problem).recovered(incident.problem)


def message(
    incident: Incident,
    now: datetime,
    call: Sequence[Mention] = (),
    ended_after: str = "",
    links: Sequence[Link] = (),
    log: Excerpt | str | None = None,
) -> Reply:
    """The alert in its present state; ``ended_after`` is the last repair before its end, with its request.

    ``links`` are shown while it is open; ``log`` are the last lines of the container that crashed, or why they
    are not shown.
    """
    firing = incident.there
    unread = (Fact("Last lines", f"not shown: {words.lower_first(log)}"),) if isinstance(log, str) else ()
    return Reply(
        headline(incident, now),
        body=_body(incident),
        facts=(*_facts(incident, now, ended_after), *unread),
        excerpts=(log,) if isinstance(log, Excerpt) else (),
        buttons=tuple(_buttons(incident)) if incident.open else (Button("Report", f"report {incident.id}"),),
        menus=(_snooze(incident),) if firing else (),
        links=tuple(links) if incident.open else (),
        notes=(f"{incident.id} · {incident.problem.target}",),
        notify=tuple(call) if firing and incident.state is IncidentState.FIRING else (),
        shareable=False,
        repeatable=False,
    )


def _body(incident: Incident) -> tuple[Line, ...]:
    return (incident.problem.meaning,) if incident.problem.meaning and incident.there else ()


def _causes(incident: Incident) -> list[Fact]:
    """What it was, by its first cause, and what other causes came later."""
    if incident.there:
        other = cause(incident.began_as) != cause(incident.problem.text)
        return [Fact("Began as", incident.began_as)] if other else []
    last = [] if incident.problem.passing else [incident.problem.text]
    subject = f"{incident.problem.subject}: "  # stands in what it was
    later = [one.removeprefix(subject) for one in (*incident.earlier[1:], *last)] if incident.earlier else []
    return [Fact("Was", incident.began_as), *([Fact("Then", "; ".join(later))] if later else [])]


def was(incident: Incident) -> str:
    """What it was, where its name stands before."""
    problem = incident.problem
    return incident.began_as.removeprefix(f"{problem.subject}: ") if incident.earlier else problem.alone


def _facts(incident: Incident, now: datetime, ended_after: str) -> list[Fact]:
    problem = incident.problem
    facts = _causes(incident)
    if ended_after and not incident.there:
        facts.append(Fact("Repair before its end", ended_after))
    facts.append(Fact(problem.counted_from, words.moment(problem.since)))
    if not incident.open and not incident.closed:
        facts.append(Fact("Until", words.moment(incident.recovered_at)))
    facts += [
        Fact(label, value, code=label == COMMAND)
        for label, value in problem.facts
        if incident.there or label not in WHILE_SO
    ]
    if incident.ack is not None:
        facts.append(Fact("Acknowledged", _by(incident.ack.by, f" at {words.clock(incident.ack.at)}")))
    if incident.open and incident.snoozed(now) and incident.snoozed_until is not None:
        until = words.moment(incident.snoozed_until)
        facts.append(Fact("Snoozed", _by(incident.snoozed_by, f" until {until}")))
    if incident.there and problem.muted:
        facts.append(Fact("Muted", problem.muted))
    if incident.flapping:
        facts.append(Fact("Came back", f"{words.plural(len(incident.firings), 'time')} lately"))
    known = incident.background
    if known is not None and known.seen is not None and incident.open:
        facts.append(Fact("Seen before", known.seen.line()))
    return [*facts, *_changed(incident)]


def _changed(incident: Incident) -> list[Fact]:
    """What changed before it, while it is open: it may be the cause, but what to do is known."""
    known = incident.background
    if known is None or not incident.open:
        return []
    return [Fact("Changed", line) for line in background.changed_lines(known.changes, known.more)]


def answered(incident: Incident, now: datetime) -> Line:
    """Who acknowledged an open incident, or muted it and until when; empty where nobody did."""
    if incident.open and incident.snoozed(now):
        until = f"until {words.moment(incident.snoozed_until)}"
        return (
            ("snoozed ", *parts(_by(incident.snoozed_by, f" {until}")))
            if incident.snoozed_by
            else f"snoozed {until}"
        )
    if incident.state is IncidentState.ACKED:
        return ("acknowledged ", *parts(_by(incident.ack.by, ""))) if incident.ack is not None else "acknowledged"
    return ""


def _by(who: str, rest: str) -> Line:
    named = person(who)
    return f"by {who}{rest}" if isinstance(named, str) else ("by ", *named, rest)


def _buttons(incident: Incident) -> list[Button]:
    problem, where = incident.problem, f" --target {words.quoted(incident.problem.target)}"
    source = sources.of(problem)
    buttons = []
    if incident.state is IncidentState.FIRING:
        buttons.append(Button("Acknowledge", f"ack {incident.id}", style="primary"))
    looks = _looks(problem, source, where)
    buttons += looks if incident.there else looks[:1]
    reason = words.quoted(problem.text)
    if problem.restart and source.restart and incident.there:
        buttons.append(Button(labels.of("restart"), f"restart --reason {reason}{where}", style="danger"))
    if problem.offer and incident.there:
        line = f"{problem.offer} --reason {reason}{where}"
        buttons.append(Button(labels.of(line) or f"Ask for: {problem.offer}", line, style="danger"))
    return buttons


def first_look(incident: Incident) -> Button:
    """The button that shows more of the problem."""
    problem = incident.problem
    return _looks(problem, sources.of(problem), f" --target {words.quoted(problem.target)}")[0]


def _looks(problem: Problem, source: ProblemSource, where: str) -> list[Button]:
    """The buttons that show more: the diagnosis by the runbook's trees where it can explain the problem."""
    line = problem.advice or source.diagnosis
    if not source.explained(problem):
        return [_look(line, where)]
    more = [] if line == "status" else [_look(line, where)]
    first = f" --first {source.first}" if source.first else ""
    return [Button("Diagnose", f"diagnose{first}{where}"), *more]


def _look(line: str, where: str) -> Button:
    return Button(labels.of(line) or line.split()[0].capitalize(), line + where)


def _snooze(incident: Incident) -> Menu:
    options = (
        Button("30 minutes", f"snooze {incident.id} 30m"),
        Button("2 hours", f"snooze {incident.id} 2h"),
        Button("Until tomorrow morning", f"snooze {incident.id} tomorrow"),
    )
    return Menu("Snooze", options)


def notice(incident: Incident, entry: Notice, call: Sequence[Mention] = ()) -> Reply:
    """A notification in the incident's thread. Higher severity and reminders mention people."""
    calls = incident.state is IncidentState.FIRING and entry.reason in _CALLS
    return Reply(
        f"{_ICONS[entry.reason]} {_begun(_notice_text(incident, entry))}",
        body=_author(entry),
        notify=tuple(call) if calls else (),
        shareable=False,
        repeatable=False,
    )


_ICONS = {
    Reason.FIRST_FIRING: "🔴",
    Reason.SEVERITY_RAISED: "🔺",
    Reason.OTHER_CAUSE: "🔁",
    Reason.REMINDER_DUE: "⏰",
    Reason.ACKED: "👀",
    Reason.SNOOZED: "💤",
    Reason.SNOOZE_ENDED: "⏰",
    Reason.RESOLVED: "✅",
    Reason.BLIND: "🙈",
    Reason.SIGHT_REGAINED: "✅",
    Reason.FLAPPING: "🔁",
    Reason.CLOSED: "⚪",
}


_CALLS = REMINDERS | {Reason.SEVERITY_RAISED}


def _author(entry: Notice) -> tuple[Line, ...]:
    return (_by(entry.by, ""),) if entry.by and entry.reason in (Reason.ACKED, Reason.SNOOZED) else ()


def _notice_text(incident: Incident, entry: Notice) -> str:
    """What is said of the incident; it is named where the thread is a group's, or where the sentence needs it."""
    problem = incident.problem
    own = incident.root == message_keys.incident(incident.id)
    named = words.upper_first if own else f"{problem.subject}: {{}}".format
    still = f"still firing{', overdue for' if problem.overdue else ' after'} {words.age(entry.at - problem.since)}"
    match entry.reason:
        case Reason.RESOLVED | Reason.SIGHT_REGAINED:
            return _ended(incident)
        case Reason.ACKED:
            until = f" until {words.moment(incident.ack.until)}" if incident.ack else ""
            return named(f"acknowledged, no more reminders{until}")
        case Reason.SNOOZED:
            return named(f"snoozed until {words.moment(datetime.fromisoformat(entry.text))}")
        case Reason.SEVERITY_RAISED:
            return f"Now critical: {problem.text}"
        case Reason.OTHER_CAUSE:
            return f"Back with another cause: {problem.text}"
        case Reason.REMINDER_DUE:
            extra = f" ({entry.text})" if entry.text else ""
            return f"{words.upper_first(still)}{extra}: {problem.text}"
        case Reason.SNOOZE_ENDED:
            return f"{words.upper_first(entry.text)}, {still}: {problem.text}"
        case Reason.CLOSED:
            return named(f"closed, {entry.text}")
        case Reason.FLAPPING:
            return f"Flapping: {problem.text}"
        case _:
            return problem.text


def group(
    incidents: Sequence[Incident], now: datetime, call: Sequence[Mention] = (), changed: Sequence[str] = ()
) -> Reply:
    """The message about a group of incidents that began together; each has its own message in the thread.

    ``changed`` are lines on what changed shortly before, which are shown while it is open.
    """
    firing, live = [i for i in incidents if i.there], any(i.open for i in incidents)
    above = any(i.apart for i in incidents)
    return Reply(
        _group_headline(incidents, firing),
        facts=tuple(Fact("Changed", line) for line in changed) if live else (),
        body=(
            listed(incidents, now),
            f"Each has its own message{', in the thread or above' if above else ' in the thread'}.",
        ),
        buttons=(Button("Diagnose", "diagnose"), Button("Incidents", "incidents")) if live else (),
        notify=tuple(call) if firing else (),
        shareable=False,
        repeatable=False,
    )


def listed(incidents: Sequence[Incident], now: datetime, *, timed: bool = False) -> str:
    """The incidents, a line each, worst first. What would be the same line is one with their number.

    ``timed``: each says when it began.
    """
    line = _timed if timed else headline
    lines = Counter(line(i, now) for i in sorted(incidents, key=rank))
    shown = dict(list(lines.items())[:MOST])
    rows = [line if count == 1 else f"{line} ({count} incidents)" for line, count in shown.items()]
    more = len(incidents) - sum(shown.values())
    return "\n".join([*rows, *([f"… and {more} more"] if more else [])])


def _timed(incident: Incident, now: datetime) -> str:
    """The incident in one line, with the time at which it began, unless the line has one."""
    line = headline(incident, now)
    if moments.MARK in line:
        return line
    began = "since" if incident.there else "began at"
    return f"{line} ({began} {words.moment(incident.problem.since)})"


def _group_headline(incidents: Sequence[Incident], firing: Sequence[Incident]) -> str:
    """The headline of a group: how many incidents are left, and which."""
    count = words.plural(len(incidents), "incident")
    if firing:
        worst = any(i.problem.severity == "critical" for i in firing)
        left = f"{len(firing)} of {count}" if len(firing) < len(incidents) else count
        return f"{'🔴 CRITICAL' if worst else '⚠️ WARNING'} {left} at once: {_names(firing)}"
    if live := [i for i in incidents if i.open]:
        return f"🌤️ None of {count} is left, resolved if it stays so: {_names(live)}"
    return f"✅ All {count} are over: {_names(incidents)}"


def over(incidents: Sequence[Incident]) -> Reply:
    """The message in a group's thread once all incidents are over. Raises ValueError for an empty group."""
    first = min(i.problem.since for i in incidents)
    last = max(i.recovered_at or i.resolved_at or i.problem.since for i in incidents)
    head = f"✅ All {words.plural(len(incidents), 'incident')} are over, after {words.age(last - first)}"
    return Reply(head, shareable=False, repeatable=False)


def rank(incident: Incident) -> tuple[bool, bool, bool, float, str]:
    """Sort key for lists: present problems first, by severity, then the newest; resolved incidents last."""
    problem = incident.problem
    return (
        not incident.open,
        not incident.there,
        problem.severity != "critical",
        -problem.since.timestamp(),
        problem.subject,
    )


def _names(incidents: Sequence[Incident]) -> str:
    names = list(dict.fromkeys(i.problem.subject for i in sorted(incidents, key=rank)))
    return words.listed(names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"])
