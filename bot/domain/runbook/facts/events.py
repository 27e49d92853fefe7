"""The events about the target's pods."""

from __future__ import annotations

import re
from typing import Any

from bot.domain.runbook.kind import FactKind, FactSettings
from bot.domain.runbook.record import Record

_LINE = re.compile(r"(Normal|Warning) (\S+) (\S+): (.*)")


class Events(FactSettings):
    """Events of the target's pods and its Deployment, newest first."""

    def describe(self) -> str:
        """The kubectl line that shows them."""
        return "`kubectl get events`"


def values(record: Record) -> dict[str, Any]:
    """Return each event as a map with ``type``, ``reason``, ``object``, ``message``; and the warnings' lines."""
    found = [match.groups() for line in record.lines if (match := _LINE.fullmatch(line)) is not None]
    events = [dict(zip(("type", "reason", "object", "message"), one, strict=True)) for one in found]
    warnings = [line for line in record.lines if line.startswith("Warning ")]
    return {"events": events, "warnings": warnings, "lines": list(record.lines)}


KIND = FactKind(
    "events",
    "Events about the target's pods, newest first, as lines `Warning FailedMount pod/name: message`",
    Events,
    {"events": "list(dyn)", "warnings": "list(string)", "lines": "list(string)"},
    values,
    rows=("events",),
)
