"""Shared by the commands that request repairs and those that decide on requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from pydantic import ValidationInfo

from bot.domain.approvals import approvable, card, decision_buttons, receipt
from bot.domain.approvals.approval import Choice, RequestState, Rule, Ruling
from bot.domain.approvals.repair import SINK, Proposal, RepairRequest, TargetState
from bot.domain.core import redact, words
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Button, Form, FormField, Line, Link, Mention, Reply
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, Permanent, UsageError
from bot.ports.cluster import TrialRead
from bot.ports.ledger import Ledger
from bot.runbook.context import Context, Repairs
from bot.services.approvals import request_links
from bot.services.approvals.actions.pod_restart import look_at
from commands.shared import forecasts, shape
from commands.shared.forecasts import Costs

MAX_REASON = 500
"""Maximum characters of a reason: it must fit on a card and be readable on a phone."""


def approval_service(ctx: Context) -> Repairs:
    """Return the approval service. Raises `Permanent` without one."""
    if ctx.repairs is None:
        raise Permanent(
            "There is no ledger here, so nothing can be asked for or decided.",
            remedy="Set AGENTPOD_LEDGER__URL; `agentpod check` says whether it works.",
        )
    return ctx.repairs


def ledger(ctx: Context) -> Ledger:
    """Return the ledger. Raises `Permanent` without one."""
    approval_service(ctx)
    if ctx.ledger is None:
        raise AssertionError("an approval service without a ledger")
    return ctx.ledger


def reason(value: str | None, info: ValidationInfo) -> str | None:
    """Return a reason as one line. Raises ValueError if it is empty, too long or contains a secret."""
    if value is None:
        return None
    text = " ".join(value.split())
    if redact.is_blank(text):
        raise ValueError("it is empty: say why in a few words")
    if redact.has_token(text) or (isinstance(info.context, Outside) and info.context.has_known(text)):
        raise ValueError("it has something in it that looks like a secret: leave it out, since reasons are kept")
    if len(text) > MAX_REASON:
        raise ValueError(f"it has {len(text)} characters; at most {MAX_REASON} fit on the card")
    return text


def form(ctx: Context, wanted: Form) -> Reply:
    """Reply with a form for missing arguments. In a terminal raises UsageError, which names the flags instead."""
    if ctx.caller.is_terminal:
        raise _missing(ctx, wanted)
    if wanted.command:  # its submission must be for the target it was opened for
        wanted = replace(wanted, command=f"{wanted.command} --target {words.quoted(ctx.target.name)}")
    return Reply(wanted.note or wanted.title, form=wanted, shareable=False, repeatable=False)


_KEPT = "a reason, which approvers and the audit trail see"


def _example(field: FormField) -> str:
    """A value for a flag; a text of several lines comes from a file."""
    if field.name == "reason":
        return '"why it is needed"'
    return '"$(cat FILE)"' if field.multiline or field.split else field.name.upper()


def _missing(ctx: Context, wanted: Form) -> UsageError:
    """The error for arguments that are missing in a terminal, with a line to paste."""
    missing = [f for f in wanted.fields if f.required]
    needs = _KEPT if [f.name for f in missing] == ["reason"] else words.listed([f"--{f.name}" for f in missing])
    flags = " ".join(f"--{f.name} {_example(f)}" for f in missing)
    return UsageError(
        f"{wanted.command} needs {needs}.",
        remedy=f"For example: {ctx.prefix} {wanted.command} {flags}",
    )


async def look(ctx: Context) -> tuple[TargetState, TrialRead]:
    """Return the target's current state, which the request is bound to, and what its change can be tried on.

    Raises what the cluster raises.
    """
    ledger(ctx)
    trial = await ctx.cluster.trial()
    seen = await look_at(trial.cluster, ctx.target)
    return seen, TrialRead(trial, seen)


def value_sink(repair: RepairRequest) -> str:
    """Return the sink of a form with the value for a request."""
    return f"{SINK}{repair.id}"


async def under_way(ctx: Context) -> tuple[str, ...]:
    """Return lines on running repairs, which explain alarming findings. Never raises; waits at most 1 s."""
    if ctx.ledger is None:
        return ()
    try:
        async with asyncio.timeout(min(1.0, ctx.probe_timeout)):
            repairs = await ctx.ledger.requests(states={RequestState.EXECUTING}, target=ctx.target.name, limit=3)
    except (AgentpodError, TimeoutError):
        return ()
    now = ctx.clock.now()
    return tuple(f"{card.what(c)} is under way ({c.id}, {_for(c, now)})" for c in repairs)


def _for(repair: RepairRequest, now: datetime) -> str:
    since = repair.mark.started_at if repair.mark else repair.request.created_at
    return f"for {words.age(now - since)}"


async def links(ctx: Context, repair: RepairRequest) -> tuple[Link, ...]:
    """Return the links to a request's card, and to the alert at which it was asked for. Never raises."""
    return await request_links.of(ctx.message_links, repair) if ctx.message_links is not None else ()


