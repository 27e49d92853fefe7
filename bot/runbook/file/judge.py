"""Judges facts by a runbook: a check's finding, a diagnosis's cause with its proof."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.domain.core.probes import Finding, Verdict
from bot.domain.runbook.kind import Unreadable
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.record import Record
from bot.ports.expressions import EvaluationFailed, Expression, NotRead, TooMuch
from bot.runbook.file.compiled import CompiledCause, CompiledCheck, CompiledDiagnosis


@dataclass(frozen=True)
class Unread:
    """Why a fact could not be read, and what to do about it."""

    reason: str
    remedy: str = ""


Fact = Record | Unread
"""What was read, or why it could not be."""
WITHDRAWALS = 50
"""Most lines that are taken away one after the other to see whether a claim depends on its proof."""


@dataclass(frozen=True)
class Citation:
    """A line of a fact, verbatim."""

    line: str
    source: str
    at: datetime | None


@dataclass(frozen=True)
class Claim:
    """A cause that is proven."""

    cause: str
    says: str
    proof: Citation
    remedy: str | None = None
    offer: str = ""
    """The command line of the repair that the cause offers."""


@dataclass(frozen=True)
class RuledOut:
    """A cause that is not there; ``by`` is the line that refutes it, where there is one."""

    cause: str
    title: str
    by: Citation | None = None


@dataclass(frozen=True)
class Open:
    """A cause that could be neither proven nor ruled out, and why."""

    cause: str
    title: str
    reason: str


@dataclass(frozen=True)
class Diagnosed:
    """What came out of a diagnosis."""

    name: str
    title: str
    claims: tuple[Claim, ...] = ()
    """All proven causes; the first one is the answer."""
    ruled_out: tuple[RuledOut, ...] = ()
    open: tuple[Open, ...] = ()
    unread: Mapping[str, Unread] = field(default_factory=dict)
    """Sources that could not be read, with the reason."""
    fits: bool = True
    """Whether its symptom is there, or may be: it has none, or what shows it could not be read."""

    @property
    def claim(self) -> Claim | None:
        """The answer; None where no cause is proven."""
        return self.claims[0] if self.claims else None


def judge_check(check: CompiledCheck, facts: Mapping[str, Fact], now: datetime) -> Finding:
    """Judge a check. What can't be read or evaluated is unknown, never healthy."""
    entry = check.entry
    unread = [f"{entry.facts[n].source}: {why.reason}" for n, why in facts.items() if isinstance(why, Unread)]
    records = {name: fact for name, fact in facts.items() if isinstance(fact, Record)}
    try:
        values = variables(records, now)
        as_expected = check.expect.evaluate(values)
    except (EvaluationFailed, Unreadable) as error:
        return _unknown(check, unread[0] if unread else f"it can't be judged: {error}")
    if as_expected and any(record.truncated for record in records.values()):
        return _unknown(check, "it can't be judged: there was more output than is read")
    if as_expected and unread:
        return _unknown(check, unread[0])
    if as_expected:
        return Finding(check.name, entry.title, Verdict.OK, _text(check.says, values) or "As expected")
    said = _text(check.fails, values) or f"{entry.title}: not as expected"
    verdict = Verdict.WARN if entry.fails.verdict == "warn" else Verdict.FAIL
    return Finding(check.name, entry.title, verdict, said, (), entry.fails.remedy)


def _unknown(check: CompiledCheck, why: str) -> Finding:
    return Finding(check.name, check.entry.title, Verdict.UNKNOWN, why)


def _text(expression: Expression | None, values: Mapping[str, Any]) -> str:
    """The text of an expression; empty where it gives none: the verdict does not depend on it."""
    if expression is None:
        return ""
    try:
        return str(expression.evaluate(values)).strip()[:600]
    except EvaluationFailed:
        return ""


def variables(records: Mapping[str, Record], now: datetime) -> dict[str, Any]:
    """Return the variables of all facts that were read. Raises Unreadable."""
    values: dict[str, Any] = {"now": now}
    for name, record in records.items():
        values |= _named(name, _kind_values(record))
    return values


def _named(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}.{one}" if name else one: value for one, value in values.items()}


def _kind_values(record: Record) -> dict[str, Any]:
    return KINDS[record.kind].values(record)


def answering(found: Sequence[Diagnosed]) -> Diagnosed | None:
    """Return the first of several diagnoses that has an answer, and whose symptom may be there."""
    return next((one for one in found if one.claim is not None and one.fits), None)


@dataclass(frozen=True)
class _Known:
    """Facts of one cause: those that could be read, and their variables."""

    records: Mapping[str, Record]
    by_fact: Mapping[str, Mapping[str, Any]]
    """The variables of each fact, which are computed once for all causes."""
    now: datetime

    @property
    def values(self) -> dict[str, Any]:
        found: dict[str, Any] = {"now": self.now}
        for values in self.by_fact.values():
            found |= values
        return found

    def of(self, names: Iterable[str]) -> _Known:
        """The same, of some facts only."""
        kept = [name for name in names if name in self.records]
        by_fact = {name: self.by_fact[name] for name in kept}
        return _Known({name: self.records[name] for name in kept}, by_fact, self.now)

    def without(self, line: str) -> _Known:
        """The same without a line, wherever it stands."""
        changed = {n: one.without(line) for n, one in self.records.items() if line in one.citable}
        by_fact = {**self.by_fact, **{name: _readable(name, one) for name, one in changed.items()}}
        return _Known({**self.records, **changed}, by_fact, self.now)


