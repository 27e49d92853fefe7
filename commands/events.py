"""``events``: the namespace's warnings, newest first, grouped and counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from bot.domain import judge_events, words
from bot.domain.access import Role
from bot.domain.judge_events import EventGroup
from bot.domain.probes import Verdict
from bot.domain.reply import Reply, Table
from bot.domain.workload import Right
from bot.runbook import Command, Context, Params
from commands import _answer
from commands._checks import Checks
from commands._probes import run_probes
from commands._reads import Reads

MOST = 40
"""Rows shown; more than that is no longer read on a phone."""


class EventsParams(Params):
    """Which events."""

    all: bool = Field(default=False, description="Normal events too, not only warnings")


async def run(ctx: Context, params: EventsParams) -> Reply:
    """Judge the last hour's warnings, then list what there is."""
    began = ctx.clock.monotonic()
    async with Reads(ctx) as reads:
        checks = Checks(ctx, reads)
        outcomes = await run_probes([checks.events()], ctx.probe_timeout)
    seen = checks.seen.events
    groups = judge_events.group(seen or ())
    shown = [g for g in groups if params.all or g.is_warning]
    return _answer.reply(
        ctx,
        outcomes,
        began,
        own="events",
        body=_body(params.all, groups, shown) if seen is not None else (),
        tables=[_table(shown, ctx.clock.now())],
        more=(("All events", "events --all"),) if not params.all else (),
        data={"events": [_data(g) for g in shown]},
    )


def _body(everything: bool, groups: Sequence[EventGroup], shown: Sequence[EventGroup]) -> list[str]:
    body = []
    if not shown:
        body.append("There are no events." if not groups else "There are no warnings.")
    normal = sum(g.count for g in groups if not g.is_warning)
    if normal and not everything:
        body.append(f"{words.plural(normal, 'normal event')} not shown; --all shows them.")
    if len(shown) > MOST:
        body.append(f"The newest {MOST} kinds are shown, {len(shown) - MOST:,} older ones are not.")
    return body


def _table(groups: Sequence[EventGroup], now: datetime) -> Table:
    recent = judge_events.recent_warnings(groups, now)
    shown = groups[:MOST]
    rows = tuple(
        (
            words.ago(g.last_seen, now),
            f"{g.reason} ×{g.count:,}" if g.count > 1 else g.reason,
            g.object,
            words.cut(g.message, 160),
        )
        for g in shown
    )
    verdicts = tuple(Verdict.WARN if g in recent else None for g in shown)
    return Table(("Last", "Reason", "Object", "Message"), rows, "Newest first", verdicts)


def _data(group: EventGroup) -> dict[str, object]:
    return {
        "type": group.type,
        "reason": group.reason,
        "object": group.object,
        "count": group.count,
        "last_seen": group.last_seen.isoformat() if group.last_seen else None,
        "message": group.message,
    }


COMMAND = Command(
    name="events",
    summary="Warnings in the namespace, newest first",
    role=Role.VIEWER,
    run=run,
    params=EventsParams,
    examples=("events", "events --all"),
    details="Same reason and object: one row with a count. The last hour's warnings are marked.",
    rights=lambda _: (Right("list", "events"),),
)
