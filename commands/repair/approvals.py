"""``approvals``: lists the requests that are open, under way or ended last; or shows one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from pydantic import Field as Param

from bot.domain.approvals import card, decision_buttons
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest, is_id
from bot.domain.core import words
from bot.domain.core.reply import Button, Card, Fact, Line, Reply, Table, parts
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Context
from bot.services.approvals import request_alerts
from commands.shared import requests, shape

LIVE = frozenset({RequestState.OPEN, RequestState.APPROVED, RequestState.EXECUTING})
RECENT = 5
MOST_CARDS = 10
"""Most live requests that are shown, the newest."""
MOST_REASON = 200


class ApprovalsParams(Params):
    """One request, or all."""

    id: str | None = Param(
        default=None, json_schema_extra={"positional": True}, description="show this one in full"
    )


async def run(ctx: Context, params: ApprovalsParams) -> Reply:
    """List open, running and the last ended requests, or show one in full."""
    if params.id is not None:
        return await _one(ctx, params.id)
    began, seen = ctx.clock.monotonic(), shape.seen_targets(ctx)
    ledger, over = requests.ledger(ctx), frozenset(RequestState) - LIVE
    live = await ledger.requests(states=LIVE, targets=seen, limit=None)
    ended = await ledger.requests(states=over, targets=seen, limit=RECENT)
    waiting = [c for c in live if c.state is RequestState.OPEN]
    return Reply(
        _headline(waiting, live),
        body=tuple(shape.not_shown(ctx)),
        cards=(*await asyncio.gather(*(_card(ctx, c) for c in live[:MOST_CARDS])), *_more(ctx, live[MOST_CARDS:])),
        tables=(_ended(ctx, ended),) if ended else (),
        notes=shape.notes(ctx, began),
        data={"open": [c.id for c in waiting]},
    )


def _headline(waiting: list[RepairRequest], live: object) -> str:
    if waiting:
        return f"{words.plural(len(waiting), 'request')} {'waits' if len(waiting) == 1 else 'wait'} for a decision"
    return "Nothing waits for a decision" + ("; something is under way" if live else "")


async def _card(ctx: Context, repair: RepairRequest) -> Card:
    """Return a live request: what, who asked and why, the time left, the decisions, and the link to its card."""
    now = ctx.clock.now()
    asked: Line = ("Asked by ", *parts(card.person(repair.request.requester)))
    ago = f" {words.ago(repair.request.created_at, now)}: {words.cut(repair.reason, MOST_REASON)}"
    is_open = repair.state is RequestState.OPEN
    left = f" · {words.age(repair.request.expires_at - now)} left" if is_open else ""
    decide = (decision_buttons.approve(repair), decision_buttons.deny(repair))
    own = (
        (Button("Withdraw", f"withdraw {repair.id}"),)
        if is_open and repair.request.requester == ctx.caller.who
        else ()
    )
    details = Button("Details", f"approvals {repair.id}")
    return Card(
        (card.headline(repair), *card.warnings(repair), (*asked, ago), f"{repair.id}{left}"),
        (*(decide if is_open and requests.may_approve(ctx, repair) else ()), *own, details),
        await requests.links(ctx, repair),
    )


def _more(ctx: Context, left: Sequence[RepairRequest]) -> Iterator[Card]:
    """A card that names the requests without one."""
    if left:
        ids = words.listed([repair.id for repair in left])
        yield Card(
            (f"… and {words.plural(len(left), 'more request')}: {ids}", f"`{ctx.prefix} approvals ID` shows one.")
        )


def _ended(ctx: Context, repairs: Sequence[RepairRequest]) -> Table:
    rows = tuple((c.id, card.what(c), _when(ctx, c)) for c in repairs)
    return Table(("Request", "What", "State"), rows, title="Ended last")


def _when(ctx: Context, repair: RepairRequest) -> str:
    now = ctx.clock.now()
    at = repair.outcome.at if repair.outcome else repair.request.created_at
    return f"{repair.state.value}, {words.ago(at, now)}"


async def _one(ctx: Context, id_: str) -> Reply:
    repair = await requests.ledger(ctx).request(id_) if is_id(id_) else None
    if repair is None:
        raise UsageError("There is no request with that id.", remedy=f"{ctx.prefix} approvals lists them.")
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
    if button.command == f"withdraw {repair.id}" and repair.request.requester != ctx.caller.who:
        return False
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
