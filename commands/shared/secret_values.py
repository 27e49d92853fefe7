"""Reads the values of the pod's Secrets, for commands that redact them from command lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.redact import redact
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.services.health.check import Check
from bot.services.health.reads import Reads
from bot.services.health.rights import secret_rights
from bot.services.health.sources import API


class SecretValues(Check):
    """Reads the secret values to redact, since command lines may contain tokens."""

    id, title = "secrets", "Secrets"
    values: frozenset[str] | None = None
    """None where they could not be read."""

    async def run(self, reads: Reads) -> Finding:
        """Read them; the finding is not shown."""
        self.values = await reads.of(API, reads.ctx.cluster.secret_values(reads.target.secrets))
        return Finding(self.id, self.title, Verdict.OK, "known")

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """Each Secret whose values are redacted."""
        return secret_rights(target.secrets)


def redacted(lines: Sequence[str], secrets: Collection[str] | None, length: int) -> list[str]:
    """Return redacted command lines; only the programs if the secret values could not be read."""
    known = [line if secrets is not None else "".join(line.split()[:1]) for line in lines]
    return [words.cut(line, length) for line in redact(known, secrets or ()).lines]
