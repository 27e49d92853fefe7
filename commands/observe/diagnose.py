"""``diagnose``: finds the cause by the runbook's trees, and shows the line that proves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from commands.shared import diagnosis, shape

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
    if params.tree:
        [found] = await diagnosing.run(ctx, [trees[params.tree]])
        return _reply(ctx, found, [found], began)
    answer, every = await diagnosing.pick(ctx, trees)
    if answer is not None:
        return _reply(ctx, answer, every, began)
    return _nothing(ctx, every, began)


def _reply(ctx: Context, found: Diagnosed, every: Sequence[Diagnosed], began: float) -> Reply:
    """Return the cause with its proof; or that none is proven, with what is known."""
    claim = found.claim
    if claim is None:
        return _nothing(ctx, [found], began)
    others = [*found.claims[1:], *(one for other in every if other.fits for one in other.claims)]
    return Reply(
        claim.says,
        verdict=Verdict.FAIL,
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


def _nothing(ctx: Context, every: Sequence[Diagnosed], began: float) -> Reply:
    """Return that no cause is proven, and what was not looked at."""
    unread = [why for found in every for why in found.unread.values()]
    one = every[0] if len(every) == 1 else None
    return Reply(
        _headline(every, unread, "Nothing found wrong" if one is None else f"{one.title}: no known cause found"),
        verdict=_verdict(every),
        body=tuple(dict.fromkeys(why.remedy for why in unread if why.remedy)),
        facts=(
            *diagnosis.not_looked_at(every),
            *(diagnosis.counted(every) if one is None else diagnosis.ruled_out(one)),
        ),
        buttons=shape.buttons(ctx, [("Status", "status"), ("Logs", "logs")]),
        notes=shape.notes(ctx, began),
        data=dict(diagnosis.as_data(every)),
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

    return declared_check.diagnosis_rights(book, target)


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
    runbook_rights=_rights,
)
