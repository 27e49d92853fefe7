"""``egress``: Cilium's egress policy; ``egress test``: whether the pod reaches only what it should."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.approvals import egress_steps
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR
from bot.domain.approvals.egress_policy import LRU
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply, Table
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError
from bot.runbook.context import Context
from bot.services.health import missing_policy
from commands.shared import shape
from commands.shared.check_list import check_list

NOTHING = "no policy to judge"
"""What the runbook's check says where there is no policy."""


async def _completed(ctx: Context, reply: Reply) -> Reply:
    """Offer the repair only where it mends the policy, and name a policy that a failed repair left missing."""
    if not any(LRU in finding.summary for finding in reply.findings):
        others = tuple(b for b in reply.buttons if not b.command.startswith(EGRESS_REPAIR.name))
        reply = replace(reply, buttons=others)
    return await _left_missing(ctx, replace(reply, tables=tuple(map(_unjudged, reply.tables))))


def _unjudged(table: Table) -> Table:
    """The table with a neutral mark where there is nothing to judge."""
    pairs = zip(table.rows, table.verdicts, strict=True)
    return replace(table, verdicts=tuple(None if NOTHING in row else verdict for row, verdict in pairs))


async def _left_missing(ctx: Context, reply: Reply) -> Reply:
    """Where there is no policy, say whether a failed repair left it missing."""
    checks = reply.data.get("checks")
    first = checks[0] if isinstance(checks, list) and checks else {}
    if first.get("verdict") not in (Verdict.WARN.value, Verdict.FAIL.value):  # there is one, or nobody knows
        return reply
    if (left := await _newest_left_missing(ctx)) is None:
        return reply
    step = shape.offered(ctx, EGRESS_REPAIR.name, f"{left.subject} is missing")
    return replace(
        reply,
        headline=missing_policy.said(left),
        verdict=Verdict.FAIL,
        body=(missing_policy.remedy(ctx.prefix, left), *reply.body),
        findings=(),
        buttons=(*shape.buttons(ctx, [step]), *reply.buttons),
    )


async def _newest_left_missing(ctx: Context) -> RepairRequest | None:
    """Return the newest repair, if it left the policy missing.

    A terminal command that only reads must not create a ledger, so it finds none there.
    """
    spec = ctx.target.egress
    if spec is None or ctx.ledger is None or ctx.caller.is_terminal or ctx.dry_run:
        return None
    try:
        found = await missing_policy.newest(ctx.ledger, ctx.target.name, spec.policy)
    except AgentpodError:
        return None
    return found if found is not None and egress_steps.left_missing(found) else None


COMMAND = check_list(
    "egress",
    "Cilium's egress policy: is it there, and valid?",
    ("egress-enabled", "egress-valid"),
    audited=False,
    details="Needs the right to list Cilium's policies: deploy/options/egress.",
    more=(("Test the egress policy", "egress test"),),
    completed=_completed,
)
TEST = check_list(
    "egress test",
    "From the pod: what must answer, what must be blocked",
    ("egress-allows", "egress-blocks"),
    details="Runs curl in the pod; a blocked address takes 5 s.",
    needs=Capability.READ_LOGS,
    more=(("Egress policy", "egress"),),
)
