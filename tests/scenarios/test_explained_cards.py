"""What a repair costs stands on its card before anybody approves it: the real bot on the pretend cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.cluster import kinds
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked, id_in
from tests.scenarios.talk import World, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("explained-cards")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, settings={"probes": {"timeout": "5s"}}, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


@pytest_asyncio.fixture(loop_scope="module")
async def world(module_world: World) -> AsyncIterator[World]:
    await module_world.workspace.panel.heal()
    yield module_world
    await module_world.workspace.panel.heal()
    for line in (await module_world.ask("approvals")).text.splitlines():
        if "r-" in line:  # leave nothing behind for the next test
            await module_world.ask(f'deny {id_in(line)} --reason "end of the test"', seed.PRIYA)


def uids(world: World) -> set[str]:
    return {pod["metadata"]["uid"] for pod in world.sandbox.cluster.store.list(kinds.POD)}


async def test_the_card_says_what_ends_what_is_skipped_and_what_changes(world: World) -> None:
    before = uids(world)
    repair = await asked(world, 'restart --reason "the new key"')
    card = words([repair.card])
    assert "2 (pid 87: claude remote-control --name willikins; pid 114: " in card
    assert "SSH sessions that end" in card
    assert "session-manager.sh (every 5 min, next when asked: " in card
    assert "accepted; it only changes the restart annotation of Deployment secure-agent-pod" in card
    assert uids(world) == before  # the dry run restarted nothing
    actions = [e for block in repair.card.blocks if block["type"] == "actions" for e in block["elements"]]
    [approve] = [one for one in actions if one["text"]["text"] == "Approve"]
    assert "Agent sessions that end: 2." in approve["confirm"]["text"]["text"]
    await repair.click(seed.JONAS)
    await repair.shows("✅ Restarted")


async def test_the_next_card_predicts_the_downtime_and_says_whether_that_held(world: World) -> None:
    first = await asked(world, "restart --reason one")
    await first.click(seed.JONAS)
    await first.shows("✅ Restarted")
    second = await asked(world, "restart --reason two")
    assert "(the last " in words([second.card])
    await second.click(seed.JONAS)
    await second.shows("✅ Restarted")
    assert "which held" in words([second.card])


async def test_an_approval_is_void_when_somebody_has_signed_in_since(world: World) -> None:
    before = uids(world)
    repair = await asked(world, "restart --reason why")
    await world.break_("pod-signed-in")
    await repair.click(seed.JONAS)
    card = words([await repair.shows("is void: it would end more now than when it was asked for")])
    assert "Agent sessions that end: 1 more (pid 810: claude --resume)" in card
    assert "SSH sessions that end: 1 more (" in card
    assert uids(world) == before
    again = await asked(world, "restart --reason why")
    assert "3 (pid 87: claude" in words([again.card])
    await again.click(seed.JONAS)
    await again.shows("✅ Restarted")


async def test_a_pod_that_answers_no_commands_can_be_restarted(world: World) -> None:
    await world.break_("pod-exec-hangs")
    repair = await asked(world, 'restart --reason "it hangs"')
    assert "Not known" in words([repair.card])
    await repair.click(seed.JONAS)
    await repair.shows("✅ Restarted")


async def test_a_change_that_the_api_server_would_refuse_is_not_asked_for(world: World) -> None:
    await world.break_("kube-403", "deployments")
    answer = await world.ask("restart --reason why")
    assert "needs approval" not in answer.text
    assert "deployments" in answer.text


async def test_a_change_of_a_secret_shows_its_key_and_no_value(world: World) -> None:
    repair = await asked(world, 'secrets set GITHUB_TOKEN --reason "rotated"')
    assert "accepted; ~ data.GITHUB_TOKEN (hidden), in Secret agent-secrets-tier2" in words([repair.card])


async def test_a_change_that_the_bots_own_policy_refuses_names_it_and_the_way_out(world: World) -> None:
    await world.break_("kube-admission", "changes")
    answer = await world.ask("restart --reason why")
    assert "needs approval" not in answer.text
    assert "agentpod.secure-agent-pod.deployments" in answer.text
    assert "agentpod runbook rights --policies" in answer.text


async def test_a_dry_run_that_somebodys_webhook_refuses_says_which_and_why(world: World) -> None:
    await world.break_("kube-admission", "webhook")
    answer = await world.ask("restart --reason why")
    assert "needs approval" not in answer.text
    assert "freeze.policy.example.com" in answer.text
    assert "changes are frozen until Monday" in answer.text


async def test_a_command_that_the_policy_does_not_know_is_unknown_and_not_healthy(world: World) -> None:
    await world.break_("kube-admission", "commands")
    answer = await world.ask("processes")
    assert answer.first_line.startswith("❓ Could not tell: the bot's own admission policy refused it: ")
    assert answer.text.count("agentpod.secure-agent-pod.exec") == 1, "in the finding, not in the first line"
    assert "agentpod runbook rights --policies" in answer.text
