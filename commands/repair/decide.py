"""``approve``, ``deny``, ``withdraw`` and ``break-glass``: decide on a request, typed or with a card's buttons."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals import decision_buttons
from bot.domain.approvals.approval import Choice, RequestState, Rule
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import labels
from bot.domain.core.reply import Button, Form, FormField, Reply
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Context
from commands.shared import requests, shape

MOST_CHOICES = 4
"""Most of one's own requests to choose from."""


class IdParams(Params):
    """Which request."""

    id: str = Param(
        json_schema_extra={"positional": True, "listed": "approvals"},
        description="the request's id, such as r-7k2m9xwq",
    )


class WithdrawParams(Params):
    """Which request of the caller's own."""

    id: str | None = Param(
        default=None,
        json_schema_extra={"positional": True},
        description="the request's id, such as r-7k2m9xwq; without it, your only open one",
    )


class ReasonParams(IdParams):
    """Which request, and why."""

    reason: str | None = Param(default=None, description="why, for the requester and the audit trail")

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


async def _decide(ctx: Context, params: IdParams, choice: Choice, reason: str = "") -> Reply:
    if ctx.caller.is_terminal and choice is not Choice.WITHDRAW:
        raise UsageError(
            "Requests can't be decided in a shell: it doesn't say who uses it.",
            remedy=f"In Slack: /agentpod {choice.value} {params.id}, or the card's button.",
        )
    ruling, repair = await requests.approval_service(ctx).decide(params.id, choice, ctx.caller, reason)
    return requests.ruled(ctx, ruling, repair, choice)


async def approve(ctx: Context, params: IdParams) -> Reply:
    """Record the caller's approval; with the last one needed the repair is carried out."""
    return await _decide(ctx, params, Choice.APPROVE)


async def withdraw(ctx: Context, params: WithdrawParams) -> Reply:
    """Withdraw the caller's own request; without an id the only open one, else a choice."""
    if params.id is None:
        mine = await _own(ctx)
        if len(mine) != 1:
            return _which(mine)
        return await _decide(ctx, IdParams(id=mine[0].id), Choice.WITHDRAW)
    return await _decide(ctx, IdParams(id=params.id), Choice.WITHDRAW)


async def _own(ctx: Context) -> list[RepairRequest]:
    found = requests.ledger(ctx).requests(states={RequestState.OPEN}, requester=ctx.caller.who, limit=None)
    return list(await found)


def _which(mine: Sequence[RepairRequest]) -> Reply:
    """Ask which of several open requests; or say that there is none."""
    headline = f"Which one? {len(mine)} requests of yours are open" if mine else "No request of yours is open"
    choices = (Button(f"Withdraw {one.id}", f"withdraw {one.id}") for one in mine[:MOST_CHOICES])
    return Reply(
        headline,
        body=tuple(f"{one.id}: {one.action.what(one)}" for one in mine[:MOST_CHOICES]),
        buttons=(*choices, Button(labels.of("approvals"), "approvals")),
        shareable=False,
        repeatable=False,
    )


async def deny(ctx: Context, params: ReasonParams) -> Reply:
    """Deny a request; without a reason, open a form that asks for it."""
    if params.reason is None:
        return await _ask_why(
            ctx, params, Choice.DENY, "Why not?", "Nothing is changed; the requester gets the reason."
        )
    return await _decide(ctx, params, Choice.DENY, params.reason)


async def break_glass(ctx: Context, params: ReasonParams) -> Reply:
    """Approve alone in an emergency; without a reason, open a form that asks for it."""
    if params.reason is None:
        effect = "It is carried out by your decision alone: the card, the audit trail and the digest say so."
        return await _ask_why(ctx, params, Choice.BREAK_GLASS, "What is the emergency?", effect)
    return await _decide(ctx, params, Choice.BREAK_GLASS, params.reason)


async def _ask_why(ctx: Context, params: IdParams, choice: Choice, label: str, effect: str) -> Reply:
    """Reply with the form for the reason; a decision that can't succeed is refused and recorded right away."""
    if ctx.caller.is_terminal:
        return await _decide(ctx, params, choice)
    approval_service, who = requests.approval_service(ctx), ctx.caller.identity
    repair = await approval_service.find(params.id)
    entitled = choice is not Choice.BREAK_GLASS or approval_service.policy.lets_alone(who.user, who.groups)
    if repair is not None and repair.state is RequestState.OPEN and entitled:
        return _form(ctx, repair, choice, label, effect)
    ruling, repair = await approval_service.decide(params.id, choice, ctx.caller)
    if ruling.rule is Rule.REASON_NEEDED:
        return _form(ctx, repair, choice, label, effect)
    return requests.ruled(ctx, ruling, repair, choice)


def _form(ctx: Context, repair: RepairRequest, choice: Choice, label: str, effect: str) -> Reply:
    line = f"{choice.value} {repair.id}"
    field = FormField("reason", label, multiline=True, max_length=requests.MAX_REASON)
    alone = choice is Choice.BREAK_GLASS
    what = decision_buttons.what_happens(repair) if alone else f"{repair.action.what(repair)} ({repair.id})."
    title, note = labels.of(line), f"{what} {effect}"
    return requests.form(ctx, Form(title=title, command=line, fields=(field,), submit=title, note=note))


def _breaks_glass(ctx: Context) -> bool:
    who = ctx.caller.identity
    return shape.in_slack(ctx) and ctx.repairs is not None and ctx.repairs.policy.lets_alone(who.user, who.groups)


_decision = partial(
    Command,
    group="Repair",
    concerns=Concerns.REQUEST,
    quick=True,
    sensitive_args=True,
    offered=shape.in_slack,
    unoffered=shape.IN_SLACK,
)
APPROVE = _decision(
    "approve",
    "Approve a request: with the last approval it is carried out",
    Capability.DECIDE,
    approve,
    IdParams,
    examples=("approve r-7k2m9xwq",),
    details="The same as the card's button. Whoever asked can't approve it, unless the settings say so.",
)
DENY = _decision(
    "deny",
    "Deny a request, with a reason",
    Capability.DECIDE,
    deny,
    ReasonParams,
    examples=('deny r-7k2m9xwq --reason "a job is running"',),
)
WITHDRAW = _decision(
    "withdraw",
    "Withdraw your own request",
    Capability.REQUEST,
    withdraw,
    WithdrawParams,
    offered=lambda _: True,
    examples=("withdraw", "withdraw r-7k2m9xwq"),
    details="What was asked for in a shell is withdrawn in a shell, by the same login.",
)
BREAK_GLASS = _decision(
    "break-glass",
    "Break glass: carry out a request in an emergency, without a second person",
    Capability.BREAK_GLASS,
    break_glass,
    ReasonParams,
    anew=True,
    offered=_breaks_glass,
    unoffered="is for those on approvals.break_glass in the settings, in Slack",
    examples=('break-glass r-7k2m9xwq --reason "site is down, nobody else is awake"',),
    details="Only for people on approvals.break_glass in the settings: that list decides, not the role.",
)
