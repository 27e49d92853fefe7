"""The runbook: every command, in the order `help` shows them."""

from bot.runbook.command import (
    Command,
)
from commands.admin import (
    audit,
    can_i,
    help,
    home,
    version,
    whoami,
)
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
from commands.repair import (
    approvals,
    decide,
    restart,
    secrets,
    ssh_keys,
)

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
"""An explicit list: a command is one file and one line here."""
