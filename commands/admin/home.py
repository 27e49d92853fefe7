"""``/agentpod`` without a command: the verdict in one line, and buttons for the common commands."""

from __future__ import annotations

from bot.domain.core import summary
from bot.domain.core.reply import Reply
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health import folding
from bot.services.health.check import run_checks
from bot.services.health.checks import registry
from bot.services.runbook.all_checks import all_checks, runbook_rights
from commands.shared import shape

COMMON = (
    ("Status", "status"),
    ("Processes", "processes"),
    ("Heartbeats", "heartbeats"),
    ("Logs", "logs"),
    ("Help", "help"),
)


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Run all checks and reply with the headline, and where all is well with the figures."""
    began = ctx.clock.monotonic()
    checks = all_checks(ctx)
    outcomes = await run_checks(ctx, checks)
    findings = folding.folded(ctx.target, outcomes)
    verdict = summary.overall(findings)
    return Reply(
        summary.headline(findings, len(outcomes)),
        verdict=verdict,
        body=shape.figures(verdict, checks),
        buttons=shape.buttons(ctx, COMMON),
        links=(*shape.runbooks(ctx, findings, checks), *shape.links(ctx, "home")),
        notes=shape.notes(ctx, began),
        data={"target": ctx.target.name, "checks": shape.as_data([o.finding for o in outcomes])},
    )


COMMAND = Command(
    name="",
    summary="The verdict in one line, and buttons for the common commands",
    needs=Capability.VIEW,
    run=run,
    group="General",
    rights=registry.rights,
    runbook_rights=runbook_rights,
)
