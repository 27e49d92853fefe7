"""What is remembered of a Secret's values, as keyed fingerprints: whether they changed is seen, not guessed. Pure.

The API server notes when a program last wrote any field that is its own, not whether a value became another one: a
label set by the same program counts there as well, and so does the same value once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

import msgspec

from bot.domain.core.workload import SecretFacts


@dataclass(frozen=True)
class Remembered:
    """The values of the last look. No value can be told from it (`Cluster.secret`)."""

    fingerprints: Mapping[str, str]
    since: datetime
    """The first look with these values."""
    until: datetime
    """The last look with these values."""
    written: datetime | None = None
    """When they were last written, as the API server noted it at the first look."""
    others_until: datetime | None = None
    """The last look with other values, where there was one."""


class Age(Enum):
    """How a Secret's values compare with the moment when the pod started."""

    SAME = "the pod has them"
    CHANGED = "they changed since"
    WRITTEN = "it was written since, perhaps with the same values"
    UNKNOWN = "nobody says when they were written"


def mark(target: str, secret: str) -> str:
    """Under which name it is kept."""
    return f"secret:{target}/{secret}"


def noted(before: Remembered | None, facts: SecretFacts, now: datetime) -> Remembered:
    """The memory after a look."""
    fingerprints = _fingerprints(facts)
    if before is None:
        return Remembered(fingerprints, now, now, facts.changed_at)
    if fingerprints == before.fingerprints:
        return replace(before, until=now)
    return Remembered(fingerprints, now, now, facts.changed_at, before.until)


def age(facts: SecretFacts, started: datetime, memory: Remembered | None) -> Age:
    """Compare the values with those that the pod started with: by memory, else by what the API server notes."""
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
    """When the values last changed, as far as is known: not when something else was written later."""
    if memory is None or memory.fingerprints != _fingerprints(facts):
        return facts.changed_at
    known = [at for at in (facts.changed_at, memory.written or memory.since) if at is not None]
    return min(known)


def _fingerprints(facts: SecretFacts) -> dict[str, str]:
    return {name: f"{value.length}:{value.fingerprint}" for name, value in facts.keys.items()}


def to_json(memory: Remembered) -> str:
    """As the ledger keeps it."""
    return msgspec.json.encode(memory).decode()


def from_json(text: str) -> Remembered | None:
    """From the ledger; None for nothing, and for what :func:`to_json` did not write."""
    try:
        return msgspec.json.decode(text, type=Remembered) if text else None
    except msgspec.MsgspecError:
        return None
