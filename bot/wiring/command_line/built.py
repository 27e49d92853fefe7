"""Reads the command line's entries from the commands and the settings. Makes no connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from bot.domain.core import words
from bot.domain.runbook.param import Param
from bot.runbook.arguments import argument_name, is_positional, is_switch, may_stand_alone, value_name
from bot.runbook.command import Command
from bot.settings.model import Settings
from bot.wiring.command_line.entries import COMMON, OWN, Entry, Flag, Known, Place, names

_TIMES = ("30m", "2h", "1d", "tomorrow")
_DAYS = ("yesterday", "today")


def known(settings: Settings) -> Known:
    """Return what the settings name."""
    targets = settings.targets
    values = {
        "container": [one.name for target in targets for one in target.containers],
        "job": [one.job for target in targets for one in target.heartbeats],
        "secret": [name for target in targets for name in target.secrets],
    }
    unique = {name: tuple(dict.fromkeys(found)) for name, found in values.items()}
    return Known(settings.target_names, unique)


def entries(commands: Iterable[Command], given: Known | None = None) -> list[Entry]:
    """Return all entries: the terminal's own words, then the commands."""
    given = given or Known()
    found = [_entry(command, given) for command in commands if command.name != "home"]
    explained = tuple(names([*found]))
    return [*OWN, *(_explaining(one, explained) if one.name in ("help", "can-i") else one for one in found)]


def common(given: Known) -> tuple[Flag, ...]:
    """Return the flags of every command, with the names of the targets."""
    target, *others = COMMON
    return replace(target, choices=given.targets), *others


def _entry(command: Command, given: Known) -> Entry:
    fields = command.params.model_fields.items()
    flags = tuple(_flag(name, info, given) for name, info in fields if not is_positional(info))
    places = tuple(_place(name, info, given) for name, info in fields if is_positional(info))
    return Entry(command.name, command.summary, flags, places, command.details, command.examples)


def _explaining(entry: Entry, commands: tuple[str, ...]) -> Entry:
    [place] = entry.places
    return replace(entry, places=(replace(place, choices=commands),))


def _flag(name: str, info: FieldInfo, given: Known) -> Flag:
    value = "" if is_switch(info) else value_name(name, info)
    return Flag(
        argument_name(name, info),
        info.description or "",
        f"[{value}]" if may_stand_alone(info) else value,
        tuple(_choices(name, info, given)),
    )


def _place(name: str, info: FieldInfo, given: Known) -> Place:
    shown = argument_name(name, info)
    return Place(shown, info.description or "", tuple(_choices(name, info, given)), info.is_required())


def _choices(name: str, info: FieldInfo, given: Known) -> Iterator[str]:
    yield from given.values.get(name, ())
    yield from {"time": _TIMES, "day": _DAYS}.get(name, ())
    yield from _literals(info.annotation)
    for one in info.metadata:
        declared = getattr(getattr(one, "func", None), "__self__", None)
        if isinstance(declared, Param):
            yield from (value for value in declared.one_of if words.straight(value) == value)


def _literals(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
    else:
        for one in get_args(annotation):
            yield from _literals(one)
