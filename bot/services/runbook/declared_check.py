"""The checks that a runbook declares, as checks like the built-in ones."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.runbook.file.compiled import CompiledCheck, CompiledRunbook
from bot.runbook.file.judge import judge_check
from bot.services.health.check import Check
from bot.services.health.reads import Reads
from bot.services.runbook.read_facts import read_facts, rights_of, seconds_of


class DeclaredCheck(Check):
    """Reads the facts of an entry, and has them judged by its expression."""

    def __init__(self, check: CompiledCheck) -> None:
        """``check`` is the compiled entry."""
        self.id, self.title = check.name, check.entry.title
        self.check = check
        self.finding: Finding | None = None
        self.seconds = max(seconds_of(use) for use in check.entry.facts.values())

    async def run(self, reads: Reads) -> Finding:
        """Read the facts side by side, and judge them."""
        facts = await read_facts(reads, self.check.entry.facts)
        self.finding = judge_check(self.check, facts, reads.ctx.clock.now())
        return self.finding

    @property
    def failed(self) -> bool:
        """Whether it was made and failed."""
        return self.finding is not None and self.finding.verdict in (Verdict.FAIL, Verdict.WARN)


def status_checks(book: CompiledRunbook | None) -> list[DeclaredCheck]:
    """Return the checks that are part of `status`."""
    return [] if book is None else [DeclaredCheck(c) for c in book.checks.values() if c.entry.status]


def rights(book: CompiledRunbook | None, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that a runbook's checks and diagnoses need for a target."""
    if book is None:
        return ()
    uses = [use for check in book.checks.values() for use in check.entry.facts.values()]
    uses += [use for diagnosis in book.diagnoses.values() for use in diagnosis.facts.values()]
    return rights_of(uses, target)
