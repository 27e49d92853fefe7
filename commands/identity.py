"""``identity``: as whom each container runs. Never root."""

from __future__ import annotations

from bot.domain.access import Role
from bot.domain.reply import Reply, Table
from bot.runbook import Command, Context, NoParams
from commands import _answer, _shape
from commands._checks import Checks
from commands._probes import run_probes
from commands._reads import Reads


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Run ``id`` in each container and compare with the settings."""
    began = ctx.clock.monotonic()
    async with Reads(ctx) as reads:
        checks = Checks(ctx, reads)
        outcomes = await run_probes([checks.identity()], ctx.probe_timeout)
    seen = checks.seen.identities
    expected = {spec.name: spec.user or "anybody but root" for spec in ctx.target.containers}
    rows = tuple((i.container, i.said, expected.get(i.container, "-")) for i in seen)
    return _answer.reply(
        ctx,
        outcomes,
        began,
        own="identity",
        tables=[Table(("Container", "Runs as", "Expected"), rows, "", tuple(i.verdict for i in seen))],
        more=(("Processes", "processes"),),
        data={"identities": [{"container": i.container, "id": i.said, "verdict": i.verdict.value} for i in seen]},
    )


COMMAND = Command(
    name="identity",
    summary="As whom each container runs",
    role=Role.VIEWER,
    run=run,
    examples=("identity",),
    details="Runs id in each container of the settings. Root is never right.",
    rights=lambda _: (*_shape.POD_READ, *_shape.EXEC),
)
