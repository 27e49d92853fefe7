"""`image`: the running image, since when, and the limits, beside the Deployment's."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.core.probes import Verdict
from bot.domain.core.workload import Container
from bot.errors import Transient
from tests.commands.fakes import HANG, NOW, World, container, deployment, pod, text_of
from tests.times import utc

DIGEST = f"sha256:{'a' * 64}"


async def test_one_container_is_shown_as_facts(world: World) -> None:
    one = container(image="kali:1", image_id=f"kali@{DIGEST}", limits={"memory": "4Gi"}, pull_policy="Always")
    world.cluster.pods_answer = [pod(containers=(one,))]
    template = (Container("kali", "kali:1", limits={"memory": "16Gi", "cpu": "8"}),)
    world.cluster.deployment_answer = deployment(template=template)
    reply = await world.run("image")
    assert reply.verdict is Verdict.WARN
    assert "kali's memory limit was lowered to 4Gi" in reply.findings[0].summary
    facts = {f.label: f.value for f in utc(reply, NOW).facts}
    assert facts["Running digest"] == DIGEST
    assert facts["Since"] == "05:00 UTC (7 h ago)"
    assert facts["Limits"] == "cpu none (the Deployment says 8), memory 4Gi (lowered: the Deployment says 16Gi)"
    assert reply.data["containers"][0]["deployment_limits"] == {"cpu": "8", "memory": "16Gi"}  # type: ignore[index]


async def test_several_containers_are_a_table(world: World) -> None:
    two = (container(image="kali:1"), container("proxy", image="proxy:1", started_at=NOW - timedelta(days=2)))
    world.cluster.pods_answer = [pod(containers=two)]
    world.cluster.deployment_answer = deployment(
        template=(Container("kali", "kali:1"), Container("proxy", "proxy:2"))
    )
    reply = await world.run("image")
    [table] = reply.tables
    assert [row[0] for row in table.rows] == ["kali", "proxy"]
    assert table.verdicts == (Verdict.OK, Verdict.WARN)


async def test_without_a_pod_it_is_unknown(world: World) -> None:
    world.cluster.pods_answer = []
    reply = await world.run("image")
    assert (reply.verdict, reply.facts) == (Verdict.UNKNOWN, ())
    assert "no pod is running" in text_of(reply)


async def test_a_deployment_that_can_t_be_read_hides_no_image(world: World) -> None:
    for answer in (HANG, Transient("The API server is busy.")):
        world.cluster.deployment_answer = answer
        reply = await world.run("image")
        assert reply.verdict is Verdict.UNKNOWN
        assert "not compared: Deployment secure-agent-pod: unknown" in text_of(reply)
        assert "ghcr.io/derio-net/secure-agent-kali:1.4.2" in text_of(reply)
