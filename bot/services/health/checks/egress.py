"""Whether the egress policy is there, where it should be: a failed repair may have left it missing."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals import egress_policy, egress_steps
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import EgressSpec, Target
from bot.domain.core.workload import Right
from bot.services.health import missing_policy
from bot.services.health.check import Check
from bot.services.health.reads import CheckContext, Reads
from bot.services.health.sources import API, LEDGER, SourceUnavailable
from bot.services.health.unserved import lacks_kind

ON = (
    "To restrict egress, commit the policy's manifest or apply it. If it is off for good, remove targets[].egress."
)


class EgressCheck(Check):
    """Judges the policy of the settings. One that no repair has deleted is off, which is a warning."""

    id, title, about = "egress-policy", "Egress policy", "the egress policy"
    steps = (("Egress policy", "egress"),)

    def __init__(self, spec: EgressSpec) -> None:
        """``spec`` names the policy."""
        self.name = spec.policy

    async def run(self, reads: Reads) -> Finding:
        """Read the policy; where it is absent, also what the ledger knows of it."""
        try:
            policy = await reads.of(API, missing_policy.read_policy(reads.ctx.cluster, self.name))
        except SourceUnavailable as unread:
            if lacks_kind(unread):
                self.lacks_kind = True
                return self._off("Cilium is not installed")
            raise
        if policy is not None:
            return Finding(self.id, self.title, Verdict.OK, self.name)
        return self._absent(await self._newest(reads))

    async def _newest(self, reads: Reads) -> RepairRequest | None:
        """The newest request about the policy. A bot without a ledger has repaired nothing."""
        ledger = reads.ctx.ledger
        if ledger is None:
            return None
        return await reads.of(LEDGER, missing_policy.newest(ledger, reads.target.name, self.name))

    def _absent(self, newest: RepairRequest | None) -> Finding:
        if newest is not None and egress_steps.left_missing(newest):
            said, remedy = missing_policy.said(newest), missing_policy.remedy(newest)
            return Finding(self.id, self.title, Verdict.FAIL, said, (), remedy)
        if newest is not None and newest.state is RequestState.EXECUTING:
            said = f"{newest.id} is replacing {self.name}: egress is open until it is created"
            return Finding(self.id, self.title, Verdict.WARN, said)
        return self._off("no repair of the bot deleted it")

    def _off(self, why: str) -> Finding:
        said = f"there is no Cilium policy {self.name}"
        return Finding(self.id, self.title, Verdict.WARN, said, (words.upper_first(why),), ON)

    @classmethod
    def of(cls, ctx: CheckContext) -> Sequence[Check]:
        """Where the settings name the policy."""
        return [cls(ctx.target.egress)] if ctx.target.egress is not None else []

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The policy, where the settings name it."""
        return (egress_policy.right("get", target.egress.policy),) if target.egress is not None else ()
