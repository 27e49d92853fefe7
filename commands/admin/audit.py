"""``audit`` lists the newest records, ``audit export`` returns all records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field as Param
from pydantic import field_validator

from bot.domain.core import words
from bot.domain.core.audit import Record
from bot.domain.core.reply import Excerpt, Reply, Table
from bot.domain.core.target import parse_duration
from bot.domain.rbac.roles import Capability
from bot.errors import UsageError
from bot.ports.ledger import Ledger
from bot.runbook.command import Command, Concerns, NoParams, Params
from bot.runbook.context import Context
from commands.shared import requests, shape
from commands.shared.audit_words import about, names, said, when

MOST = 200
EXPORTED = 20_000
"""Records that fit into one file in Slack; a terminal has no such limit."""


class AuditParams(Params):
    """How far back, and how many."""

    since: timedelta = Param(default=timedelta(days=7), description="how far back, such as 24h or 30d")
    tail: int = Param(default=20, ge=1, le=MOST, description="how many at most, the newest")

    @field_validator("since", mode="before")
    @classmethod
    def _duration(cls, value: object) -> timedelta:
        return parse_duration(value)


async def run(ctx: Context, params: AuditParams) -> Reply:
    """Reply with the newest records, newest first."""
    began = ctx.clock.monotonic()
    since = ctx.clock.now() - params.since
    ledger = requests.ledger(ctx)
    found = [r async for r in ledger.records(since=since, limit=params.tail, newest=True)]
    now = ctx.clock.now()
    called = await names(ledger, found)
    rows = tuple((f"{r.number}", when(r, now), said(r, called.get(r.subject, "")), about(r)) for r in found)
    table = Table(("#", "When", "Who and what", "About"), rows, wrapped=(2,))
    return Reply(
        f"{await _counted(ledger, found, since, params.tail)} of {words.the_last(params.since)}"
        if found
        else f"Nothing in {words.the_last(params.since)}",
        tables=(table,) if rows else (),
        buttons=shape.buttons(ctx, [("Verify the audit trail", "audit verify")]),
        notes=shape.notes(ctx, began),
        data={"records": [as_json(r) for r in found]},
        shareable=False,
    )


async def _counted(ledger: Ledger, found: Sequence[Record], since: datetime, tail: int) -> str:
    """Return how many records are shown, the newest, and of how many: their numbers have no gaps."""
    first = [r.number async for r in ledger.records(since=since, limit=1)] if len(found) == tail else []
    total = found[0].number - first[0] + 1 if first else 0
    shown = len(found)
    return f"The last {shown:,} of {total:,} records" if total > shown else words.plural(shown, "record")


async def export(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Reply with all records as JSON lines in a file. Raises UsageError for more than `EXPORTED`."""
    lines: list[str] = []
    async for record in requests.ledger(ctx).records():
        lines.append(line(record))
        if len(lines) > EXPORTED:
            raise UsageError(
                f"There are more than {EXPORTED:,} records: too many for a file in Slack.",
                remedy="Where the bot runs: agentpod audit export > audit.jsonl",
            )
    text = "\n".join(lines) + "\n"
    return Reply(
        f"{words.plural(len(lines), 'record')} of the audit trail",
        excerpts=(Excerpt(text, filename="audit.jsonl"),),
        shareable=False,
    )


def as_json(record: Record) -> Mapping[str, Any]:
    """Return a record as one JSON object, digests included."""
    return {
        "number": record.number,
        "at": record.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "kind": record.kind,
        "actor": record.actor,
        "subject": record.subject,
        "data": record.data,
        "previous": record.previous,
        "digest": record.digest,
        **({"damaged": record.damaged} if record.damaged else {}),
    }


def line(record: Record) -> str:
    """Return a record as a line of an export."""
    return json.dumps(as_json(record), ensure_ascii=False, sort_keys=True)


AUDIT = Command(
    "audit",
    "Who asked for, decided and did what",
    Capability.READ_AUDIT,
    run,
    AuditParams,
    group="Audit",
    concerns=Concerns.ALL,
    examples=("audit --since 24h", "audit --tail 50"),
    details="Every request, decision, refusal, execution and outcome, in a chain of digests that shows changes.",
)
EXPORT = Command(
    "audit export",
    "The whole audit trail as JSON lines",
    Capability.READ_AUDIT,
    export,
    group="Audit",
    concerns=Concerns.ALL,
)
