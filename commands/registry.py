"""The registry of commands: in which module each built-in command is."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bot.runbook.command import GROUPS, Command
from bot.runbook.command_list import CommandList

MODULES: Mapping[str, str] = {
    "": "commands.admin.home",  # the verdict in one line
    "status": "commands.observe.status",
    "pods": "commands.observe.pods",
    "events": "commands.observe.events",
    "identity": "commands.observe.identity",
    "processes": "commands.observe.processes",
    "image": "commands.observe.image",
    "services": "commands.observe.services",
    "configs": "commands.observe.configs",
    "kanban": "commands.observe.kanban",
    "egress": "commands.observe.egress",
    "egress test": "commands.observe.egress",
    "argocd": "commands.observe.argocd",
    "storage": "commands.observe.storage",
    "diagnose": "commands.observe.diagnose",
    "logs": "commands.observe.logs",
    "logs stop": "commands.observe.logs_stop",
    "cron": "commands.observe.cron",
    "cron scripts": "commands.observe.cron_scripts",
    "heartbeats": "commands.observe.heartbeats",
    "incidents": "commands.incidents.incidents",
    "ack": "commands.incidents.incidents",
    "snooze": "commands.incidents.incidents",
    "report": "commands.incidents.report",
    "report logs": "commands.incidents.report",
    "changes": "commands.incidents.changes",
    "digest": "commands.incidents.digest",
    "preferences": "commands.admin.preferences",
    "heartbeats push": "commands.observe.push",
    "secrets": "commands.repair.secrets",
    "ssh info": "commands.observe.ssh_info",
    "ssh keys": "commands.repair.ssh_keys",
    "restart": "commands.repair.restart",
    "secrets set": "commands.repair.secrets",
    "secrets enter": "commands.repair.secrets",
    "configs rotate": "commands.repair.configs_rotate",
    "ssh keys add": "commands.repair.ssh_keys",
    "ssh keys remove": "commands.repair.ssh_keys",
    "ssh keys copy": "commands.repair.ssh_keys_copy",
    "cron edit": "commands.repair.cron_edit",
    "cron undo": "commands.repair.cron_edit",
    "cron run": "commands.repair.cron_run",
    "egress repair": "commands.repair.egress_repair",
    "image pull": "commands.repair.image_pull",
    "image set": "commands.repair.image_set",
    "approvals": "commands.repair.approvals",
    "approve": "commands.repair.decide",
    "deny": "commands.repair.decide",
    "withdraw": "commands.repair.decide",
    "break-glass": "commands.repair.decide",
    "audit": "commands.admin.audit",
    "audit verify": "commands.admin.audit_verify",
    "audit export": "commands.admin.audit",
    "dashboard": "commands.observe.dashboard",
    "help": "commands.admin.help",
    "whoami": "commands.admin.whoami",
    "can-i": "commands.admin.can_i",
    "version": "commands.admin.version",
}
"""By name, the module that has the command, in the order that `help` shows them."""

BUILTIN = CommandList(MODULES)
"""The built-in commands, in the order that `help` shows them."""


def build(more: Collection[Command] = ()) -> CommandList:
    """Return all commands: the built-in ones, then ``more``.

    Raises ValueError if two have the same name or alias, or if a group is not one of `GROUPS`.
    """
    commands = BUILTIN.with_(more)
    for command in more:
        if command.group not in GROUPS:
            raise ValueError(
                f"the command {command.name!r} is in the group {command.group!r}; known: {', '.join(GROUPS)}"
            )
    return commands
