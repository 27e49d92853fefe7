"""``diagnose``: finds the cause by the runbook's trees, and shows the line that proves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Excerpt, Fact, Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from commands.shared import shape

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledDiagnosis, CompiledRunbook
    from bot.runbook.file.judge import Citation, Claim, Diagnosed

MOST_CAUSES = 12
"""Most causes that a reply lists as ruled out."""


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
        return _reply(ctx, found, trees[params.tree], began)
    answer, every = await diagnosing.pick(ctx, trees)
    if answer is not None:
        return _reply(ctx, answer, trees[answer.name], began)
    return _nothing(ctx, every, began)


def _reply(ctx: Context, found: Diagnosed, tree: CompiledDiagnosis, began: float) -> Reply:
    """Return the cause with its proof; or that none is proven, with what is known."""
    claim = found.claim
    if claim is None:
        return _nothing(ctx, [found], began, f"{tree.entry.title}: no known cause found")
    return Reply(
        claim.says,
        verdict=Verdict.FAIL,
        body=(claim.remedy,) if claim.remedy else (),
        facts=_facts([found]),
        excerpts=(Excerpt(claim.proof.line, _where(claim.proof), "proof.txt"),),
        buttons=shape.buttons(ctx, _next_steps(claim)),
        notes=shape.notes(ctx, began),
        data=_data([found]),
    )


def _nothing(ctx: Context, every: Sequence[Diagnosed], began: float, said: str = "No known cause found") -> Reply:
    """Return that no cause is proven; it is unknown while one could not be ruled out."""
    unread = [why for found in every for why in found.unread.values()]
    unsure = any(found.open for found in every)
    why = f": {unread[0].reason}" if unread and unsure else ""
    return Reply(
        f"{said}{why}",
        verdict=Verdict.UNKNOWN if unsure else Verdict.OK,
        body=tuple(dict.fromkeys(one.remedy for one in unread if one.remedy)),
        facts=_facts(every),
        buttons=shape.buttons(ctx, [("Status", "status"), ("Logs", "logs")]),
        notes=shape.notes(ctx, began),
        data=_data(every),
    )


def _next_steps(claim: Claim) -> list[tuple[str, str]]:
    offered = [(f"Ask for: {claim.offer}", claim.offer)] if claim.offer else []
    return [*offered, ("Status", "status"), ("Logs", "logs")]


def _where(proof: Citation) -> str:
    return f"Proof: {proof.source}" + (f", read at {words.clock(proof.at)}" if proof.at is not None else "")


def _facts(every: Sequence[Diagnosed]) -> tuple[Fact, ...]:
    """Return what else was found, what was ruled out, and what could not be read."""
    also = [claim.says for found in every for claim in found.claims[1:]]
    ruled_out = [_ruled_out(one.cause, one.by) for found in every for one in found.ruled_out]
    unknown = [f"{one.cause} ({one.reason})" for found in every for one in found.open]
    unread = dict(pair for found in every for pair in found.unread.items())
    made = [Fact("Also found", "; ".join(also))] if also else []
    ruled_out = list(dict.fromkeys(ruled_out))
    if ruled_out:
        more = len(ruled_out) - MOST_CAUSES
        shown = ruled_out[:MOST_CAUSES] + ([f"{more} more"] if more > 0 else [])
        made.append(Fact("Ruled out", ", ".join(shown)))
    if unknown:
        made.append(Fact("Not decided", "; ".join(unknown[:MOST_CAUSES])))
    if unread:
        made.append(Fact("Not read", "; ".join(f"{source}: {why.reason}" for source, why in unread.items())))
    return tuple(made)


def _ruled_out(cause: str, by: Citation | None) -> str:
    return cause if by is None else f"{cause} (“{words.cut(by.line, 80)}”)"


def _data(every: Sequence[Diagnosed]) -> dict[str, object]:
    return {
        "diagnoses": [
            {
                "name": found.name,
                "causes": [{"cause": c.cause, "says": c.says, "proof": c.proof.line} for c in found.claims],
                "ruled_out": [one.cause for one in found.ruled_out],
                "not_decided": {one.cause: one.reason for one in found.open},
            }
            for found in every
        ]
    }


def _rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    from bot.services.runbook import declared_check

    return declared_check.diagnosis_rights(book, target)


COMMAND = Command(
    name="diagnose",
    audited=True,
    summary="Find the cause, with the line that proves it",
    needs=Capability.VIEW,
    run=run,
    params=DiagnoseParams,
    examples=("diagnose", "diagnose crash"),
    details="Goes through the trees of the runbook's Troubleshooting chapter. A cause is named only with the line "
    "that proves it; what was ruled out and what could not be read is listed.",
    runbook_rights=_rights,
)
