"""The registry of commands: every `Command` in a module of this package's groups."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from bot.domain.core.registry import found_in
from bot.runbook.command import GROUPS, Command

PACKAGES = ("commands.observe", "commands.incidents", "commands.repair", "commands.admin")

ORDER = (
    "",  # the verdict in one line
    "status",
    "pods",
    "events",
    "identity",
    "processes",
    "image",
    "services",
    "configs",
    "kanban",
    "egress",
    "egress test",
    "argocd",
    "storage",
    "diagnose",
    "logs",
    "logs stop",
    "cron",
    "cron scripts",
    "heartbeats",
    "incidents",
    "ack",
    "snooze",
    "report",
    "report logs",
    "changes",
    "digest",
    "heartbeats push",
    "secrets",
    "ssh info",
    "ssh keys",
    "restart",
    "secrets set",
    "secrets enter",
    "configs rotate",
    "ssh keys add",
    "ssh keys remove",
    "ssh keys copy",
    "cron edit",
    "cron undo",
    "cron run",
    "egress repair",
    "image pull",
    "image set",
    "approvals",
    "approve",
    "deny",
    "withdraw",
    "break-glass",
    "audit",
    "audit verify",
    "audit export",
    "dashboard",
    "help",
    "whoami",
    "can-i",
    "version",
)
"""The names in the order that `help` shows them; commands that are not listed follow, by name."""


def _place(command: Command) -> tuple[int, str]:
    return ORDER.index(command.name) if command.name in ORDER else len(ORDER), command.name


BUILTIN: tuple[Command, ...] = tuple(
    sorted(chain.from_iterable(found_in(package, Command) for package in PACKAGES), key=_place)
)
"""The built-in commands, in the order that `help` shows them."""


def build(more: Iterable[Command] = ()) -> tuple[Command, ...]:
    """Return all commands: the built-in ones, then ``more``.

    Raises ValueError if two have the same name or alias, or if a group is not one of `GROUPS`.
    """
    commands = (*BUILTIN, *more)
    names = [name for command in commands for name in (command.name, *command.aliases)]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two commands are called {doubles[0]!r}")
    for command in commands:
        if command.group not in GROUPS:
            raise ValueError(
                f"the command {command.name!r} is in the group {command.group!r}; known: {', '.join(GROUPS)}"
            )
    return commands
