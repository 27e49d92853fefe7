"""The report of an incident: what happened in order, each line with where it is recorded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import IntEnum

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.card import person
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import change as change_words
from bot.domain.core import moments, words
from bot.domain.core.audit import Record
from bot.domain.core.change import Change
from bot.domain.core.history import HistoryEvent
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Line, parts, plain
from bot.domain.core.target import POD, canonical_job
from bot.domain.incidents import incident_card, sources
from bot.domain.incidents.alerting import Incident, Notice
from bot.domain.incidents.evidence import EVENT, LOG, UNREAD, WARNING, Evidence
from bot.domain.incidents.problem import Problem, Reason
from bot.domain.incidents.sources.heartbeat import HEARTBEAT

MOST = 500
"""Most lines of a report; what is left out is counted."""
TITLE = 150
"""Most characters of the problem in a title."""
BEGINS, NEAR = 4, 3
"""Lines of a shortened report from the incident's begin, and those of what happened near it, at least."""
BEGAN = "The problem began"
_ANSWERS = {Reason.ACKED: "acknowledged", Reason.SNOOZED: "snoozed"}
"""Notices that an audit record stands for, by what the record calls it."""
_NOTICES = {
    Reason.FIRST_FIRING: "The alert was sent",
    Reason.SEVERITY_RAISED: "The alert became critical",
    Reason.OTHER_CAUSE: "The problem came back with another cause",
    Reason.REMINDER_DUE: "A reminder was sent",
    Reason.SNOOZE_ENDED: "The alert was sent again, no longer snoozed or muted",
    Reason.BLIND: "The alert was sent: the source could not be read",
    Reason.SIGHT_REGAINED: "Resolved: the source can be read again",
    Reason.RESOLVED: "Resolved",
    Reason.FLAPPING: "The problem is flapping",
    Reason.CLOSED: "Closed without a recovery",
}


class Weight(IntEnum):
    """How close a line is to the incident; the message has the closest."""

    OWN = 0
    """What became of the incident itself, and requests that can end it."""
    BESIDE = 1
    """What may explain it: changes, warnings of Kubernetes, other alerts."""
    MINOR = 2
    """All else, which only the whole report has."""


@dataclass(frozen=True)
class Entry:
    """One thing that happened, and where that is recorded."""

    at: datetime
    text: Line
    source: str
    """``record 412``, ``notice 2 of i-7k2m9xw``, ``incident i-7k2m9xw``."""
    weight: Weight = Weight.OWN
    number: int = 0
    """The audit record's number, which orders records of the same moment; 0 for what is no record."""

    def line(self, incident: Incident) -> Line:
        """The entry without its time, in the report of an incident."""
        source = self.source_in(incident)
        return (*parts(self.text), f" · {source}") if source else self.text

    def source_in(self, incident: Incident) -> str:
        """The source without the id of the incident, which the report has once."""
        return self.source.removesuffix(f" of {incident.id}").replace(f"incident {incident.id}", "incident")


@dataclass(frozen=True)
class Answer:
    """An acknowledgement or a snooze that the audit trail has a record of."""

    what: str
    """``acknowledged`` or ``snoozed``."""
    by: str
    at: datetime


@dataclass(frozen=True)
class Report:
    """An incident with everything that belongs to it, in order."""

    incident: Incident
    entries: tuple[Entry, ...]
    facts: tuple[Entry, ...]
    """What is concluded, each with the labels ``Lasted``, ``First answer`` …; see `labels`."""
    labels: tuple[str, ...]
    left_out: int = 0
    """Lines beyond `MOST`, which are left out in the middle."""
    unknown: tuple[str, ...] = ()
    """What the report can't say, and why."""
    log: tuple[Entry, ...] = ()
    """The log lines that were kept, for those who may read logs."""


def begin(incident: Incident) -> datetime:
    """When the report begins: with the problem, or with the first poll that saw it."""
    return min(incident.problem.since, incident.opened_at)


def end(incident: Incident, now: datetime) -> datetime:
    """When the report ends; ``now`` for an open incident."""
    return now if incident.open else incident.resolved_at or now


def concerned(incident: Incident, repairs: Iterable[RepairRequest], now: datetime) -> list[RepairRequest]:
    """The target's requests that were open or under way during the incident."""
    first, last = begin(incident), end(incident, now)
    return [
        repair for repair in repairs if repair.request.created_at <= last and (_over_at(repair) or now) >= first
    ]


def _over_at(repair: RepairRequest) -> datetime | None:
    if repair.outcome is not None:
        return repair.outcome.at
    return repair.request.expires_at if repair.state.final else None


