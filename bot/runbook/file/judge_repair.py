"""Judges a repair's condition and an impact on facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.domain.approvals.forecast import LONGEST, MOST_KEPT, Loss
from bot.domain.core import words
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.param import filled
from bot.ports.expressions import EvaluationFailed
from bot.runbook.file.compiled import CompiledImpact, CompiledRepair
from bot.runbook.file.declared_repairs import PARAM
from bot.runbook.file.judge import FILTER
from bot.runbook.file.known import Fact, Unread, known

UNKNOWN = "unknown: "
"""Begins what an impact's expression returns where it can't tell; the reason follows."""


@dataclass(frozen=True)
class Condition:
    """Whether a repair may be done now; None where nobody can say."""

    holds: bool | None
    why: str = ""
    """A part of a sentence, where it doesn't hold or isn't known."""
    remedy: str = ""


def facts_with(repair: CompiledRepair, values: Mapping[str, str]) -> dict[str, FactUse]:
    """Return the repair's facts, with the parameters' ``values`` in the slots of their commands."""
    return {name: _with(use, values) for name, use in repair.entry.facts.items()}


def _with(use: FactUse, values: Mapping[str, str]) -> FactUse:
    if not isinstance(use.settings, Exec) or not values:
        return use
    settings = use.settings.model_copy(update={"command": filled(use.settings.command, values)})
    return replace(use, settings=settings)


def judge_condition(
    repair: CompiledRepair, facts: Mapping[str, Fact], values: Mapping[str, str], now: datetime
) -> Condition:
    """Judge whether the repair may be done with the parameters' ``values``. Nothing to judge is no objection."""
    if repair.only_if is None:
        return Condition(True)
    read = known(facts, facts_with(repair, values), now)
    variables = {**read.values(repair.only_if), **_params(values)}
    unread = read.unreadable(repair.only_if)
    remedy = next((fact.remedy for fact in facts.values() if isinstance(fact, Unread)), "")
    try:
        holds = repair.only_if.holds(variables)
    except EvaluationFailed as error:
        return Condition(None, unread or f"its condition can't be judged: {error}", remedy)
    if not holds:
        return Condition(
            False, _refusal(repair, {**read.values(repair.refusal, repair.only_if), **_params(values)})
        )
    if unread:
        return Condition(None, unread, remedy)
    if cut := read.cut(repair.only_if):
        return Condition(None, f"its condition can't be judged: {cut}", FILTER)
    return Condition(True)


def _params(values: Mapping[str, str]) -> dict[str, str]:
    return {PARAM + name.replace("-", "_"): value for name, value in values.items()}


def _refusal(repair: CompiledRepair, variables: Mapping[str, Any]) -> str:
    said = ""
    if repair.refusal is not None:
        try:
            said = str(repair.refusal.evaluate(variables)).strip()[:300]
        except EvaluationFailed:
            said = ""
    return said or f"its condition does not hold: {' '.join((repair.entry.only_if or '').split())}"


def judge_impact(impact: CompiledImpact, facts: Mapping[str, Fact], now: datetime) -> Loss:
    """Return what would be lost."""
    loss = Loss(impact.name, impact.entry.title)
    read = known(facts, impact.entry.facts, now)
    if why := _unread(facts) or read.unreadable(impact.shows):
        return replace(loss, unknown=words.cut(why, 2 * LONGEST))
    try:
        lines = _lines(impact.shows.evaluate(read.values(impact.shows)))
    except EvaluationFailed as error:
        return replace(loss, unknown=str(error))
    if lines and lines[0].startswith(UNKNOWN):
        return replace(loss, unknown=words.cut(lines[0].removeprefix(UNKNOWN), 2 * LONGEST))
    cut = read.cut(impact.shows)
    if cut and not lines:
        return replace(loss, unknown=cut)
    things = tuple(words.cut(line, 2 * LONGEST) for line in lines[:MOST_KEPT])
    return replace(loss, things=things, more=bool(cut) or len(lines) > MOST_KEPT)


def _unread(facts: Mapping[str, Fact]) -> str:
    """Why the first fact that was not read was not, without its command: the card is for people who decide."""
    return next((fact.reason for fact in facts.values() if isinstance(fact, Unread)), "")


def _lines(value: Any) -> Sequence[str]:
    given = value.split("\n") if isinstance(value, str) else value
    return [" ".join(str(one).split()) for one in given if str(one).strip()]
