"""How findings add up to one answer: causes said once, the worst first, and a headline that is the answer.

A check that could not be made is unknown. When one cause keeps several from being made, or one fault makes
others follow, it is said once and the rest become a line under it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict, worst, worst_first

NO_ANSWER = "no answer in"

NOT_CHECKED, FOLLOWS = "Not checked because of it", "Follows from it"

FOLDED = (NOT_CHECKED, FOLLOWS)
"""How lines of evidence begin that stand for other findings."""

_CAUSE = "cause:"
"""How the keys of folded causes begin; no probe's id does."""


@dataclass(frozen=True)
class Cause:
    """Why a check could not be made. Equal keys are one cause."""

    key: tuple[str, ...]
    source: str
    """Which source failed: its key, as in `Outcome.answered`."""
    title: str
    """How a person calls the source: "API server"."""
    silent: str
    """What is said when nothing came from the source: "the API server does not answer"."""
    summary: str
    """What is said otherwise."""
    remedy: str | None = None
    run: str | None = None


@dataclass(frozen=True)
class ProbeResult:
    """A finding, and what kept it from being one where something did."""

    finding: Finding
    cause: Cause | None = None
    blocked_by: str | None = None
    """The probe whose finding explains why this one was not made."""
    answered: frozenset[str] = frozenset()
    """Keys of the sources that did answer it."""


def fold(
    outcomes: Sequence[ProbeResult], consequences: Mapping[str, Sequence[str]] | None = None
) -> list[Finding]:
    """Findings worst first, with shared causes and consequences folded into the one that explains them.

    ``consequences`` maps a probe to those that fail because of it: they are folded when both are not ok.
    Among equally bad findings a shared cause comes first, so that the headline names it.
    """
    findings = {o.finding.probe: o.finding for o in outcomes}
    _fold_blocked(outcomes, findings)
    _fold_causes(outcomes, findings)
    for probe, followers in (consequences or {}).items():
        _fold_followers(probe, followers, findings)
    causes = [f for key, f in findings.items() if key.startswith(_CAUSE)]
    return worst_first([*causes, *(f for key, f in findings.items() if not key.startswith(_CAUSE))])


def _fold_blocked(outcomes: Sequence[ProbeResult], findings: dict[str, Finding]) -> None:
    for outcome in outcomes:
        blocker = findings.get(outcome.blocked_by or "")
        if blocker is not None and blocker.verdict is not Verdict.OK:
            del findings[outcome.finding.probe]
    for probe in {o.blocked_by for o in outcomes if o.blocked_by in findings}:
        titles = [o.finding.title for o in outcomes if o.blocked_by == probe and o.finding.probe not in findings]
        if titles:
            findings[probe] = _noting(findings[probe], NOT_CHECKED, titles)


def _fold_causes(outcomes: Sequence[ProbeResult], findings: dict[str, Finding]) -> None:
    groups: dict[tuple[str, ...], list[ProbeResult]] = {}
    for outcome in outcomes:
        if outcome.cause is not None and outcome.finding.probe in findings:
            groups.setdefault(outcome.cause.key, []).append(outcome)
    # One check that is all there is to say also gains by having its source named.
    for group in (g for g in groups.values() if len(g) > 1 or len(g) == len(outcomes)):
        cause = group[0].cause
        if cause is None:
            continue
        for outcome in group:
            del findings[outcome.finding.probe]
        somebody_heard = any(cause.source in o.answered for o in outcomes)
        findings[f"{_CAUSE}{cause.source}:{len(findings)}"] = _carrier(cause, group, somebody_heard)


def _carrier(cause: Cause, group: Sequence[ProbeResult], somebody_heard: bool) -> Finding:
    silent = cause.key[-1] == "silent" and not somebody_heard
    summary = cause.silent if silent else cause.summary
    evidence = [cause.summary] if silent else []
    for outcome in group:
        said = (summary, *evidence)
        evidence += [line for line in outcome.finding.evidence if words.lower_first(line) not in said][:1]
    base = Finding(
        cause.source,
        cause.title,
        Verdict.UNKNOWN,
        summary,
        tuple(evidence[:3]),
        cause.remedy,
        cause.run,
        max((o.finding.seconds or 0.0 for o in group), default=None),
    )
    return _noting(base, NOT_CHECKED, [o.finding.title for o in group])


def _fold_followers(probe: str, followers: Sequence[str], findings: dict[str, Finding]) -> None:
    cause = findings.get(probe)
    if cause is None or cause.verdict is not Verdict.FAIL:
        return
    bad = [f for name in followers if (f := findings.get(name)) and f.verdict is not Verdict.OK]
    if bad:
        for finding in bad:
            del findings[finding.probe]
        findings[probe] = _noting(cause, FOLLOWS, [f.title for f in bad])


def _noting(finding: Finding, label: str, names: Sequence[str]) -> Finding:
    return replace(finding, evidence=(*finding.evidence, f"{label}: {', '.join(names)}"))


def overall(findings: Sequence[Finding]) -> Verdict:
    """The verdict of all: fail before unknown before warn. Nothing checked is unknown."""
    return worst(f.verdict for f in findings)


def headline(findings: Sequence[Finding], checks: int, *, whole: bool = True) -> str:
    """One line that answers "is it healthy?". ``findings`` are folded and sorted; ``checks`` were made.

    Only the checks of the ``whole`` may call it healthy: a part that merely warns says nothing of the rest.
    """
    verdict = overall(findings)
    if verdict is Verdict.OK:
        return f"Healthy: {words.plural(checks, 'check')} ok"
    if not findings:
        return "Could not tell: nothing was checked"
    first = _said(findings[0])
    count = sum(f.verdict is verdict for f in findings)
    if verdict is Verdict.WARN:
        if not whole:
            return f"Warning{'' if count == 1 else f' (first of {count})'}: {first}"
        return f"Healthy, with {words.plural(count, 'warning')}{':' if count == 1 else ', first:'} {first}"
    if verdict is Verdict.UNKNOWN:
        several = f"{count} things, first: " if count > 1 else ""
        return f"Could not tell: {several}{first}"
    return (
        f"Not healthy: {words.plural(count, 'problem')}, first: {first}" if count > 1 else f"Not healthy: {first}"
    )


def _said(finding: Finding) -> str:
    if finding.summary.startswith(NO_ANSWER):
        return f"{finding.title} gave {finding.summary}"
    return words.lower_first(finding.summary)


def said_in(headline: str, finding: Finding) -> bool:
    """Whether the headline ends with the finding, so that its summary would be read twice."""
    return headline.endswith(_said(finding))
