"""Every command on a real control plane, through Slack, with nothing but the bot's own ServiceAccount token."""

from __future__ import annotations

import pytest

from sandbox.slack import seed
from tests.scenarios.talk import World

HEALTHY = {
    "": "agent-",
    "status": "Healthy",
    "pods": "1/1 ready on gpu-1",
    "events": "no warnings in the last hour",
    "processes": "sshd, supercronic and vibe-kanban run",
    "image": ":latest",
    "identity": "uid=1000(claude) gid=1000(claude)",
    "services": "SSH and VibeKanban answer",
    "configs": "talosconfig, kubeconfig and omniconfig can be read",
    "kanban": "All 5 checks are ok",
    "egress": "agent-egress: valid",
    "egress test": "httpbin.org times out, as it should",
    "argocd": "Synced and Healthy",
    "storage": "31 % used",
    "diagnose": "otherwise nothing found wrong",
    "logs": "lines from kali",
    "logs stop": "Nothing to stop",
    "cron": "daily at 21:00",
    "cron scripts": "session-manager.sh",
    "heartbeats": "3 jobs on time",
    "help": "status",
    "whoami": "operator",
    "can-i": "Yes",
    "version": "0.1.0",
    "secrets": "agent-secrets-tier2",
    "ssh info": "ssh claude@192.168.55.215",
    "ssh keys": "2 keys can sign in",
    "restart": "waits for an approver",
    "secrets set": "waits for an approver",
    "secrets enter": "No request with that id is waiting for a value",
    "configs rotate": "by hand",
    "ssh keys add": "Fill in the form",
    "ssh keys remove": "No key has that fingerprint",
    "ssh keys copy": "Nothing to do",
    "cron edit": "Fill in the form",
    "cron undo": "There is no version before",
    "cron run": "waits for an approver",
    "egress repair": "is off for",
    "image pull": "Fill in the form",
    "image set": "is off for",
    "incidents": "Nothing is wrong now",
    "ack": "There is no incident",
    "snooze": "There is no incident",
    "report": "There is no incident",
    "report logs": "There is no incident",
    "changes": "audit record",
    "heartbeats push": "by hand",
    "digest": "no data",
    "preferences": "Quiet hours",
    "dashboard": "Heartbeats:",
    "approvals": "a decision",
    "approve": "There is no request",
    "deny": "There is no request",
    "withdraw": "There is no request",
    "break-glass": "There is no request",
    "audit": "the last 7 d",
    "audit verify": "The audit trail is intact",
    "audit export": "of the audit trail",
}
"""Words in each command's answer for a healthy pod. Each command needs a row."""
WORDS = {
    "can-i": "can-i logs",
    "restart": "restart --reason try",
    "secrets set": "secrets set GITHUB_TOKEN --reason try",
    "secrets enter": "secrets enter r-22222222",
    "ssh keys remove": "ssh keys remove SHA256:nobody",
    "ssh keys copy": "ssh keys copy --reason try",
    "cron undo": "cron undo --reason try",
    "cron run": "cron run audit-digest.sh --reason try",
    "egress repair": "egress repair --reason try",
    "image set": "image set 1.0.0 --reason try",
    "heartbeats push": "heartbeats push self_update context=desk",
    "ack": "ack i-2222222",
    "snooze": "snooze i-2222222 2h",
    "report": "report i-2222222",
    "report logs": "report logs i-2222222",
    "approve": "approve r-22222222",
    "deny": "deny r-22222222 --reason try",
    "withdraw": "withdraw r-22222222",
    "break-glass": "break-glass r-22222222 --reason try",
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", HEALTHY)
async def test_a_command_works_with_the_shipped_rights_alone(whole_world: World, name: str) -> None:
    user = seed.PRIYA if name in ("approve", "deny", "heartbeats push") else seed.MAYA
    answer = await whole_world.ask(WORDS.get(name, name), user=user)
    assert HEALTHY[name] in answer.text
    for mark in ("may not", "can't be", "unknown"):
        assert mark not in answer.text
