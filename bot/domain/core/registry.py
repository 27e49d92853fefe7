"""A registry of items with unique names, and how the items of a package are found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

V = TypeVar("V")


def found_in(package: str, kind: type[V]) -> tuple[V, ...]:
    """Every instance of ``kind`` in the modules of a package, by module name and by the order in the module.

    A new module is found without a line anywhere. Raises ImportError where one can't be imported.
    """
    found: dict[int, V] = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        values = vars(importlib.import_module(module.name)).values()
        found |= {id(value): value for value in values if isinstance(value, kind)}
    return tuple(found.values())


class Named(Protocol):
    """An item that can be registered."""

    @property
    def name(self) -> str:
        """The key of the item. It is stored in the ledger or the settings, so it must not change."""


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Named items, in the order in which they were registered."""

    def __init__(self, what: str, items: Iterable[T] = ()) -> None:
        """``what`` an item is, for errors ("message kind"). Raises ValueError for a duplicate name."""
        self.what = what
        self._items: dict[str, T] = {}
        for item in items:
            if item.name in self._items:
                raise ValueError(f"the {what} {item.name!r} is registered twice")
            self._items[item.name] = item

    def with_(self, more: Iterable[T]) -> Registry[T]:
        """Return a new registry with ``more`` added."""
        return Registry(self.what, (*self, *more))

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the order of registration."""
        return tuple(self._items)

    def get(self, name: str) -> T | None:
        """The item of that name; None where there is none."""
        return self._items.get(name)

    def __getitem__(self, name: str) -> T:
        """The item of that name. Raises KeyError that lists the registered names."""
        try:
            return self._items[name]
        except KeyError:
            known = ", ".join(self._items) or "none"
            raise KeyError(f"there is no {self.what} {name!r}; known: {known}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)
