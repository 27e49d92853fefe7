"""Two targets in two clusters, each with an API server and an account of its own."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from sandbox.cluster import PretendCluster, kinds
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.lives import becomes, says
from tests.scenarios.repairs import id_in
from tests.scenarios.talk import World, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-two-clusters")]
TOKEN = "lantern-gravel-harbour-orchard-9931"
HOME = {"name": "home", "heartbeats": []}
AWAY = {"name": "away", "cluster": "west", "secrets": [], "heartbeats": []}


def _give(west: PretendCluster, kubeconfig: Path, token: str) -> None:
    """Make the cluster accept this token only, and put it into the kubeconfig."""
    west.server.tokens = {token: west.server.users["agentpod"]}
    document: dict[str, Any] = yaml.safe_load(west.kubeconfig(kubeconfig).read_text())
    document["users"][0]["user"]["token"] = token
    kubeconfig.write_text(yaml.safe_dump(document))


@asynccontextmanager
async def _two(folder: Path) -> AsyncIterator[tuple[Sandbox, PretendCluster]]:
    """A sandbox, and a second cluster whose kubeconfig has another token."""
    kubeconfig = folder / "west.kubeconfig"
    settings = {
        "targets": [HOME, AWAY],
        "kubernetes": {"clusters": [{"name": "west", "kubeconfig": str(kubeconfig), "context": "sandbox"}]},
        "probes": {"timeout": "3s"},
        "alerts": {"poll": "1s", "pod_for": "0s", "keep_firing": "0s"},
    }
    async with PretendCluster(speed=0.0, tls=True) as west:
        _give(west, kubeconfig, TOKEN)
        async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
            yield sandbox, west


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[World, PretendCluster]]:
    async with _two(tmp_path_factory.mktemp("west")) as (sandbox, west):
        yield World(sandbox, await sandbox.start_bot()), west


def _pod(cluster: PretendCluster) -> str:
    [pod] = cluster.store.list(kinds.POD, "secure-agent-pod")
    return str(pod["metadata"]["name"])


def _write(cluster: PretendCluster, line: str) -> None:
    """Write a line to the pod's log."""
    [pod] = cluster.store.list(kinds.POD, "secure-agent-pod")
    log = cluster.simulation.log(pod)
    assert log is not None
    log.write(line, cluster.simulation.now)


async def test_each_target_is_read_from_its_own_cluster(two: tuple[World, PretendCluster]) -> None:
    world, west = two
    _write(west, "written in the west")
    _write(world.sandbox.cluster, "written at home")
    away, home = [(await world.ask(f"logs --target {name} --grep written")).text for name in ("away", "home")]
    assert ["written in the west" in text for text in (away, home)] == [True, False]
    assert ["written at home" in text for text in (away, home)] == [False, True]


async def test_a_repair_is_made_in_the_cluster_of_its_target(two: tuple[World, PretendCluster]) -> None:
    world, west = two
    before = _pod(west), _pod(world.sandbox.cluster)
    asked = await world.ask('restart --target away --reason "why"', seed.MAYA)
    id_ = id_in(asked.text)
    await world.ask(f"approve {id_}", seed.JONAS)
    await until(lambda: _pod(west) != before[0], lambda: "it is not restarted")
    assert _pod(world.sandbox.cluster) == before[1]


async def test_a_problem_of_one_cluster_is_reported_for_its_targets_only(
    two: tuple[World, PretendCluster],
) -> None:
    world, west = two
    await west.listener.refuse()
    try:
        away = await world.ask("status --target away")
        assert "In cluster west: The API server at https://127.0.0.1" in away.text
        home = await world.ask("status --target home")
        assert "west" not in home.text
    finally:
        await west.listener.accept()


async def test_an_alert_names_its_target(two: tuple[World, PretendCluster]) -> None:
    world, _ = two
    await world.break_("pod-kill-process", "vibe-kanban")
    try:
        alert = await says(world, "CRITICAL vibe-kanban (home) is not running")
        answer = await world.ask("incidents")
        assert "CRITICAL vibe-kanban (home) is not running" in answer.text
    finally:
        await world.break_("pod-kill-process", "")
    await becomes(world, alert, "✅ vibe-kanban (home) is well again after")


