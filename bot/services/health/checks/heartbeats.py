"""Every job's last success is fresh enough."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.probes import Finding
from bot.domain.core.target import canonical_job
from bot.domain.heartbeats import judge_heartbeats
from bot.domain.heartbeats.heartbeat import POLLED, JobStatus
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
        remembering = asyncio.create_task(_remembered(ctx))  # meanwhile, since either may take all of the time
        try:
            snapshot = await reads.of(GATEWAY, ctx.heartbeats.read({p.metric for p in policies}))
            job_states, _ = await remembering
        except SourceUnavailable as unread:
            return self._last_known(reads, unread, *await remembering)
        finally:
            remembering.cancel()
        now = ctx.clock.now()
        self.groups = len(snapshot.groups)
        self.statuses = job_state.judge(reads.target.name, policies, snapshot, job_states, now)
        found = judge_heartbeats.judge_heartbeats(self.statuses, self.groups, now)
        self.brief = found.summary
        return found

    def _last_known(
        self, reads: Reads, unread: SourceUnavailable, job_states: Mapping[str, JobState], polled: datetime | None
    ) -> Finding:
        """Judge no job; show what was last known of each."""
        silent = f"the Pushgateway gave no answer in {unread.waited:g} s"
        said = unread.error.message.removesuffix(".") if unread.error else silent
        remedy = (unread.error.remedy if unread.error else None) or judge_heartbeats.SEE
        self.statuses = job_state.last_known(reads.target.name, reads.target.heartbeats, job_states, polled)
        now, summary = reads.ctx.clock.now(), words.cut(words.lower_first(said), 200)
        return judge_heartbeats.unread(summary, remedy, self.statuses, now)

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:
        """Where there are jobs, and a Pushgateway to read."""
        return [cls()] if ctx.heartbeats is not None and ctx.target.heartbeats else []

    @classmethod
    def left_out(cls, ctx: CheckContext) -> str:
        """Which of the two is missing."""
        none = "no Pushgateway in the settings" if ctx.heartbeats is None else "none in the settings"
        return f"heartbeats ({none})"


async def _remembered(ctx: CheckContext) -> tuple[Mapping[str, JobState], datetime | None]:
    """What the watcher remembers of the target's jobs, and of when; nothing where no ledger answers."""
    if ctx.ledger is None:
        return {}, None
    mine = {f"{ctx.target.name}/{canonical_job(h.job)}" for h in ctx.target.heartbeats}
    try:
        async with asyncio.timeout(ctx.probe_timeout / 2):
            kept = await ctx.ledger.job_states()
            polled = await ctx.ledger.mark(POLLED)
    except (AgentpodError, TimeoutError):
        return {}, None
    return {key: state for key, state in kept.items() if key in mine}, words.moment_of(polled)
