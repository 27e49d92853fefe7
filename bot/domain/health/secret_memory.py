"""Remember keyed fingerprints of a Secret's values, to detect when they change. Pure.

The API server only records when a program last wrote any of its fields, which includes labels and values that
stayed the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

import msgspec

from bot.domain.core.bounded_state import WHOLE, digest
from bot.domain.core.look import last_of
from bot.domain.core.workload import SecretFacts

MOST = 1000
"""Most fingerprints that are kept one by one."""
CLOSE = timedelta(minutes=15)
"""Maximum between two polls with different values for the time of the change to be known."""


@dataclass(frozen=True)
class Remembered:
    """Fingerprints of the values at the last poll. They don't reveal the values (`Cluster.secret`)."""

    fingerprints: Mapping[str, str]
    since: datetime
    """The first poll with these values."""
    until: datetime
    """The last poll with these values."""
    written: datetime | None = None
    """When they were last written, as the API server reported at the first poll with them."""
    others_until: datetime | None = None
    """The last poll with other values; None where there was none."""
    key: str = ""
    """The id of the key of the fingerprints: those made with another key can't be compared with them."""


class Age(Enum):
    """Whether a Secret's values changed since the pod started."""

    SAME = "the pod has them"
    CHANGED = "they changed since"
    WRITTEN = "it was written since, perhaps with the same values"
    UNKNOWN = "nobody says when they were written"


def mark(target: str, secret: str) -> str:
    """The key under which the ledger stores the memory."""
    return f"secret:{target}/{secret}"


def dated(memory: Remembered, now: datetime) -> Remembered:
    """The memory without times that are still to come, which a clock gave that was ahead."""
    if memory.until <= now and memory.since <= now:
        return memory
    known = (memory.until, memory.since, memory.others_until, memory.written)
    others = memory.others_until if memory.others_until is not None and memory.others_until <= now else None
    return replace(memory, since=min(memory.since, now), until=last_of(known, now), others_until=others)


def noted(before: Remembered | None, facts: SecretFacts, now: datetime) -> Remembered:
    """Update the memory after a poll."""
    fingerprints, before = _fingerprints(facts), _comparable(before, facts)
    if before is not None and fingerprints == before.fingerprints:
        return replace(before, until=now)
    others_until = before.until if before is not None else None
    return Remembered(fingerprints, now, now, facts.changed_at, others_until, facts.fingerprint_key)


def age(facts: SecretFacts, started: datetime, memory: Remembered | None) -> Age:
    """Compare the values with those at the pod's start: by the memory, else by the API server's timestamps."""
    memory = _comparable(memory, facts)
    if memory is not None and memory.fingerprints == _fingerprints(facts):
        if memory.since <= started or (memory.written is not None and memory.written <= started):
            return Age.SAME
        if memory.others_until is not None and memory.others_until >= started:
            return Age.CHANGED
    elif memory is not None and memory.until >= started:
        return Age.CHANGED
    if facts.changed_at is None:
        return Age.UNKNOWN
    if facts.changed_at <= started:
        return Age.SAME
    return Age.CHANGED if facts.changed_surely else Age.WRITTEN


def changed_at(facts: SecretFacts, memory: Remembered | None) -> datetime | None:
    """When the values last changed, as far as is known; later writes of other fields don't count."""
    memory = _comparable(memory, facts)
    if memory is None or memory.fingerprints != _fingerprints(facts):
        return facts.changed_at
    known = [at for at in (facts.changed_at, memory.written or memory.since) if at is not None]
    return min(known)


@dataclass(frozen=True)
class Change:
    """The last change of a Secret's values, as far as is known."""

    unchanged_since: datetime | None
    """No value has changed since then; None where that is not known."""
    known: bool
    """Whether a value is known to have changed at that time; else only a write is known, or nothing."""


def last_change(facts: SecretFacts, memory: Remembered | None) -> Change:
    """Tell a change of a value from a mere write, without knowing what to compare it with."""
    memory = _comparable(memory, facts)
    at = changed_at(facts, memory)
    if at is None:
        return Change(None, known=False)
    if memory is None:
        return Change(at, facts.changed_surely)
    if memory.fingerprints != _fingerprints(facts):
        at = max(at, memory.until)
        return Change(at, facts.changed_surely or at - memory.until <= CLOSE)
    surely = facts.changed_surely and at == facts.changed_at
    return Change(at, surely or (memory.others_until is not None and memory.since - memory.others_until <= CLOSE))


def _comparable(memory: Remembered | None, facts: SecretFacts) -> Remembered | None:
    """Return the memory if its fingerprints were made with the same key; values of two keys differ in any case."""
    return memory if memory is not None and facts.fingerprint_key and memory.key == facts.fingerprint_key else None


def _fingerprints(facts: SecretFacts) -> Mapping[str, str]:
    return _kept({name: f"{value.length}:{value.fingerprint}" for name, value in facts.keys.items()})


def _kept(fingerprints: Mapping[str, str]) -> Mapping[str, str]:
    """The fingerprints, or one digest of very many."""
    return fingerprints if len(fingerprints) <= MOST else {WHOLE: digest(sorted(fingerprints.items()))}


def to_json(memory: Remembered) -> str:
    """Serialize for the ledger."""
    return msgspec.json.encode(memory).decode()


def from_json(text: str) -> Remembered | None:
    """Deserialize; None for an empty text and for what `to_json` did not write."""
    try:
        found = msgspec.json.decode(text, type=Remembered) if text else None
    except (msgspec.MsgspecError, RecursionError):
        return None
    return replace(found, fingerprints=_kept(found.fingerprints)) if found is not None else None
