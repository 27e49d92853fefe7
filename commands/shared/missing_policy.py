"""Finds in the ledger whether a failed egress repair left the target's policy missing, and the stored manifest."""

from __future__ import annotations

from datetime import datetime

from bot.domain.approvals import egress_steps
from bot.domain.approvals.actions.egress_create import EGRESS_CREATE
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR
from bot.domain.approvals.egress_policy import log_of
from bot.domain.approvals.egress_steps import MISSING, POLICY
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.stored import Unreadable
from bot.errors import AgentpodError
from bot.ports.ledger import Ledger
from bot.runbook.context import Context

MOST = 200
"""Requests that are looked through, newest first."""


async def left_missing(ctx: Context) -> RepairRequest | None:
    """Return the newest repair, if it left the policy missing. Ask only where the policy is not there.

    A terminal command that only reads must not create a ledger, so it finds none there.
    """
    spec = ctx.target.egress
    if spec is None or ctx.ledger is None or ctx.caller.is_terminal or ctx.dry_run:
        return None
    try:
        found = await newest(ctx.ledger, ctx.target.name, spec.policy)
    except AgentpodError:
        return None
    return found if found is not None and egress_steps.left_missing(found) else None


async def newest(ledger: Ledger, target: str, policy: str) -> RepairRequest | None:
    """Return the newest request that says something about the policy: a repair of it, or its creation.

    Raises as the ledger does.
    """
    for one in await ledger.requests(target=target, limit=MOST):
        if one.subject != policy:
            continue
        name = one.action.name
        if name == EGRESS_REPAIR.name or (name == EGRESS_CREATE.name and egress_steps.created(one)):
            return one
    return None


def said(repair: RepairRequest) -> str:
    """The sentence that names it."""
    return f"{repair.subject} is MISSING: the repair {what_happened(repair)}."


def what_happened(repair: RepairRequest) -> str:
    """What the repair did to the policy, and when."""
    began = _began(repair)
    at = f"at {words.moment(began)}" if began is not None else "at an unknown time"
    if repair.details.get(MISSING):
        return f"{repair.id} deleted it {at} and could not create it again"
    return f"{repair.id} may have deleted it {at}, and did not come to its end"


def _began(repair: RepairRequest) -> datetime | None:
    """When the policy's replacement began; where that is not recorded, when the repair ended."""
    try:
        step = log_of(repair.details).step(POLICY)
    except Unreadable:
        step = None
    if step is not None:
        return step.began
    return repair.outcome.at if repair.outcome is not None else None


def remedy(ctx: Context, repair: RepairRequest) -> str:
    """The next step."""
    return (
        f"`{ctx.prefix} egress repair` asks to create it again from the manifest stored with {repair.id}. Or save "
        "the manifest on its card as policy.json, then `kubectl apply -f policy.json`."
    )
