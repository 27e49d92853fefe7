"""Compare the keys of a Secret or ConfigMap with those at the last look: what changed, by names only. Pure.

A state maps each key to a fingerprint of its value. Two more entries, whose names no key can have, hold the
object's uid (empty: it is not there) and the id of the fingerprints' key. Where there are very many keys, groups
of them are kept as one digest each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.domain.core.bounded_state import MERGED, WHOLE, alike, bounded
from bot.domain.core.change import CREATED, CREATED_AGAIN, DELETED, REPLACED, keys_changed, named
from bot.domain.core.look import Compare, Fingerprints, State
from bot.domain.core.workload import SecretFacts

MOST = 1000
"""Most keys that are compared one by one; more are compared by groups."""
UID, KEY = "/uid", "/key"
GONE: State = {UID: ""}
"""The state of an object that is not there."""


def of_secret(facts: SecretFacts) -> State:
    """The state of a Secret."""
    values = {name: f"{value.length}:{value.fingerprint}" for name, value in facts.keys.items()}
    return _state(facts.uid, facts.fingerprint_key, values)


def of_config_map(raw: Mapping[str, Any], prints: Fingerprints | None) -> State:
    """The state of a ConfigMap, as the API server's JSON; without ``prints`` only the names of its keys count."""
    uid = str((raw.get("metadata") or {}).get("uid", ""))
    values = {
        str(name): prints.of(json.dumps([field, value])) if prints is not None else ""
        for field in ("data", "binaryData")
        for name, value in (raw.get(field) or {}).items()
    }
    return _state(uid, prints.id if prints is not None else "", values)


def _state(uid: str, key: str, values: State) -> State:
    return {UID: uid, KEY: key, **bounded(values, MOST, _group)}


def _group(name: str) -> str:
    """A key's first word."""
    return "" if name in (UID, KEY) else re.split("[._-]", name, maxsplit=1)[0] or name[:1]


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
    before, after = alike(before, after, _group)
    had, has = before.get(UID, ""), after.get(UID, "")
    if not has:
        return DELETED if had else ""
    if not had and KEY not in before:
        return CREATED
    first = ""
    if had != has:
        first = REPLACED if had else CREATED_AGAIN
    keys = ", ".join(filter(None, _keys_changed(*_comparable(before, after))))
    return ": ".join(part for part in (first, keys) if part)


def _keys_changed(before: State, after: State) -> Sequence[str]:
    """What changed about the keys that are kept one by one, and about those that are kept as one digest."""
    merged = {name for name in (*before, *after) if name.endswith(MERGED)}
    single = [{name: value for name, value in state.items() if name not in merged} for state in (before, after)]
    differ = [name for name in merged if before.get(name) != after.get(name)]
    if not differ:
        return [keys_changed(*single)]
    begin = "" if WHOLE in differ else f" that begin with {named(name.removesuffix(MERGED) for name in differ)}"
    return [keys_changed(*single), f"keys{begin} changed (too many to name)"]


def _comparable(before: State, after: State) -> Sequence[State]:
    """The keys of both; without fingerprints where those were made with another key, so can't be compared."""
    both = [{name: value for name, value in state.items() if name not in (UID, KEY)} for state in (before, after)]
    if after.get(KEY) and before.get(KEY) == after[KEY]:
        return both
    return [dict.fromkeys(state, "") for state in both]
