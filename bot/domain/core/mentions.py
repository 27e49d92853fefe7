"""Names in place of the ids of a reply's mentions, where nothing else puts them there: in a terminal. Pure."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from bot.domain.core.reply import Mention

T = TypeVar("T")


def mentioned(value: Any) -> set[str]:
    """Return the ids of the users and channels that a reply mentions."""
    return {one.id for one in _mentions(value) if one.kind != "usergroup"}


def _mentions(value: Any) -> Iterator[Mention]:
    if isinstance(value, Mention):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _mentions(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _mentions(getattr(value, field.name))


def with_names(reply: T, names: Mapping[str, str]) -> T:
    """Copy a reply with the ``names`` of those that it mentions. Ids without one stay.

    A name that two of them have, as far as one can see, is followed by the id. So is one like the bot's own.
    """
    often = Counter([_seen(_BOT), *map(_seen, names.values())])
    said = {id_: name if often[_seen(name)] == 1 else f"{name} ({id_})" for id_, name in names.items()}
    made: T = _named(reply, said)
    return made


_BOT = "the bot"
"""How texts name the bot."""


def _seen(name: str) -> str:
    """A name without what nobody sees: letter case, compatibility forms, and characters without a width."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    shown = (c for c in folded if unicodedata.category(c) not in ("Cf", "Cc", "Mn"))
    return " ".join("".join(shown).split())


def _named(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mention):
        name = names.get(value.id)
        return value if name is None else f"#{name}" if value.kind == "channel" else name
    if isinstance(value, tuple):
        return tuple(_named(part, names) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        each = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        return replace(value, **{name: _named(part, names) for name, part in each.items()})
    return value
