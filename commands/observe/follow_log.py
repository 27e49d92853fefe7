"""``logs --follow``: has a container's log followed where the caller asked."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Protocol

from bot.domain.core.reply import Reply
from bot.domain.core.workload import Pod
from bot.domain.follow.request import DEFAULT, FollowRequest
from bot.errors import Refused
from bot.runbook.context import Context
from commands.observe import log_source, logs_stop
from commands.observe.grep import matching


class FollowParams(Protocol):
    """The flags of `logs` that matter here."""

    @property
    def grep(self) -> str | None:
        """The pattern that lines must match."""

    @property
    def since(self) -> timedelta | None:
        """How far back to begin."""

    @property
    def container(self) -> str | None:
        """The container that was named."""

    @property
    def tail(self) -> int | None:
        """How many of the lines before to read."""

    @property
    def for_(self) -> timedelta | None:
        """How long to follow."""


async def follow(ctx: Context, pod: Pod, container: str, params: FollowParams) -> Reply:
    """Begin to follow the log; in a terminal, follow it to its end."""
    if ctx.follows is None:
        raise Refused("No log can be followed here.", remedy="Use `/agentpod logs` without --follow.")
    secrets, blind = await log_source.secret_values(ctx)
    request = FollowRequest(
        ctx.target,
        pod,
        container,
        params.for_ or DEFAULT,
        params.since,
        params.tail,
        None if params.grep is None else partial(_matching, params.grep),
        secrets,
        (*([f"Only lines that match {params.grep}"] if params.grep is not None else []), *blind),
        _line(ctx, params),
    )
    return await ctx.follows.start(request, ctx.caller, logs_stop.sees(ctx))


async def _matching(pattern: str, lines: Sequence[str]) -> Sequence[int]:
    return await matching(pattern, lines)


def _line(ctx: Context, params: FollowParams) -> str:
    """The command line that follows the log once more, from now on."""
    parts = ["logs", "--follow"]
    parts += ["--container", params.container] if params.container else []
    parts += ["--grep", params.grep] if params.grep is not None else []
    parts += [f"--for={params.for_.total_seconds():.0f}s"] if params.for_ else []
    parts += ["--target", ctx.target.name] if ctx.several else []
    return shlex.join(parts)
