"""``diagnose``: finds the cause by the runbook's trees, and shows the line that proves it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from bot.domain.core import summary, words
from bot.domain.core.probes import Verdict, worst
from bot.domain.core.reply import Reply
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.health.check import run_checks
from bot.services.health.checks import registry
from commands.shared import diagnosis, shape
from commands.shared.all_checks import all_checks
from commands.shared.folding import folded

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledRunbook
    from bot.runbook.file.judge import Claim, Diagnosed
    from bot.runbook.file.known import Unread


class DiagnoseParams(Params):
    """Which tree."""

    tree: str = Field(default="", json_schema_extra={"positional": True}, max_length=60)
    """A diagnosis of the runbook; empty: the one that has an answer."""


async def run(ctx: Context, params: DiagnoseParams) -> Reply:
    """Go through one tree, or through all and answer with the one that finds a cause."""
    from bot.services.runbook import diagnosing

    began = ctx.clock.monotonic()
    trees = ctx.book.diagnoses if ctx.book is not None else {}
    if not trees:
        return Reply("The runbook has no diagnoses", notes=shape.notes(ctx, began))
    if params.tree and params.tree not in trees:
        raise UsageError(f"There is no diagnosis {params.tree!r}.", usage=f"diagnose [{'|'.join(trees)}]")
    status = asyncio.create_task(run_checks(ctx, all_checks(ctx)), name="status beside a diagnosis")
    try:
        if params.tree:
            answer, every = None, await diagnosing.run(ctx, [trees[params.tree]])
        else:
            answer, every = await diagnosing.pick(ctx, trees)
        results = await status
    finally:
        status.cancel()
    found = answer or (every[0] if params.tree else None)
    if found is None or found.claim is None:
        return _nothing(ctx, every, results, began)
    return _reply(ctx, found, found.claim, every, results, began)


def _reply(
    ctx: Context,
    found: Diagnosed,
    claim: Claim,
    every: Sequence[Diagnosed],
    results: Sequence[ProbeResult],
    began: float,
) -> Reply:
    """Return the cause with its proof. Where only the past is explained and nothing fails now, it is a warning."""
    over = found.past and summary.overall([one.finding for one in results]).badness < Verdict.UNKNOWN.badness
    others = [*found.claims[1:], *(one for other in every if other.fits for one in other.claims)]
    return Reply(
        claim.says,
        verdict=Verdict.WARN if over else Verdict.FAIL,
        proof=diagnosis.proof(claim),
        body=(claim.remedy,) if claim.remedy else (),
        facts=(
            *diagnosis.also_found(others, claim),
            *diagnosis.ruled_out(found),
            *diagnosis.not_looked_at([found]),
        ),
        buttons=shape.buttons(ctx, _next_steps(ctx, claim)),
        notes=shape.notes(ctx, began, f"diagnose {found.name}: {found.title}"),
        data=dict(diagnosis.as_data([found])),
    )


def _nothing(ctx: Context, every: Sequence[Diagnosed], results: Sequence[ProbeResult], began: float) -> Reply:
    """Return that no cause is proven, what `status` finds wrong nevertheless, and what was not looked at."""
    unread = [why for found in every for why in found.unread.values()]
    one = every[0] if len(every) == 1 else None
    headline = _headline(
        every, unread, "Nothing found wrong" if one is None else f"{one.title}: no known cause found"
    )
    findings = folded(ctx.target, results)
    known = {why.reason for why in unread}
    bad = [
        one for one in findings if one.verdict is not Verdict.OK and words.lower_first(one.summary) not in known
    ]
    if bad and (one is None or summary.overall(bad) is Verdict.FAIL):
        headline = summary.headline(findings, len(results))
    return Reply(
        headline,
        verdict=worst([_verdict(every), *(finding.verdict for finding in bad)]),
        body=(
            *((_unexplained(one),) if bad else ()),
            *(() if bad else dict.fromkeys(why.remedy for why in unread if why.remedy and not why.not_allowed)),
        ),
        findings=shape.addressed(ctx, bad),
        facts=(
            *diagnosis.not_looked_at(every),
            *(diagnosis.counted(every) if one is None else diagnosis.ruled_out(one)),
        ),
        buttons=shape.buttons(ctx, [("Status", "status"), ("Logs", "logs")]),
        notes=shape.notes(ctx, began),
        data=dict(diagnosis.as_data(every)),
    )


def _unexplained(one: Diagnosed | None) -> str:
    return (
        "The runbook knows no cause for it:" if one is None else f"diagnose {one.name} finds no cause. In status:"
    )


def _verdict(every: Sequence[Diagnosed]) -> Verdict:
    """Unknown while a cause could not be ruled out; ok where all that is missing is a right that nobody gave."""
    undecided = [one for found in every for one in found.open]
    only_rights = all(one.not_allowed for one in undecided) and any(found.ruled_out for found in every)
    return Verdict.OK if not undecided or only_rights else Verdict.UNKNOWN


def _headline(every: Sequence[Diagnosed], unread: Sequence[Unread], nothing: str) -> str:
    if not any(found.open for found in every):
        return nothing
    if unread and not any(found.ruled_out for found in every):
        return f"Could not tell: {unread[0].reason}"
    return f"{nothing}; not looked at: {diagnosis.open_titles(every)}"


def _next_steps(ctx: Context, claim: Claim) -> list[tuple[str, str]]:
    offered = [shape.offered(ctx, claim.offer, claim.says)] if claim.offer else []
    return [*offered, ("Status", "status"), ("Logs", "logs")]


def _rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    from bot.services.runbook import declared_check

    return [*declared_check.diagnosis_rights(book, target), *declared_check.status_rights(book, target)]


COMMAND = Command(
    name="diagnose",
    audited=True,
    threaded=True,
    summary="Find the cause, with the line that proves it",
    needs=Capability.VIEW,
    run=run,
    params=DiagnoseParams,
    examples=("diagnose", "diagnose crash"),
    details="Goes through the trees of the runbook's Troubleshooting chapter. A cause is named only with the line "
    "that proves it; what was ruled out and what could not be read is listed.",
    rights=registry.rights,
    runbook_rights=_rights,
)
