"""Compare the keys of a Secret or ConfigMap with those at the last look: what changed, by names only. Pure.

A state maps each key to a fingerprint of its value. Two more entries, whose names no key can have, hold the
object's uid (empty: it is not there) and the id of the fingerprints' key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.domain.core.change import CREATED, CREATED_AGAIN, DELETED, REPLACED, keys_changed
from bot.domain.core.look import Compare, Fingerprints, State
from bot.domain.core.workload import SecretFacts

UID, KEY = "/uid", "/key"
GONE: State = {UID: ""}
"""The state of an object that is not there."""


def of_secret(facts: SecretFacts) -> State:
    """The state of a Secret."""
    values = {name: f"{value.length}:{value.fingerprint}" for name, value in facts.keys.items()}
    return {UID: facts.uid, KEY: facts.fingerprint_key, **values}


def of_config_map(raw: Mapping[str, Any], prints: Fingerprints | None) -> State:
    """The state of a ConfigMap, as the API server's JSON; without ``prints`` only the names of its keys count."""
    uid = str((raw.get("metadata") or {}).get("uid", ""))
    values = {
        str(name): prints.of(json.dumps([field, value])) if prints is not None else ""
        for field in ("data", "binaryData")
        for name, value in (raw.get(field) or {}).items()
    }
    return {UID: uid, KEY: prints.id if prints is not None else "", **values}


def order(resource_version: str) -> str:
    """A text that is higher for a later resource version; empty where it is no number."""
    return resource_version.zfill(20) if resource_version.isdecimal() else ""


def merged(before: State, after: State) -> State:
    """The state to compare the next look with: of an object that is gone, also the keys that it had."""
    return after if after.get(UID) else {**before, UID: ""}


def compare(name: str) -> Compare:
    """The comparison of two states of the object of that name."""
    return lambda before, after: [(name, "", said)] if (said := _changes(before, after)) else []


def _changes(before: State, after: State) -> str:
    had, has = before.get(UID, ""), after.get(UID, "")
    if not has:
        return DELETED if had else ""
    if not had and KEY not in before:
        return CREATED
    first = ""
    if had != has:
        first = REPLACED if had else CREATED_AGAIN
    keys = keys_changed(*_comparable(before, after))
    return ": ".join(part for part in (first, keys) if part)


def _comparable(before: State, after: State) -> Sequence[State]:
    """The keys of both; without fingerprints where those were made with another key, so can't be compared."""
    both = [{name: value for name, value in state.items() if name not in (UID, KEY)} for state in (before, after)]
    if after.get(KEY) and before.get(KEY) == after[KEY]:
        return both
    return [dict.fromkeys(state, "") for state in both]
