"""``audit verify`` checks the audit trail's chain, and compares it with anchors that were kept elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field as Param

from bot.domain.core import anchors, audit, words
from bot.domain.core.anchors import Anchor, AnchorCheck, KeptAnchors
from bot.domain.core.audit import Verifier
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Fact, Reply
from bot.domain.incidents.audit_traces import traces
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, UsageError
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Context
from bot.services.digest.post_digest import ANCHORS
from commands.shared import requests, shape

_MOST_TRACED = 5_000
"""How many of the newest requests and incidents `verify` expects records for."""
_KEEP = "Keep the database as it is, and compare it with an earlier export or backup."


class VerifyParams(Params):
    """Digests that must be in the chain."""

    head: str | None = Param(
        default=None, pattern="^[0-9a-f]{64}$", description="a digest of an earlier export, which has to be there"
    )
    anchor: str | None = Param(
        default=None,
        max_length=200,
        description="compare with N:DIGEST of a digest's small print; without a value, with all that are kept",
        json_schema_extra={"alone": True, "metavar": "N:DIGEST"},
    )


@dataclass(frozen=True)
class _Findings:
    """What the checks found, in words."""

    headline: str
    verdict: Verdict
    body: Sequence[str] = ()


@dataclass(frozen=True)
class _Known:
    """The anchors to compare with, by where they were kept."""

    anchors: KeptAnchors
    """One that was typed, or those of the ledger."""
    place: str = ""
    """Where more are kept outside the ledger; empty for nowhere."""
    outside: KeptAnchors = field(default_factory=lambda: KeptAnchors([]))
    """Those that are kept there."""
    unread: str = ""
    """Why they could not be read; empty where they were."""
    typed: bool = False
    """Whether the only anchor was typed, so that it may have been miscopied."""

    @property
    def all(self) -> Sequence[Anchor]:
        """Each anchor once."""
        return list(dict.fromkeys([*self.outside.anchors, *self.anchors.anchors]))

    def agreed(self, check: AnchorCheck) -> Sequence[Anchor]:
        """Those that agree and count: where some are kept outside the ledger, no other can be trusted."""
        kept_there = set(self.outside.anchors)
        return [a for a in check.agreed if a in kept_there] if kept_there else check.agreed


async def verify(ctx: Context, params: VerifyParams) -> Reply:
    """Check the whole trail; reply with the first record that breaks it, if any."""
    began = ctx.clock.monotonic()
    ledger = requests.ledger(ctx)
    anchored = await _anchors(ctx, params.anchor)
    # Read before the records, so that everything known here has its records below.
    known = traces(await ledger.requests(limit=_MOST_TRACED), await ledger.incidents(limit=_MOST_TRACED))
    chain, check = audit.Verifier(params.head, known), AnchorCheck(anchored.all if anchored else ())
    async for record in ledger.records():
        if chain.broken_by(record):
            break
        check.add(record)
    broken = chain.broken()
    if broken is not None:
        found = _broken(broken.why, check)
        data = {"broken": broken.number, "why": broken.why}
    else:
        found = _whole(chain) if anchored is None else _of_anchors(anchored, check, chain)
        data = {"records": chain.count, "head": chain.last}
    if anchored is not None:
        data["anchors"] = _as_data(anchored, check, whole=broken is None)
    return Reply(
        found.headline,
        found.verdict,
        body=tuple(found.body),
        facts=(
            Fact("Records", f"{chain.count:,}"),
            Fact("Digest of the last", chain.last, code=True),
            *([Fact("Anchors compared", f"{len(anchored.all):,}")] if anchored is not None else []),
        ),
        notes=shape.notes(ctx, began),
        data=data,
    )


def _as_data(known: _Known, check: AnchorCheck, *, whole: bool) -> dict[str, Any]:
    data: dict[str, Any] = {
        "agree": len(check.agreed),
        "differ": [a.number for a in check.differing],
        "beyond": [a.number for a in check.beyond] if whole else [],
        "unreadable": len(known.anchors.unreadable),
    }
    if known.place:
        data["file"] = {
            "anchors": len(known.outside.anchors),
            "agree": len(set(known.outside.anchors) & set(check.agreed)),
            "unreadable": len(known.outside.unreadable),
            "error": known.unread or None,
        }
    return data


async def _anchors(ctx: Context, value: str | None) -> _Known | None:
    """The anchors to compare with; None where none are asked for. Raises UsageError for what is no anchor."""
    if value is None:
        return None
    if not value:
        return await _kept_anchors(ctx)
    anchor = anchors.typed(value)
    if anchor is None:
        raise UsageError(
            "--anchor takes a record's number and digest, such as 1234:3f9a… with all 64 digits, or no value.",
            remedy="The small print of each daily digest has one. Without a value: those that the bot keeps.",
        )
    return _Known(KeptAnchors([anchor]), typed=True)


async def _kept_anchors(ctx: Context) -> _Known:
    """The ledger's anchors, and those that the settings have kept elsewhere."""
    kept = anchors.kept(await requests.ledger(ctx).mark(ANCHORS) or "")
    store = ctx.anchor_store
    if store is None:
        return _Known(kept)
    try:
        return _Known(kept, store.place, await store.anchors())
    except AgentpodError as error:
        return _Known(kept, store.place, unread=f"{error.message} {error.remedy or ''}".strip())


def _broken(why: str, check: AnchorCheck) -> _Findings:
    body = [f"Before that, {_differs(check.differing[0])}."] if check.differing else []
    return _Findings(f"The audit trail is broken: {why}", Verdict.FAIL, [*body, _KEEP])


