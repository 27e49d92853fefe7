"""Messages that could not be delivered, as people read of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain import words
from bot.domain.repair import Delivery


def lines(deliveries: Sequence[Delivery]) -> list[str]:
    """One for each place and reason, since one wrong channel keeps many messages: what, where to, and why.

    Places are ids, as the settings have them: one that does not exist can't be shown by its name.
    """
    keys: dict[tuple[str, str], list[str]] = {}
    for delivery in deliveries:
        keys.setdefault((delivery.place, delivery.error), []).append(delivery.key)
    return [_line(of, place, error) for (place, error), of in keys.items()]


def _line(keys: Sequence[str], place: str, error: str) -> str:
    what = keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more"
    return f"{what}{f' to {place}' if place else ''}: {words.cut(error, 200)}"
