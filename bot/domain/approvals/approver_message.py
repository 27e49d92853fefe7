"""The direct message to an approver: the card with their buttons, and later how it was decided. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.approvals import card, decision_buttons
from bot.domain.approvals.approval import ApprovalPolicy, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.reply import Button, Line, Link, Mention, Reply


def approver_message(
    repair: RepairRequest,
    policy: ApprovalPolicy,
    user: str,
    deadlock: str = "",
    meanwhile: str = "",
    links: Sequence[Link] = (),
) -> Reply:
    """What ``user`` gets. The buttons obey the same rules and ask the same as the card's.

    ``links`` lead to the card, and to what it was asked at; without any, its channel is named.
    """
    shown = replace(card.card(repair, policy, (), deadlock, meanwhile), links=tuple(links))
    where: tuple[Line, ...] = () if links else (("The card is in ", Mention(repair.channel), "."),)
    if repair.state is not RequestState.OPEN:
        asked = tuple(fact for fact in shown.facts if fact.label in card.ASKED)
        facts = (*asked, *card.decisions(repair), *card.new_since(repair))
        return replace(shown, body=where, facts=facts, excerpts=(), buttons=(), notes=(repair.id,))
    done, buttons = _left_to(repair, policy, user)
    body = (*card.warnings(repair), *([done] if done else []), *card.effect(repair), *where)
    return replace(shown, body=body, buttons=buttons)


def _left_to(repair: RepairRequest, policy: ApprovalPolicy, user: str) -> tuple[str, tuple[Button, ...]]:
    """What this person has done already, and the decisions that are left to them."""
    both = (decision_buttons.approve(repair), decision_buttons.deny(repair))
    if user in {decision.by for decision in repair.request.approvals}:
        missing = words.plural(repair.request.missing, "more approval")
        return f"You approved it. {missing} needed.", both[1:]
    if not policy.self_approval and user in (repair.request.requester, *repair.joined):
        return "You asked for the same, so somebody else approves it.", both[1:]
    return "", both
