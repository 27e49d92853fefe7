"""``events``: the namespace's warnings, newest first, grouped and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import Field

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.domain.health import judge_events
from bot.domain.health.judge_events import EventGroup
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.health.check import run_checks
from bot.services.health.checks.events import EventsCheck
from commands.shared import part_answer

MOST = 40
"""Maximum rows; nobody reads more on a phone."""


class EventsParams(Params):
    """Which events."""

    all: bool = Field(default=False, description="Normal events too, not only warnings")


async def run(ctx: Context, params: EventsParams) -> Reply:
    """Judge the last hour's warnings about the target's own objects, and list the events."""
    began = ctx.clock.monotonic()
    check = EventsCheck(all_=True)
    outcomes = await run_checks(ctx, [check])
    groups = judge_events.group(check.events or (), check.own)
    shown = [g for g in groups if params.all or (g.is_warning and g.own)]
    return part_answer.reply(
        ctx,
        [_without_advice(o) for o in outcomes],
        began,
        own="events --all" if params.all else "events",
        detailed=True,
        body=_body(params.all, groups, shown) if check.events is not None else (),
        tables=[_table(shown, ctx.clock.now())],
        more=(("All events", "events --all"),) if not params.all else (),
        data={"events": [_data(g) for g in shown]},
    )


def _without_advice(outcome: ProbeResult) -> ProbeResult:
    """Remove the advice to read the warnings: they are listed below."""
    if outcome.finding.verdict is not Verdict.WARN:
        return outcome
    return replace(outcome, finding=replace(outcome.finding, remedy=None))


def _body(everything: bool, groups: Sequence[EventGroup], shown: Sequence[EventGroup]) -> list[str]:
    body = []
    normal, others = sum(not g.is_warning for g in groups), sum(g.is_warning and not g.own for g in groups)
    left_out = [words.plural(normal, "kind") + " of normal events"] if normal else []
    left_out += [
        f"{words.plural(others, 'kind')} of warnings about objects that are gone or not the pod's"
    ] * bool(others)
    if not groups:
        body.append("There are no events at all.")
    elif left_out and not everything:
        older = "" if shown else "No older ones either. "
        body.append(f"{older}Not shown: {words.listed(left_out)}.")
    if len(shown) > MOST:
        body.append(f"The newest {MOST} kinds are shown, {len(shown) - MOST:,} older ones are not.")
    return body


def _table(groups: Sequence[EventGroup], now: datetime) -> Table:
    recent = judge_events.recent_warnings(groups, now)
    shown = groups[:MOST]
    rows = tuple(
        (
            f"{g.reason} ×{g.count:,}" if g.count > 1 else g.reason,
            _age(g, now),
            words.cut(words.without_pod_id(g.message[:1_000]), 160),
            g.object,
        )
        for g in shown
    )
    verdicts = tuple(Verdict.WARN if g in recent else None for g in shown)
    return Table(("Reason", "Age", "Message", "Object"), rows, "Newest first", verdicts)


def _age(group: EventGroup, now: datetime) -> str:
    """Return the newest event's age, and since when there are others."""
    age = words.age_since(group.last_seen, now)
    if group.count == 1 or group.first_seen is None or group.first_seen == group.last_seen:
        return age
    return f"{age}, since {words.moment(group.first_seen)}"


def _data(group: EventGroup) -> dict[str, object]:
    return {
        "type": group.type,
        "reason": group.reason,
        "object": group.object,
        "count": group.count,
        "own": group.own,
        "first_seen": words.iso(group.first_seen),
        "last_seen": words.iso(group.last_seen),
        "message": group.message,
    }


COMMAND = Command(
    name="events",
    summary="Warnings about the pod and what it uses, newest first",
    needs=Capability.VIEW,
    run=run,
    params=EventsParams,
    examples=("events", "events --all"),
    details="Events with the same reason and object share one row, with a count. The last hour's warnings about "
    "the pod's own objects are marked. Those about others, and about objects that are gone, are under --all.",
    rights=EventsCheck.rights,
)
