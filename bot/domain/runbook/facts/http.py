"""What a web server answers."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from bot.domain.runbook.facts.address import Served
from bot.domain.runbook.kind import FactKind, Unreadable
from bot.domain.runbook.record import BINARY, Record, not_text


class Http(Served):
    """An address that is read with GET, without following redirects."""


def values(record: Record) -> dict[str, Any]:
    """Return status and body; ``json`` only where that is JSON. Raises `Unreadable` for one that is no text."""
    body = "\n".join(record.lines)
    found: dict[str, Any] = {"lines": list(record.lines), "body": body}
    if "status" in record.outcome:
        found["status"] = int(record.outcome["status"])
    if said := not_text(record.outcome):
        raise Unreadable(said, known={"status": found["status"]} if "status" in found else None)
    with contextlib.suppress(ValueError, RecursionError):
        found["json"] = json.loads(body)
    return found


KIND = FactKind(
    "http",
    "What a web server answers to GET",
    Http,
    {"status": "int", "body": "string", "lines": "list(string)", "json": "dyn"},
    values,
    {"status": "200"},
    ("status", BINARY),
)
