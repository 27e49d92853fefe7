"""Judges facts by a runbook: a check's finding, a diagnosis's cause with its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.core.probes import Finding, Verdict
from bot.domain.runbook.facts.exec import NOT_RUN
from bot.domain.runbook.record import Record
from bot.ports.expressions import EvaluationFailed, Expression, NothingThere
from bot.runbook.file.compiled import CompiledCause, CompiledCheck, CompiledDiagnosis
from bot.runbook.file.known import Fact, Known, Unread, facts_of, known

FILTER = 'Filter with grep in the fact, or by lines.grep("…"), which sees all lines.'
"""What to do about a fact that is too long."""


@dataclass(frozen=True)
class Citation:
    """A line of a fact, verbatim."""

    line: str
    source: str
    at: datetime | None
    kind: str = ""
    """The fact's kind."""


@dataclass(frozen=True)
class Claim:
    """A cause that is proven."""

    cause: str
    says: str
    proof: Citation
    remedy: str | None = None
    offer: str = ""
    """The command line of the repair that the cause offers."""
    verdict: Verdict = Verdict.FAIL
    """How bad it is: one that a check's warning proves is a warning."""
    same_as: str = ""
    """The check of `status` that finds the same."""


@dataclass(frozen=True)
class RuledOut:
    """A cause that is not there; ``by`` is the line that refutes it, where there is one."""

    cause: str
    title: str
    by: Citation | None = None
    looked_at: tuple[str, ...] = ()
    """What showed no sign of it, where no line refutes it."""


@dataclass(frozen=True)
class Open:
    """A cause that could be neither proven nor ruled out, and why."""

    cause: str
    title: str
    reason: str
    not_allowed: bool = False
    """Whether the bot lacks the right to read what would decide it."""


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
    past: bool = False
    """Whether it also explains what is over: then nothing need be wrong now."""
    fits: bool = True
    """Whether its symptom is there, or may be: it has none, or what shows it could not be read."""
    runbook_url: str = ""
    """The page on what to do, its placeholders not filled in."""

    @property
    def claim(self) -> Claim | None:
        """The answer; None where no cause is proven."""
        return self.claims[0] if self.claims else None

    @property
    def is_warning(self) -> bool:
        """Whether all its claims are warnings."""
        return all(one.verdict is Verdict.WARN for one in self.claims)


def judge_check(check: CompiledCheck, facts: Mapping[str, Fact], now: datetime) -> Finding:
    """Judge a check. What can't be read or evaluated is unknown, never healthy."""
    entry = check.entry
    found = known(facts, entry.facts, now)
    unread = found.unreadable(check.expect)
    try:
        as_expected = check.expect.holds(found.values(check.expect))
    except EvaluationFailed as error:
        why = found.unsaid(error) or found.lacking(check.expect, error)
        return _unknown(
            check, unread or why or f"it can't be judged: {error}", found.remedy or None if unread else None
        )
    cut = found.cut(check.expect)
    if cut and (as_expected or not check.expect.lasts(False, found.unseen(check.expect))):
        return _unknown(check, f"it can't be judged: {cut}", FILTER)
    if as_expected and unread:
        return _unknown(check, unread, found.remedy or None)
    if as_expected:
        return Finding(
            check.name, entry.title, Verdict.OK, _text(check.says, found, check.expect) or "As expected"
        )
    said = _text(check.fails, found, check.expect) or f"{entry.title}: not as expected"
    verdict = Verdict.WARN if entry.fails.verdict == "warn" else Verdict.FAIL
    return Finding(check.name, entry.title, verdict, said, (), _remedy(check, found))


def _remedy(check: CompiledCheck, found: Known) -> str | None:
    """The remedy of the case that it is, where the file tells cases apart."""
    for when, remedy in check.cases:
        try:
            if when.holds(found.values(when)):
                return remedy
        except EvaluationFailed:
            continue
    return check.entry.fails.remedy


def _unknown(check: CompiledCheck, why: str, remedy: str | None = None) -> Finding:
    return Finding(check.name, check.entry.title, Verdict.UNKNOWN, why, (), remedy)


def _text(expression: Expression | None, found: Known, *conditions: Expression) -> str:
    """The text of an expression; empty where it gives none: the verdict does not depend on it."""
    if expression is None:
        return ""
    try:
        return str(expression.evaluate(found.values(expression, *conditions))).strip()[:600]
    except EvaluationFailed:
        return ""


def answering(found: Sequence[Diagnosed], *, recovered: bool = False) -> Diagnosed | None:
    """Return the first of several diagnoses that has an answer, and whose symptom may be there.

    A warning comes after what fails. Where the pod has ``recovered``, one that only explains what is over comes
    after all others.
    """
    answers = [one for one in found if one.claim is not None and one.fits]
    return min(answers, key=lambda one: (recovered and one.past, one.is_warning), default=None)


