"""Whether the External Secrets operator fills the namespace's Secrets."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core.probes import Finding
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health import judge_secrets
from bot.services.health.check import Check
from bot.services.health.reads import Reads
from bot.services.health.sources import API


class ExternalSecretsCheck(Check):
    """Judges the ExternalSecrets. Not part of `status`, which shows their events; it raises alerts."""

    id, title, about = "external-secrets", "External Secrets", "External Secrets"
    steps = (("Secrets", "secrets"),)

    async def run(self, reads: Reads) -> Finding:
        """Read the ExternalSecrets and have them judged; unknown where the operator is not installed."""
        external = await reads.of(API, reads.ctx.cluster.external_secrets())
        return judge_secrets.judge_external(external, reads.ctx.clock.now())

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same of every target
        """The ExternalSecrets."""
        return (Right("list", "externalsecrets", "external-secrets.io"),)
