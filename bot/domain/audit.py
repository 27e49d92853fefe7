"""The audit trail's chain: each record carries the digest of the one before, so that a change shows.

It shows changes, gaps and swaps inside the chain. What it can't show by itself is a cut tail: compare the last
digest with one kept elsewhere (`verify`'s ``head``), such as that of an earlier export.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

START = "0" * 64
"""What the first record has for the digest of the one before."""


@dataclass(frozen=True)
class Record:
    """One thing that happened. ``number`` counts from 1 without gaps."""

    number: int
    at: datetime
    kind: str
    """``request``, ``decision``, ``refusal``, ``execution``, ``outcome`` …"""
    actor: str
    """A Slack user id, or ``agentpod`` for what the bot did by itself."""
    subject: str
    """What it is about: a request's id, a command."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """More of it, as JSON; never a secret's value."""
    previous: str = START
    digest: str = ""

    def canonical(self) -> bytes:
        """What is digested: JSON with sorted keys, without blanks, in ASCII; the time in UTC with microseconds."""
        content = {
            "number": self.number,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "kind": self.kind,
            "actor": self.actor,
            "subject": self.subject,
            "data": self.data,
            "previous": self.previous,
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    def computed(self) -> str:
        """The digest that it should have: SHA-256 in hexadecimal."""
        return hashlib.sha256(self.canonical()).hexdigest()


def chained(record: Record, last: Record | None) -> Record:
    """The record as the next one after ``last`` (None: the first), with its number and digests."""
    number, previous = (last.number + 1, last.digest) if last else (1, START)
    linked = replace(record, number=number, previous=previous)
    return replace(linked, digest=linked.computed())


@dataclass(frozen=True)
class Broken:
    """Where the chain breaks first, and how."""

    number: int
    why: str


def verify(records: Iterable[Record], head: str | None = None) -> Broken | None:
    """The first record that does not fit, None for a whole chain. Memory is flat: records may come from a stream.

    ``head`` is a digest that has to be among them, if one is known from elsewhere.
    """
    number, previous, met = 0, START, head is None
    for record in records:
        number += 1
        if record.number != number:
            return Broken(number, f"record {number} is missing: {record.number} comes in its place")
        if record.previous != previous:
            return Broken(number, f"record {number} does not follow the one before it")
        if record.digest != record.computed():
            return Broken(number, f"record {number} was changed after it was written")
        previous, met = record.digest, met or record.digest == head
    return None if met else Broken(number + 1, f"the end is missing: no record has the digest {head}")
