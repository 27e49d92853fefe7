"""Rights revoked while the bot runs, by the real authoriser: checks become unknown, and recover."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.watching import HEALTHY, comes_to_say
from tests.scenarios.talk import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def pod(shared_pod: AgentPod) -> Iterator[AgentPod]:
    """The pod; the bot's rights are restored after each test."""
    yield shared_pod
    shared_pod.grant()


async def test_without_its_role_binding_the_bot_names_the_missing_rights_and_their_role(
    world: World, pod: AgentPod
) -> None:
    pod.plane.call("DELETE", pod.rbac("rolebindings"))
    answer = await comes_to_say(world, "the bot may not", "pods", "services")
    assert "Could not tell" in answer.first_line
    assert "the bot may not list" in answer.first_line
    account = f"system:serviceaccount:{pod.namespace}:agentpod"
    assert f"Grant {account} these rights: the Roles in deploy/ grant them." in answer.text
    assert answer.text.count("Grant ") == 1
    assert "kubectl apply -k deploy/overlays/mine" in answer.text
    assert "Not checked because of it: Pod, Events, Identity, Processes" in answer.text
    assert "3 ok: SSH, VibeKanban, Heartbeats" in answer.text
    assert await world.ready() == (200, [])

    pod.grant()
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line
    assert "Traceback" not in world.bot.output()


async def test_a_single_lost_right_affects_only_its_own_checks(world: World, pod: AgentPod) -> None:
    rules = pod.plane.call("GET", pod.rbac("roles"))["rules"]
    pod.patch(pod.rbac("roles"), {"rules": [rule for rule in rules if rule["resources"] != ["pods/exec"]]})
    answer = await comes_to_say(world, "pods/exec")
    assert "Could not tell: the bot may not" in answer.first_line
    assert "Not checked because of it: Identity, Processes, Disk" in answer.text
    well = "Pod, Events, Services, Endpoints, SSH, VibeKanban, External Secrets, Volume claim, Heartbeats"
    assert f"ok: {well}" in answer.text

    pod.patch(pod.rbac("roles"), {"rules": rules})
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line


async def test_a_binding_to_a_deleted_role_is_reported_as_the_missing_right(world: World, pod: AgentPod) -> None:
    pod.plane.call("DELETE", pod.rbac("roles"))
    answer = await comes_to_say(world, "may not list pods")
    assert "Could not tell: " in answer.first_line
    assert "the Roles in deploy/ grant" in answer.text

    pod.grant()
    assert HEALTHY in (await comes_to_say(world, HEALTHY)).first_line


async def test_can_i_names_the_rights_that_are_lost(world: World, pod: AgentPod) -> None:
    pod.plane.call("DELETE", pod.rbac("rolebindings"))
    answer = await comes_to_say(world, "missing: list pods", "missing: create pods/exec", command="can-i status")
    assert "rights are missing" in answer.first_line
    assert "Apply the shipped Role and RoleBinding" in answer.text

    pod.grant()
    assert "Yes" in (await comes_to_say(world, "Yes", command="can-i status")).first_line
