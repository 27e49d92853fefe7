"""Whether the External Secrets operator fills the namespace's Secrets."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core.probes import Finding
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health import judge_secrets
from bot.errors import NotFound
from bot.services.health.check import Check
from bot.services.health.reads import Reads
from bot.services.health.rights import EXTERNAL_READ
from bot.services.health.sources import SourceUnavailable
from bot.services.health.unserved import lacks_kind


class ExternalSecretsCheck(Check):
    """Judges the ExternalSecrets of the namespace. Having none is ok."""

    id, title, about = judge_secrets.OF_OPERATOR, judge_secrets.EXTERNAL, "External Secrets"
    steps = (("Secrets", "secrets"),)

    async def run(self, reads: Reads) -> Finding:
        """Read the ExternalSecrets and have them judged."""
        return judge_secrets.judge_external(
            await self._read(reads), reads.ctx.target.namespace, reads.ctx.clock.now()
        )

    async def _read(self, reads: Reads) -> judge_secrets.External:
        """Read them; an error only where the API server doesn't know the kind."""
        try:
            return await reads.external_secrets()
        except SourceUnavailable as unread:
            if isinstance(unread.error, NotFound):
                self.lacks_kind = lacks_kind(unread)
                return unread.error
            raise

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:  # noqa: ARG003 - the same of every target
        """The ExternalSecrets."""
        return (EXTERNAL_READ,)