async def test_the_token_of_each_cluster_is_redacted(two: tuple[World, PretendCluster]) -> None:
    world, west = two
    [pod] = west.store.list(kinds.POD, "secure-agent-pod")
    west.simulation.events.record(pod, "Warning", "Odd", f"passing by: {TOKEN}")
    answer = await world.ask("events --target away")
    assert "passing by: [redacted]" in answer.text
    assert TOKEN not in json.dumps([m.blocks for m in answer.messages])
    assert TOKEN not in world.bot.output()


async def _checked(world: World, **env: str) -> tuple[int, str]:
    """The exit code and the output of `agentpod check`."""
    check = world.sandbox.bot(**env)
    await check.start("check")
    return await check.wait(), " ".join(check.output().split())


async def test_check_tries_each_cluster_and_names_it(two: tuple[World, PretendCluster]) -> None:
    world, west = two
    code, said = await _checked(world)
    assert code == 0, said
    assert "✓ Route to the API server of west: direct" in said
    assert f"✓ Kubernetes west: v1.37.1 at {west.url}" in said
    assert "Target home: all 19 rights are granted, and no others" in said
    # The account is compared with what the targets in its own cluster need: none there changes a Secret.
    beyond = 'the account can do more than agentpod needs: patch secrets "agent-secrets-tier2"'
    assert f"! Target away: {beyond}" in said


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        ({"kubeconfig": "/nowhere"}, "There is no kubeconfig /nowhere."),
        ({"context": "nope"}, "There is no context 'nope' in"),
    ],
)
async def test_check_names_an_unusable_cluster_and_tries_the_others(
    two: tuple[World, PretendCluster], where: dict[str, str], wrong: str
) -> None:
    world, _ = two
    [cluster] = world.sandbox.settings()["kubernetes"]["clusters"]
    code, said = await _checked(world, AGENTPOD_KUBERNETES__CLUSTERS=json.dumps([cluster | where]))
    assert code == 1, said
    assert f"✗ Kubernetes west: In cluster west: {wrong}" in said
    assert "in kubernetes.clusters" in said.partition("In cluster west")[2]
    assert "Target home: all 19 rights are granted" in said


async def test_a_changed_token_in_a_cluster_s_kubeconfig_is_used(two: tuple[World, PretendCluster]) -> None:
    world, west = two
    [cluster] = world.sandbox.settings()["kubernetes"]["clusters"]
    _give(west, Path(cluster["kubeconfig"]), TOKEN[::-1])
    assert "ready" in (await world.ask("pods --target away")).text
    [pod] = west.store.list(kinds.POD, "secure-agent-pod")
    west.simulation.events.record(pod, "Warning", "Odd", f"now {TOKEN[::-1]}, before {TOKEN}")
    assert "now [redacted], before [redacted]" in (await world.ask("events --target away")).text


def _ask_a_slow_plugin(kubeconfig: Path, copy: Path) -> None:
    """Write a copy of the kubeconfig whose credential never comes."""
    document: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["1000"]}
    document["users"][0]["user"] = {"exec": plugin | {"interactiveMode": "Never"}}
    copy.write_text(yaml.safe_dump(document))


async def test_a_command_in_a_terminal_does_not_wait_for_the_cluster_of_another_target(
    two: tuple[World, PretendCluster], tmp_path: Path
) -> None:
    world, _ = two
    [cluster] = world.sandbox.settings()["kubernetes"]["clusters"]
    _ask_a_slow_plugin(Path(cluster["kubeconfig"]), tmp_path / "slow")
    slow = json.dumps([cluster | {"kubeconfig": str(tmp_path / "slow")}])
    pods = world.sandbox.bot(AGENTPOD_KUBERNETES__CLUSTERS=slow)
    began = time.monotonic()
    await pods.start("pods", "--target", "home")
    assert await pods.wait() == 0, pods.output()
    assert time.monotonic() - began < 15  # the plugin would be given 20 s
