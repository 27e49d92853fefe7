"""`egress repair` with the real bot and two people: policy, pod and Cilium agent are new afterwards.

Where a repair left the policy missing, the next one creates it from the stored manifest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox.cluster import kinds
from sandbox.cluster.rbac import NAMESPACE
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import Repair, asked
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-egress-repair")]
LINE = "egress repair --reason 'LRU not yet initialized'"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    target = {"egress": {"restart_cilium": True}}
    async with Sandbox(rate_limits=False, pod_seconds=0.0, target=target) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def policy(world: World) -> Any:
    return world.sandbox.cluster.server.store.get(kinds.CILIUM_POLICY, NAMESPACE, "agent-egress")


def agents(world: World) -> dict[str, str]:
    """The Cilium agents' names by node."""
    found = world.sandbox.cluster.server.store.list(kinds.POD, "kube-system")
    return {one["spec"]["nodeName"]: one["metadata"]["name"] for one in found}


async def test_a_valid_policy_is_not_repaired(module_world: World) -> None:
    assert "agent-egress is valid: there is nothing to repair" in (await module_world.ask(LINE)).first_line
    told = await module_world.ask(LINE, user=seed.SAM)
    assert told.first_line.startswith("You may not run egress repair")


async def test_the_policy_is_replaced_and_the_pod_with_it(module_world: World) -> None:
    world = module_world
    await world.break_("egress-policy", value="lru")
    told = await world.ask("egress")
    assert "LRU not yet initialized" in told.first_line
    assert "Repair the egress policy" in told.messages[0].all_text()
    before, old = policy(world), agents(world)
    [pod] = world.sandbox.cluster.simulation.pods()
    repair = await asked(world, LINE)
    shown = repair.card.all_text()
    assert "Between deletion and creation NOTHING is blocked" in shown
    assert "restarted first, on gpu-1" in shown
    await repair.click(seed.MAYA)
    assert policy(world)["metadata"]["uid"] == before["metadata"]["uid"]
    await repair.click(seed.JONAS)
    done = await repair.shows("✅ Repaired egress policy agent-egress on secure-agent-pod")
    assert "agent-egress was deleted and created again" in done.all_text()
    assert "api.anthropic.com answers (404)" in done.all_text()
    now = policy(world)
    assert now["metadata"]["uid"] != before["metadata"]["uid"]
    assert (now["spec"], now["metadata"]["labels"]) == (before["spec"], before["metadata"]["labels"])
    assert agents(world)["gpu-2"] == old["gpu-2"]
    assert agents(world)["gpu-1"] != old["gpu-1"]
    [fresh] = world.sandbox.cluster.simulation.pods()
    assert fresh["metadata"]["uid"] != pod["metadata"]["uid"]
    assert "agent-egress: valid" in (await world.ask("egress")).text


async def test_a_policy_that_changes_after_the_request_voids_it(module_world: World) -> None:
    world = module_world
    await world.break_("egress-policy", value="lru")
    repair = await asked(world, LINE)
    await world.break_("egress-policy", value="disabled")
    await repair.click(seed.JONAS)
    await repair.shows("is void: the policy is gone")


async def test_an_absent_policy_is_refused(module_world: World) -> None:
    assert "There is no Cilium policy agent-egress" in (await module_world.ask(LINE)).first_line
    assert "apply it from its manifest in Git" in (await module_world.ask(LINE)).text


async def left_missing(world: World) -> Repair:
    """A repair that fails between the deletion of the policy and its creation, which stays refused."""
    await world.break_("egress-policy", value="lru")
    await world.break_("egress-frozen")
    repair = await asked(world, LINE)
    await repair.click(seed.JONAS)
    await repair.shows("agent-egress is MISSING and egress is open")
    assert policy(world) is None
    return repair


async def test_a_missing_policy_is_created_from_the_manifest_of_the_failed_repair(module_world: World) -> None:
    world = module_world
    await world.break_("egress-policy", value="lru")
    before = policy(world)
    failed = await left_missing(world)
    assert "Repair the egress policy" in failed.card.all_text()
    assert (
        "network policies are frozen" in (await world.ask(LINE)).first_line
    )  # by the dry run, before anybody is asked
    await world.break_("egress-frozen", value=False)
    told = await world.ask("egress")
    assert f"agent-egress is missing, and egress is open: {failed.id} deleted it at" in told.text
    assert "Repair the egress policy" in told.messages[0].all_text()
    [pod] = world.sandbox.cluster.simulation.pods()
    repair = await asked(world, LINE)
    shown = repair.card.all_text()
    assert "✋ Creation of missing egress policy agent-egress on secure-agent-pod: needs approval" in shown
    assert f"from the manifest stored with {failed.id}. The pod is not restarted" in shown
    assert "toFQDNs api.anthropic.com" in shown
    await repair.click(seed.MAYA)
    assert policy(world) is None
    await repair.click(seed.JONAS)
    done = (await repair.shows("✅ Created egress policy agent-egress on secure-agent-pod again")).all_text()
    assert "Cilium accepts it, and it has the rules of the manifest" in done
    assert "api.anthropic.com answers (404)" in done
    now = policy(world)
    assert (now["spec"], now["metadata"]["labels"]) == (before["spec"], before["metadata"]["labels"])
    assert [one["metadata"]["uid"] for one in world.sandbox.cluster.simulation.pods()] == [pod["metadata"]["uid"]]
    await world.break_("egress-policy", value="disabled")
    told = await world.ask(LINE)
    assert f"{repair.id} created it" in told.first_line
    assert "and it was deleted since" in told.first_line


async def test_a_policy_that_somebody_applied_by_hand_voids_the_creation(module_world: World) -> None:
    world = module_world
    await left_missing(world)
    await world.break_("egress-frozen", value=False)
    repair = await asked(world, LINE)
    await world.break_("egress-policy", value="")
    by_hand = policy(world)["metadata"]["uid"]
    await repair.click(seed.JONAS)
    await repair.shows("is void: the policy is there again")
    assert policy(world)["metadata"]["uid"] == by_hand


async def test_a_dry_run_shows_the_calls_of_the_creation(module_world: World) -> None:
    world = module_world
    failed = await left_missing(world)
    await world.break_("egress-frozen", value=False)
    text = (await world.ask(f"{LINE} --dry-run")).text
    policies = "/apis/cilium.io/v2/namespaces/secure-agent-pod/ciliumnetworkpolicies"
    before, _, after = text.partition("Once it is approved")
    assert "\n3. post the card in" in before  # 1: the policy is read, 2: its creation is tried by a dry run there
    assert f"stored with {failed.id}" in before
    calls = (f"GET {policies}/agent-egress", f"POST {policies}?fieldManager=agentpod\n", "/exec")
    places = [after.index(call) for call in calls]
    assert places == sorted(places)
    assert "api.anthropic.com" in after
    assert "DELETE" not in text
    assert policy(world) is None
