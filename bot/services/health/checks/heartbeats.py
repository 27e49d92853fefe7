"""Every job's last success is fresh enough."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from bot.domain.core import words
from bot.domain.core.probes import Finding
from bot.domain.core.target import canonical_job
from bot.domain.heartbeats import judge_heartbeats
from bot.domain.heartbeats.heartbeat import JobStatus
from bot.domain.incidents import job_state
from bot.domain.incidents.job_state import JobState
from bot.errors import AgentpodError
from bot.services.health.check import Check
from bot.services.health.reads import CheckContext, Reads
from bot.services.health.sources import GATEWAY, SourceUnavailable


class HeartbeatsCheck(Check):
    """Judges the jobs by what is pushed and by what is remembered."""

    id, title, about = judge_heartbeats.PROBE, judge_heartbeats.TITLE, "the heartbeats"
    steps = (("Heartbeats", "heartbeats"), ("Logs", "logs"))

    statuses: Sequence[JobStatus] = ()
    groups: int = 0
    """How many the Pushgateway holds."""

    async def run(self, reads: Reads) -> Finding:
        """Read the Pushgateway and the ledger and have the jobs judged."""
        ctx, policies = reads.ctx, reads.target.heartbeats
        if ctx.heartbeats is None:
            return judge_heartbeats.no_data("no Pushgateway is in the settings")
        try:
            reading = asyncio.gather(ctx.heartbeats.read({p.metric for p in policies}), _remembered(ctx))
            snapshot, job_states = await reads.of(GATEWAY, reading)
        except SourceUnavailable as unread:
            silent = f"the Pushgateway gave no answer in {unread.waited:g} s"
            said = unread.error.message.removesuffix(".") if unread.error else silent
            return judge_heartbeats.no_data(words.cut(words.lower_first(said), 200))
        now = ctx.clock.now()
        self.groups = len(snapshot.groups)
        self.statuses = job_state.judge(reads.target.name, policies, snapshot, job_states, now)
        found = judge_heartbeats.judge_heartbeats(self.statuses, self.groups, now)
        self.brief = found.summary
        return found

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:
        """Where there are jobs, and a Pushgateway to read."""
        return [cls()] if ctx.heartbeats is not None and ctx.target.heartbeats else []

    @classmethod
    def left_out(cls, ctx: CheckContext) -> str:
        """Which of the two is missing."""
        none = "no Pushgateway in the settings" if ctx.heartbeats is None else "none in the settings"
        return f"heartbeats ({none})"


async def _remembered(ctx: CheckContext) -> Mapping[str, JobState]:
    """What the watcher remembers of the target's jobs; nothing where no ledger answers."""
    if ctx.ledger is None:
        return {}
    mine = {f"{ctx.target.name}/{canonical_job(h.job)}" for h in ctx.target.heartbeats}
    try:
        async with asyncio.timeout(ctx.probe_timeout / 2):
            kept = await ctx.ledger.job_states()
    except (AgentpodError, TimeoutError):
        return {}
    return {key: state for key, state in kept.items() if key in mine}
