"""``logs stop``: stops a log that is followed."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from bot.domain.core.reply import Reply
from bot.domain.rbac.roles import Capability
from bot.errors import AccessDenied, Refused
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Context
from commands.shared import shape


class StopParams(Params):
    """Which one."""

    id: str | None = Field(
        default=None,
        max_length=20,
        description="Which one, by the id under its message; without it the only one that is followed",
        json_schema_extra={"positional": True},
    )


async def run(ctx: Context, params: StopParams) -> Reply:
    """Stop it, whoever began it."""
    if ctx.follows is None:
        raise Refused("No log is followed here.")
    target = ctx.follows.target_of(params.id)
    decision = shape.allowed(ctx, Capability.READ_LOGS, (target,) if target is not None else ())
    own = not decision.allowed
    if own and target is not None and not is_own(ctx, params):
        raise AccessDenied(
            f"You may not stop it: {decision.reason}.", rule=decision.reason, remedy=ctx.access.asking()
        )
    return await ctx.follows.stop(params.id, ctx.caller, sees(ctx), own=own)


def sees(ctx: Context) -> Callable[[str], bool]:
    """Return whether the caller may read a target's logs, for each target's name."""
    return lambda target: shape.allowed(ctx, Capability.READ_LOGS, (target,)).allowed


def is_own(ctx: Context, params: StopParams) -> bool:
    """Return whether the caller began it: stopping takes nothing away, so that needs no role."""
    return ctx.follows is not None and ctx.follows.is_of(ctx.caller.identity.user, params.id)


COMMAND = Command(
    name="logs stop",
    concerns=Concerns.SEEN,
    quick=True,
    audited=True,
    summary="Stop following a log",
    needs=Capability.READ_LOGS,
    run=run,
    params=StopParams,
    group="Logs",
    examples=("logs stop", "logs stop f-7kq2"),
    details="The Stop button under the log runs it. Whoever may read logs can stop any of them, and whoever began "
    "one can always stop it.",
    own=is_own,
)
