"""The list of commands: their names are known at once, a built-in command's module is imported at its first use.

All modules of commands together take a tenth of the time until Slack is connected, and most days need few of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import overload

from bot.runbook.command import Command

Change = Callable[[Command], Command]


class CommandList(Sequence[Command]):
    """Commands in the order that `help` shows them. Iteration imports all modules, `get` the one concerned."""

    def __init__(
        self, modules: Mapping[str, str], more: Iterable[Command] = (), change: Change | None = None
    ) -> None:
        """``modules``: by a command's name, the module that has it; ``more`` commands follow those.

        ``change`` returns a built-in command as the settings have it. Raises ValueError if two commands have the
        same name or alias.
        """
        self._modules, self._change = modules, change
        self._more = tuple(more)
        self._loaded: dict[str, Command] = {}
        called = [(name, command) for command in self._more for name in (command.name, *command.aliases)]
        self._others = dict(called)
        self.names = (*modules, *(name for name, _ in called))
        """All names and aliases."""
        if len(set(self.names)) < len(self.names):
            double = min(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(f"two commands are called {double!r}")

    @classmethod
    def of(cls, commands: Sequence[Command]) -> CommandList:
        """The list of these commands: itself where they are one."""
        return commands if isinstance(commands, CommandList) else cls({}, commands)

    def with_(self, more: Iterable[Command]) -> CommandList:
        """Return a new list with ``more`` at its end. Raises ValueError for a name that is taken."""
        return CommandList(self._modules, (*self._more, *more), self._change)

    def changed(self, change: Change) -> CommandList:
        """Return a new list whose built-in commands are as ``change`` returns them."""
        return CommandList(self._modules, self._more, change)

    def get(self, name: str) -> Command | None:
        """The command of that name or alias; None where there is none."""
        return self._load(name) if name in self._modules else self._others.get(name)

    def _load(self, name: str) -> Command:
        if name not in self._loaded:
            command = _in_module(self._modules[name], name)
            self._loaded[name] = command if self._change is None else self._change(command)
        return self._loaded[name]

    @overload
    def __getitem__(self, index: int) -> Command: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Command]: ...

    def __getitem__(self, index: int | slice) -> Command | Sequence[Command]:
        return tuple(self)[index]

    def __iter__(self) -> Iterator[Command]:
        yield from map(self._load, self._modules)
        yield from self._more

    def __len__(self) -> int:
        return len(self._modules) + len(self._more)


def _in_module(module: str, name: str) -> Command:
    values = vars(importlib.import_module(module)).values()
    found = next((value for value in values if isinstance(value, Command) and value.name == name), None)
    if found is None:
        raise LookupError(f"{module} has no command {name!r}")
    return found
