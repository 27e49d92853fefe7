"""``version``: the bot's version and uptime, and the API server's version."""

from __future__ import annotations

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Fact, Reply
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, Concerns, NoParams
from bot.runbook.context import Context
from bot.services.health.check import Check, run_checks
from bot.services.health.reads import Reads
from bot.services.health.sources import API
from commands.shared import shape


class _ApiServer(Check):
    """Reads the API server's version."""

    id, title = API.key, API.title

    async def run(self, reads: Reads) -> Finding:
        info = await reads.of(API, reads.ctx.cluster.info())
        return Finding(self.id, self.title, Verdict.OK, f"{info.version} at {info.server}")


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Reply with the bot's version and, if it answers in time, the API server's."""
    began = ctx.clock.monotonic()
    found = (await run_checks(ctx, [_ApiServer()]))[0].finding
    api = found.summary if found.verdict is Verdict.OK else f"unknown: {found.summary}"
    own = ctx.caller.is_terminal  # there it is this process, which began with the command
    up = "" if own else f", up {words.age_since(ctx.about.started_at, ctx.clock.now())}"
    facts = (
        *(() if own else (Fact("Since", words.moment(ctx.about.started_at)),)),
        Fact("Python", ctx.about.python),
        Fact("API server", api, None if found.verdict is Verdict.OK else found.verdict),
    )
    return Reply(
        f"agentpod {ctx.about.version}{up}",
        facts=facts,
        notes=shape.notes(ctx, began),
        data={"version": ctx.about.version, "python": ctx.about.python, "api_server": api},
    )


COMMAND = Command(
    name="version",
    summary="The bot's version, since when it runs, and the API server's",
    needs=Capability.EXPLAIN,
    run=run,
    group="General",
    concerns=Concerns.NOTHING,
    quick=True,
    # /version and SelfSubjectReview are open to every authenticated user (Kubernetes' default roles
    # system:public-info-viewer and system:basic-user), so the bot needs no right of its own.
)
