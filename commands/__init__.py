"""The runbook: every command, in the order `help` shows them."""

from bot.runbook import Command
from commands import (
    argocd,
    can_i,
    events,
    heartbeats,
    home,
    identity,
    logs,
    pods,
    processes,
    services,
    status,
    storage,
    version,
    whoami,
)
from commands import help as help_command

COMMANDS: tuple[Command, ...] = (
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
    help_command.COMMAND,
    whoami.COMMAND,
    can_i.COMMAND,
    version.COMMAND,
)
"""An explicit list: a command is one file and one line here."""