def may_approve(ctx: Context, repair: RepairRequest) -> bool:
    """Whether this caller's approval would count; the decision itself checks again."""
    if not _is_approver(ctx, repair):
        return False
    own = ctx.caller.identity.user in (repair.request.requester, *repair.joined)
    return not own or (ctx.repairs is not None and ctx.repairs.policy.self_approval)


def _is_approver(ctx: Context, repair: RepairRequest) -> bool:
    decision = shape.allowed(ctx, Capability.DECIDE, (repair.target,), repair.places)
    return decision.allowed and not ctx.caller.is_terminal


async def ask(
    ctx: Context, proposal: Proposal, *, costs: Costs | None = None, read: TrialRead | None = None
) -> Reply:
    """Submit a request for approval, with what it will cost, and reply with its id and where the card is.

    ``costs`` are being read already, by default without the runbook's `impact`; ``read`` is what was read for the
    proposal.
    """
    if costs is None:
        async with forecasts.costs(ctx, proposal.action, impact=False) as costs:
            return await ask(ctx, proposal, costs=costs, read=read)
    if proposal.action.needs_value and ctx.caller.is_terminal:
        raise UsageError(
            "A new value can't be asked for in a shell: whoever asks enters it in Slack.",
            remedy=f"In Slack: /agentpod {proposal.action.name} {proposal.details.get('key', '')}",
        )
    service = approval_service(ctx)
    proposal = replace(proposal, forecast=await costs.forecast(service, proposal, read))
    try:
        asked = await service.ask(proposal, ctx.target.name, ctx.caller)
    except AgentpodError as error:
        error.perhaps_asked = True
        raise
    repair = asked.repair
    place = ("the operations channel",) if ctx.caller.is_terminal else receipt.place(repair)
    if asked.joined:
        return replace(_joined(ctx, repair, place), links=await links(ctx, repair))
    blocked = approvable.deadlock(repair, ctx.access, approval_service(ctx).policy)
    headline = receipt.headline(repair, blocked=bool(blocked))
    return Reply(
        headline if ctx.caller.is_terminal or ctx.caller.follows else receipt.neutral(repair, joined=False),
        body=(
            *card.warnings(repair),
            *_blocked(blocked),
            (receipt.CARD_IS_IN, *place, f". {_outcome_note(ctx, repair)}"),
        ),
        buttons=() if ctx.caller.is_terminal else (Button("Withdraw", f"withdraw {repair.id}"),),
        notes=(receipt.expires(repair),),
        data={"id": repair.id, "state": repair.state.value},
        receipt=repair.id,
        shareable=False,
        repeatable=False,
    )


