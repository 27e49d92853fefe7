"""``whoami``: the caller's role here, and the rule it comes from."""

from __future__ import annotations

from bot.domain.access import Role
from bot.domain.reply import Fact, Reply
from bot.runbook import Command, Context, NoParams
from commands import _shape


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Say who asks, from where, with which role, and whom to ask for more."""
    grant = _shape.allowed(ctx, Role.NONE).grant
    who = ctx.caller.identity
    mine = [c.name for c in ctx.commands if c.name and _shape.allowed(ctx, c.role).allowed]
    facts = (
        Fact("User", who.user, code=True),
        Fact("Channel", who.channel or "none", code=bool(who.channel)),
        Fact("May run", ", ".join(mine)),
    )
    ask = f"Ask {ctx.access.contact or 'the owner of the settings'} for a role."
    body = (ask,) if grant.role is Role.NONE else ()
    data: dict[str, object] = {
        "user": who.user,
        "role": grant.role.value,
        "rule": grant.rule,
        "may_run": list(mine),
    }
    return Reply(
        f"You are {grant.role.value} by {grant.rule}" if not body else f"You have no role here: {grant.rule}",
        body=body,
        facts=facts,
        data=data,
    )


COMMAND = Command("whoami", "Your role here, and where it comes from", Role.NONE, run, group="Around it")
