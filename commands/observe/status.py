"""``status``: the handbook's whole "Observing State" chapter as one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.domain.core import summary
from bot.domain.core.reply import Reply
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from commands.shared import requests, shape
from commands.shared.checks import Checks
from commands.shared.folding import folded, next_steps
from commands.shared.probes import run_probes
from commands.shared.reads import Reads


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Run all checks side by side and say what is wrong, worst first."""
    began = ctx.clock.monotonic()
    under_way = asyncio.create_task(requests.under_way(ctx))
    async with Reads(ctx) as reads:
        checks = Checks(ctx, reads)

        async def show(outcomes: Sequence[ProbeResult], pending: Sequence[str]) -> None:
            await ctx.progress(_partial(ctx, outcomes, pending))

        outcomes = await run_probes(checks.all(), ctx.probe_timeout, show)
    return _reply(ctx, outcomes, checks.left_out(), await under_way, began)


def _partial(ctx: Context, outcomes: Sequence[ProbeResult], pending: Sequence[str]) -> Reply:
    findings = folded(ctx.target, outcomes)
    done = len(outcomes)
    headline = f"Checking: {done} of {done + len(pending)} done"
    return Reply(headline, findings=shape.addressed(ctx, findings), pending=tuple(pending))


def _reply(
    ctx: Context, outcomes: Sequence[ProbeResult], left_out: Sequence[str], repairs: Sequence[str], began: float
) -> Reply:
    findings = folded(ctx.target, outcomes)
    more = [*repairs, *([f"Not checked: {', '.join(left_out)}"] if left_out else [])]
    return Reply(
        summary.headline(findings, len(outcomes)),
        verdict=summary.overall(findings),
        findings=shape.addressed(ctx, findings),
        buttons=shape.buttons(ctx, next_steps(findings)),
        notes=shape.notes(ctx, began, *more),
        data={"target": ctx.target.name, "checks": shape.as_data([o.finding for o in outcomes])},
    )


def rights(target: Target) -> list[Right]:
    """What the checks need of Kubernetes."""
    lists = [Right("list", resource) for resource in ("pods", "events", "services", "persistentvolumeclaims")]
    slices = Right("list", "endpointslices", "discovery.k8s.io")
    return [*lists, slices, shape.deployment_right(target), *shape.EXEC, *shape.application_right(target)]


COMMAND = Command(
    name="status",
    summary="Is the pod healthy? All checks at once",
    needs=Capability.VIEW,
    run=run,
    examples=("status",),
    details=(
        "Checks the pod, its events, identity, processes, services, endpoints, SSH, HTTP, Argo CD, the volume, "
        "the disk and the heartbeats side by side. What can't be read is unknown, never healthy."
    ),
    rights=rights,
)
