"""Requests a restart of one container, for `restart --container`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.approvals.actions.container_restart import (
    CONTAINER_RESTART,
    command_of,
    plan,
    snapshot,
    why_not,
)
from bot.domain.approvals.repair import Proposal
from bot.domain.approvals.steps import PLAN, Plan, dump_plan
from bot.domain.core import words
from bot.domain.core.reply import Reply
from bot.domain.core.workload import Container, Pod
from bot.domain.health import judge_pod
from bot.errors import Refused, UsageError
from bot.runbook.context import Context
from commands.shared import forecasts, requests

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledImpact


@dataclass(frozen=True)
class Look:
    """The container that is to be restarted, and how."""

    pod: Pod
    container: Container
    plan: Plan


def line(container: str) -> str:
    """Return the command line that asks for it, without the reason."""
    return f"restart --container {words.quoted(container)}"


async def look(ctx: Context, name: str) -> Look:
    """Return the container as it is now. Raises `Refused` where a restart would not work."""
    requests.ledger(ctx)
    pod = judge_pod.current(await ctx.cluster.pods(ctx.target.selector))
    if pod is None:
        raise Refused("No pod is running, so no container of it can be restarted.", remedy=f"{ctx.prefix} status")
    container, command = pod.container(name), command_of(ctx.target, name)
    if container is None and ctx.dry_run:  # no pod was read
        container = Container(name, "<its image>", state="running")
    if container is None:
        known = [one.name for one in pod.lasting]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"It has {words.listed(known) or 'none yet'}."
        raise UsageError(f"{pod.name} has no container {words.cut(name, 63)}.", remedy=hint)
    why, remedy = why_not(pod, container, command)
    if why:
        raise Refused(f"{why}.", remedy=remedy)
    return Look(pod, container, plan(command, pod))


async def ask(ctx: Context, name: str, reason: str) -> Reply:
    """Request the restart of a container."""
    async with forecasts.costs(ctx, CONTAINER_RESTART, impact_of(ctx, name), name) as costs:
        seen = await look(ctx, name)
        proposal = Proposal(
            action=CONTAINER_RESTART,
            snapshot=snapshot(seen.plan, seen.pod),
            reason=reason,
            effect=CONTAINER_RESTART.effect(seen.pod, name),
            facts=tuple(_facts(ctx, seen)),
            subject=name,
            details={PLAN: dump_plan(seen.plan)},
        )
        return await requests.ask(ctx, proposal, costs=costs)


def impact_of(ctx: Context, container: str) -> tuple[str, ...]:
    """Return the runbook's entries of what ends with a container: a fact of theirs is read in it, or in none."""
    if ctx.book is None:
        return ()
    first = ctx.target.container().name
    return tuple(name for name, entry in ctx.book.impact.items() if _concerns(entry, container, first))


def _concerns(impact: CompiledImpact, container: str, first: str) -> bool:
    read = [getattr(use.settings, "container", None) for use in impact.entry.facts.values()]
    return any(one is None or (one or first) == container for one in read)


def _facts(ctx: Context, seen: Look) -> list[tuple[str, str]]:
    container, now = seen.container, ctx.clock.now()
    runs = f"runs for {words.age_since(container.started_at, now)}, " if container.started_at else ""
    pod = f"{seen.pod.name}{f' on {seen.pod.node}' if seen.pod.node else ''}"
    return [
        ("Container", f"{container.name}: {runs}{words.plural(container.restarts, 'restart')}"),
        ("Pod", pod),
        ("Image", container.image),
        ("Runs", str(seen.plan.steps[0])),
    ]
