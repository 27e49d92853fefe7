"""``diagnose``: finds the cause by the runbook's trees, and shows the line that proves it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import Field

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict, worst
from bot.domain.core.reply import Link, Reply
from bot.domain.core.summary import UnknownCause
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod, Right
from bot.domain.health import judge_pod, pod_state
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.health import folding
from bot.services.health.checks import registry
from bot.services.health.checks.events import EventsCheck
from bot.services.health.checks.pod import PodCheck
from bot.services.runbook.status import Status, StatusChecks
from commands.observe import crash_log
from commands.shared import as_in_status, diagnosis, shape
from commands.shared.not_looked_at import not_looked_at

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.compiled import CompiledRunbook
    from bot.runbook.file.judge import Claim, Diagnosed
    from bot.runbook.file.known import Unread


_MORE = (("Status", "status"), ("Logs", "logs"))


class DiagnoseParams(Params):
    """Which tree."""

    tree: str = Field(default="", json_schema_extra={"positional": True}, max_length=60)
    """A diagnosis of the runbook; empty: the one that has an answer."""
    first: str = Field(default="", max_length=60)
    """The diagnosis that counts first among those that have an answer, where the runbook has it."""


async def run(ctx: Context, params: DiagnoseParams) -> Reply:
    """Go through one tree, or through all and answer with the one that finds a cause."""
    from bot.runbook.file import judge
    from bot.services.runbook import diagnosing

    began = ctx.clock.monotonic()
    trees = ctx.book.diagnoses if ctx.book is not None else {}
    if not trees:
        return Reply("The runbook has no diagnoses", notes=shape.notes(ctx, began))
    if params.tree and params.tree not in trees:
        raise UsageError(
            f"There is no diagnosis {params.tree!r}.", usage=f"{ctx.prefix} diagnose [{'|'.join(trees)}]"
        )
    reading = asyncio.create_task(StatusChecks(ctx).run(), name="status beside a diagnosis")
    try:
        ordered = sorted(trees, key=lambda name: name != params.first)
        every = await diagnosing.run(ctx, [trees[name] for name in ([params.tree] if params.tree else ordered)])
        status = await reading
    finally:
        reading.cancel()
    pods = [pod for check in status.checks if isinstance(check, PodCheck) for pod in judge_pod.live(check.pods)]
    every = [as_in_status.restated(one, status.findings) for one in every]
    made = _Made(ctx, bool(params.tree), every, status, pods, began)
    found = every[0] if params.tree else judge.answering(made.ordered(params.first), recovered=made.recovered)
    if found is None or found.claim is None:
        return await _nothing(made)
    # What is over, or only a warning, explains nothing that fails now.
    warns = made.failing and made.verdict(found, found.claim) is not Verdict.FAIL
    if not params.tree and (warns or (made.is_over(found) and made.warns_of_more)):
        return await _nothing(made)
    return _reply(made, found, found.claim)


@dataclass(frozen=True)
class _Made:
    """The diagnoses that were made, and `status` beside them."""

    ctx: Context
    named: bool
    """Whether one tree was asked for by its name."""
    every: Sequence[Diagnosed]
    status: Status
    pods: Sequence[Pod]
    """The live pods, as the check of the pod read them."""
    began: float

    @cached_property
    def failing(self) -> list[Finding]:
        """The checks that fail now."""
        return [one for one in self.status.findings if one.verdict is Verdict.FAIL]

    def ordered(self, first: str) -> list[Diagnosed]:
        """The diagnoses in the order of what fails in `status`, but for ``first``.

        Where the pod itself fails, the runbook's order counts: the other failures may follow from it.
        """
        by_status = bool(self.failing) and self.failing[0].probe != PodCheck.id
        key = {one.name: as_in_status.place(one.claims, self.failing) if by_status else 0 for one in self.every}
        return sorted(self.every, key=lambda one: (one.name != first, key[one.name]))

    @cached_property
    def unknown(self) -> list[Finding]:
        """The checks that are unknown now."""
        return [one for one in self.status.findings if one.verdict is Verdict.UNKNOWN]

    @property
    def warns_of_more(self) -> bool:
        """Whether a check warns of something, besides those that warn of what the pod went through."""
        bad = [one for one in self.status.findings if one.verdict is not Verdict.OK]
        warned = any(one.probe not in (PodCheck.id, EventsCheck.id) for one in bad)
        return warned and self.status.verdict is Verdict.WARN

    @cached_property
    def causes(self) -> dict[tuple[str, ...], UnknownCause]:
        """What kept checks of `status` from being made, which says it and what helps."""
        return {one.cause.key: one.cause for one in self.status.results if one.cause is not None}

    @cached_property
    def unread(self) -> list[Unread]:
        """The facts that could not be read."""
        return [why for found in self.every for why in found.unread.values()]

    @cached_property
    def again(self) -> set[str]:
        """The command lines of what was made here: none of them helps further."""
        return {*(f"diagnose {one.name}" for one in self.every), *(() if self.named else ("diagnose",))}

    def in_status(self, unread: Unread) -> bool:
        """Whether `status` says why a fact could not be read."""
        return unread.cause is not None and unread.cause.key in self.causes

    @property
    def recovered(self) -> bool:
        """Whether the pod itself is ready now, whatever it went through, and whatever else can't be read."""
        return bool(self.pods) and all(pod_state.is_ready(pod) for pod in self.pods)

    def is_over(self, found: Diagnosed) -> bool:
        """Whether all that a diagnosis explains is over."""
        return found.past and self.recovered

    def verdict(self, found: Diagnosed, claim: Claim) -> Verdict:
        """How bad the claims are: what is over is a warning."""
        return worst(
            [
                Verdict.WARN if self.is_over(found) else claim.verdict,
                *(other.verdict for other in self.others(found)[0]),
            ]
        )

    def others(self, but: Diagnosed | None) -> tuple[list[Claim], list[Claim]]:
        """The claims besides the first one of ``but``: those that hold now, and those of what is over."""
        now: list[Claim] = []
        over: list[Claim] = []
        for one in self.every:
            if one.fits or one is but:
                (over if self.is_over(one) else now).extend(one.claims[1:] if one is but else one.claims)
        return sorted(now, key=lambda claim: as_in_status.place([claim], self.failing)), over

    def headline(self, claim: Claim) -> str:
        """The cause; of several problems in `status` how many there are, where it is about the first of them."""
        count = len(self.failing)
        if self.named or count < 2 or not as_in_status.says(claim, self.failing[0]):
            return claim.says
        return f"{claim.says} (the first of {count} problems)"