def _known(facts: Mapping[str, Fact], now: datetime) -> _Known:
    records = {name: fact for name, fact in facts.items() if isinstance(fact, Record)}
    return _Known(records, {name: _readable(name, record) for name, record in records.items()}, now)


def _readable(name: str, record: Record) -> dict[str, Any]:
    """A fact's variables; none where it does not hold what it should: only causes that need it are undecided."""
    try:
        return _named(name, _kind_values(record))
    except Unreadable:
        return {}


def diagnose(diagnosis: CompiledDiagnosis, facts: Mapping[str, Fact], now: datetime) -> Diagnosed:
    """Look for causes in order, each on its own facts."""
    known = _known(facts, now)
    claims: list[Claim] = []
    ruled_out: list[RuledOut] = []
    undecided: list[Open] = []
    for cause in diagnosis.causes:
        found = _judge_cause(cause, known.of(cause.facts), facts)
        if isinstance(found, Claim):
            claims.append(found)
        elif isinstance(found, RuledOut):
            ruled_out.append(found)
        else:
            undecided.append(found)
    uses = diagnosis.facts
    unread = {uses[n].source: why for n, why in facts.items() if isinstance(why, Unread) and n in uses}
    return Diagnosed(
        diagnosis.name,
        diagnosis.entry.title,
        tuple(claims),
        tuple(ruled_out),
        tuple(undecided),
        unread,
        _may_fit(diagnosis, known),
    )


def _may_fit(diagnosis: CompiledDiagnosis, known: _Known) -> bool:
    if diagnosis.symptom is None:
        return True
    try:
        return bool(diagnosis.symptom.evaluate(known.of(diagnosis.entry.facts).values))
    except NotRead:
        return True
    except EvaluationFailed:
        return False


def _judge_cause(cause: CompiledCause, known: _Known, facts: Mapping[str, Fact]) -> Claim | RuledOut | Open:
    """Prove one cause, or say why not."""
    values = known.values
    try:
        proof = _proof(cause, known.records, values)
    except NotRead as error:
        return _open(cause, _unread(cause, facts) or str(error))
    except TooMuch as error:
        return _open(cause, str(error))
    except EvaluationFailed:  # such as the first of no lines
        proof = None
    if proof is None:
        return _refuted(cause, known.records, values)
    if not _depends_on_proof(cause, known, proof.line):
        return _open(
            cause, "its condition holds without the line that should prove it: the runbook has to be mended"
        )
    entry = cause.entry
    return Claim(entry.name, _text(cause.says, values) or entry.called, proof, entry.remedy, cause.offer)


def _open(cause: CompiledCause, reason: str) -> Open:
    return Open(cause.entry.name, cause.entry.called, reason)


def _unread(cause: CompiledCause, facts: Mapping[str, Fact]) -> str:
    """Why the first fact of a cause that could not be read was not."""
    for name in cause.facts:
        fact = facts.get(name)
        if isinstance(fact, Unread):
            return f"{cause.facts[name].source}: {fact.reason}"
    return ""


def _proof(cause: CompiledCause, records: Mapping[str, Record], values: Mapping[str, Any]) -> Citation | None:
    """The line that proves the cause; None where its condition does not hold. Raises EvaluationFailed."""
    if not cause.when.evaluate(values):
        return None
    return _cited(cause.proof.evaluate(values), records, cause.proof, cause.when)


def _cited(line: str, records: Mapping[str, Record], *by: Expression) -> Citation | None:
    """The line with its source: of several that hold it (``exists: false``), one that the expressions name."""
    if not line.strip():
        return None
    sources = "\n".join(expression.source for expression in by)
    named = sorted(records, key=lambda name: f"{name}." not in sources)
    found = (records[name] for name in named if line in records[name].citable)
    return next((Citation(line, record.source, record.at) for record in found), None)


def _depends_on_proof(cause: CompiledCause, known: _Known, line: str) -> bool:
    """Whether the claim goes once its proof is taken away, and then each further line that would prove it."""
    for _ in range(WITHDRAWALS):
        known = known.without(line)
        try:
            following = _proof(cause, known.records, known.values)
        except EvaluationFailed:
            return True
        if following is None:
            return True
        line = following.line
    return False


def _refuted(cause: CompiledCause, records: Mapping[str, Record], values: Mapping[str, Any]) -> RuledOut | Open:
    """Rule a cause out, by a line where the file names one. A truncated fact rules nothing out."""
    cut = next((record for record in records.values() if record.truncated), None)
    if cut is not None:
        return _open(cause, f"{cut.source} was too long to be read whole")
    return RuledOut(cause.entry.name, cause.entry.called, _refuting(cause.refuted, records, values))


def _refuting(
    refuted: Expression | None, records: Mapping[str, Record], values: Mapping[str, Any]
) -> Citation | None:
    """The line that rules a cause out, if the file names one and it is there."""
    if refuted is None:
        return None
    try:
        return _cited(str(refuted.evaluate(values)), records, refuted)
    except EvaluationFailed:
        return None
