"""Settings with mistakes, as far as they can be used: for `agentpod check`, which reports all mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.settings import loader
from bot.settings.explain import mistakes, sentences
from bot.settings.loader import Loaded
from bot.settings.model import Settings

_ROUNDS = 20
"""Most rounds of leaving out what is wrong."""


@dataclass(frozen=True)
class Usable:
    """The settings without their mistakes, and the mistakes."""

    loaded: Loaded
    problems: tuple[str, ...] = ()
    damaged: frozenset[str] = frozenset()
    """The dotted names of what was left out."""

    def judgeable(self, needs: Iterable[str]) -> bool:
        """Whether nothing was left out of the settings or sections that are named."""
        return not any(_overlap(need, gone) for need in needs for gone in self.damaged)


def _overlap(one: str, other: str) -> bool:
    """Whether one of two dotted names is the other, or holds it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def load_usable(
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Usable:
    """Read all sources as `load` does, but leave out what is wrong instead of raising for it."""
    sources = loader.read(config=config, environ=environ, flags=flags)
    merged, damaged = deepcopy(sources.merged), set(sources.unread)
    problems = list(sources.problems)
    for number in range(_ROUNDS):
        try:
            settings = Settings.from_sources(merged, sources.origins)
            break
        except ValidationError as error:
            if number == 0:  # later ones may only follow from what was left out
                problems += sentences(error, sources.origins, merged)
            damaged |= _leave_out(merged, mistakes(error))
    else:
        settings, damaged = Settings(), set(Settings.model_fields)
    return Usable(Loaded(settings, sources.origins), tuple(problems), frozenset(damaged))


def _leave_out(merged: dict[str, Any], errors: Sequence[Any]) -> set[str]:
    """Take what is wrong out of the data; returns the names of what is damaged by that.

    An unknown setting damages its whole section, since it may be meant to be any of them.
    """
    damaged = set()
    for error in errors:
        place = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
        damaged |= {".".join(map(str, place))} if place else set(Settings.model_fields)
    # From the last to the first, so that a list's earlier places stay what they are.
    places = {tuple(error["loc"]) for error in errors}
    for place in sorted(places, key=lambda loc: [str(part).rjust(6, "0") for part in loc], reverse=True):
        _remove(merged, place)
        if not place:
            merged.clear()
    return damaged


def _remove(data: Any, place: tuple[int | str, ...]) -> None:
    """Remove the value at ``place``, else the nearest around it; the last item of a list goes with the list."""
    around: list[tuple[Any, Any]] = []
    for part in place:
        there = part in data if isinstance(data, dict) else isinstance(data, list) and _within(part, data)
        if not there:
            break
        around.append((data, part))
        data = data[part]
    while around:
        holder, part = around.pop()
        del holder[part]
        if holder or not isinstance(holder, list):
            return


def _within(part: Any, items: list[Any]) -> bool:
    return isinstance(part, int) and part < len(items)
