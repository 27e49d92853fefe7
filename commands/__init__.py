"""The runbook: every command, in the order `help` shows them."""

from bot.runbook import Command
from commands import (
    approvals,
    argocd,
    audit,
    can_i,
    decide,
    events,
    heartbeats,
    home,
    identity,
    logs,
    pods,
    processes,
    restart,
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
    restart.COMMAND,
    approvals.COMMAND,
    decide.APPROVE,
    decide.DENY,
    decide.WITHDRAW,
    decide.BREAK_GLASS,
    audit.AUDIT,
    audit.VERIFY,
    audit.EXPORT,
    help_command.COMMAND,
    whoami.COMMAND,
    can_i.COMMAND,
    version.COMMAND,
)
"""An explicit list: a command is one file and one line here."""
