"""Records of the audit trail in words: ``audit`` lists them, and an incident's report cites them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from bot.domain.approvals.actions import image_set
from bot.domain.approvals.approval import Choice, RequestState, Rule
from bot.domain.approvals.card import person
from bot.domain.approvals.repair import RepairRequest, failed, is_id
from bot.domain.core import words
from bot.domain.core.audit import Record
from bot.domain.core.reply import Line, Mention, parts, plain
from bot.domain.incidents.report import Entry
from bot.ports.ledger import Ledger
from bot.services.approvals.changes import BOT


def when(record: Record, now: datetime) -> str:
    """Return a record's time, with the date if it is not today."""
    return words.clock(record.at) if record.at.date() == now.date() else words.moment(record.at)


def said(record: Record, called: str = "") -> Line:
    """Return what a record says as a sentence; ``called`` is what people call the request that it is about."""
    it = "the incident" if record.kind == "incident" else "it"
    return _sentence(record, called or "the request", called or it)


def said_about(record: Record, called: str = "") -> Line:
    """Return what a record says as a sentence, with the id of what it is about."""
    sentence = _sentence(record, called or "the request", record.subject)
    return sentence if record.subject in plain(sentence) else (*parts(sentence), f" ({record.subject})")


def entry(record: Record, called: str = "") -> Entry:
    """Return a record as an entry of a list of events, with its number."""
    at = _until(record.data) or record.at
    return Entry(at, said_about(record, called), f"record {record.number}", number=record.number)


async def names(ledger: Ledger, records: Iterable[Record]) -> Mapping[str, str]:
    """Return what people call the requests that the records are about, by id."""
    found = [await ledger.request(id_) for id_ in dict.fromkeys(r.subject for r in records) if is_id(id_)]
    return names_of([repair for repair in found if repair is not None])


def names_of(repairs: Iterable[RepairRequest]) -> Mapping[str, str]:
    """Return what people call each of the requests, by id."""
    return {repair.id: repair.action.called(repair) for repair in repairs}


def _sentence(record: Record, called: str, it: str) -> Line:
    data = record.data
    reason = f" ({words.cut(str(data['reason']), 80)})" if data.get("reason") else ""
    if record.kind == "execution" and "step" in data:
        return _step(data)
    if record.kind == "outcome":
        return f"{_ended(data, called)}{reason}"
    who = "the bot" if record.actor == BOT else person(record.actor)
    if record.kind == "preferences":
        whose: tuple[str | Mention, ...] = ("their preferences",)
        if record.actor != record.subject:
            whose = ("the preferences of ", *parts(person(record.subject)))
        return (*parts(who), f" {data.get('what', 'changed')} ", *whose, reason)
    return (*parts(who), f" {_did(record, it)}{reason}")


def _did(record: Record, it: str) -> str:
    """Return the sentence without its subject."""
    data = record.data
    match record.kind:
        case "request":
            return f"asked for {_asked_for(data)}"
        case "decision":
            choice = str(data.get("choice", ""))
            return _DECIDED.get(choice, f"{choice} {{}}").format(it)
        case "refusal":
            return f"was refused: {_rule(str(data.get('rule', '')))}{_more(data)}"
        case "read":
            return f"{'opened the form of' if data.get('form') else 'ran'} {data.get('line', '')}"
        case "incident":
            return f"{data.get('what', '')} {it}".strip()
        case "execution":
            return _execution(data, it)
        case "heartbeat":
            return "pushed a heartbeat by hand"
        case _:
            return record.kind


_DECIDED = {
    Choice.APPROVE.value: "approved {}",
    Choice.DENY.value: "denied {}",
    Choice.WITHDRAW.value: "withdrew {}",
    Choice.BREAK_GLASS.value: "approved {} alone (break-glass)",
}


def _rule(name: str) -> str:
    """Return a rule of approvals in words; others are recorded in words."""
    known = name.upper().replace("-", "_")
    return Rule[known].value if known in Rule.__members__ else name


def _asked_for(data: Mapping[str, Any]) -> str:
    """Return what was asked for; of an image its version as well."""
    action = str(data.get("action", "the same"))
    if data.get("called"):
        return str(data["called"])
    return (
        f"{action} {image_set.shown(str(data['image']))}" if "instead_of" in data and data.get("image") else action
    )


def _ended(data: Mapping[str, Any], called: str) -> str:
    """Return how a request ended, as a sentence."""
    state, text = str(data.get("state", "")), str(data.get("text") or "")
    if state == RequestState.FAILED.value and text:
        return f"{called} {failed(text)}"
    how = state if state == RequestState.VOID.value else f"{called} {state}"
    return f"{how}: {text}" if text else how


def about(record: Record) -> Line:
    """Return what a record is about, unless its sentence names that: a person as a mention."""
    if record.kind == "read":
        return str(record.data.get("target") or "-")
    return "-" if record.kind == "preferences" and record.actor == record.subject else person(record.subject)


def _execution(data: Mapping[str, Any], it: str) -> str:
    """Return what a record of the execution says, without its subject."""
    if data.get("sent"):
        return "made the change"
    if data.get("by_hand"):
        return "began to push the heartbeat"
    return (
        f"took {it} over"
        if data.get("taken_over_from") is not None
        else f"checked once more whether to begin {it}"
    )


def _step(data: Mapping[str, Any]) -> str:
    """Return what a record of one step of a repair says."""
    step = f"step {data['step']}"
    if "result" in data:
        return f"{step} ended: {data['result']}"
    if "exit_code" in data:
        code = data["exit_code"]
        return f"nobody knows how {step} ended" if code is None else f"{step} ended with exit code {code}"
    if not data.get("begins"):
        return f"{step} was not run"
    if "argv" not in data:
        return f"{step} begins"
    command = shlex.join(map(str, data["argv"]))
    return f"{step} begins: {words.cut(command, 200)} in {data.get('container', '')}"


def _more(data: Mapping[str, Any]) -> str:
    """Return how often a refusal was repeated: repeated ones share one record."""
    if "more" not in data:
        return ""
    until = _until(data)
    if data["more"] == 1:
        return f" (once more: {words.moment(until)})" if until else " (once more)"
    often = f"{data['more']} more times"
    return f" ({often}, last: {words.moment(until)})" if until else f" ({often})"


def _until(data: Mapping[str, Any]) -> datetime | None:
    """Return when a refusal was repeated last, of which a record counts the repetitions afterwards."""
    return words.moment_of(str(data.get("until")))
