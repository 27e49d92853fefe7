"""The runbook: every command, in the order `help` shows them."""

from bot.runbook import Command
from commands import help as help_command
from commands import home, status, version, whoami

COMMANDS: tuple[Command, ...] = (
    home.COMMAND,
    status.COMMAND,
    help_command.COMMAND,
    whoami.COMMAND,
    version.COMMAND,
)
"""An explicit list: a command is one file and one line here."""
