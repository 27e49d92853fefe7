"""Judges facts by a runbook: a check's finding, a diagnosis's cause with its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.core.probes import Finding, Verdict
from bot.domain.runbook.record import Record
from bot.ports.expressions import EvaluationFailed, Expression, NothingToJudge, NotRead, TooMuch
from bot.runbook.file.compiled import CompiledCause, CompiledCheck, CompiledDiagnosis
from bot.runbook.file.known import Fact, Known, Unread, known

FILTER = 'Filter with grep in the fact, or by lines.grep("…"), which sees all lines.'
"""What to do about a fact that is too long."""
WITHDRAWALS = 50
"""Most lines that are taken away one after the other to see whether a claim depends on its proof."""


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
        return _unknown(check, unread or found.unsaid(error) or f"it can't be judged: {error}")
    if as_expected and (cut := found.cut(check.expect)):
        return _unknown(check, f"it can't be judged: {cut}", FILTER)
    if as_expected and unread:
        return _unknown(check, unread)
    if as_expected:
        return Finding(
            check.name, entry.title, Verdict.OK, _text(check.says, found, check.expect) or "As expected"
        )
    said = _text(check.fails, found, check.expect) or f"{entry.title}: not as expected"
    verdict = Verdict.WARN if entry.fails.verdict == "warn" else Verdict.FAIL
    return Finding(check.name, entry.title, verdict, said, (), entry.fails.remedy)


def _unknown(check: CompiledCheck, why: str, remedy: str | None = None) -> Finding:
    return Finding(check.name, check.entry.title, Verdict.UNKNOWN, why, (), remedy)


def _text(expression: Expression | None, found: Known, *asking: Expression | None) -> str:
    """The text of an expression; empty where it gives none: the verdict does not depend on it."""
    if expression is None:
        return ""
    try:
        return str(expression.evaluate(found.values(expression, *asking))).strip()[:600]
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
    )


def _may_fit(diagnosis: CompiledDiagnosis, found: Known) -> bool:
    if diagnosis.symptom is None:
        return True
    try:
        return bool(diagnosis.symptom.evaluate(found.of(diagnosis.entry.facts).values(diagnosis.symptom)))
    except NotRead:
        return True
    except EvaluationFailed:
        return False


def _judge_cause(cause: CompiledCause, found: Known) -> Claim | RuledOut | Open:
    """Prove one cause, or say why not."""
    entry = cause.entry
    try:
        proof = _proof(cause, found)
    except NotRead as error:
        return Open(entry.name, entry.called, *found.reason(error))
    except (TooMuch, NothingToJudge) as error:
        return Open(entry.name, entry.called, str(error))
    except EvaluationFailed:  # such as the first of no lines
        proof = None
    if proof is None:
        return _refuted(cause, found)
    if not _depends_on_proof(cause, found, proof.line):
        why = "its condition holds without the line that should prove it: the runbook has to be mended"
        return Open(entry.name, entry.called, why)
    says = _text(cause.says, found, *_judging(cause)) or entry.called
    return Claim(entry.name, says, proof, entry.remedy, cause.offer, _verdict(proof))


def _verdict(proof: Citation) -> Verdict:
    """As bad as the check whose finding proves it; a failure where another fact does."""
    warns = proof.kind == "check" and proof.line.startswith(f"{Verdict.WARN.value}: ")
    return Verdict.WARN if warns else Verdict.FAIL


def _judging(cause: CompiledCause) -> tuple[Expression | None, ...]:
    """The expressions that say together what a cause asks of its facts."""
    return (cause.when, cause.proof, cause.refuted)


def _proof(cause: CompiledCause, found: Known) -> Citation | None:
    """The line that proves the cause; None where its condition does not hold. Raises EvaluationFailed."""
    asking = _judging(cause)
    if not cause.when.holds(found.values(cause.when, *asking)):
        return None
    line = cause.proof.evaluate(found.values(cause.proof, *asking))
    return _cited(line, found.records, cause.proof, cause.when)


def _cited(line: str, records: Mapping[str, Record], *by: Expression) -> Citation | None:
    """The line with its source: of several that hold it (``exists: false``), one that the expressions name."""
    if not line.strip():
        return None
    sources = "\n".join(expression.source for expression in by)
    named = sorted(records, key=lambda name: f"{name}." not in sources)
    found = (records[name] for name in named if line in records[name].citable)
    return next((Citation(line, record.source, record.at, record.kind) for record in found), None)


def _depends_on_proof(cause: CompiledCause, found: Known, line: str) -> bool:
    """Whether the claim goes once its proof is taken away, and then each further line that would prove it."""
    for _ in range(WITHDRAWALS):
        found = found.without(line)
        try:
            following = _proof(cause, found)
        except EvaluationFailed:
            return True
        if following is None:
            return True
        line = following.line
    return False


def _refuted(cause: CompiledCause, found: Known) -> RuledOut | Open:
    """Rule a cause out, by a line where the file names one. A truncated fact rules nothing out."""
    name, title = cause.entry.name, cause.entry.called
    cut = next((record for record in found.records.values() if record.truncated), None)
    if cut is not None:
        return Open(name, title, f"{cut.source} was too long to be read whole")
    if why := found.cut(cause.when, cause.proof):
        return Open(name, title, f"{why}. {FILTER}")
    if cause.refuted is None:
        return RuledOut(name, title)
    try:
        line = str(cause.refuted.evaluate(found.values(cause.refuted, *_judging(cause))))
    except EvaluationFailed:
        return RuledOut(name, title)
    return RuledOut(name, title, _cited(line, found.records, cause.refuted))
