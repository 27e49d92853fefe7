"""Which container's log to read, and which values to redact in it."""

from __future__ import annotations

import asyncio

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod
from bot.errors import AgentpodError, NotFound, UsageError
from bot.runbook.context import Context
from commands.shared import shape


def no_pod(ctx: Context, began: float) -> Reply:
    return Reply(
        "There is no pod, so there is no log",
        verdict=Verdict.FAIL,
        body=(f"No pod has the labels {ctx.target.selector} in {ctx.target.namespace}.",),
        buttons=shape.buttons(ctx, (("Status", "status"), ("Events", "events"))),
        notes=shape.notes(ctx, began),
    )


def container_of(target: Target, pod: Pod, wanted: str | None) -> str:
    """Return the container to read. Raises `UsageError` that names the pod's containers, or `NotFound`."""
    name = wanted or target.container().name
    existing = [c.name for c in pod.every_container]
    if name in existing:
        return name
    if not existing:
        raise NotFound(f"{pod.name} is {pod.status} and has no containers yet, so there is no log.")
    remedy = (
        f"Use --container {existing[0]}."
        if wanted
        else "Make the names in targets[].containers those of the Deployment's pod template."
    )
    kind = UsageError if wanted else NotFound
    raise kind(f"{pod.name} has no container {name!r}; it has {words.listed(existing)}.", remedy=remedy)


async def secret_values(ctx: Context) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the values of the Secrets that can be read, and notes on those that can't."""
    names = ctx.target.secrets
    reading = (ctx.cluster.secret_values([name]) for name in names)
    results = await asyncio.gather(*reading, return_exceptions=True)
    values: set[str] = set()
    blind: list[str] = []
    for name, result in zip(names, results, strict=True):
        if isinstance(result, AgentpodError):
            blind.append(
                f"The values of Secret {name} are not known, so only patterns are redacted: {result.message}"
            )
        elif isinstance(result, BaseException):
            raise result
        else:
            values |= result
    return frozenset(values), tuple(blind)