def made(
    incident: Incident,
    recorded: Sequence[Entry],
    answers: Sequence[Answer],
    repairs: Sequence[RepairRequest],
    others: Sequence[Incident],
    history: Sequence[HistoryEvent],
    now: datetime,
    unknown: Sequence[str] = (),
    *,
    changes: Sequence[Change] = (),
    kept: Sequence[Evidence] = (),
) -> Report:
    """Put the report together. ``recorded`` are the audit records, in order; of ``others`` those that overlap."""
    entries = [*_of_incident(incident, answers), *_of_others(incident, others, now), *_of_history(history)]
    entries += [Entry(one.at, _of_change(one), one.source, Weight.BESIDE) for one in reversed(changes)]
    entries += [_of_event(one) for one in kept if one.kind == EVENT]
    ordered = sorted([*entries, *recorded], key=lambda entry: (entry.at, entry.number))
    facts = _facts(incident, answers, repairs, now)
    left_out = max(0, len(ordered) - MOST)
    return Report(
        incident,
        (*ordered[: MOST // 2], *ordered[MOST // 2 + left_out :]),
        tuple(fact for _, fact in facts),
        tuple(label for label, _ in facts),
        left_out,
        (*unknown, *_not_kept(kept)),
        tuple(Entry(one.at, one.text, one.source) for one in kept if one.kind == LOG),
    )


def _of_event(one: Evidence) -> Entry:
    weight = Weight.BESIDE if one.text.startswith(WARNING) else Weight.MINOR
    return Entry(one.at, f"Kubernetes: {one.text}", one.source, weight)


def of_record(
    entry: Entry, record: Record, incident: Incident, repair: RepairRequest | None, now: datetime
) -> Entry | None:
    """An audit record's entry with its weight; None for what came after the incident, and is not about it."""
    if record.subject == incident.id:
        return entry
    last = end(incident, now)
    if is_push(record, incident):
        return entry if record.at <= last else None
    began = repair is not None and repair.sent_at is not None and repair.sent_at <= last
    if record.at > last and not (began and record.kind == "outcome"):
        return None
    if record.kind in ("refusal", "execution") or repair is None:
        return replace(entry, weight=Weight.MINOR)
    if _may_end(repair, incident.problem):
        return entry
    return replace(entry, weight=Weight.BESIDE if began else Weight.MINOR)


def is_push(record: Record, incident: Incident) -> bool:
    """Whether somebody pushed a heartbeat by hand for the incident's job, which ends its alert."""
    key = HEARTBEAT.key(incident.problem.target, canonical_job(record.subject))
    return record.kind == "heartbeat" and incident.problem.key == key


def _not_kept(kept: Sequence[Evidence]) -> list[str]:
    if not kept:
        return ["No events and no log lines were stored when the alert was sent."]
    said = [one.text for one in kept if one.kind == UNREAD]
    if not said and not any(one.kind == EVENT for one in kept):
        said.append("The target had no events when the alert was sent.")
    return said


def _of_incident(incident: Incident, answers: Sequence[Answer]) -> list[Entry]:
    where, problem = f"incident {incident.id}", incident.problem
    found = [Entry(problem.since, BEGAN, where)]
    if incident.opened_at > problem.since:
        found.append(Entry(incident.opened_at, "The bot noticed it", where))
    if incident.recovered_at is not None:
        found.append(Entry(incident.recovered_at, "The problem was gone", where))
    for number, notice in enumerate(incident.notices, 1):
        if not _answered(notice, answers):
            found.append(Entry(notice.at, _said(notice), f"notice {number} of {incident.id}"))
    return found


def _answered(notice: Notice, answers: Sequence[Answer]) -> bool:
    """Whether an audit record says the same, and more."""
    return Answer(_ANSWERS.get(notice.reason, ""), notice.by, notice.at) in answers


def _said(notice: Notice) -> Line:
    if notice.reason in _ANSWERS:
        return (*parts(person(notice.by)), f" {_ANSWERS[notice.reason]} it")
    return _NOTICES[notice.reason]


def _of_others(incident: Incident, others: Sequence[Incident], now: datetime) -> list[Entry]:
    first, last = begin(incident), end(incident, now)
    found = []
    for one in others:
        if one.id == incident.id or one.problem.target != incident.problem.target or one.fired_at is None:
            continue
        if first <= one.fired_at <= last:
            text = f"Another alert: {one.problem.text}"
            found.append(Entry(one.fired_at, words.cut(text, 300), f"incident {one.id}", Weight.BESIDE))
    return found


def _of_change(change: Change) -> str:
    """What changed; with both times where it is only known that it lies between them."""
    if change.dated:
        return f"Changed: {change.text}"
    return f"Changed {change_words.when(change)}: {change.text}"


def _of_history(history: Sequence[HistoryEvent]) -> list[Entry]:
    said = {"down": "The pod was not ready", "ready": "The pod was ready"}
    return [
        Entry(event.at, said[event.what], f"history of the pod, {words.clock(event.at)}")
        for event in history
        if event.subject == POD and event.what in said
    ]


def _facts(
    incident: Incident, answers: Sequence[Answer], repairs: Sequence[RepairRequest], now: datetime
) -> list[tuple[str, Entry]]:
    since, where = incident.problem.since, f"incident {incident.id}"
    found = []
    if incident.fired_at is not None:
        after = f"{words.age(incident.fired_at - since)} after it began"
        found.append(("Alert", Entry(incident.fired_at, after, where)))
    if answers:
        one = min(answers, key=lambda answer: answer.at)
        text: Line = (*parts(person(one.by)), f" {one.what} it, {words.age(one.at - since)} after it began")
        found.append(("First answer", Entry(one.at, text, where)))
    if (repair := last_repair(incident, repairs, now)) is not None and repair.outcome is not None:
        asked = parts(person(repair.request.requester))
        text = (f"{repair.action.was_done(repair)}, asked for by ", *asked)
        label = "Last repair so far" if incident.open else "Last repair before its end"
        found.append((label, Entry(repair.outcome.at, text, f"request {repair.id}")))
    return found


def last_repair(incident: Incident, repairs: Sequence[RepairRequest], now: datetime) -> RepairRequest | None:
    """The last repair that was made before the problem was gone, and can end such a problem."""
    gone = incident.recovered_at or end(incident, now)
    sent = [
        (repair.sent_at, repair)
        for repair in repairs
        if repair.state is RequestState.SUCCEEDED and repair.sent_at is not None and repair.sent_at <= gone
        if _may_end(repair, incident.problem)
    ]
    return max(sent, key=lambda pair: pair[0])[1] if sent else None


def _may_end(repair: RepairRequest, problem: Problem) -> bool:
    source = sources.of(problem)
    return repair.action.may_end(repair, source.name, problem.subject, of_pod=source.explained(problem))


def headline(report: Report, now: datetime) -> str:
    """What it was, how long it took, and whether it is over."""
    incident = report.incident
    problem = incident.problem
    if incident.closed:
        how = f"closed {problem.after(end(incident, now) - problem.since)}"
    elif incident.open:
        how = f"{'overdue' if problem.overdue else 'open'} for {words.age(now - problem.since)}"
    else:
        how = f"over {problem.after(timedelta(seconds=incident.seconds))}"
    return f"{incident_card.severity(incident)} {words.cut(incident.began_as, TITLE)}, {how}"


def shortened(report: Report, most: int) -> list[Entry]:
    """Choose at most ``most`` entries: the incident's own, from both ends, and others that are near its begin."""
    own = [entry for entry in report.entries if entry.weight is Weight.OWN]
    beside = [entry for entry in report.entries if entry.weight is Weight.BESIDE]
    room = max(most - len(own), min(NEAR, len(beside)))
    near = sorted(beside, key=lambda entry: abs(entry.at - begin(report.incident)))[:room]
    if len(own) > (left := most - len(near)):
        own = [*own[:BEGINS], *own[len(own) - (left - BEGINS) :]]
    chosen = {id(entry) for entry in (*own, *near)}
    return [entry for entry in report.entries if id(entry) in chosen]


def markdown(report: Report, now: datetime) -> str:
    """The whole report as Markdown, without its first heading; people by their ids, times in full in UTC."""
    incident = report.incident
    problem = incident.problem
    lines = [
        f"**{_escaped(headline(report, now))}** (incident {incident.id})",
        "",
        f"- Target: {_escaped(problem.target)}",
        f"- As last observed: {_escaped(problem.summary)}",
        f"- Since: {words.moment(problem.since)}",
    ]
    for label, fact in zip(report.labels, report.facts, strict=True):
        lines.append(f"- {label}: {_cited(fact, incident)}")
    lines += ["", "## What happened", ""]
    for number, entry in enumerate(report.entries):
        if report.left_out and number == MOST // 2:
            lines.append(f"- … {report.left_out:,} left out here")
        lines.append(f"- {words.clock(entry.at)}: {_cited(entry, incident)}")
    if report.log:
        lines += ["", f"## Last log lines, read {words.moment(report.log[0].at)}", ""]
        lines += [f"- {_cited(entry, incident)}" for entry in report.log]
    if report.unknown:
        lines += ["", "## Not known", "", *(f"- {_escaped(one)}" for one in report.unknown)]
    return moments.bare("\n".join([*lines, "", f"Written {words.moment(now)} from the bot's ledger."])) + "\n"


def _cited(entry: Entry, incident: Incident) -> str:
    source = entry.source_in(incident)
    return _escaped(plain(entry.text)) + (f" ({_escaped(source)})" if source else "")


_MARKUP = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>#|"})


def _escaped(text: str) -> str:
    """A text on one line in which nothing is read as Markdown."""
    return " ".join(text.split()).translate(_MARKUP)
