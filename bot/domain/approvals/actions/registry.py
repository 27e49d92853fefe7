"""The registry of repair actions: every `RepairAction` in a module of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.core.registry import Registry, found_in
from bot.domain.core.target import Target

_more: tuple[RepairAction, ...] = ()


@cache
def builtin() -> Registry[RepairAction]:
    """The built-in actions, by name. Their modules are imported at the first call: the start needs none."""
    return Registry("repair action", sorted(found_in(__package__, RepairAction), key=lambda action: action.name))


def _known() -> Registry[RepairAction]:
    return builtin().with_(_more) if _more else builtin()


def named(name: str) -> RepairAction:
    """The action of that name. Raises KeyError for an unknown one."""
    return _known()[name]


def is_set_up(line: str, target: Target) -> bool:
    """Whether the target's settings have the repair that a command line asks for; True for any other line."""
    return all(a.is_set_up(target) for a in _known() if line == a.name or line.startswith(f"{a.name} "))


@contextmanager
def also(*more: RepairAction) -> Iterator[None]:
    """Register ``more`` actions within a block, so that their requests can be read from the ledger."""
    global _more
    builtin().with_((*_more, *more))  # refuses a name that is taken
    before, _more = _more, (*_more, *more)
    try:
        yield
    finally:
        _more = before
