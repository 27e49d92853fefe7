"""Reads the approved restarts that explain how the pod's containers ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.approvals.own_restarts import OwnRestart, explained
from bot.domain.core.workload import Pod
from bot.domain.health import judge_pod
from bot.errors import AgentpodError
from bot.services.health.reads import CheckContext

REQUESTED = timedelta(days=2)
"""Age of the requests among which an approved restart is looked for: one may wait for a day."""


async def own_restarts(ctx: CheckContext, pods: Sequence[Pod], now: datetime) -> Sequence[OwnRestart]:
    """The recent terminations that a request explains; none where no ledger answers, so that warnings stay."""
    if ctx.ledger is None or not judge_pod.restarted_recently(pods, now):
        return ()
    try:
        async with asyncio.timeout(ctx.probe_timeout / 2):
            repairs = await ctx.ledger.requests(target=ctx.target.name, since=now - REQUESTED, limit=100)
    except (AgentpodError, TimeoutError):
        return ()
    recent = now - judge_pod.RECENT_RESTART
    return [one for one in explained(repairs, pods) if one.at > recent]
