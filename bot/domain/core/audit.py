"""The hash chain of the audit trail: each record carries the digest of the one before.

The chain itself reveals changed, missing and swapped records, but no missing tail. That is found by a digest kept
elsewhere (`verify`'s ``head``), such as that of an earlier export, and by the traces that actions leave in other
tables of the ledger (`Trace`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Any

from bot.domain.core.lazy_dataclass import dataclass

START = "0" * 64
"""The previous digest of the first record."""


@dataclass(frozen=True)
class Record:
    """One record of the audit trail. ``number`` counts from 1 without gaps."""

    number: int
    at: datetime
    kind: str
    """``request``, ``decision``, ``refusal``, ``execution``, ``outcome``, ``read`` …"""
    actor: str
    """A Slack user id, or ``agentpod`` for what the bot did by itself."""
    subject: str
    """What the record is about: a request's id, a command."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Details, as JSON; never a secret's value."""
    previous: str = START
    digest: str = ""
    damaged: str = ""
    """Which part of the row can't be read, in words; empty for an intact row."""

    def canonical(self) -> bytes:
        """The bytes to digest: ASCII JSON with sorted keys, without spaces; the time in UTC with microseconds."""
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
        """Compute the digest: SHA-256 of `canonical`, in hexadecimal."""
        return hashlib.sha256(self.canonical()).hexdigest()


def chained(record: Record, last: Record | None) -> Record:
    """Append the record to the chain after ``last`` (None: as the first): set its number and digests."""
    number, previous = (last.number + 1, last.digest) if last else (1, START)
    linked = replace(record, number=number, previous=previous)
    return replace(linked, digest=linked.computed())


@dataclass(frozen=True)
class Trace:
    """Audit records that must exist, since other tables have what was written in the same transaction."""

    kind: str
    subject: str
    what: str
    """What the records are about, for messages: ``the outcome of r-…``."""
    least: int = 1


@dataclass(frozen=True)
class Broken:
    """The first break of the chain. ``why`` is a sentence without a full stop."""

    number: int
    why: str


class Verifier:
    """Verifies a chain record by record, in constant memory, so that records can be streamed."""

    def __init__(self, head: str | None = None, traces: Sequence[Trace] = ()) -> None:
        """``head`` is a digest that some record must have (None: any); ``traces`` must be found as well."""
        self.count, self.last = 0, START
        self._head, self._met = head, head is None
        self._broken: Broken | None = None
        self._traces, self._found = traces, Counter[tuple[str, str]]()
        self._wanted = {(t.kind, t.subject) for t in traces}

    def broken_by(self, record: Record) -> bool:
        """Add the next record. Whether the chain breaks at it, or broke before."""
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
        """The first break, None for an intact chain. Call it after the last record."""
        if self._broken is not None:
            return self._broken
        if not self._met:
            return Broken(self.count + 1, f"the end is missing: no record has the digest {self._head}")
        return self._removed()

    def _removed(self) -> Broken | None:
        """The break for traces whose records are missing; None where all were found."""
        gone = [t.what for t in self._traces if self._found[t.kind, t.subject] < t.least]
        if not gone:
            return None
        more = f" and {len(gone) - 1:,} more" if len(gone) > 1 else ""
        if not self.count:
            return Broken(1, f"it was emptied: the ledger has {gone[0]}{more}, and no record of that is left")
        return Broken(self.count + 1, f"records of {gone[0]}{more} are missing")


def verify(records: Iterable[Record], head: str | None = None, traces: Sequence[Trace] = ()) -> Broken | None:
    """Verify a chain: the first break, None for an intact chain. ``head`` and ``traces``: see `Verifier`."""
    check = Verifier(head, traces)
    for record in records:
        if check.broken_by(record):
            break
    return check.broken()
