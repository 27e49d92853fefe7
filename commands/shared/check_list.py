"""Commands that make checks of the runbook in order: what they read and what they expect is in its file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from bot.domain.core import summary, words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health import folding
from bot.services.health.check import Check, run_checks
from commands.shared import shape

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledRunbook


Completed = Callable[[Context, Reply], Reply]
"""Adds to a reply what the checks can't tell."""
Beside = Callable[[Context], Sequence[Check]]


def check_list(
    name: str,
    brief: str,
    checks: Sequence[str],
    *,
    details: str,
    needs: Capability = Capability.VIEW,
    audited: bool = True,
    more: Sequence[tuple[str, str]] = (),
    completed: Completed | None = None,
    beside: Beside = lambda _: (),
) -> Command:
    """Make a command that makes ``checks`` of the target's runbook.

    ``audited``: they run something in the pod. ``more`` are next steps. ``completed`` adds to the reply.
    ``beside``: the bot's own checks that come after those of the runbook.
    """
    return Command(
        name=name,
        summary=brief,
        needs=needs,
        run=partial(run, name, checks, more, completed, beside),
        examples=(name,),
        audited=audited,
        details=f"{details} In the runbook: {words.listed(checks)}.",
        runbook_rights=partial(rights, checks),
    )


async def run(
    name: str,
    checks: Sequence[str],
    more: Sequence[tuple[str, str]],
    completed: Completed | None,
    beside: Beside,
    ctx: Context,
    params: NoParams,  # noqa: ARG001 - every command takes its params
) -> Reply:
    """Make the checks side by side, and show them in order; the first one that failed is the headline."""
    reply = await _made(ctx, name, checks, more, beside)
    return reply if completed is None else completed(ctx, reply)


async def _made(
    ctx: Context, name: str, checks: Sequence[str], more: Sequence[tuple[str, str]], beside: Beside
) -> Reply:
    from bot.services.runbook.declared_check import DeclaredCheck

    began = ctx.clock.monotonic()
    known = ctx.book.checks if ctx.book is not None else {}
    there = [known[one] for one in checks if one in known]
    if not there:
        listed = words.either([f"{one!r}" for one in checks])
        return Reply(f"The runbook of {ctx.target.name} has no check {listed}", notes=shape.notes(ctx, began))
    made = [DeclaredCheck(check, ctx.probe_timeout) for check in there]
    own = beside(ctx)
    outcomes = await run_checks(ctx, [*made, *own])
    mine = [*(one.id for one in made if one.known), *(one.id for one in own)]
    findings = [outcome.finding for outcome in outcomes]
    first = _first(findings)
    affected = _affected(first, outcomes)
    block = summary.fold(affected)[0] if affected else first
    offers = dict.fromkeys(c.check.offer for c in made if c.failed and c.check.offer)
    steps = [shape.offered(ctx, line, name) for line in offers]
    return Reply(
        summary.headline([block], len(outcomes)) if affected and block else _headline(findings, first, mine),
        verdict=summary.overall(findings),
        findings=shape.addressed(ctx, [block]) if block is not None and block.remedy else (),
        tables=(_table(outcomes, affected),) if len(findings) > max(1, len(affected)) else (),
        buttons=shape.buttons(ctx, [*folding.source_steps([block] if affected and block else []), *steps, *more]),
        notes=shape.notes(ctx, began),
        data={"target": ctx.target.name, "checks": shape.as_data(findings)},
    )


def _first(findings: Sequence[Finding]) -> Finding | None:
    """Return the first one that failed; the first unknown one where none did; None where all are ok."""
    failed = (f for f in findings if f.verdict in (Verdict.FAIL, Verdict.WARN))
    return next(failed, None) or next((f for f in findings if f.verdict is Verdict.UNKNOWN), None)


def _affected(first: Finding | None, outcomes: Sequence[ProbeResult]) -> list[ProbeResult]:
    """Return the checks that the first one's cause kept from being made, where it is worth a block of its own."""
    cause = next((one.cause for one in outcomes if one.finding is first), None)
    if cause is None:
        return []
    alike = [one for one in outcomes if one.cause is not None and one.cause.key == cause.key]
    return alike if summary.is_shared(cause, len(alike), len(outcomes)) else []


def _headline(findings: Sequence[Finding], first: Finding | None, known: Collection[str]) -> str:
    """The first line; ``known`` are those that say it all by themselves."""
    if first is None and len(findings) == 1:
        return f"{findings[0].title}: {findings[0].summary}"
    if first is None:
        every = "Both" if len(findings) == 2 else f"All {len(findings)}"
        return f"{every} checks are ok: {words.listed([f.title for f in findings])}"
    if first.probe in known:
        return first.summary
    place = f"Check {findings.index(first) + 1} of {len(findings)}, " if len(findings) > 1 else ""
    return f"{place}{first.title}: {first.summary}"


def _table(outcomes: Sequence[ProbeResult], affected: Sequence[ProbeResult]) -> Table:
    results = zip(outcomes, _results(outcomes, affected), strict=True)
    rows = tuple(
        (f"{n}. {one.finding.title}", words.cut(text, 200)) for n, (one, text) in enumerate(results, start=1)
    )
    return Table(("Check", "Result"), rows, "", tuple(one.finding.verdict for one in outcomes))


def _results(outcomes: Sequence[ProbeResult], affected: Sequence[ProbeResult]) -> Iterator[str]:
    """Yield each summary; a reason said before is "the same", and that of the ``affected`` is said above."""
    said: set[str] = set()
    for one in outcomes:
        text = one.finding.summary
        what, colon, reason = ("", "", text) if one.cause is not None else text.rpartition(": ")
        again = one.finding.verdict is Verdict.UNKNOWN and reason in said
        yield "not checked" if one in affected else f"{what}{colon}the same" if again else text
        if one.finding.verdict is Verdict.UNKNOWN:
            said.add(reason)


def rights(checks: Sequence[str], book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that the checks need; none for those that the runbook doesn't have."""
    from bot.services.runbook.declared_check import check_rights

    return check_rights(book, checks, target)
