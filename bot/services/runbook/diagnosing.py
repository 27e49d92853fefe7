"""Makes diagnoses: reads all their facts once, side by side, and has them judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.runbook.kind import FactUse
from bot.runbook.file.compiled import CompiledDiagnosis
from bot.runbook.file.judge import Diagnosed, diagnose
from bot.runbook.file.known import Fact
from bot.services.health.reads import CheckContext, reads_for
from bot.services.runbook.read_facts import all_lines, read_facts, seconds_of, unblocked


async def run(ctx: CheckContext, diagnoses: Sequence[CompiledDiagnosis]) -> list[Diagnosed]:
    """Make several diagnoses; a fact that they share is read once."""
    uses: dict[str, FactUse] = {f"{d.name} {name}": use for d in diagnoses for name, use in d.facts.items()}
    longest = max((seconds_of(use, ctx.probe_timeout) for use in uses.values()), default=0.0)
    with reads_for(ctx, [longest]) as [reads]:
        facts = await read_facts(reads, uses)
    now = ctx.clock.now()
    return await unblocked(all_lines(facts), lambda: [diagnose(one, _of(one, facts), now) for one in diagnoses])


def _of(diagnosis: CompiledDiagnosis, facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {name: facts[f"{diagnosis.name} {name}"] for name in diagnosis.facts}
