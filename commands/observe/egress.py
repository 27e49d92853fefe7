"""``egress``: Cilium's egress policy; ``egress test``: whether the pod reaches only what it should."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR
from bot.domain.approvals.egress_policy import LRU
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Reply, Table
from bot.domain.rbac.roles import Capability
from bot.runbook.context import Context
from commands.shared import shape
from commands.shared.check_list import check_list

ENABLED, VALID = "egress-enabled", "egress-valid"
"""The runbook's checks."""
NOTHING = "no policy to judge"
"""What the runbook's check says where there is no policy."""


def _completed(ctx: Context, reply: Reply) -> Reply:
    """Offer the repair only where it mends the policy, or brings back one that a failed repair left missing."""
    others = tuple(b for b in reply.buttons if not b.command.startswith(EGRESS_REPAIR.name))
    steps = [shape.offered(ctx, EGRESS_REPAIR.name, why) for one in reply.findings if (why := _why(one))]
    return replace(
        reply, buttons=(*shape.buttons(ctx, steps), *others), tables=tuple(map(_unjudged, reply.tables))
    )


def _why(finding: Finding) -> str:
    """What the repair mends of a finding; empty where it mends nothing."""
    if finding.probe == ENABLED and finding.verdict is Verdict.FAIL:
        return "the policy is missing"
    return LRU if LRU in finding.summary else ""


def _unjudged(table: Table) -> Table:
    """The table with a neutral mark where there is nothing to judge."""
    pairs = zip(table.rows, table.verdicts, strict=True)
    return replace(table, verdicts=tuple(None if NOTHING in row else verdict for row, verdict in pairs))


COMMAND = check_list(
    "egress",
    "Cilium's egress policy: is it there, and valid?",
    (ENABLED, VALID),
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
