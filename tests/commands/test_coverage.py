"""Containers missing from the settings, or from the pod, are reported; none is skipped silently."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.target import ContainerTarget
from bot.domain.core.workload import Container, ExecResult
from bot.domain.incidents import pod_watch
from tests import handbook
from tests.commands.fakes import NOW, World, container, pod, text_of

SIDECAR = container("egress-proxy", role="sidecar", started=True)


def shows(world: World, main: Sequence[Container], inits: Sequence[Container] = ()) -> None:
    world.cluster.pods_answer = [pod(containers=tuple(main), init_containers=tuple(inits))]


@pytest.mark.parametrize("line", ["status", "pods", "identity", "processes", "processes --all"])
async def test_a_container_that_the_settings_do_not_name_is_named(world: World, line: str) -> None:
    shows(world, [container(), container("workspace")])
    reply = await world.run(line)
    assert "workspace" in text_of(reply)
    assert "not watched" in text_of(reply)
    if line in ("status", "pods"):
        assert (reply.verdict, reply.exit_code) == (Verdict.WARN, 0)
        assert "container workspace is not watched" in reply.headline


@pytest.mark.parametrize("line", ["identity", "processes"])
async def test_an_unwatched_sidecar_is_named_by_commands_that_look_inside_the_pod(world: World, line: str) -> None:
    shows(world, [container()], [SIDECAR])
    assert "sidecar egress-proxy is not watched" in text_of(await world.run(line))
    assert (await world.run("status")).verdict is Verdict.OK


async def test_a_sidecar_can_be_watched(world: World) -> None:
    shows(world, [container()], [SIDECAR])
    beside = ContainerTarget(name="egress-proxy", user=None, processes=())
    world.target = handbook.target(containers=(handbook.CONTAINER, beside))
    assert "not watched" not in text_of(await world.run("identity"))


@pytest.mark.parametrize("line", ["status", "pods", "identity", "processes"])
async def test_a_configured_container_missing_from_the_pod_is_named(world: World, line: str) -> None:
    shows(world, [container("workspace")])
    reply = await world.run(line)
    assert reply.verdict is not Verdict.OK
    said = text_of(reply)
    assert "the pod has no container kali" in said
    assert "workspace" in said


async def test_a_missing_container_is_reported_once(world: World) -> None:
    shows(world, [container("workspace")])
    reply = await world.run("status")
    assert reply.headline == "Not healthy: the pod has no container kali, and workspace is not watched"
    assert [f.probe for f in reply.findings if f.verdict is not Verdict.OK] == ["pod"]
    assert "Not checked because of it: Disk" in text_of(reply)
    assert "Follows from it: Identity, Processes" in text_of(reply)
    assert not any("restart" in b.command or "logs" in b.command for b in reply.buttons)


async def test_problems_of_other_containers_are_reported_beside_a_missing_one(world: World) -> None:
    shows(world, [container()])
    world.target = handbook.target(containers=(handbook.CONTAINER, ContainerTarget(name="vk-local", processes=())))
    world.cluster.programs["id"] = ExecResult("uid=0(root) gid=0(root)", "", 0)
    world.cluster.programs["ps"] = ExecResult("PID USER COMMAND\n1 claude tini\n", "", 0)
    said = {f.title: f.summary for f in (await world.run("status")).findings}
    assert said["Pod"] == "the pod has no container vk-local"
    assert said["Identity"] == "kali runs as root"
    assert "are not running" in said["Processes"]


def test_a_missing_container_is_an_incident_and_an_extra_one_is_not() -> None:
    def found(*containers: Container) -> str | None:
        problem = pod_watch.problem(handbook.TARGET, [pod(containers=containers)], NOW, hold=timedelta())
        return problem.summary if problem else None

    assert found(container("workspace")) == "the pod has no container kali, and workspace is not watched"
    assert found(container(), container("workspace")) is None
