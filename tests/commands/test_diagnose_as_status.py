"""`diagnose` beside `status`: one cause has one remedy and one place, whichever of them is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.workload import Condition, Deployment, Event
from commands.shared import as_in_status
from tests.commands.fakes import NOW, PS, World, said

QUOTA = 'pods "secure-agent-pod-x" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1'


def facts(reply: Any) -> dict[str, str]:
    return {fact.label: str(fact.value) for fact in reply.facts}


async def first(world: World) -> Finding:
    """The first problem of `status`."""
    return (await world.run("status")).findings[0]


def lose(world: World, *names: str) -> None:
    world.cluster.programs["ps"] = said(
        "\n".join(row for row in PS.splitlines() if not any(n in row for n in names))
    )


@pytest.mark.parametrize("name", ["sshd", "supercronic", "vibe-kanban"])
async def test_a_process_that_is_gone_has_the_remedy_of_status(world: World, name: str) -> None:
    lose(world, name)
    finding, reply = await first(world), await world.run("diagnose")
    assert finding.about == (name,)
    assert finding.remedy is not None
    assert str(reply.body[0]) == f"{finding.remedy}\n`{finding.run}`"
    assert "Fails in status" not in facts(reply)


async def test_a_pod_that_is_refused_has_the_words_and_the_remedy_of_status(world: World) -> None:
    refused(world)
    finding, reply = await first(world), await world.run("diagnose")
    assert reply.headline == "No pod can be created: exceeded quota: compute, requested: pods=1, used: pods=1"
    assert finding.remedy == "Raise the ResourceQuota, or free what uses it up."
    assert str(reply.body[0]) == f"{finding.remedy}\n`{finding.run}`"
    assert not {"Also found", "Fails in status"} & facts(reply).keys()


def refused(world: World) -> None:
    world.cluster.pods_answer = []
    world.cluster.objects_answer = {"items": []}
    owner = world.cluster.deployment_answer
    assert isinstance(owner, Deployment)
    condition = Condition("ReplicaFailure", "True", "FailedCreate", QUOTA)
    world.cluster.deployment_answer = replace(owner, conditions=(condition,))
    said_by = f"Error creating: {QUOTA}"
    world.cluster.events_answer = [
        Event("Warning", "FailedCreate", said_by, "replicaset/secure-agent-pod", 3, NOW, NOW)
    ]


@pytest.mark.parametrize("message", ["LRU not yet initialized", "invalid rule: toFQDNs needs a name"])
async def test_a_policy_that_is_not_valid_is_said_once(world: World, message: str) -> None:
    status = {"conditions": [{"type": "Valid", "status": "False", "message": message}]}
    world.cluster.policies_answer = {"items": [{"metadata": {"name": "agent-egress"}, "status": status}]}
    finding, reply = await first(world), await world.run("diagnose")
    assert (reply.verdict, reply.headline.lower()) == (Verdict.FAIL, finding.summary.lower())
    assert "Fails in status" not in facts(reply)


async def test_lost_addresses_are_said_once(world: World) -> None:
    services = world.cluster.services_answer
    assert isinstance(services, list)
    world.cluster.services_answer = [replace(one, ingress=()) for one in services]
    reply = await world.run("diagnose")
    assert reply.headline == "Service secure-agent-ssh has lost its load balancer address"
    assert "Service secure-agent-vibekanban has lost" in facts(reply)["Also found"]
    assert "Fails in status" not in facts(reply)
    named = await world.run("diagnose ssh")
    assert "Services: " in facts(named)["Fails in status"]  # VibeKanban's was not looked at


async def test_services_without_a_pod_are_said_once(world: World) -> None:
    world.cluster.endpoints_answer = []
    reply = await world.run("diagnose")
    assert reply.headline == "Service secure-agent-ssh has no endpoints"
    assert "Fails in status" not in facts(reply)


async def test_what_status_finds_besides_the_cause_stays(world: World) -> None:
    lose(world, "sshd", "supercronic")
    named = facts(await world.run("diagnose ssh"))
    assert named["Fails in status"] == "\n• Processes: sshd and supercronic are not running"
    assert "Fails in status" not in facts(await world.run("diagnose"))


def test_a_sentence_that_says_nothing_more_is_a_part() -> None:
    assert as_in_status.is_part("There is no pod", "No pod can be created: exceeded quota")
    assert not as_in_status.is_part("There is no Service", "No pod can be created: exceeded quota")
