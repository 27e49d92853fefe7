"""Judges what a restart would come up against: why no new pod starts, and a crontab at which its cron ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any

from bot.domain.approvals.forecast import Forecast
from bot.domain.approvals.repair import RepairRequest, TargetState
from bot.domain.core.workload import Event
from bot.domain.health import judge_pod, pod_state
from bot.domain.health.new_pod import NewPod, new_pod
from bot.domain.heartbeats import judge_crontab
from bot.errors import AgentpodError
from bot.services.health.check import run_checks
from bot.services.health.checks.crontab import CrontabCheck
from bot.services.health.reads import CheckContext


async def read(
    ctx: CheckContext, repair: RepairRequest, look: Awaitable[Any] | None, *, crontab: bool
) -> Forecast:
    """Return the warnings that a request's card would have now. What can't be read gives none.

    ``look`` is a read of the target that was begun for the change. ``crontab``: whether that is read, too, which
    takes two commands in the pod.
    """
    new, no_cron = await asyncio.gather(_new_pod(ctx, repair, look), _no_cron(ctx, repair, crontab))
    return Forecast(stuck=new.stuck, doubt=new.doubt, no_cron=no_cron)


async def _new_pod(ctx: CheckContext, repair: RepairRequest, look: Awaitable[Any] | None) -> NewPod:
    action = repair.action
    try:
        seen = await look if look is not None and action.rolls_out else None
    except Exception:  # it is said where the change waits for the same read
        return NewPod()
    if not isinstance(seen, TargetState):
        return NewPod()
    return await judged(ctx, seen, force=action.deletes_pod, but_image_of=action.new_image_of(repair))


async def _no_cron(ctx: CheckContext, repair: RepairRequest, crontab: bool) -> str:
    ends_it = repair.action.container(repair) in ("", ctx.target.container().name)
    if not (crontab and ends_it) or ctx.target.crontab is None:
        return ""
    check = CrontabCheck(ctx.target.crontab)
    await run_checks(ctx, [check])
    return end_of(ctx, check)


async def judged(ctx: CheckContext, seen: TargetState, *, force: bool, but_image_of: str) -> NewPod:
    """Return whether a new pod would start; the events are only read where they may say it."""
    now = ctx.clock.now()
    events: Sequence[Event] = ()
    if any(pod_state.asks_events(pod, now) for pod in judge_pod.live(seen.pods)):
        with suppress(AgentpodError, TimeoutError):
            async with asyncio.timeout(ctx.probe_timeout):
                events = await ctx.cluster.events()
    return new_pod(seen.deployment, seen.pods, now, events, force=force, but_image_of=but_image_of)


def end_of(ctx: CheckContext, check: CrontabCheck) -> str:
    """Return that the pod's cron ends at the crontab that was checked; empty where it doesn't, or nobody knows."""
    refused = check.crontab is not None and check.crontab.refused and ctx.target.cron == "supercronic"
    return judge_crontab.ends_cron(check.crontab, runs=check.earlier) if refused and check.crontab else ""
