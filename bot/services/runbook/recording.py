"""Records the live facts of a check or a diagnosis, with what came out, as a test of the runbook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.domain.core.probes import Verdict
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.model import UNREADABLE
from bot.domain.runbook.record import Record
from bot.errors import UsageError
from bot.runbook.file import trial
from bot.runbook.file.compiled import CompiledCheck, CompiledDiagnosis, CompiledRunbook
from bot.runbook.file.judge import diagnose, judge_check
from bot.runbook.file.known import Fact, Unread
from bot.runbook.file.problem import nearest_word
from bot.services.health.reads import CheckContext, reads_for
from bot.services.runbook.read_facts import read_facts, seconds_of


@dataclass(frozen=True)
class Recorded:
    """A test case as the file writes it, and what is to be said of it."""

    test: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    whole: bool = True
    """Whether all facts could be read."""


async def record(ctx: CheckContext, name: str) -> Recorded:
    """Read all facts of the check, or else the diagnosis, of that name. Raises UsageError."""
    entry = _entry(ctx.book, name)
    uses = entry.entry.facts if isinstance(entry, CompiledCheck) else entry.facts
    longest = max((seconds_of(use, ctx.probe_timeout) for use in uses.values()), default=0.0)
    with reads_for(ctx, [longest]) as [reads]:
        facts = await read_facts(reads, uses)
    given = {key or uses[key].kind.name: _given(uses[key], fact) for key, fact in facts.items()}
    again = trial.facts_of(uses, given)
    if isinstance(again, str):
        raise AssertionError(again)
    now = ctx.clock.now()
    seen = {key: replace(fact, at=now) if isinstance(fact, Record) else fact for key, fact in again.items()}
    then = _result(entry, seen, now)
    notes = [f"{uses[k].source}: {fact.reason}" for k, fact in facts.items() if isinstance(fact, Unread)]
    if _result(entry, again, trial.NOW) != then:
        notes.append(f"it depends on the time, and tests take place at {trial.NOW:%Y-%m-%d %H:%M} UTC: adapt it")
    whole = not any(isinstance(fact, Unread) for fact in facts.values())
    kind = "check" if isinstance(entry, CompiledCheck) else "diagnosis"
    return Recorded({kind: name, "given": given, "then": then}, tuple(notes), whole)


def _entry(book: CompiledRunbook | None, name: str) -> CompiledCheck | CompiledDiagnosis:
    checks, diagnoses = (book.checks, book.diagnoses) if book is not None else ({}, {})
    found = checks.get(name) or diagnoses.get(name)
    if found is None:
        hint = nearest_word(name, (*checks, *diagnoses))
        raise UsageError(f"The target's runbook has no check and no diagnosis {name!r}; {hint}")
    return found


def _given(use: FactUse, fact: Fact) -> Any:
    """A fact as tests give it: its text alone where nothing else came with it than usual."""
    if isinstance(fact, Unread):
        return UNREADABLE
    text = "".join(f"{line}\n" for line in fact.lines)
    more = {"truncated": True} if fact.truncated else {}
    if not more and dict(fact.outcome) == dict(use.kind.recorded):
        return text
    return {"text": text, **fact.outcome, **more}


def _result(entry: CompiledCheck | CompiledDiagnosis, facts: Mapping[str, Fact], now: datetime) -> dict[str, str]:
    """What a test of these facts expects."""
    if isinstance(entry, CompiledDiagnosis):
        claim = diagnose(entry, facts, now).claim
        return {"cause": claim.cause, "proof": claim.proof.line} if claim is not None else {"cause": "unknown"}
    finding = judge_check(entry, facts, now)
    if finding.verdict is Verdict.UNKNOWN and any(isinstance(fact, Unread) for fact in facts.values()):
        return {"verdict": finding.verdict.value}  # why it can't be read is of no interest to a test
    return {"verdict": finding.verdict.value, "says": finding.summary}
