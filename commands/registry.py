"""The list of all commands: a new command is one file and one line here."""

from __future__ import annotations

from collections.abc import Iterable

from bot.runbook.command import GROUPS, Command
from commands.admin import audit, can_i, help, home, version, whoami
from commands.incidents import digest, incidents
from commands.observe import (
    argocd,
    dashboard,
    events,
    heartbeats,
    identity,
    logs,
    pods,
    processes,
    push,
    services,
    status,
    storage,
)
from commands.repair import approvals, decide, restart, secrets, ssh_keys

BUILTIN: tuple[Command, ...] = (
    home.COMMAND,
    status.COMMAND,
    pods.COMMAND,
    events.COMMAND,
    identity.COMMAND,
    processes.COMMAND,
    services.COMMAND,
    argocd.COMMAND,
    storage.COMMAND,
    logs.COMMAND,
    heartbeats.COMMAND,
    incidents.COMMAND,
    incidents.ACK,
    incidents.SNOOZE,
    digest.COMMAND,
    push.COMMAND,
    secrets.COMMAND,
    ssh_keys.COMMAND,
    restart.COMMAND,
    secrets.SET,
    secrets.ENTER,
    ssh_keys.ADD,
    ssh_keys.REMOVE,
    approvals.COMMAND,
    decide.APPROVE,
    decide.DENY,
    decide.WITHDRAW,
    decide.BREAK_GLASS,
    audit.AUDIT,
    audit.VERIFY,
    audit.EXPORT,
    dashboard.COMMAND,
    help.COMMAND,
    whoami.COMMAND,
    can_i.COMMAND,
    version.COMMAND,
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
