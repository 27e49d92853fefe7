"""Reads what a restart would cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from bot.domain.approvals.forecast import Loss
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.runbook.kind import FactUse
from bot.runbook.file.compiled import CompiledImpact, CompiledRunbook
from bot.runbook.file.judge_repair import judge_impact
from bot.runbook.file.known import Fact
from bot.services.health.reads import CheckContext, reads_for
from bot.services.runbook.read_facts import all_facts, all_lines, read_facts, rights_of, unblocked

SECONDS = 3.0
"""Deadline of all facts together: somebody waits for the card."""


async def read(ctx: CheckContext, names: Collection[str] | None = None) -> list[Loss]:
    """Return what would be lost, of all entries or of those named. What can't be read is unknown."""
    entries = _named(ctx.book, names) if ctx.book is not None else []
    uses: dict[str, FactUse] = {f"{e.name} {name}": use for e in entries for name, use in e.entry.facts.items()}
    with reads_for(ctx, [min(SECONDS, ctx.probe_timeout)]) as [reads]:
        found = await read_facts(reads, uses)
    now = ctx.clock.now()
    return await unblocked(all_lines(found), lambda: [_loss(e, found, now) for e in entries])


def _loss(impact: CompiledImpact, found: Mapping[str, Fact], now: datetime) -> Loss:
    return judge_impact(impact, {name: found[f"{impact.name} {name}"] for name in impact.entry.facts}, now)


def _named(book: CompiledRunbook, names: Collection[str] | None) -> list[CompiledImpact]:
    return [entry for name, entry in book.impact.items() if names is None or name in names]


def rights(book: CompiledRunbook, target: Target, names: Collection[str] | None = None) -> Sequence[Right]:
    """Return the Kubernetes rights that the entries need: all of them, or those named."""
    uses = [use for entry in _named(book, names) for use in entry.entry.facts.values()]
    return rights_of(all_facts(book, uses), target)