def _reply(made: _Made, found: Diagnosed, claim: Claim) -> Reply:
    """Return the cause with its proof. It hides nothing that fails, or is unknown, in `status`."""
    now, over = made.others(found)
    beside = (one.verdict for one in (*made.failing, *made.unknown))
    return Reply(
        made.headline(claim),
        verdict=worst([made.verdict(found, claim), *beside]),
        proof=diagnosis.proof(claim),
        body=(shape.for_reader(made.ctx, helps),) if (helps := _remedy(made, claim)) else (),
        facts=(
            *diagnosis.also_found(now, claim),
            *diagnosis.earlier(over, claim),
            *diagnosis.in_status("Fails in status", as_in_status.not_said(made.failing, [claim, *now])),
            *diagnosis.in_status("Unknown in status", made.unknown),
            *diagnosis.ruled_out(found),
            *not_looked_at([found]),
        ),
        buttons=shape.buttons(made.ctx, _next_steps(made.ctx, claim, now)),
        links=_links(made.ctx, found),
        notes=shape.notes(made.ctx, made.began, f"diagnose {found.name}: {found.title}"),
        data=dict(diagnosis.as_data([found])),
    )


async def _nothing(made: _Made) -> Reply:
    """Return that no cause is proven, what `status` finds wrong nevertheless, and what was not looked at."""
    every, one = made.every, made.every[0] if made.named else None
    now, over = made.others(None)
    bad = [finding for finding in made.status.findings if finding.verdict is not Verdict.OK]
    headline = _headline(made, f"diagnose {one.name} finds no cause" if one else "Nothing found wrong", bad)
    log = await crash_log.of(made.ctx, bad, made.pods)
    instead = None if any(found.open for found in every) else _ON_THE_WAY
    return Reply(
        headline,
        verdict=worst([_verdict(every), *(finding.verdict for finding in bad)]),
        body=(
            *((_unexplained(made, headline),) if made.status.verdict is not Verdict.UNKNOWN and bad else ()),
            *_remedies(made),
        ),
        findings=shape.addressed(made.ctx, [diagnosis.without(finding, made.again, instead) for finding in bad]),
        facts=(
            *diagnosis.also_found(now, None),
            *diagnosis.earlier(over, None),
            *not_looked_at(every, made.causes.values()),
            *(diagnosis.counted(every) if one is None else diagnosis.ruled_out(one)),
        ),
        excerpts=log.excerpts,
        shows_log=bool(log.excerpts),
        buttons=shape.buttons(made.ctx, [*_offered(made.ctx, now), *_looks(bad), *_MORE]),
        links=_links(made.ctx, one),
        notes=shape.notes(made.ctx, made.began, *log.notes),
        data=dict(diagnosis.as_data(every)),
    )


