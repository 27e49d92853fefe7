"""The audit trail's chain: each record carries the digest of the one before, so that a change shows.

It shows changes, gaps and swaps inside the chain. What it can't show by itself is a cut tail: that shows by a
digest kept elsewhere (`verify`'s ``head``), such as that of an earlier export, and by what else the ledger has
(`Trace`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    damaged: str = ""
    """What of its row can't be read at all, in words; the rest of it is as good as could be made out."""

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
class Trace:
    """Records that must be there, since the ledger has what they were written with."""

    kind: str
    subject: str
    what: str
    """What they are about, in words: ``the outcome of r-…``."""
    least: int = 1


@dataclass(frozen=True)
class Broken:
    """Where the chain breaks first, and how: a whole sentence without a full stop."""

    number: int
    why: str


class Verifier:
    """Tries a chain record by record, so that memory is flat and records may come from a stream."""

    def __init__(self, head: str | None = None, traces: Sequence[Trace] = ()) -> None:
        """``head`` is a digest that has to be among them, if one is known; ``traces`` are, too."""
        self.count, self.last = 0, START
        self._head, self._met = head, head is None
        self._broken: Broken | None = None
        self._traces, self._found = traces, Counter[tuple[str, str]]()
        self._wanted = {(t.kind, t.subject) for t in traces}

    def broken_by(self, record: Record) -> bool:
        """Whether the chain breaks at this record (or broke before)."""
        if self._broken is None:
            self._broken = self._flaw(record)
        if self._broken is None:
            self.count, self.last = record.number, record.digest
            self._met = self._met or record.digest == self._head
            if (about := (record.kind, record.subject)) in self._wanted:
                self._found[about] += 1
        return self._broken is not None

    def _flaw(self, record: Record) -> Broken | None:
        number = self.count + 1
        if record.number != number:
            last = record.number - 1
            gone = f"records {number:,} to {last:,} are" if last > number else f"record {number:,} is"
            return Broken(number, f"{gone} missing" if last >= number else f"record {number:,} is out of order")
        if record.damaged:
            return Broken(number, f"record {number:,} was changed after it was written: {record.damaged}")
        if record.previous != self.last:
            return Broken(number, f"record {number:,} does not follow the one before it")
        if record.digest != record.computed():
            return Broken(number, f"record {number:,} was changed after it was written")
        return None

    def broken(self) -> Broken | None:
        """The first record that does not fit, None for a whole chain; to be asked at the end."""
        if self._broken is not None:
            return self._broken
        if not self._met:
            return Broken(self.count + 1, f"the end is missing: no record has the digest {self._head}")
        return self._removed()

    def _removed(self) -> Broken | None:
        """What else the ledger has and the trail has not."""
        gone = [t.what for t in self._traces if self._found[t.kind, t.subject] < t.least]
        if not gone:
            return None
        more = f" and {len(gone) - 1:,} more" if len(gone) > 1 else ""
        if not self.count:
            return Broken(1, f"it was emptied: the ledger has {gone[0]}{more}, and no record of that is left")
        return Broken(self.count + 1, f"records of {gone[0]}{more} are missing")


def verify(records: Iterable[Record], head: str | None = None, traces: Sequence[Trace] = ()) -> Broken | None:
    """The first record that does not fit, None for a whole chain. ``head`` and ``traces``: see `Verifier`."""
    check = Verifier(head, traces)
    for record in records:
        if check.broken_by(record):
            break
    return check.broken()
