"""The reply of a command that shows one part of `status` in full: findings, details, next steps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from bot.domain.core import summary
from bot.domain.core.code import DIAGNOSIS
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Excerpt, Fact, Line, Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.runbook.context import Context
from bot.services.health import folding
from commands.shared import shape


def reply(
    ctx: Context,
    outcomes: Sequence[ProbeResult],
    began: float,
    *,
    own: str,
    body: Sequence[Line] = (),
    facts: Sequence[Fact] = (),
    tables: Sequence[Table] = (),
    excerpts: Sequence[Excerpt] = (),
    notes: Sequence[str] = (),
    more: Sequence[tuple[str, str]] = (),
    said: str = "",
    detailed: bool = False,
    data: dict[str, object] | None = None,
) -> Reply:
    """Return the reply of the command ``own``, which is not offered as a next step; ``more`` are further steps.

    ``said`` is the headline when all is well, instead of a count. ``detailed``: facts and tables show the
    findings' evidence, so it is not repeated.
    """
    findings = [_own(f, own) for f in folding.folded(ctx.target, outcomes)]
    helps = (*_diagnosis(ctx, findings, outcomes), *folding.next_steps(findings), *more, ("Status", "status"))
    steps = [step for step in helps if step[1] != own]
    shown = [_without_evidence(f) for f in findings] if detailed else findings
    return Reply(
        headline(findings, said),
        verdict=summary.overall(findings),
        body=tuple(body),
        findings=() if _is_headline(findings, said) or _bare(shown) else shape.addressed(ctx, shown),
        facts=tuple(facts),
        tables=tuple(table for table in tables if table.rows),
        excerpts=tuple(excerpts),
        buttons=shape.buttons(ctx, steps),
        notes=shape.notes(ctx, began, *notes),
        data={
            "target": ctx.target.name,
            "checks": shape.as_data([o.finding for o in outcomes]),
            **(data or {}),
        },
    )


def _diagnosis(
    ctx: Context, findings: Sequence[Finding], outcomes: Sequence[ProbeResult]
) -> Iterator[tuple[str, str]]:
    """The runbook's trees, where a remedy names them, or where the pod kept a check from being made."""
    if ctx.book is None or not ctx.book.diagnoses:
        return
    remedies = " ".join(finding.remedy or "" for finding in findings if finding.verdict is not Verdict.OK)
    yield from (("Diagnose", line) for line in dict.fromkeys(DIAGNOSIS.findall(remedies)))
    if any(one.blocked_by == "pod" for one in outcomes):
        yield "Diagnose", "diagnose"


def headline(findings: Sequence[Finding], said: str = "") -> str:
    """Return the headline: ``said`` or the one finding when all is well, else a summary as in `status`."""
    if _is_headline(findings, said):
        return said or f"{findings[0].title}: {findings[0].summary}"
    return summary.headline(findings, len(findings), whole=False)


def _is_headline(findings: Sequence[Finding], said: str) -> bool:
    """Whether the headline states everything, so that a finding would only repeat it."""
    return (len(findings) == 1 or bool(said)) and summary.overall(findings) is Verdict.OK


def _bare(findings: Sequence[Finding]) -> bool:
    """Whether there is one finding, and it has nothing beyond its headline."""
    return len(findings) == 1 and not (findings[0].evidence or findings[0].remedy or findings[0].run)


def _own(finding: Finding, own: str) -> Finding:
    """Remove the finding's next step if it is the command itself."""
    return replace(finding, run=None) if finding.run == f"/agentpod {own}" else finding


def _without_evidence(finding: Finding) -> Finding:
    """Keep only the evidence that was folded into the finding, which facts and tables don't show."""
    return replace(finding, evidence=tuple(e for e in finding.evidence if e.startswith(summary.FOLDED)))


def without(outcomes: Sequence[ProbeResult], shown: Collection[str]) -> list[ProbeResult]:
    """Return the outcomes without the lines of evidence that facts or tables show."""
    return [
        replace(o, finding=replace(o.finding, evidence=tuple(e for e in o.finding.evidence if e not in shown)))
        for o in outcomes
    ]


def bare(outcome: ProbeResult) -> ProbeResult:
    """Return the outcome without its evidence."""
    return replace(outcome, finding=replace(outcome.finding, evidence=()))