def _whole(chain: Verifier) -> _Findings:
    return _Findings(
        f"The audit trail is intact: {words.plural(chain.count, 'record')}",
        Verdict.OK,
        ["Keep the digest elsewhere: `/agentpod audit verify --head …` then also finds missing last records."],
    )


def _of_anchors(known: _Known, check: AnchorCheck, chain: Verifier) -> _Findings:
    """What the anchors say of a trail whose chain is whole."""
    where = _outside(known, check)
    if known.typed and not check.agreed:
        return _typed_differs(known.anchors.anchors[0], chain)
    if check.differing:
        return _Findings(
            f"The audit trail was rewritten: {_differs(check.differing[0])}",
            Verdict.FAIL,
            [_trusted(known, check, check.differing[0].number), *where, _KEEP],
        )
    if check.beyond:
        first = check.beyond[0]
        ends = f"it ends with record {chain.count:,}" if chain.count else "it is empty"
        return _Findings(
            f"The audit trail was cut: {ends}, and record {first.number:,} was anchored{_when(first)}",
            Verdict.FAIL,
            [_trusted(known, check, first.number), *where, _KEEP],
        )
    if unknown := _undecided(known, check):
        return _Findings(unknown[0], Verdict.UNKNOWN, [*unknown[1:], *where])
    return _agrees(known, check)


def _typed_differs(anchor: Anchor, chain: Verifier) -> _Findings:
    """What a typed anchor says that doesn't agree: of a trail that was changed, or of a typing error."""
    if anchor.number <= chain.count:
        differs, how = f"differs from this anchor at record {anchor.number:,}", "rewritten"
    else:
        ends = f"ends with record {chain.count:,}" if chain.count else "is empty"
        differs, how = f"{ends}, and this anchor is of record {anchor.number:,}", "cut"
    return _Findings(
        f"The audit trail {differs}: it was {how}, or the anchor was miscopied",
        Verdict.FAIL,
        ["Compare the anchor with the small print of its digest again, character by character.", _KEEP],
    )


def _undecided(known: _Known, check: AnchorCheck) -> Sequence[str]:
    """Why it isn't known whether the trail was rewritten, headline first; empty where it is."""
    file = (known.outside, known.place, known.place)
    for kept, which, lines_of in (file, (known.anchors, "the ledger", "the ledger's anchors")):
        if kept.unreadable:
            lines = words.listed([f"{n:,}" for n in kept.unreadable[:5]])
            return (
                f"Could not tell whether the audit trail agrees with its anchors: "
                f"{words.plural(len(kept.unreadable), 'anchor')} in {which} can't be read",
                f"Line {lines} of {lines_of}. Those that can be read agree: {len(check.agreed):,}.",
            )
    if known.unread:
        return (
            "Could not tell whether the audit trail was rewritten: the anchors outside the ledger can't be read",
            known.unread,
        )
    if known.agreed(check) and (known.outside.anchors or not known.place):
        return ()
    which = known.place or "the ledger"
    return (
        f"Could not tell whether the audit trail was rewritten: {which} has no anchors yet",
        f"The chain is intact. The next daily digest takes {'one' if check.agreed else 'the first anchor'}.",
    )


def _outside(known: _Known, check: AnchorCheck) -> Sequence[str]:
    """How many of the anchors outside the ledger agree; empty where none could be read there."""
    all_there = set(known.outside.anchors)
    if not all_there:
        return ()
    agreed = len(all_there & set(check.agreed))
    return (f"Anchors in {known.place} that agree: {agreed:,} of {len(all_there):,}.",)


def _agrees(known: _Known, check: AnchorCheck) -> _Findings:
    newest = max(known.agreed(check), key=lambda a: a.number)
    count = len(check.agreed)
    which = f", the newest{_when(newest)}" if count > 1 else _when(newest)
    after = f"Records after {newest.number:,} are verified by the chain alone."
    hint = "Anchors in the ledger can be rewritten with it: compare with one from a digest in Slack as well."
    return _Findings(
        f"The audit trail is intact and agrees with {words.plural(count, 'anchor')}{which}",
        Verdict.OK,
        [after, *(_outside(known, check) or [hint])],
    )


def _differs(anchor: Anchor) -> str:
    when = _when(anchor)
    return f"record {anchor.number:,} doesn't have the digest that was anchored{when}"


def _trusted(known: _Known, check: AnchorCheck, number: int) -> str:
    """Up to where the trail can be trusted, by the last anchor that agrees before the record of that number."""
    before = max((a for a in known.agreed(check) if a.number < number), key=lambda a: a.number, default=None)
    if before is None:
        if any(a.number < number for a in known.all):
            return "No earlier anchor can vouch for it: none of its records can be trusted."
        return "No earlier anchor was compared: none of its records can be trusted."
    return f"It can be trusted up to record {before.number:,}, as anchored{_when(before)}, and not after that."


def _when(anchor: Anchor) -> str:
    return "" if anchor.at is None else f" ({words.moment(anchor.at)})"


VERIFY = Command(
    "audit verify",
    "Whether the audit trail is intact",
    Capability.READ_AUDIT,
    verify,
    VerifyParams,
    group="Audit",
    concerns=Concerns.ALL,
    examples=("audit verify", "audit verify --anchor"),
    details="Each record has the digest of the one before. Anchors also show whether all of it was rewritten.",
)
