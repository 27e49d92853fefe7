"""Anchors of the audit trail: the number and digest of its last record at some moment, kept outside the trail.

A trail that was rewritten from its start is a valid chain again, but its records have other digests than those
that were anchored. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.domain.core.audit import Record
from bot.domain.core.lazy_dataclass import dataclass

MOST_KEPT = 400
"""Anchors that the ledger keeps, the newest."""
_FORM = re.compile(r"([1-9][0-9]{0,14}):([0-9a-f]{64})")


@dataclass(frozen=True)
class Anchor:
    """A record's number and digest at a moment."""

    number: int
    digest: str
    at: datetime | None = None
    """When it was taken; None where that isn't known, as of one that was typed."""
    key: str = ""
    """Identifies it: the day of the digest that it was taken for."""

    def __str__(self) -> str:
        """The form in which people copy it, ``1234:3f9a…``."""
        return f"{self.number}:{self.digest}"

    def as_json(self) -> Mapping[str, Any]:
        """The anchor as a JSON object."""
        at = None if self.at is None else self.at.astimezone(UTC).isoformat()
        return {"key": self.key, "at": at, "number": self.number, "digest": self.digest}


@dataclass(frozen=True)
class KeptAnchors:
    """Anchors as they are kept, one JSON object a line."""

    anchors: Sequence[Anchor]
    unreadable: Sequence[int] = ()
    """The numbers of the lines that can't be read, from 1."""


def typed(text: str) -> Anchor | None:
    """Parse an anchor as people copy it, ``N:DIGEST``; None for anything else."""
    found = _FORM.fullmatch(text.strip().lower())
    return Anchor(int(found[1]), found[2]) if found else None


def kept(text: str) -> KeptAnchors:
    """Parse lines of anchors. Lines that can't be read are counted, never skipped."""
    anchors, unreadable = [], []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            anchors.append(_parsed(line))
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            unreadable.append(number)
    return KeptAnchors(anchors, unreadable)


def line(anchor: Anchor) -> str:
    """The anchor as a line, without its end."""
    return json.dumps(anchor.as_json())


def appended(text: str) -> KeptAnchors:
    """Parse a file that anchors are appended to.

    A line that is the beginning of the following one is a write that was cut off and made again.
    """
    lines, found = text.splitlines(), kept(text)
    repeated = {
        number for number in found.unreadable if "".join(lines[number : number + 1]).startswith(lines[number - 1])
    }
    return KeptAnchors(found.anchors, [number for number in found.unreadable if number not in repeated])


def with_anchor(text: str, anchor: Anchor) -> str:
    """The lines with another anchor at their end, and the oldest beyond `MOST_KEPT` dropped."""
    return "\n".join([*text.splitlines(), line(anchor)][-MOST_KEPT:])


def of_key(text: str, key: str) -> Anchor | None:
    """The anchor with that key among the lines; None where there is none."""
    return next((a for a in kept(text).anchors if a.key == key), None)


def _parsed(line: str) -> Anchor:
    said = json.loads(line)
    anchor = typed(f"{said['number']}:{said['digest']}")
    if anchor is None:
        raise ValueError("no anchor")
    at = datetime.fromisoformat(said["at"])
    return Anchor(anchor.number, anchor.digest, at if at.tzinfo else at.replace(tzinfo=UTC), str(said["key"]))


class AnchorCheck:
    """Compares a trail with anchors, record by record. Its records' chain is verified elsewhere."""

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        """Start before the first record."""
        self._waiting: dict[int, list[Anchor]] = {}
        for anchor in anchors:
            self._waiting.setdefault(anchor.number, []).append(anchor)
        self.agreed: list[Anchor] = []
        self.differing: list[Anchor] = []
        """Anchors whose record has another digest now, by number."""

    def add(self, record: Record) -> None:
        """Compare the next record."""
        for anchor in self._waiting.pop(record.number, ()):
            (self.agreed if anchor.digest == record.digest else self.differing).append(anchor)

    @property
    def beyond(self) -> Sequence[Anchor]:
        """Anchors of records that were not met, by number."""
        return [anchor for number in sorted(self._waiting) for anchor in self._waiting[number]]
