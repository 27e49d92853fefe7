"""Describe messages that could not be delivered. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core import words
from bot.domain.core.reply import Line, Mention
from bot.domain.outbox.message import OutboxMessage


def groups(messages: Sequence[OutboxMessage]) -> list[list[OutboxMessage]]:
    """Group messages by place and error, since one wrong channel holds up many messages."""
    found: dict[tuple[str, str], list[OutboxMessage]] = {}
    for message in messages:
        found.setdefault((message.place, message.error), []).append(message)
    return list(found.values())


def line(group: Sequence[OutboxMessage], named: str) -> Line:
    """Describe a group: what, for whom, and why. ``named`` is the description of its first message.

    A channel is shown by its id, as in the settings: a channel that does not exist has no name.
    """
    first = group[0]
    more = f" and {len(group) - 1} more" if len(group) > 1 else ""
    what = f"{named[0].upper()}{named[1:]}{more}"
    why = f": {words.cut(first.error, 200)}"
    if first.place.startswith(("U", "W")):
        return (f"{what}, for ", Mention(first.place), why)
    return f"{what}{f', for channel {first.place}' if first.place else ''}{why}"
