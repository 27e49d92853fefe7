"""Records of the audit trail in words: ``audit`` lists them, and an incident's report cites them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.domain.approvals.card import person
from bot.domain.core import words
from bot.domain.core.audit import Record
from bot.domain.core.reply import Line, parts


def when(record: Record, now: datetime) -> str:
    """Return a record's time, with the date if it is not today."""
    return words.clock(record.at) if record.at.date() == now.date() else words.moment(record.at, now)


def said(record: Record, now: datetime) -> Line:
    """Return who did what, in a few words."""
    data = record.data
    words_ = {
        "request": f"asked for {data.get('called') or data.get('action', 'the same')}",
        "decision": str(data.get("choice", "")),
        "refusal": f"refused: {data.get('rule', '')}{_more(data, now)}",
        "read": f"ran {data.get('line', '')}",
        "incident": f"{data.get('what', '')} it".strip(),
        "execution": _execution(data),
        "outcome": f"{data.get('state', '')} {data.get('text') or ''}".strip(),
    }
    reason = f" ({words.cut(str(data['reason']), 80)})" if data.get("reason") else ""
    return (*parts(person(record.actor)), f" {words_.get(record.kind, record.kind)}{reason}")


def said_about(record: Record, now: datetime) -> Line:
    """Return who did what, with the id of what it is about."""
    return (*parts(said(record, now)), f" ({record.subject})")


def about(record: Record) -> Line:
    """Return what a record is about; a person as a mention."""
    return person(record.subject)


def _execution(data: Mapping[str, Any]) -> str:
    """Return what a record of the execution says; those of a declared repair say a step each."""
    if "step" not in data:
        taken = "taken up" if data.get("taken_over_from") is not None else "begun"
        return "change made" if data.get("sent") else taken
    if "exit_code" in data:
        return f"step {data['step']} ended with exit code {data['exit_code']}"
    if not data.get("begins"):
        return f"step {data['step']} was not run"
    command = shlex.join(map(str, data.get("argv", ())))
    return f"step {data['step']} begins: {words.cut(command, 200)} in {data.get('container', '')}"


def _more(data: Mapping[str, Any], now: datetime) -> str:
    """Return how often a refusal was repeated: repeated ones share one record."""
    if "more" not in data:
        return ""
    often = "once more" if data["more"] == 1 else f"{data['more']} more times"
    until = words.moment_of(str(data.get("until")))
    return f" ({often} until {words.moment(until, now)})" if until else f" ({often})"
