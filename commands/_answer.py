"""The answer of a command that shows one part of `status` in full: findings, details, next steps."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain import summary
from bot.domain.probes import Finding, Verdict
from bot.domain.reply import Excerpt, Fact, Reply, Table
from bot.domain.summary import Outcome
from bot.runbook import Context
from commands import _shape, status


def reply(
    ctx: Context,
    outcomes: Sequence[Outcome],
    began: float,
    *,
    own: str,
    body: Sequence[str] = (),
    facts: Sequence[Fact] = (),
    tables: Sequence[Table] = (),
    excerpts: Sequence[Excerpt] = (),
    more: Sequence[tuple[str, str]] = (),
    data: dict[str, object] | None = None,
) -> Reply:
    """The whole answer of the command ``own``, which is not offered again; ``more`` are further steps."""
    findings = status.folded(ctx.target, outcomes)
    steps = [step for step in (*status.next_steps(findings), *more, ("Status", "status")) if step[1] != own]
    return Reply(
        headline(findings),
        verdict=summary.overall(findings),
        body=tuple(body),
        findings=() if _is_headline(findings) else _shape.addressed(ctx, findings),
        facts=tuple(facts),
        tables=tuple(table for table in tables if table.rows),
        excerpts=tuple(excerpts),
        buttons=_shape.buttons(ctx, steps),
        notes=_shape.notes(ctx, began),
        data={
            "target": ctx.target.name,
            "checks": _shape.as_data([o.finding for o in outcomes]),
            **(data or {}),
        },
    )


def headline(findings: Sequence[Finding]) -> str:
    """What was found, when all is well and there is one thing to say; else as `status` puts it."""
    if _is_headline(findings):
        return f"{findings[0].title}: {findings[0].summary}"
    return summary.headline(findings, len(findings))


def _is_headline(findings: Sequence[Finding]) -> bool:
    """Whether the headline says all there is: repeating it as a finding would only push the details down."""
    return len(findings) == 1 and findings[0].verdict is Verdict.OK
