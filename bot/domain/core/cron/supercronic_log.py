"""What supercronic's log says of the crontab: that it has read it, or why it ended. Pure.

Source: supercronic 0.2.48, ``main.go``. It logs by logrus, as text or as JSON; it ends at a line that it refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

_TEXT = re.compile(r'time="[^"]*" level=(?P<level>\w+) msg=(?P<msg>"(?:[^"\\]|\\.)*"|\S+)(?P<rest>.*)')
_READ = "read crontab: "


@dataclass(frozen=True)
class CrontabReads:
    """What the lines say, by the last word on it."""

    read: bool = False
    refused: str = ""
    """Why it ended; empty where it did not."""


def crontab_reads(lines: Iterable[str]) -> CrontabReads:
    """What the log's lines say, oldest first."""
    found = CrontabReads()
    for line in lines:
        level, message = _entry(line)
        if level == "info" and message.startswith(_READ):
            found = CrontabReads(read=True, refused=found.refused)
        elif level in ("fatal", "panic"):
            found = CrontabReads(found.read, message)
    return found


def _entry(line: str) -> tuple[str, str]:
    """Level and message of an entry of supercronic's own; empty for a job's output and other programs' lines."""
    if line.startswith("{"):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return "", ""
        own = isinstance(entry, dict) and not any(str(key).startswith("job.") for key in entry)
        return (str(entry.get("level", "")), str(entry.get("msg", ""))) if own else ("", "")
    match = _TEXT.fullmatch(line.strip())
    if match is None or "job." in match["rest"]:
        return "", ""
    return match["level"], _unquoted(match["msg"])


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text)) if text.startswith('"') else text
    except ValueError:
        return text.strip('"')
