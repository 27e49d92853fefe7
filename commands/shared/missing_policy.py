"""Finds in the ledger whether a failed egress repair left the target's policy missing."""

from __future__ import annotations

from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR, MISSING
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.errors import AgentpodError
from bot.runbook.context import Context

MOST = 50
"""Requests that are looked through, newest first."""


async def left_missing(ctx: Context) -> RepairRequest | None:
    """Return the newest repair that left the policy missing, if one did. Ask only where the policy is not there.

    A terminal command that only reads must not create a ledger, so it finds none there.
    """
    spec = ctx.target.egress
    if spec is None or ctx.ledger is None or ctx.caller.is_terminal or ctx.dry_run:
        return None
    try:
        found = await ctx.ledger.requests(states={RequestState.FAILED}, target=ctx.target.name, limit=MOST)
    except AgentpodError:
        return None
    mine = (one for one in found if one.action.name == EGRESS_REPAIR.name and one.subject == spec.policy)
    return next((one for one in mine if one.details.get(MISSING)), None)


def said(ctx: Context, repair: RepairRequest) -> str:
    """The sentence that names it."""
    since = f" {words.ago(repair.outcome.at, ctx.clock.now())}" if repair.outcome is not None else ""
    return f"{repair.subject} is MISSING: the repair {repair.id} deleted it{since} and could not create it again."


def remedy(repair: RepairRequest) -> str:
    """The next step."""
    return f"Save the manifest on the card of {repair.id} as policy.json, then kubectl apply -f policy.json."