_ON_THE_WAY = (
    "Nothing that the runbook looks at in the pod explains it. Look at its log, and at what is between you and "
    "the pod, such as the load balancer or a firewall."
)
"""The remedy of a service that does not answer, where its diagnosis looked at everything and finds no cause."""


def _remedy(made: _Made, claim: Claim) -> str:
    """What helps against a cause; empty where that is the diagnosis which was just made."""
    helps = claim.remedy or ""
    return "" if diagnosis.asks_for(helps, made.again) else helps


def _looks(bad: Sequence[Finding]) -> list[tuple[str, str]]:
    """Where to look next, by what `status` finds wrong."""
    return [*folding.source_steps(bad), *folding.log_step(bad)]


def _links(ctx: Context, found: Diagnosed | None) -> tuple[Link, ...]:
    if ctx.links is None:
        return ()
    name, url = (found.name, found.runbook_url) if found is not None else ("", "")
    return ctx.links.of_diagnosis(ctx.target.name, name, url)


def _unexplained(made: _Made, headline: str) -> str:
    """What stands above the findings of `status`: which causes may be there, or that none is known."""
    titles = diagnosis.open_titles(made.every)
    if not titles and not made.named:
        return "The runbook knows no cause for it:"
    said = f"Could not rule out {titles}" if titles else f"diagnose {made.every[0].name} finds no cause"
    return "In status:" if headline.startswith(said) else f"{said}. In status:"


def _verdict(every: Sequence[Diagnosed]) -> Verdict:
    """Unknown while a cause could not be ruled out; ok where all that is missing is a right that nobody gave."""
    undecided = [one for found in every for one in found.open]
    only_rights = all(one.not_allowed for one in undecided) and any(found.ruled_out for found in every)
    return Verdict.OK if not undecided or only_rights else Verdict.UNKNOWN


def _headline(made: _Made, nothing: str, bad: Sequence[Finding]) -> str:
    """The worst of `status`, which may hide the cause; else what the trees found, or what kept them from it."""
    found, unread = made.every, made.unread
    hides = any(one.open for one in found) and any(map(made.in_status, unread))
    if bad and (not made.named or made.status.verdict is Verdict.FAIL or hides):
        return made.status.headline
    if not any(one.open for one in found):
        return nothing
    if unread and not any(one.ruled_out for one in found):
        return f"Could not tell: {unread[0].reason}"
    if _verdict(found) is Verdict.OK:
        return f"{nothing}; not looked at: {diagnosis.open_titles(found)}"
    return f"Could not rule out {diagnosis.open_titles(found)}; otherwise {words.lower_first(nothing)}"


def _remedies(made: _Made) -> list[str]:
    """What helps against what could not be read, where `status` doesn't say it."""
    unread = [why for why in made.unread if why.remedy and not why.not_allowed and not made.in_status(why)]
    return list(dict.fromkeys(why.remedy for why in unread))


def _next_steps(ctx: Context, claim: Claim, others: Sequence[Claim]) -> list[tuple[str, str]]:
    offered = _offered(ctx, [claim, *others])
    return [*offered, *diagnosis.commands_in(claim.remedy or ""), *_MORE]


def _offered(ctx: Context, claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """The repairs that causes offer, each once, for the first cause that does."""
    first = {claim.offer: claim for claim in reversed(claims) if claim.offer}
    ordered = [claim for claim in claims if first.get(claim.offer) is claim]
    return [shape.offered(ctx, claim.offer, claim.says) for claim in ordered]


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
    rights=crash_log.added_to(registry.rights),
    runbook_rights=_rights,
)
