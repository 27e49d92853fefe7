"""The checks that a runbook declares, as checks like the built-in ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.runbook.facts.check import CheckFact
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.record import Record
from bot.runbook.file.compiled import CompiledCheck, CompiledRunbook
from bot.runbook.file.judge import judge_check
from bot.runbook.file.known import Fact, Unread
from bot.services.health.check import Check
from bot.services.health.reads import CheckContext, Reads
from bot.services.health.sources import Blocked
from bot.services.runbook import own_checks
from bot.services.runbook.read_facts import (
    all_facts,
    all_lines,
    read_facts,
    rights_of,
    seconds_of,
    unblocked,
)


class DeclaredCheck(Check):
    """Reads the facts of an entry, and has them judged by its expression."""

    def __init__(self, check: CompiledCheck, usual: float) -> None:
        """``check`` is the compiled entry; ``usual`` is the deadline of facts that have none, in seconds."""
        self.id, self.title = check.name, check.entry.title
        self.check = check
        self.finding: Finding | None = None
        self.known = False
        """Whether the bot's own check knows what is wrong, which counts instead."""
        self.seconds = max(seconds_of(use, usual) for use in check.entry.facts.values())

    async def run(self, reads: Reads) -> Finding:
        """Read the facts side by side, and judge them. Raises `Blocked` while a check that it needs fails."""
        needed = {f"needs {name}": _verdict_of(name) for name in self.check.entry.needs}
        facts, wrong = await asyncio.gather(
            read_facts(reads, {**self.check.entry.facts, **needed}), own_checks.wrong(reads, self.check.name)
        )
        for name in self.check.entry.needs:
            _require(name, facts.pop(f"needs {name}"))
        now = reads.ctx.clock.now()
        unread = next((one.cause for one in facts.values() if isinstance(one, Unread)), None)
        found = await unblocked(all_lines(facts), lambda: judge_check(self.check, facts, now))
        self.finding, self.known = own_checks.called_as(found, wrong), wrong is not None
        self.cause = unread if self.finding.verdict is Verdict.UNKNOWN else None
        return self.finding

    @property
    def failed(self) -> bool:
        """Whether it was made and failed."""
        return self.finding is not None and self.finding.verdict in (Verdict.FAIL, Verdict.WARN)

    @property
    def said(self) -> str:
        """What it found, with its title; the title alone where it was not made."""
        found = self.finding.summary if self.finding is not None else ""
        return found if found.startswith(self.title) else f"{self.title}: {found}".removesuffix(": ")


def _verdict_of(name: str) -> FactUse:
    return FactUse(KINDS["check"], CheckFact(name=name))


def _require(name: str, needed: Fact) -> None:
    """Raise `Blocked` if a needed check fails. One that can't be made blocks nothing: its facts may be others."""
    if isinstance(needed, Record):
        verdict, _, summary = needed.lines[0].partition(": ")
        if verdict in (Verdict.FAIL.value, Verdict.WARN.value):
            raise Blocked(name, words.lower_first(summary))


def status_checks(ctx: CheckContext) -> list[DeclaredCheck]:
    """Return the checks of the target's runbook that are part of `status`."""
    checks = ctx.book.checks.values() if ctx.book is not None else ()
    return [DeclaredCheck(check, ctx.probe_timeout) for check in checks if check.entry.status]


def status_rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that the checks of `status` need for a target."""
    return check_rights(book, [name for name, check in book.checks.items() if check.entry.status], target)


def check_rights(book: CompiledRunbook, names: Sequence[str], target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that these checks need for a target, of those that the runbook has."""
    checks = [book.checks[name] for name in names if name in book.checks]
    found = rights_of(all_facts(book, [use for check in checks for use in _uses(check)]), target)
    own = (right for check in checks for right in own_checks.rights(check.name, target))
    return list(dict.fromkeys([*own, *found]))


def alert_rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that the checks that raise alerts need for a target."""
    return check_rights(
        book, [name for name, check in book.checks.items() if check.entry.alert is not None], target
    )


def _uses(check: CompiledCheck) -> list[FactUse]:
    """A check's facts, and the checks that it needs."""
    return [*check.entry.facts.values(), *map(_verdict_of, check.entry.needs)]


def diagnosis_rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that a runbook's diagnoses need for a target."""
    uses = [use for diagnosis in book.diagnoses.values() for use in diagnosis.facts.values()]
    return rights_of(all_facts(book, uses), target)
