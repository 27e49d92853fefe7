"""``identity``: which user each container runs as; root is always a failure."""

from __future__ import annotations

from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Fact, Reply, Table
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import run_checks
from bot.services.health.checks.identity import IdentityCheck
from commands.shared import part_answer


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Run ``id`` in each container and compare with the settings."""
    began = ctx.clock.monotonic()
    check = IdentityCheck()
    outcomes = await run_checks(ctx, [check])
    seen = check.identities
    expected = {spec.name: spec.user or "anybody but root" for spec in ctx.target.containers}
    rows = tuple((i.container, i.said, expected.get(i.container, "-")) for i in seen)
    verdicts = tuple(i.verdict for i in seen)
    return part_answer.reply(
        ctx,
        part_answer.without(outcomes, {f"{i.container}: {i.said}" for i in seen}),
        began,
        own="identity",
        body=check.unwatched,
        facts=_facts(*rows[0], seen[0].verdict) if len(rows) == 1 else (),
        tables=[Table(("Container", "Runs as", "Expected"), rows, "", verdicts)] if len(rows) > 1 else (),
        more=(("Processes", "processes"),),
        data={"identities": [{"container": i.container, "id": i.said, "verdict": i.verdict.value} for i in seen]},
    )


def _facts(container: str, said: str, expected: str, verdict: Verdict) -> tuple[Fact, ...]:
    """Return one container as facts: a table with a single row would be too wide for a phone."""
    runs_as = Fact("Runs as", said, verdict, code=True)
    return (Fact("Container", container, code=True), runs_as, Fact("Expected", expected, code=True))


COMMAND = Command(
    name="identity",
    audited=True,
    summary="Which user each container runs as",
    needs=Capability.VIEW,
    run=run,
    examples=("identity",),
    details="Runs id in each container of the settings. Root is never right.",
    rights=IdentityCheck.rights,
)
