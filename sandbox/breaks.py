"""Faults to switch on and off while the sandbox runs: by a person on the page's panel, or by a test by id.

Each part of the sandbox offers its own list of faults; the page shows all of them, grouped. A fault's ``id`` is
stable: tests and docs refer to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Value = bool | str | None
"""``True``/``False`` for a toggle, an option's value for a choice (``""`` = off), ``None`` for a button."""


@dataclass(frozen=True)
class Option:
    """One answer to a choice."""

    value: str
    label: str


@dataclass(frozen=True)
class Break:
    """One thing that can be broken.

    ``read`` returns the current value; ``apply`` sets it (``None`` for a button) and may be a coroutine function.
    """

    id: str
    group: Literal["Time", "Pod", "Kubernetes API", "Network", "Heartbeats", "Slack"]
    label: str
    help: str
    kind: Literal["toggle", "choice", "button"]
    read: Callable[[], Value]
    apply: Callable[[Value], Awaitable[None] | None]
    options: tuple[Option, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The fault as the page receives it."""
        value = self.read()
        return {
            "id": self.id,
            "group": self.group,
            "label": self.label,
            "help": self.help,
            "kind": self.kind,
            "options": [{"value": o.value, "label": o.label} for o in self.options],
            "value": value,
            "active": bool(value),
        }


class Breaks:
    """The sandbox's faults by id."""

    def __init__(self, items: Iterable[Break] = ()) -> None:
        """Collect ``items``; more can follow with :meth:`add`."""
        self._items: dict[str, Break] = {}
        self.add(items)

    def add(self, items: Iterable[Break]) -> None:
        """Add faults; raises ValueError on an id that is taken."""
        for item in items:
            if item.id in self._items:
                raise ValueError(f"two faults are called {item.id!r}")
            self._items[item.id] = item

    def as_json(self) -> list[dict[str, Any]]:
        """All faults with their current values, in the order they were added."""
        return [item.as_json() for item in self._items.values()]

    async def apply(self, break_id: str, value: Value) -> None:
        """Set a fault. Raises KeyError for an unknown id, ValueError for a value of the wrong kind."""
        item = self._items[break_id]
        _check(item, value)
        outcome = item.apply(value)
        if outcome is not None:
            await outcome

    async def heal(self) -> None:
        """Switch every fault off."""
        for item in self._items.values():
            if item.kind != "button" and item.read():
                await self.apply(item.id, False if item.kind == "toggle" else "")


def _check(item: Break, value: Value) -> None:
    if item.kind == "toggle" and not isinstance(value, bool):
        raise ValueError(f"{item.id} is a toggle: true or false, not {value!r}")
    if item.kind == "choice":
        known = ["", *(o.value for o in item.options)]
        if value not in known:
            raise ValueError(f"{item.id} takes one of {known}, not {value!r}")
