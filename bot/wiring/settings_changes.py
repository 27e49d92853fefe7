"""Compares the bot's settings with those of its last start, to record which of them changed; never a value."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from bot.domain.core import words
from bot.domain.core.bounded_state import alike, bounded
from bot.domain.core.change import BOT, SETTINGS, keys_changed
from bot.domain.core.look import Fingerprints, Look, State
from bot.ports.clock import Clock
from bot.services.change_log import ChangeLog
from bot.settings.model import Settings

MOST = 1000
"""Most settings that are compared one by one; more are compared by groups."""
AGAIN = 30.0
"""Seconds until settings that could not be compared, since the ledger can't be reached, are tried again."""


async def note(settings: Settings, log: ChangeLog, clock: Clock) -> None:
    """Compare the settings once."""
    prints = log.fingerprints
    if prints is None:
        return
    given = settings.model_dump(exclude_defaults=True)
    look = Look(BOT, SETTINGS, _state(given, prints), clock.now(), fingerprinted=True)
    await log.note(look, compare)
    while not log.holds(look):
        await asyncio.sleep(AGAIN)
        await log.note(look, compare)


def compare(before: State, after: State) -> list[tuple[str, str, str]]:
    """The names of the settings that differ, as one change."""
    said = keys_changed(*alike(before, after, _group))
    return [("", "", said)] if said else []


def _state(given: Mapping[str, Any], prints: Fingerprints) -> State:
    """Setting → fingerprint of its value; of all its values where two have one name, such as two access rules."""
    found: dict[str, list[str]] = {}
    for path, value in _leaves(given, ""):
        found.setdefault(path, []).append(value)
    state = {path: prints.of(texts[0] if len(texts) == 1 else json.dumps(texts)) for path, texts in found.items()}
    return bounded(state, MOST, _group)


def _group(path: str) -> str:
    return path.partition(".")[0]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield each setting that is given: its name and its value as text."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple) and value and all(isinstance(one, Mapping) for one in value):
        for number, one in enumerate(value):
            yield from _leaves(one, f"{path}[{one.get('name') or number}]")
    else:
        yield words.cut(path, 200), _text(value)


def _text(value: Any) -> str:
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    return json.dumps(plain, sort_keys=True, default=_told)


def _told(value: Any) -> Any:
    """A value that JSON has no word for; sets in a fixed order, secrets by what they are."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)