def _outcome_note(ctx: Context, repair: RepairRequest) -> str:
    """Return how the requester learns of the outcome: a terminal can't be notified."""
    if not ctx.caller.is_terminal:
        return "I'll message you with the outcome."
    needed = f" It needs {words.plural(repair.request.needed, 'approval')}." if repair.request.needed > 1 else ""
    back = f"{ctx.prefix} withdraw {repair.id} takes it back."
    return f"{ctx.prefix} approvals {repair.id} shows the outcome, and {back}{needed}"


def _joined(ctx: Context, repair: RepairRequest, place: Line) -> Reply:
    """Reply to a request that joined an existing one."""
    see, what = ("See its card in ", *place, "."), card.what(repair)
    if repair.state is RequestState.APPROVED:  # one without a value is claimed with its last approval
        reply = Reply(f"🔑 {what}: already approved, waits for the requester to enter the value", body=(see,))
    elif repair.state is not RequestState.OPEN:
        reply = Reply(f"⏳ {what}: already under way", body=(see,))
    else:
        by = card.person(repair.request.requester)
        parts = [by] if isinstance(by, str) else list(by)
        ago = words.ago(repair.request.created_at, ctx.clock.now())
        approve = decision_buttons.approve(repair)
        among = ctx.caller.who in (repair.request.requester, *repair.joined)
        reply = Reply(
            receipt.neutral(repair, joined=True),
            body=(
                *card.warnings(repair),
                ("Asked by ", *parts, f" {ago}. {receipt.CARD_IS_IN}", *place, "."),
                *_why_no_vote(ctx, repair),
            ),
            buttons=(approve,) if may_approve(ctx, repair) else (),
            receipt=repair.id if among else "",
        )
    data: dict[str, object] = {"id": repair.id, "state": repair.state.value}
    return replace(reply, notes=(repair.id,), data=data, shareable=False, repeatable=False)


def _blocked(deadlock: str) -> tuple[str, ...]:
    return (f"It can't be approved: {deadlock}",) if deadlock else ()


def _why_no_vote(ctx: Context, repair: RepairRequest) -> tuple[Line, ...]:
    """Return why the request can't be approved, or not by this approver, or why they did not join it."""
    policy, user = approval_service(ctx).policy, ctx.caller.identity.user
    if blocked := _blocked(approvable.deadlock(repair, ctx.access, policy)):
        return blocked
    if not _is_approver(ctx, repair):
        return ()
    if not may_approve(ctx, repair):
        return (_others(ctx, repair, "You asked for it, or joined it just now, so ", " has to decide."),)
    if approvable.would_block(repair, user, ctx.access, policy):
        return ("You did not join it, since then nobody could approve it. You can approve it yourself.",)
    return ()


def _others(ctx: Context, repair: RepairRequest, before: str, after: str) -> Line:
    """Return a sentence on who can approve the request: by name, where the settings name them."""
    users = approvable.entitled(repair, ctx.access, approval_service(ctx).policy)
    if not users:
        return f"{before}another approver{after}"
    named: list[str | Mention] = []
    for number, user in enumerate(dict.fromkeys(users)):
        named += [" or " if number else "", Mention(user)]
    return (before, *named[1:], after)


def _deciders(ctx: Context, repair: RepairRequest, choice: Choice) -> Iterator[Line]:
    """Yield who can do what was refused, or whom to ask where no rule names them."""
    policy = approval_service(ctx).policy
    if choice is Choice.BREAK_GLASS and policy.break_glass:
        yield approvable.able(policy.break_glass, "break glass")
    if choice is Choice.DENY:
        ids = approvable.named_approvers(ctx.access, repair.target, repair.channel)
        yield approvable.able(ids, "deny this") if ids else ctx.access.ask(otherwise="an approver")
    elif blocked := _blocked(approvable.deadlock(repair, ctx.access, policy)):
        yield from blocked
    else:
        ids = approvable.mentioned(ctx.access, policy, repair)
        yield approvable.able(ids, "approve this") if ids else ctx.access.ask(otherwise="an approver")


