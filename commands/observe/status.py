"""``status``: the handbook's whole "Observing State" chapter as one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Line, Reply
from bot.domain.core.summary import ProbeResult
from bot.domain.core.workload import Pod
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import Check
from bot.services.health.checks import registry
from bot.services.health.checks.pod import PodCheck
from bot.services.health.folding import folded, next_steps
from bot.services.runbook.all_checks import runbook_rights
from bot.services.runbook.status import Status, StatusChecks, rights_beside
from commands.observe import crash_log
from commands.observe.crash_log import CrashLog
from commands.shared import requests, shape


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Run all checks concurrently and reply with the problems, worst first."""
    began = ctx.clock.monotonic()
    repairs = asyncio.create_task(requests.under_way(ctx))

    async def show(results: Sequence[ProbeResult], pending: Sequence[str]) -> None:
        await ctx.progress(_partial(ctx, results, pending))

    status = await StatusChecks(ctx).run(show)
    log = await crash_log.of(ctx, [r.finding for r in status.results], _pods(status.checks))
    return _reply(ctx, status, await repairs, log, began)


def _partial(ctx: Context, results: Sequence[ProbeResult], pending: Sequence[str]) -> Reply:
    """Return the partial reply while checks are running."""
    findings = folded(ctx.target, results)
    headline = f"Checking: {len(results)} of {len(results) + len(pending)} done"
    return Reply(headline, findings=shape.addressed(ctx, findings), pending=tuple(pending))


def _reply(ctx: Context, status: Status, repairs: Sequence[str], log: CrashLog, began: float) -> Reply:
    """Return the final reply: folded findings, worst first, with what was not checked and the next steps."""
    findings, checks, left_out = status.findings, status.checks, registry.left_out(ctx, status.checks)
    declared = ctx.book.checks if ctx.book is not None else ()
    more = [*log.notes, *status.notes, *repairs]
    more += [f"Not checked: {', '.join(left_out)}"] if left_out else []
    helps = [*_diagnosis(ctx, status), *_offers(ctx, checks), *next_steps(findings, declared)]
    return Reply(
        status.headline,
        verdict=status.verdict,
        body=(*shape.figures(status.verdict, checks), *_restarted(ctx, checks)),
        findings=shape.addressed(ctx, findings),
        excerpts=log.excerpts,
        shows_log=bool(log.excerpts),
        buttons=shape.buttons(ctx, helps),
        links=(*shape.runbooks(ctx, findings, checks), *shape.links(ctx, "status")),
        notes=shape.notes(ctx, began, *more),
        data={"target": ctx.target.name, "checks": shape.as_data([r.finding for r in status.results])},
    )


def _pods(checks: Sequence[Check]) -> Sequence[Pod]:
    return [pod for one in checks if isinstance(one, PodCheck) for pod in one.pods]


def _restarted(ctx: Context, checks: Sequence[Check]) -> tuple[Line, ...]:
    """The recent restarts of containers that were approved."""
    now = ctx.clock.now()
    return tuple(line for one in checks if isinstance(one, PodCheck) for line in one.restarted(now))


def _diagnosis(ctx: Context, status: Status) -> list[tuple[str, str]]:
    """The runbook's trees, where something has failed that they may explain."""
    trees = ctx.book is not None and bool(ctx.book.diagnoses)
    return [("Diagnose", "diagnose")] if trees and status.verdict is Verdict.FAIL else []


def _offers(ctx: Context, checks: Sequence[Check]) -> list[tuple[str, str]]:
    """The repairs that the runbook offers where its checks have failed."""
    from bot.services.runbook.declared_check import DeclaredCheck

    failed = [one for one in checks if isinstance(one, DeclaredCheck) and one.failed and one.check.offer]
    return [shape.offered(ctx, one.check.offer, one.said) for one in failed]


_ABOUT = [check.about for check in registry.BUILTIN]

COMMAND = Command(
    name="status",
    summary="Is the pod healthy? All checks at once",
    needs=Capability.VIEW,
    run=run,
    examples=("status",),
    details=f"Checks {words.listed(_ABOUT[:7])}. It also checks {words.listed(_ABOUT[7:])}. All run side by side. "
    "Open incidents that none of them is about count as well. What can't be read is unknown, "
    "never healthy. After a crash, whoever may read logs sees its last lines.",
    rights=crash_log.added_to(registry.rights),
    runbook_rights=runbook_rights,
    rights_beside=rights_beside,
)
