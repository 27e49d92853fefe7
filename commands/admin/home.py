"""``/agentpod`` without a command: the verdict in one line, and buttons for the common commands."""

from __future__ import annotations

from bot.domain.core.reply import Reply
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.checks import registry
from bot.services.runbook.all_checks import runbook_rights
from bot.services.runbook.status import StatusChecks, rights_beside
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
    status = await StatusChecks(ctx).run()
    return Reply(
        status.headline,
        verdict=status.verdict,
        body=shape.figures(status.verdict, status.checks),
        buttons=shape.buttons(ctx, COMMON),
        links=(*shape.runbooks(ctx, status.findings, status.checks), *shape.links(ctx, "home")),
        notes=shape.notes(ctx, began, *status.notes),
        data={"target": ctx.target.name, "checks": shape.as_data([r.finding for r in status.results])},
    )


COMMAND = Command(
    name="",
    summary="The verdict in one line, and buttons for the common commands",
    needs=Capability.VIEW,
    run=run,
    group="General",
    rights=registry.rights,
    runbook_rights=runbook_rights,
    rights_beside=rights_beside,
)
