"""``kill 1`` in the pretend pod: it ends that container, and the kubelet starts it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.cluster import PretendCluster
from sandbox.cluster.exec import inside
from sandbox.cluster.fixture import FixtureFile


@pytest.fixture
def cluster(tmp_path: Path) -> PretendCluster:
    path = tmp_path / "fixture.yaml"
    path.write_text("containers: {kali: {}, proxy: {state: {cache: full}, processes: [squid]}}")
    return PretendCluster(speed=0.0, fixture=FixtureFile(path))


def status(cluster: PretendCluster, name: str) -> dict[str, Any]:
    [pod] = cluster.simulation.pods()
    every = pod["status"]["containerStatuses"] + pod["status"]["initContainerStatuses"]
    return next(one for one in every if one["name"] == name)


@pytest.mark.parametrize("name", ["kali", "proxy"])
async def test_an_ended_container_starts_again_and_the_other_stays(cluster: PretendCluster, name: str) -> None:
    [pod] = cluster.simulation.pods()
    await cluster.simulation.end_container(pod, name, 143)
    [now] = cluster.simulation.pods()
    assert now["metadata"]["uid"] == pod["metadata"]["uid"]
    assert {one: status(cluster, one)["restartCount"] for one in ("kali", "proxy")} == {
        "kali": int(name == "kali"),
        "proxy": int(name == "proxy"),
    }
    assert "running" in status(cluster, name)["state"]
    assert status(cluster, name)["ready"]
    assert status(cluster, name)["lastState"]["terminated"]["exitCode"] == 143
    ready = next(one for one in now["status"]["conditions"] if one["type"] == "Ready")
    assert ready["status"] == "True"


async def test_a_container_s_state_begins_anew(cluster: PretendCluster) -> None:
    [pod] = cluster.simulation.pods()
    given, states = cluster.simulation.fixture().containers["proxy"], cluster.simulation.fixture_states
    states.of(pod["metadata"]["uid"], "proxy", given)["cache"] = "empty"
    await cluster.simulation.end_container(pod, "proxy", 143)
    assert states.of(pod["metadata"]["uid"], "proxy", given) == {"cache": "full"}


@pytest.mark.parametrize(
    ("words", "signals", "code"),
    [
        ("kill 1", [15], 0),
        ("kill -TERM 1", [15], 0),
        ("kill -s INT 1", [2], 0),
        ("kill -SIGQUIT 1", [3], 0),
        ("kill -9 1", [9], 0),
        ("kill 87", [], 0),
        ("kill 4711", [], 1),
        ("kill", [], 1),
        ("kill -NONE 1", [], 1),
    ],
)
async def test_kill_sends_a_signal(cluster: PretendCluster, words: str, signals: list[int], code: int) -> None:
    [pod] = cluster.simulation.pods()
    box = inside(cluster.simulation, pod)
    assert box.execute(words.split()).code == code
    assert box.signals == signals
