"""Runs a runbook's own tests: recorded facts, and what has to come out. Needs no cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bot.domain.core.probes import Finding, Verdict
from bot.domain.runbook.kind import FactUse, key_of
from bot.domain.runbook.model import UNREADABLE, Trial
from bot.domain.runbook.param import filled
from bot.domain.runbook.record import Record, bounded
from bot.runbook.file.compiled import CompiledRepair, CompiledRunbook
from bot.runbook.file.judge import Diagnosed, diagnose, judge_check
from bot.runbook.file.judge_repair import judge_condition, judge_impact
from bot.runbook.file.known import Fact, Unread

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""The time at which tests take place, unless their facts say another."""


@dataclass(frozen=True)
class Outcome:
    """What came out of one test; ``wrong`` is empty where it is as expected."""

    title: str
    wrong: str = ""
    where: str = ""
    """The file and the line of the test."""

    def __str__(self) -> str:
        """The test, where it stands, and what is wrong, in one line."""
        return ", ".join(filter(None, (self.where, self.title))) + (f": {self.wrong}" if self.wrong else "")


def run(book: CompiledRunbook) -> list[Outcome]:
    """Run all tests of a runbook."""
    found = (_run(book, number, trial) for number, trial in enumerate(book.runbook.tests))
    return [replace(one, where=_where(book, number)) for number, one in enumerate(found)]


def _where(book: CompiledRunbook, number: int) -> str:
    file, line = book.lines.get(f"tests.{number}", ("", 0))
    return f"{file} line {line}" if line else file


def _run(book: CompiledRunbook, number: int, trial: Trial) -> Outcome:
    title = f"test {number + 1}: {trial.check or trial.diagnosis or trial.repair or trial.impact}"
    if trial.repair is not None:
        return Outcome(title, _run_repair(book.repairs[trial.repair], trial))
    if trial.impact is not None:
        impact = book.impact[trial.impact]
        facts = facts_of(impact.entry.facts, trial.given)
        shown = facts if isinstance(facts, str) else judge_impact(impact, facts, NOW).text
        return Outcome(title, shown if isinstance(facts, str) else _difference(trial.then, {"shows": shown}))
    if trial.check is not None:
        check = book.checks[trial.check]
        facts = facts_of(check.entry.facts, trial.given)
        if isinstance(facts, str):
            return Outcome(title, facts)
        finding = judge_check(check, facts, NOW)
        severity = check.entry.fails.severity if finding.verdict.value in ("fail", "warn") else ""
        got = {"verdict": finding.verdict.value, "says": finding.summary, "severity": severity}
        return Outcome(title, _difference(trial.then, got, {"verdict": _why(finding)}))
    diagnosis = book.diagnoses[str(trial.diagnosis)]
    facts = facts_of(diagnosis.facts, trial.given)
    if isinstance(facts, str):
        return Outcome(title, facts)
    found = diagnose(diagnosis, facts, NOW)
    claim = found.claim
    got = {"cause": claim.cause, "says": claim.says, "proof": claim.proof.line} if claim else {"cause": "unknown"}
    return Outcome(title, _difference(trial.then, got, {"cause": _why_not(found, str(trial.then.get("cause")))}))


def _why(finding: Finding) -> str:
    """Why nothing can be said; empty where something is."""
    return finding.summary if finding.verdict is Verdict.UNKNOWN else ""


def _why_not(found: Diagnosed, cause: str) -> str:
    """Why a cause is not the answer; empty where another one comes before it, or it is not in the diagnosis."""
    for one in found.open:
        if one.cause == cause:
            return f"{cause} can be neither proven nor ruled out: {one.reason}"
    for ruled_out in found.ruled_out:
        if ruled_out.cause == cause:
            return f"{cause} is ruled out" + (f" by {ruled_out.by.line!r}" if ruled_out.by else "")
    return ""


def _run_repair(repair: CompiledRepair, trial: Trial) -> str:
    """Judge a repair's condition; returns what is wrong with it."""
    values: dict[str, str] = {}
    for name, param in repair.entry.params.items():
        given = trial.params.get(name, param.default)
        try:
            values[name] = param.accepted("" if given is None else given)
        except ValueError as error:
            return f"params: {name}: {error}"
    if unknown := sorted(set(trial.params) - set(values)):
        return f"params: there is no parameter {unknown[0]!r}; known: {', '.join(values)}"
    facts = facts_of(repair.entry.facts, trial.given)
    if isinstance(facts, str):
        return facts
    condition = judge_condition(repair, facts, values, NOW)
    allowed = "unknown" if condition.holds is None else str(condition.holds).lower()
    runs = " ".join(filled(repair.entry.steps[-1].exec.command, values))
    why = condition.why if condition.holds is None else ""
    return _difference(trial.then, {"allowed": allowed, "says": condition.why, "runs": runs}, {"allowed": why})


def _difference(expected: Mapping[str, Any], got: Mapping[str, str], why: Mapping[str, str] | None = None) -> str:
    """Return the first difference; ``why`` has the reason for what came out, by name, where there is one."""
    for name, value in expected.items():
        if name not in got:
            return f"it has no {name!r}; known: {', '.join(got)}"
        if _word(value) != got[name]:
            reason = (why or {}).get(name, "")
            return f"{name} is {got[name]!r}, expected {_word(value)!r}" + (f": {reason}" if reason else "")
    return ""


def facts_of(uses: Mapping[str, FactUse], given: Mapping[str, Any]) -> dict[str, Fact] | str:
    """Return recorded facts by name; what is not given is unreadable. A text says what is wrong with ``given``."""
    facts: dict[str, Fact] = dict.fromkeys(uses, Unread("it is not recorded"))
    by_key = {key_of(name, use): name for name, use in uses.items()}
    for key, raw in given.items():
        if key not in by_key:
            return f"given: there is no fact {key!r}; known: {', '.join(by_key)}"
        if raw != UNREADABLE:
            facts[by_key[key]] = record_of(uses[by_key[key]], raw)
    return facts


def record_of(use: FactUse, raw: Any) -> Record:
    """Return the record of a fact: its text, or a mapping of ``text`` with what came with it."""
    outcome = {str(k): _word(v) for k, v in raw.items() if k != "text"} if isinstance(raw, Mapping) else {}
    text = str(raw.get("text", "")) if isinstance(raw, Mapping) else str(raw)
    if not isinstance(raw, Mapping):
        outcome = dict(use.kind.recorded)
    lines, more = bounded(tuple(text.removesuffix("\n").split("\n")) if text else ())
    truncated = outcome.pop("truncated", "") == "true" or more
    return Record(use.kind.name, lines, outcome, use.source, NOW, truncated)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
