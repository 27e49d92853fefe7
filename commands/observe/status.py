"""``status``: the handbook's whole "Observing State" chapter as one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.domain.core import summary, words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Line, Reply
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod, Right
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import Check, run_checks
from bot.services.health.checks import registry
from bot.services.health.checks.pod import PodCheck
from bot.services.health.folding import folded, next_steps
from bot.services.runbook.all_checks import all_checks, runbook_rights
from commands.observe import crash_log
from commands.observe.crash_log import CrashLog
from commands.shared import requests, shape

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledRunbook
    from bot.services.runbook.declared_check import DeclaredCheck


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Run all checks concurrently and reply with the problems, worst first."""
    began = ctx.clock.monotonic()
    repairs = asyncio.create_task(requests.under_way(ctx))

    async def show(results: Sequence[ProbeResult], pending: Sequence[str]) -> None:
        await ctx.progress(_partial(ctx, results, pending))

    checks, beside = all_checks(ctx), _beside(ctx)
    results, more = _told_apart(await run_checks(ctx, [*checks, *beside], show), beside)
    log = await crash_log.of(ctx, [r.finding for r in results], _pods(checks))
    return _reply(ctx, results, [*checks, *beside], [*more, *await repairs], log, began)


BESIDE: Mapping[str, tuple[str, str]] = {"egress-valid": ("Egress policy", "egress")}
"""Checks of the runbook that another command shows in full: their title here, and that command.

They are shown only where they fail: what they judge need not be there.
"""


def _beside(ctx: Context) -> list[DeclaredCheck]:
    """The checks of `BESIDE` that the runbook has, and that are not part of `status` anyway."""
    from bot.services.runbook.declared_check import DeclaredCheck

    known = ctx.book.checks if ctx.book is not None else {}
    wanted = [known[name] for name in BESIDE if name in known and not known[name].entry.status]
    made = [DeclaredCheck(check, ctx.probe_timeout) for check in wanted]
    for one in made:
        one.title = BESIDE[one.id][0]
    return made


def _rights_beside(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    from bot.services.runbook import declared_check

    return declared_check.check_rights(book, list(BESIDE), target)


def _told_apart(results: Sequence[ProbeResult], beside: Sequence[Check]) -> tuple[list[ProbeResult], list[str]]:
    """The results without those of ``beside`` that don't fail; and a note on each that could not be made."""
    ids = {check.id for check in beside}
    mine = [one for one in results if one.finding.probe not in ids]
    silent = any(one.finding.verdict is Verdict.UNKNOWN for one in mine)  # what keeps others may keep these
    notes = []
    for one in (one for one in results if one.finding.probe in ids):
        title, command = BESIDE[one.finding.probe]
        if one.finding.verdict in (Verdict.FAIL, Verdict.WARN):
            said = f"{title[:1].lower()}{title[1:]} not valid: {one.finding.summary.removeprefix('not valid, ')}"
            finding = replace(one.finding, title=title, summary=said)
            mine.append(replace(one, finding=replace(finding, run=f"/agentpod {command}")))
        elif one.finding.verdict is Verdict.UNKNOWN and not silent:
            notes.append(f"{title} {summary.NOT_MADE}{one.finding.summary.removeprefix(summary.NOT_MADE)}")
    return mine, notes


def _partial(ctx: Context, results: Sequence[ProbeResult], pending: Sequence[str]) -> Reply:
    """Return the partial reply while checks are running."""
    results = [one for one in results if one.finding.probe not in BESIDE]
    pending = [title for title in pending if title not in dict(BESIDE.values())]
    findings = folded(ctx.target, results)
    headline = f"Checking: {len(results)} of {len(results) + len(pending)} done"
    return Reply(headline, findings=shape.addressed(ctx, findings), pending=tuple(pending))


def _reply(
    ctx: Context,
    results: Sequence[ProbeResult],
    checks: Sequence[Check],
    repairs: Sequence[str],
    log: CrashLog,
    began: float,
) -> Reply:
    """Return the final reply: folded findings, worst first, with what was not checked and the next steps."""
    findings, left_out = folded(ctx.target, results), registry.left_out(ctx, checks)
    verdict, offers = summary.overall(findings), _offers(ctx, checks)
    shown = [BESIDE[finding.probe] for finding in findings if finding.probe in BESIDE]
    declared = ctx.book.checks if ctx.book is not None else ()
    more = [*log.notes, *repairs, *([f"Not checked: {', '.join(left_out)}"] if left_out else [])]
    return Reply(
        summary.headline(findings, len(results)),
        verdict=verdict,
        body=(*shape.figures(verdict, checks), *_restarted(ctx, checks)),
        findings=shape.addressed(ctx, findings),
        excerpts=log.excerpts,
        shows_log=bool(log.excerpts),
        buttons=shape.buttons(ctx, [*_diagnosis(ctx, findings), *offers, *shown, *next_steps(findings, declared)]),
        links=(*shape.runbooks(ctx, findings, checks), *shape.links(ctx, "status")),
        notes=shape.notes(ctx, began, *more),
        data={"target": ctx.target.name, "checks": shape.as_data([r.finding for r in results])},
    )


def _pods(checks: Sequence[Check]) -> Sequence[Pod]:
    return [pod for one in checks if isinstance(one, PodCheck) for pod in one.pods]


def _restarted(ctx: Context, checks: Sequence[Check]) -> tuple[Line, ...]:
    """The recent restarts of containers that were approved."""
    now = ctx.clock.now()
    return tuple(line for one in checks if isinstance(one, PodCheck) for line in one.restarted(now))


def _diagnosis(ctx: Context, findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """The runbook's trees, where something has failed that they may explain."""
    trees = ctx.book is not None and bool(ctx.book.diagnoses)
    return [("Diagnose", "diagnose")] if trees and summary.overall(findings) is Verdict.FAIL else []


def _offers(ctx: Context, checks: Sequence[Check]) -> list[tuple[str, str]]:
    """The repairs that the runbook offers where its checks have failed."""
    from bot.services.runbook.declared_check import DeclaredCheck

    failed = [one for one in checks if isinstance(one, DeclaredCheck) and one.failed and one.check.offer]
    return [shape.offered(ctx, one.check.offer, one.said) for one in failed]


COMMAND = Command(
    name="status",
    summary="Is the pod healthy? All checks at once",
    needs=Capability.VIEW,
    run=run,
    examples=("status",),
    details=f"Checks {words.listed([check.about for check in registry.BUILTIN])}. They run side by side. "
    "What can't be read is unknown, never healthy. After a crash, whoever may read logs sees its last lines.",
    rights=crash_log.added_to(registry.rights),
    runbook_rights=runbook_rights,
    rights_beside=_rights_beside,
)
