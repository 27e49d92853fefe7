"""What `status` says of a target. Home, `/agentpod` alone, a diagnosis and the digest say the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.core import summary
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.summary import ProbeResult, Unmade
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.services.health.check import Check, Progress, run_checks
from bot.services.health.folding import folded
from bot.services.health.reads import CheckContext
from bot.services.runbook import egress, watched
from bot.services.runbook.all_checks import all_checks

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledRunbook


@dataclass(frozen=True)
class Status:
    """What was found."""

    checks: Sequence[Check]
    """All that were made."""
    results: Sequence[ProbeResult]
    """What is listed: of the checks, those on the egress policy as one; and incidents that no check is about."""
    findings: Sequence[Finding]
    """What people are told: folded, worst first."""
    unmade: Sequence[Unmade] = ()
    """What was not checked and is no finding."""

    @property
    def notes(self) -> list[str]:
        """A line for each thing that was not checked."""
        return [one.note for one in self.unmade]

    @property
    def verdict(self) -> Verdict:
        """The worst one."""
        return summary.overall(self.findings)

    @property
    def headline(self) -> str:
        """Whether it is healthy, and if not, what is worst and how many such problems there are."""
        return summary.headline(self.findings, len(self.results), unmade=self.unmade)


class StatusChecks:
    """The checks that `status` makes of a target."""

    def __init__(self, ctx: CheckContext) -> None:
        """Read the target's runbook, unless it was read before."""
        self.ctx = ctx
        self.of_policy = egress.checks_of(ctx)
        self.every: Sequence[Check] = [*all_checks(ctx), *self.of_policy]

    @property
    def titles(self) -> list[str]:
        """What is listed where nothing else is wrong."""
        return list(dict.fromkeys(check.title for check in self.every))

    async def run(self, progress: Progress | None = None) -> Status:
        """Make them side by side; ``progress`` is told of what came, and of what has not."""

        async def told(results: Sequence[ProbeResult], pending: Sequence[str]) -> None:
            if progress is not None:
                whole = [one for one in results if self._title(one.finding.probe) not in pending]
                await progress(egress.one_line(whole, self.of_policy)[0], list(dict.fromkeys(pending)))

        made, (open_, unread) = await asyncio.gather(
            run_checks(self.ctx, self.every, told), watched.incidents_of(self.ctx)
        )
        results, policy = egress.one_line(made, self.of_policy)
        results += watched.unsaid(open_, made)
        unmade = [one for one in (policy, unread) if one is not None]
        return Status(self.every, results, folded(self.ctx.target, results), unmade)

    def _title(self, probe: str) -> str:
        return next((check.title for check in self.every if check.id == probe), "")


def rights_beside(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that the runbook's checks of the egress policy need."""
    return egress.rights(book, target)
