"""Reads the egress policy, and finds in the ledger whether a failed repair left it missing."""

from __future__ import annotations

from datetime import datetime

from bot.domain.approvals import egress_policy
from bot.domain.approvals.actions.egress_create import EGRESS_CREATE
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR
from bot.domain.approvals.egress_policy import EgressPolicy, log_of, policy_of
from bot.domain.approvals.egress_steps import MISSING, POLICY, created
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.stored import Unreadable
from bot.errors import NoSuchKind, NotFound
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger

MOST = 200
"""Requests that are looked through, newest first."""


async def read_policy(cluster: Cluster, name: str) -> EgressPolicy | None:
    """Read the policy; None where it is absent. Raises as `Cluster` does, also where there is no such kind."""
    try:
        return policy_of(await cluster.objects(egress_policy.right("get", name), egress_policy.VERSION))
    except NoSuchKind:
        raise
    except NotFound:
        return None


async def newest(ledger: Ledger, target: str, policy: str) -> RepairRequest | None:
    """Return the newest request that says something about the policy: a repair of it, or its creation.

    Raises as the ledger does.
    """
    for one in await ledger.requests(target=target, limit=MOST):
        if one.subject != policy:
            continue
        name = one.action.name
        if name == EGRESS_REPAIR.name or (name == EGRESS_CREATE.name and created(one)):
            return one
    return None


def said(repair: RepairRequest) -> str:
    """The policy and its repair, as a headline."""
    return f"{repair.subject} is missing, and egress is open: {what_happened(repair)}"


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


def remedy(repair: RepairRequest) -> str:
    """The next step."""
    return (
        f"`/agentpod egress repair` asks to create it again from the manifest stored with {repair.id}. Or save "
        "the manifest on its card as policy.json, then `kubectl apply -f policy.json`."
    )
