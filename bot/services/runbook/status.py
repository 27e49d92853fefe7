"""What `status` says of a target. Home, `/agentpod` alone, a diagnosis and the digest say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.domain.core import summary
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.services.health.check import Check, Progress, run_checks
from bot.services.health.folding import folded
from bot.services.health.reads import CheckContext
from bot.services.runbook.all_checks import all_checks

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledRunbook

BESIDE: Mapping[str, tuple[str, str]] = {"egress-valid": ("Egress policy", "egress")}
"""Checks of the runbook that another command shows in full: their title here, and that command.

They are shown only where they fail: what they judge need not be there.
"""


@dataclass(frozen=True)
class Status:
    """What was found."""

    checks: Sequence[Check]
    """All that were made, those of `BESIDE` included."""
    results: Sequence[ProbeResult]
    """Without those of `BESIDE` that don't fail."""
    findings: Sequence[Finding]
    """What people are told: folded, worst first."""
    notes: Sequence[str] = ()
    """A note on each of `BESIDE` that could not be made."""

    @property
    def verdict(self) -> Verdict:
        """The worst one."""
        return summary.overall(self.findings)

    @property
    def headline(self) -> str:
        """Whether it is healthy, and if not, what is worst and how many such problems there are."""
        return summary.headline(self.findings, len(self.results))


class StatusChecks:
    """The checks that `status` makes of a target."""

    def __init__(self, ctx: CheckContext) -> None:
        """Read the target's runbook, unless it was read before."""
        self.ctx = ctx
        self.beside = _beside(ctx)
        self.every: Sequence[Check] = [*all_checks(ctx), *self.beside]

    async def run(self, progress: Progress | None = None) -> Status:
        """Make them side by side; ``progress`` is told of those that are always shown."""

        async def told(results: Sequence[ProbeResult], pending: Sequence[str]) -> None:
            if progress is not None:
                titles = {one.title for one in self.beside}
                came = [one for one in results if one.finding.probe not in BESIDE]
                await progress(came, [title for title in pending if title not in titles])

        results, notes = _told_apart(await run_checks(self.ctx, self.every, told), self.beside)
        return Status(self.every, results, folded(self.ctx.target, results), notes)


def _beside(ctx: CheckContext) -> list[Check]:
    """The checks of `BESIDE` that the runbook has, and that are not part of `status` anyway."""
    from bot.services.runbook.declared_check import DeclaredCheck

    known = ctx.book.checks if ctx.book is not None else {}
    wanted = [known[name] for name in BESIDE if name in known and not known[name].entry.status]
    made: list[Check] = [DeclaredCheck(check, ctx.probe_timeout) for check in wanted]
    for one in made:
        one.title = BESIDE[one.id][0]
    return made


def rights_beside(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that the checks of `BESIDE` need."""
    from bot.services.runbook import declared_check

    return declared_check.check_rights(book, list(BESIDE), target)


def _told_apart(results: Sequence[ProbeResult], beside: Sequence[Check]) -> tuple[list[ProbeResult], list[str]]:
    """The results without those of ``beside`` that don't fail; and a note on each that could not be made."""
    ids = {check.id for check in beside}
    mine = [one for one in results if one.finding.probe not in ids]
    silent = any(one.finding.verdict is Verdict.UNKNOWN for one in mine)  # what keeps others may keep these
    notes = []
    for one in (one for one in results if one.finding.probe in ids):
        title, command = BESIDE[one.finding.probe]
        if one.finding.verdict in (Verdict.FAIL, Verdict.WARN):
            said = f"{title[:1].lower()}{title[1:]} not valid: {one.finding.summary.removeprefix('not valid, ')}"
            finding = replace(one.finding, title=title, summary=said)
            mine.append(replace(one, finding=replace(finding, run=f"/agentpod {command}")))
        elif one.finding.verdict is Verdict.UNKNOWN and not silent:
            notes.append(f"{title} {summary.NOT_MADE}{one.finding.summary.removeprefix(summary.NOT_MADE)}")
    return mine, notes
