"""``whoami``: the caller's role in this channel, and the access rule that grants it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.core import words
from bot.domain.core.reply import Fact, Line, Reply
from bot.domain.rbac.access import RoleGrant, left_out
from bot.domain.rbac.roles import NONE, Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from commands.shared import shape


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Reply with the caller's id, channel, roles and commands, and whom to ask for a role."""
    grants = shape.held(ctx)
    who = ctx.caller.identity
    commands = shape.mine(ctx)
    mine = [c.name for c in commands]
    shown = [f"{c.name} (off)" if c.off(ctx) else c.name for c in commands]
    facts = (
        Fact("User", who.user, code=True),
        Fact("Channel", who.channel or "none", code=bool(who.channel)),
        Fact("May run", ", ".join(shown)),
    )
    data: dict[str, object] = {
        "user": who.user,
        "role": words.listed([str(grant.role) for grant in grants]),
        "rule": words.listed([grant.rule for grant in grants]),
        "may_run": list(mine),
    }
    return Reply(_headline(ctx, grants), body=tuple(_body(ctx, grants)), facts=facts, data=data)


def _headline(ctx: Context, grants: Sequence[RoleGrant]) -> str:
    if ctx.caller.is_terminal:
        return (
            "You may run every command below, with the bot's own credentials. "
            "Decisions and alerts are answered in Slack"
        )
    if grants[0].role == NONE:
        return f"You have no role here: {grants[0].rule}"
    return f"You are {words.listed([str(grant) for grant in grants])}"


def _body(ctx: Context, grants: Sequence[RoleGrant]) -> Iterator[Line]:
    """Yield which rule would grant more but does not apply, and whom to ask for a role."""
    if not ctx.caller.is_terminal and (outside := left_out(ctx.access, ctx.caller.identity, grants)):
        yield f"{outside[0].upper()}{outside[1:]}."
    if grants[0].role == NONE:
        yield ctx.access.ask(" for a role")


COMMAND = Command(
    "whoami", "Your role here, and where it comes from", Capability.HELP, run, group="General", quick=True
)
