"""Things that are known by a name: each is registered once, and looked up by whoever needs it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    """What can be registered."""

    @property
    def name(self) -> str:
        """How it is known: kept in the ledger or the settings, so it stays what it is."""


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Named items, in the order in which they were registered."""

    def __init__(self, what: str, items: Iterable[T] = ()) -> None:
        """``what`` one of them is, for errors. Raises ValueError where a name is taken twice."""
        self.what = what
        self._items: dict[str, T] = {}
        for item in items:
            if item.name in self._items:
                raise ValueError(f"the {what} {item.name!r} is registered twice")
            self._items[item.name] = item

    def with_(self, more: Iterable[T]) -> Registry[T]:
        """Another registry that has ``more`` as well."""
        return Registry(self.what, (*self, *more))

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(self._items)

    def get(self, name: str) -> T | None:
        """The item of that name, if there is one."""
        return self._items.get(name)

    def __getitem__(self, name: str) -> T:
        """The item of that name. Raises KeyError, with the names that there are."""
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
