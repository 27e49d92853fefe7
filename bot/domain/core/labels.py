"""The label of each command: its buttons, the title of its form, and its shortcut have the same words."""

from __future__ import annotations

from collections.abc import Mapping

LABELS: Mapping[str, str] = {
    "status": "Status",
    "pods": "Pods",
    "events": "Events",
    "events --all": "All events",
    "identity": "Identity",
    "processes": "Processes",
    "processes --all": "All processes",
    "image": "Image",
    "services": "Services",
    "configs": "Config files",
    "kanban": "VibeKanban",
    "egress": "Egress policy",
    "egress test": "Test the egress policy",
    "argocd": "Argo CD",
    "storage": "Storage",
    "diagnose": "Diagnose",
    "logs": "Logs",
    "logs --previous": "Logs before the restart",
    "logs --follow": "Follow the log",
    "logs stop": "Stop",
    "cron": "Crontab",
    "cron scripts": "Cron scripts",
    "heartbeats": "Heartbeats",
    "incidents": "Incidents",
    "ack": "Acknowledge",
    "snooze": "Snooze",
    "report": "Report",
    "report logs": "Report with log lines",
    "changes": "Changes",
    "digest": "Digest",
    "heartbeats push": "Push a heartbeat",
    "secrets": "Secrets",
    "ssh info": "Connect by SSH",
    "ssh keys": "SSH keys",
    "restart": "Ask for a restart",
    "restart --force": "Ask for a forced restart",
    "secrets set": "Set a secret's value",
    "secrets enter": "Enter the value",
    "configs rotate": "Rotate config files",
    "ssh keys add": "Add an SSH key",
    "ssh keys remove": "Remove an SSH key",
    "ssh keys copy": "Copy the SSH keys",
    "cron edit": "Edit the crontab",
    "cron undo": "Undo the crontab change",
    "cron run": "Run a cron script",
    "egress repair": "Repair the egress policy",
    "image pull": "Pull the new image",
    "image set": "Set the image",
    "image set --back": "Back",
    "approvals": "Approvals",
    "approve": "Approve",
    "deny": "Deny",
    "withdraw": "Withdraw",
    "break-glass": "Break glass",
    "audit": "Audit trail",
    "audit verify": "Verify the audit trail",
    "audit export": "Export the audit trail",
    "dashboard": "Dashboard",
    "preferences": "Preferences",
    "preferences edit": "Change preferences",
    "preferences reset": "Reset preferences",
    "help": "Help",
    "whoami": "Who am I?",
    "can-i": "May I?",
    "can-i status": "Missing rights",
    "version": "Version",
}
"""By a command's name, or by its name and the switch that makes it another action; at most 24 characters each."""


def of(line: str) -> str:
    """Return the label of a command line; empty for a command that a runbook declares.

    A switch counts wherever it stands in the line, but not inside quotes.
    """
    outside = "".join(line.split('"')[::2]).split()
    for length in range(min(3, len(outside)), 0, -1):
        name = " ".join(outside[:length])
        if name in LABELS:
            switched = (f"{name} {word}" for word in outside[length:])
            return next((LABELS[one] for one in switched if one in LABELS), LABELS[name])
    return ""
