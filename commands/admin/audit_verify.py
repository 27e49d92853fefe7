"""``audit verify`` checks the audit trail's chain, and compares it with anchors that were kept elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field as Param

from bot.domain.core import anchors, audit, words
from bot.domain.core.anchors import Anchor, AnchorCheck, KeptAnchors
from bot.domain.core.audit import Verifier
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Fact, Reply
from bot.domain.incidents.audit_traces import traces
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.runbook.command import Command, Params
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
        description="compare with N:DIGEST of a digest's small print; without a value, with the ledger's anchors",
        json_schema_extra={"alone": True, "metavar": "N:DIGEST"},
    )


@dataclass(frozen=True)
class _Findings:
    """What the checks found, in words."""

    headline: str
    verdict: Verdict
    body: Sequence[str] = ()


async def verify(ctx: Context, params: VerifyParams) -> Reply:
    """Check the whole trail; reply with the first record that breaks it, if any."""
    began = ctx.clock.monotonic()
    ledger = requests.ledger(ctx)
    kept = await _anchors(ctx, params.anchor)
    # Read before the records, so that everything known here has its records below.
    known = traces(await ledger.requests(limit=_MOST_TRACED), await ledger.incidents(limit=_MOST_TRACED))
    chain, anchored = audit.Verifier(params.head, known), AnchorCheck(kept.anchors if kept else ())
    async for record in ledger.records():
        if chain.broken_by(record):
            break
        anchored.add(record)
    broken, now = chain.broken(), ctx.clock.now()
    if broken is not None:
        found = _broken(broken.why, anchored, now)
        data = {"broken": broken.number, "why": broken.why}
    else:
        found = _whole(chain) if kept is None else _of_anchors(kept, anchored, chain, now)
        data = {"records": chain.count, "head": chain.last}
    if kept is not None:
        data["anchors"] = {
            "agree": len(anchored.agreed),
            "differ": [a.number for a in anchored.differing],
            "beyond": [] if broken is not None else [a.number for a in anchored.beyond],
            "unreadable": len(kept.unreadable),
        }
    return Reply(
        found.headline,
        found.verdict,
        body=tuple(found.body),
        facts=(Fact("Records", f"{chain.count:,}"), Fact("Digest of the last", chain.last, code=True)),
        notes=shape.notes(ctx, began),
        data=data,
    )


async def _anchors(ctx: Context, value: str | None) -> KeptAnchors | None:
    """The anchors to compare with; None where none are asked for. Raises UsageError for what is no anchor."""
    if value is None:
        return None
    if not value:
        return anchors.kept(await requests.ledger(ctx).mark(ANCHORS) or "")
    anchor = anchors.typed(value)
    if anchor is None:
        raise UsageError(
            "--anchor takes a record's number and digest, such as 1234:3f9a… with all 64 digits, or no value.",
            remedy="The small print of each daily digest has one. Without a value: those in the ledger.",
        )
    return KeptAnchors([anchor])


def _broken(why: str, check: AnchorCheck, now: datetime) -> _Findings:
    body = [f"Before that, {_differs(check.differing[0], now)}."] if check.differing else []
    return _Findings(f"The audit trail is broken: {why}", Verdict.FAIL, [*body, _KEEP])


def _whole(chain: Verifier) -> _Findings:
    return _Findings(
        f"The audit trail is whole: {words.plural(chain.count, 'record')}",
        Verdict.OK,
        ["Keep the digest elsewhere: audit verify --head … then also finds a cut end."],
    )


def _of_anchors(kept: KeptAnchors, check: AnchorCheck, chain: Verifier, now: datetime) -> _Findings:
    """What the anchors say of a trail whose chain is whole."""
    if check.differing:
        return _Findings(
            f"The audit trail was rewritten: {_differs(check.differing[0], now)}",
            Verdict.FAIL,
            [_trusted(check, check.differing[0].number, now), _KEEP],
        )
    if check.beyond:
        first = check.beyond[0]
        ends = f"it ends with record {chain.count:,}" if chain.count else "it is empty"
        return _Findings(
            f"The audit trail was cut: {ends}, and record {first.number:,} was anchored{_when(first, now)}",
            Verdict.FAIL,
            [_trusted(check, first.number, now), _KEEP],
        )
    if kept.unreadable:
        lines = words.listed([f"{n:,}" for n in kept.unreadable[:5]])
        return _Findings(
            f"Unknown whether the audit trail agrees with its anchors: "
            f"{words.plural(len(kept.unreadable), 'anchor')} in the ledger can't be read",
            Verdict.UNKNOWN,
            [f"Line {lines} of the ledger's anchors. Those that can be read agree: {len(check.agreed):,}."],
        )
    if not check.agreed:
        return _Findings(
            "Unknown whether the audit trail was rewritten: the ledger has no anchors yet",
            Verdict.UNKNOWN,
            ["The chain itself is whole. The next daily digest takes the first anchor."],
        )
    return _agrees(check, now)


def _agrees(check: AnchorCheck, now: datetime) -> _Findings:
    newest = max(check.agreed, key=lambda a: a.number)
    count = len(check.agreed)
    which = f", the newest{_when(newest, now)}" if count > 1 else _when(newest, now)
    after = f"Records after {newest.number:,} are verified by the chain alone."
    return _Findings(
        f"The audit trail is whole and agrees with {words.plural(count, 'anchor')}{which}",
        Verdict.OK,
        [
            after,
            "Anchors in the ledger can be rewritten with it: compare with one from a digest in Slack as well.",
        ],
    )


def _differs(anchor: Anchor, now: datetime) -> str:
    when = _when(anchor, now)
    return f"record {anchor.number:,} doesn't have the digest that was anchored{when}"


def _trusted(check: AnchorCheck, number: int, now: datetime) -> str:
    """Up to where the trail can be trusted, by the last anchor that agrees before the record of that number."""
    before = max((a for a in check.agreed if a.number < number), key=lambda a: a.number, default=None)
    if before is None:
        return "No earlier anchor agrees: none of its records can be trusted."
    return (
        f"It can be trusted up to record {before.number:,}, as anchored{_when(before, now)}, and not after that."
    )


def _when(anchor: Anchor, now: datetime) -> str:
    return "" if anchor.at is None else f" ({words.moment(anchor.at, now)})"


VERIFY = Command(
    "audit verify",
    "Whether the audit trail is whole",
    Capability.READ_AUDIT,
    verify,
    VerifyParams,
    group="Repair",
    examples=("audit verify", "audit verify --anchor"),
    details="Each record has the digest of the one before. Anchors also show that all of it was rewritten.",
)
