"""``digest``: a day in review, the same as the bot posts each morning."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from pydantic import Field as Param

from bot.domain.core.reply import Reply
from bot.domain.digest import day as digest
from bot.domain.rbac.roles import Capability
from bot.errors import Permanent, UsageError
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Context
from bot.services.digest.read_checks import read_checks
from bot.services.health.checks import registry
from bot.services.runbook.all_checks import runbook_rights
from bot.services.runbook.status import rights_beside


class DigestParams(Params):
    """Which day."""

    day: str = Param(
        default="yesterday",
        json_schema_extra={"positional": True},
        description="yesterday, today so far, or a date such as 2026-11-23",
    )


async def run(ctx: Context, params: DigestParams) -> Reply:
    """Reply with the digest of a day."""
    if ctx.digests is None:
        raise Permanent("There is no ledger here.", remedy="Set AGENTPOD_LEDGER__URL.")
    day = _day(params.day, ctx)
    read = await read_checks((ctx, *ctx.others), ctx.outside, ctx.clock.now())
    return await ctx.digests.digest(day, read)


def _day(text: str, ctx: Context) -> date:
    last = digest.yesterday(ctx.clock.now(), ctx.timezone)
    today = ctx.clock.now().astimezone(ZoneInfo(ctx.timezone)).date()
    if text.lower() in ("yesterday", "today"):
        return last if text.lower() == "yesterday" else today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no day: say yesterday, today or a date such as {last}.") from None
    if day > today:
        raise UsageError(f"{day} is in the future.")
    if today - day > timedelta(days=13):
        raise UsageError(f"What happened on {day} is not kept any more: at most 13 days back.")
    return day


COMMAND = Command(
    "digest",
    "A day in review, with a picture",
    Capability.VIEW,
    run,
    DigestParams,
    group="Alerts",
    concerns=Concerns.ALL,
    examples=("digest", "digest today"),
    details="What the bot posts each morning: downtimes by job, the pod's uptime, repairs, what is still open, "
    "and the checks that are not ok now.",
    rights=registry.rights,
    runbook_rights=runbook_rights,
    rights_beside=rights_beside,
)
