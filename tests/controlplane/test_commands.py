"""Every command on a real control plane, through Slack, with nothing but the bot's own ServiceAccount token."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from commands import COMMANDS
from sandbox.house import Sandbox
from sandbox.slack import seed
from tests.controlplane.agent_pod import AgentPod
from tests.scenarios.talk import World

HEALTHY = {
    "": "agent-",
    "status": "Healthy",
    "pods": "1/1 ready on gpu-1",
    "events": "no warnings in the last hour",
    "processes": "sshd, supercronic and vibe-kanban run",
    "identity": "uid=1000(claude) gid=1000(claude)",
    "services": "SSH and VibeKanban answer",
    "argocd": "Synced and Healthy",
    "storage": "31 % used",
    "logs": "lines from kali",
    "heartbeats": "3 jobs on time",
    "help": "status",
    "whoami": "operator",
    "can-i": "Yes",
    "version": "0.1.0",
}
"""What each command says about a healthy pod. A command that is not here has no test on a real cluster."""
WORDS = {"can-i": "can-i logs"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(shared_pod: AgentPod) -> AsyncIterator[World]:
    """The real bot, which sees the cluster with its ServiceAccount's token alone."""
    shared_pod.install_argocd()
    sandbox = Sandbox(rate_limits=False, kubeconfig=shared_pod.kubeconfig(), target=shared_pod.where())
    async with sandbox:
        yield World(sandbox, await sandbox.start_bot())


def test_every_command_has_a_word_that_it_is_known_by() -> None:
    assert set(HEALTHY) == {command.name for command in COMMANDS}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", HEALTHY)
async def test_a_command_works_with_the_shipped_rights_alone(world: World, name: str) -> None:
    answer = await world.ask(WORDS.get(name, name), user=seed.MAYA)
    assert HEALTHY[name] in answer.text
    for mark in ("may not", "can't be", "unknown"):
        assert mark not in answer.text
