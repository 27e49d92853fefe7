"""``whoami``: the caller's role here, and the rule it comes from."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.core.reply import Fact, Line, Reply
from bot.domain.rbac.access import Grant, Role, left_out
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from commands.shared import shape


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Say who asks, from where, with which role, and whom to ask for more."""
    grant = shape.allowed(ctx, Role.NONE).grant
    who = ctx.caller.identity
    mine = [c.name for c in shape.mine(ctx)]
    facts = (
        Fact("User", who.user, code=True),
        Fact("Channel", who.channel or "none", code=bool(who.channel)),
        Fact("May run", ", ".join(mine)),
    )
    data: dict[str, object] = {
        "user": who.user,
        "role": grant.role.value,
        "rule": grant.rule,
        "may_run": list(mine),
    }
    return Reply(_headline(grant), body=tuple(_body(ctx, grant)), facts=facts, data=data)


def _headline(grant: Grant) -> str:
    if grant.role is Role.NONE:
        return f"You have no role here: {grant.rule}"
    return f"You are {grant.role.value} by {grant.rule}"


def _body(ctx: Context, grant: Grant) -> Iterator[Line]:
    """Which rule would give more and does not, and whom to ask."""
    if not ctx.caller.is_terminal and (outside := left_out(ctx.access, ctx.caller.identity, grant.role)):
        yield f"{outside[0].upper()}{outside[1:]}."
    if grant.role is Role.NONE:
        yield ctx.access.ask(" for a role")


COMMAND = Command(
    "whoami", "Your role here, and where it comes from", Role.NONE, run, group="Around it", quick=True
)
