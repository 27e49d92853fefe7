"""`egress repair` with the real bot and two people: policy, pod and Cilium agent are new afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox.cluster import kinds
from sandbox.cluster.rbac import NAMESPACE
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
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
    assert "Ask for: egress repair" in told.messages[0].all_text()
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
    assert "True" in (await world.ask("egress")).text


async def test_a_policy_that_changes_after_the_request_voids_it(module_world: World) -> None:
    world = module_world
    await world.break_("egress-policy", value="lru")
    repair = await asked(world, LINE)
    await world.break_("egress-policy", value="disabled")
    await repair.click(seed.JONAS)
    await repair.shows("void, since the policy is gone")


async def test_an_absent_policy_is_refused(module_world: World) -> None:
    assert "There is no Cilium policy agent-egress" in (await module_world.ask(LINE)).first_line