def diagnose(diagnosis: CompiledDiagnosis, facts: Mapping[str, Fact], now: datetime) -> Diagnosed:
    """Look for causes in order, each on its own facts."""
    uses = diagnosis.facts
    found = known(facts, uses, now)
    claims: list[Claim] = []
    ruled_out: list[RuledOut] = []
    undecided: list[Open] = []
    for cause in diagnosis.causes:
        judged = _judge_cause(cause, found.of(cause.facts))
        if isinstance(judged, Claim):
            claims.append(judged)
        elif isinstance(judged, RuledOut):
            ruled_out.append(judged)
        else:
            undecided.append(judged)
    unread = {uses[n].source: why for n, why in facts.items() if isinstance(why, Unread) and n in uses}
    return Diagnosed(
        diagnosis.name,
        diagnosis.entry.title,
        tuple(claims),
        tuple(ruled_out),
        tuple(undecided),
        unread,
        diagnosis.entry.past,
        _may_fit(diagnosis, found),
        diagnosis.entry.runbook_url,
    )


def _may_fit(diagnosis: CompiledDiagnosis, found: Known) -> bool:
    if diagnosis.symptom is None:
        return True
    try:
        return found.of(diagnosis.entry.facts).holds(diagnosis.symptom)
    except EvaluationFailed:
        return True


def _judge_cause(cause: CompiledCause, found: Known) -> Claim | RuledOut | Open:
    """Prove one cause, or say why not."""
    name, title = cause.entry.name, cause.entry.called
    try:
        if not found.holds(cause.when):
            return _refuted(cause, found)
    except EvaluationFailed as error:
        return Open(name, title, *found.reason(cause.when, error))
    try:
        line = str(found.value(cause.proof, cause.when))
    except NothingThere:
        line = ""
    except EvaluationFailed as error:
        return Open(name, title, *found.reason(cause.proof, error))
    if not line.strip():
        return _refuted(cause, found)
    proof = _cited(line, found, cause.proof, cause.when)
    if proof is None:
        return Open(name, title, f"its proof is no line of its facts: {line.strip()[:200]}")
    unseen = found.unseen(cause.when, cause.proof)
    if unseen and not (cause.when.lasts(True, unseen) and cause.proof.lasts(line, unseen)):
        return Open(name, title, _cut(cause, found))
    says = _text(cause.says, found, cause.proof, cause.when) or title
    same_as = cause.entry.same_as or ""
    return Claim(name, says, proof, cause.entry.remedy, cause.offer, _verdict(proof), same_as)


def _verdict(proof: Citation) -> Verdict:
    """As bad as the check whose finding proves it; a failure where another fact does."""
    warns = proof.kind == "check" and proof.line.startswith(f"{Verdict.WARN.value}: ")
    return Verdict.WARN if warns else Verdict.FAIL


def _cited(line: str, found: Known, *by: Expression) -> Citation | None:
    """The line with its source: a fact that the first of the expressions uses which names any."""
    named = next(filter(None, (facts_of(expression) for expression in by)), set(found.records))
    records = (record for name, record in found.records.items() if name in named and line in record.citable)
    return next((Citation(line, record.source, record.at, record.kind) for record in records), None)


def _cut(cause: CompiledCause, found: Known) -> str:
    """Why what the cause did not find may be there all the same; empty where it saw all."""
    used = facts_of(cause.when, cause.proof)
    cut = [(name not in used, record.source) for name, record in found.records.items() if record.truncated]
    if cut:
        return f"{min(cut)[1]} was too long to be read whole"
    return f"{why}. {FILTER}" if (why := found.cut(cause.when, cause.proof)) else ""


def _not_run(record: Record) -> bool:
    """Whether its program could not be run, so that nothing was looked at."""
    return record.kind == "exec" and record.outcome.get("exit_code") in NOT_RUN


def _refuted(cause: CompiledCause, found: Known) -> RuledOut | Open:
    """Rule a cause out, by a line where the file names one. A truncated fact rules nothing out."""
    name, title = cause.entry.name, cause.entry.called
    if why := _cut(cause, found):
        return Open(name, title, why)
    used = facts_of(cause.when, cause.proof)
    seen = tuple(record.source for fact, record in found.records.items() if fact in used and not _not_run(record))
    if cause.refuted is None:
        return RuledOut(name, title, looked_at=seen)
    try:
        line = str(found.value(cause.refuted))
    except EvaluationFailed:
        return RuledOut(name, title, looked_at=seen)
    return RuledOut(name, title, _cited(line, found, cause.refuted) if line.strip() else None, seen)
