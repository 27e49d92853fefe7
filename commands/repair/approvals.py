"""``approvals``: lists the requests that are open, under way or ended last; or shows one of them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field as Param

from bot.domain.approvals import card, decision_buttons
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest, is_id
from bot.domain.core import words
from bot.domain.core.reply import Button, Fact, Reply, Table
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Context
from bot.services.approvals import request_alerts
from commands.shared import requests, shape

LIVE = frozenset({RequestState.OPEN, RequestState.APPROVED, RequestState.EXECUTING})
RECENT = 5
MOST_READ = 200
"""Ended requests that are read to find the last ones of the targets that a caller may see."""


class ApprovalsParams(Params):
    """One request, or all."""

    id: str | None = Param(
        default=None, json_schema_extra={"positional": True}, description="show this one in full"
    )


async def run(ctx: Context, params: ApprovalsParams) -> Reply:
    """List open, running and the last ended requests, or show one in full."""
    if params.id is not None:
        return await _one(ctx, params.id)
    began, everything = ctx.clock.monotonic(), shape.sees(ctx, ctx.targets)
    ledger = requests.ledger(ctx)
    live = _seen(ctx, await ledger.requests(states=LIVE, limit=50))
    over = frozenset(RequestState) - LIVE
    ended = _seen(ctx, await ledger.requests(states=over, limit=RECENT if everything else MOST_READ))[:RECENT]
    waiting = [c for c in live if c.state is RequestState.OPEN]
    mine = [c for c in waiting if requests.may_approve(ctx, c)]
    return Reply(
        _headline(waiting, live),
        body=tuple(shape.not_shown(ctx)),
        tables=tuple(t for t in (_table(ctx, "", live), _table(ctx, "Ended last", ended)) if t.rows),
        buttons=tuple(decision_buttons.approve(c, listed=True) for c in mine[:3]),
        notes=shape.notes(ctx, began),
        data={"open": [c.id for c in waiting]},
    )


def _seen(ctx: Context, repairs: Iterable[RepairRequest]) -> list[RepairRequest]:
    return [repair for repair in repairs if shape.sees(ctx, (repair.target,))]


def _headline(waiting: list[RepairRequest], live: object) -> str:
    if waiting:
        return f"{words.plural(len(waiting), 'request')} {'waits' if len(waiting) == 1 else 'wait'} for a decision"
    return "Nothing waits for a decision" + ("; something is under way" if live else "")


def _table(ctx: Context, title: str, repairs: object) -> Table:
    assert isinstance(repairs, list | tuple)  # noqa: S101 - a sequence of requests
    rows = tuple((c.id, card.what(c), _when(ctx, c)) for c in repairs)
    return Table(("Request", "What", "State"), rows, title=title)


def _when(ctx: Context, repair: RepairRequest) -> str:
    now = ctx.clock.now()
    if repair.state is RequestState.OPEN:
        return f"open, {words.age(repair.request.expires_at - now)} left"
    at = repair.outcome.at if repair.outcome else repair.request.created_at
    return f"{repair.state.value}, {words.ago(at, now)}"


async def _one(ctx: Context, id_: str) -> Reply:
    repair = await requests.ledger(ctx).request(id_) if is_id(id_) else None
    if repair is None:
        raise UsageError("There is no request of that id.", remedy=f"{ctx.prefix} approvals lists them.")
    meanwhile = await request_alerts.meanwhile(requests.ledger(ctx), repair, ctx.clock.now())
    shown = card.card(repair, requests.approval_service(ctx).policy, meanwhile=meanwhile)
    return Reply(
        shown.headline,
        body=shown.body,
        facts=(*shown.facts, Fact("State", repair.state.value)),
        buttons=tuple(b for b in shown.buttons if _may_click(ctx, repair, b)),
        links=await requests.links(ctx, repair),
        notes=shown.notes,
        data={"id": repair.id, "state": repair.state.value},
    )


def _may_click(ctx: Context, repair: RepairRequest, button: Button) -> bool:
    """Whether the caller may use a button; a decision on a request counts as made in the request's channel."""
    places = repair.places if button.command.endswith(repair.id) else ()
    wanted = [(button.label, button.command)]
    return bool(shape.buttons(ctx, wanted, places=places, targets=(repair.target,)))


COMMAND = Command(
    "approvals",
    "Requests that wait for a decision, and the last that ended",
    Capability.VIEW,
    run,
    ApprovalsParams,
    group="Repair",
    concerns=Concerns.REQUEST,
    quick=True,
    sensitive_args=True,
    examples=("approvals", "approvals r-7k2m9xwq"),
)