_ACCEPTED = {
    Rule.APPROVED: "✅ {what}: approved, carried out now",
    Rule.COUNTED: "✅ {what}: your approval counts, {missing} more needed",
    Rule.DENIED: "⛔ {what}: denied",
    Rule.WITHDRAWN: "↩️ {what}: withdrawn",
    Rule.GLASS_BROKEN: "💥 {what}: carried out now, by your decision alone. The audit trail records it",
}
_REFUSED = {  # each says the rule
    Rule.NOT_AN_APPROVER: "You are not an approver here, and only approvers can decide",
    Rule.FOUR_EYES: "Four eyes: you asked for this, or joined it, so somebody else has to approve it",
    Rule.ONE_VOTE: "One vote each: you have approved this already, {missing} more needed from others",
    Rule.ONLY_THE_REQUESTER: "Only the requester can withdraw this",
    Rule.NO_BREAK_GLASS: "You are not on the break-glass list, so you can't skip the approval",
    Rule.REASON_NEEDED: "A reason is needed",
    Rule.SHELL: "Requests can't be decided in a shell: it doesn't say who uses it",
    Rule.NO_TARGET: "The target of this request is no longer in the settings, so it can't be repaired",
}


def ruled(ctx: Context, ruling: Ruling, repair: RepairRequest, choice: Choice) -> Reply:
    """Reply to a decision: with its effect, or with the rule that refused it and whom to ask."""
    said = card.late(repair) if ruling.rule in (Rule.NOT_OPEN, Rule.EXPIRED) else Reply(_text(ruling, repair))
    body: tuple[Line, ...] = ()
    if ruling.accepted and repair.state is RequestState.VOID:
        body = ("Nothing was changed, since it is no longer what you approved.",)
    if not ruling.accepted:
        if ruling.rule is Rule.ONLY_THE_REQUESTER:
            body = (withdrawers(repair),)
        if ruling.rule is Rule.FOUR_EYES:
            deadlock = approvable.deadlock(repair, ctx.access, approval_service(ctx).policy)
            body = _blocked(deadlock) or (_others(ctx, repair, "It needs the approval of ", "."),)
        if ruling.rule in (Rule.NOT_AN_APPROVER, Rule.NO_BREAK_GLASS):
            body = tuple(_deciders(ctx, repair, choice))
        if ruling.unread:
            groups = ", ".join(sorted(ruling.unread))
            body = (f"The members of {groups} could not be read from Slack: try again in a moment.", *body)
    return replace(
        said,
        body=(*said.body, *body),
        notes=(repair.id,),
        left_undone=not ruling.accepted,
        data={"id": repair.id, "rule": ruling.rule.name, "state": repair.state.value, "accepted": ruling.accepted},
        shareable=False,
        repeatable=False,
    )


def withdrawers(repair: RepairRequest) -> Line:
    """Return who can withdraw an open request, and what else ends one from a shell."""
    who = repair.request.requester
    if not card.shell(repair):
        return approvable.able((who,), "withdraw this")
    asked = f"{words.upper_first(str(card.person(who)))} asked for it, and can withdraw it there"
    expires = f"An approver can deny it; else it expires at {words.clock(repair.request.expires_at)}."
    return f"{asked}: `agentpod withdraw {repair.id}`. {expires}"


_GOES_AHEAD = (Rule.APPROVED, Rule.GLASS_BROKEN)


def _text(ruling: Ruling, repair: RepairRequest) -> str:
    if ruling.rule is Rule.APPROVED and repair.action.needs_value:
        return f"✅ {card.what(repair)}: approved, waits for the requester to enter the value"
    if ruling.rule in _GOES_AHEAD and repair.state in (RequestState.VOID, RequestState.FAILED):
        return card.headline(repair)
    if ruling.rule in _GOES_AHEAD and not ruling.begun:
        return f"✅ {card.what(repair)}: approved. The target is still being checked"
    texts = _ACCEPTED if ruling.accepted else _REFUSED
    return texts[ruling.rule].format(what=card.what(repair), missing=repair.request.missing)
