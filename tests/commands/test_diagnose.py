"""`diagnose`: the cause with the line that proves it, what was ruled out, and what could not be read."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.workload import Condition, Event, LogText
from bot.errors import NotFound, UsageError
from tests.commands.fakes import HANG, POD_OBJECT, World, text_of
from tests.commands.fakes import pod as make_pod


def broken(**status: Any) -> dict[str, Any]:
    """The list of pods with one whose container has this status."""
    pod = copy.deepcopy(dict(POD_OBJECT))
    pod["status"]["containerStatuses"][0] |= {"ready": False, **status}
    return {"items": [pod]}


def facts(reply: Any) -> dict[str, str]:
    return {fact.label: str(fact.value) for fact in reply.facts}


async def test_a_cause_is_the_headline_with_its_proof_and_what_was_ruled_out(world: World) -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "agent-ssh-keys" not found'}
    world.cluster.objects_answer = broken(state={"waiting": waiting})
    reply = await world.run("diagnose")
    assert reply.verdict is Verdict.FAIL
    assert reply.headline == "Secret agent-ssh-keys is missing, so kali can't start"
    [proof] = reply.excerpts
    assert proof.text == 'status.containerStatuses[0].state.waiting.message: secret "agent-ssh-keys" not found'
    assert proof.title.startswith("Proof: `kubectl get pod -o yaml`, read at ")
    assert "configmap-missing" in facts(reply)["Ruled out"]


async def test_a_tree_that_is_named_is_the_only_one(world: World) -> None:
    world.cluster.objects_answer = broken(state={"waiting": {"reason": "ImagePullBackOff", "message": "x"}})
    assert (await world.run("diagnose crash")).headline == "The image can't be pulled, so kali can't start"
    assert (await world.run("diagnose config")).headline == "The container can't be created: no known cause found"


async def test_the_previous_container_s_log_proves_a_crash(world: World) -> None:
    async def logs(pod: str, container: str, *, previous: bool = False, **_: Any) -> LogText:
        return LogText(("starting", "Download failed: EAI_AGAIN") if previous else ())

    world.cluster.logs = logs  # type: ignore[method-assign]  # a hand-written fake
    world.cluster.objects_answer = broken(state={"waiting": {"reason": "CrashLoopBackOff"}})
    reply = await world.run("diagnose")
    assert reply.headline == "VibeKanban can't reach its download server"
    assert [e.text for e in reply.excerpts] == ["Download failed: EAI_AGAIN"]


async def test_an_unknown_tree_is_refused_with_those_that_there_are(world: World) -> None:
    with pytest.raises(UsageError) as caught:
        await world.run("diagnose sssh")
    assert caught.value.usage == "diagnose [config|crash|disk|egress|ssh|kanban|env|restarted]"


async def test_what_could_not_be_read_is_named_and_nothing_is_claimed(world: World) -> None:
    world.cluster.objects_answer = HANG
    reply = await world.run("diagnose config")
    assert reply.verdict is Verdict.UNKNOWN
    assert reply.headline.endswith("no known cause found: the API server does not answer")
    assert "the API server does not answer" in facts(reply)["Not read"]


async def test_without_a_runbook_there_is_nothing_to_diagnose(world: World) -> None:
    reply = await world.run("diagnose", lambda ctx: replace(ctx, book=None))
    assert reply.headline == "The runbook has no diagnoses"
    assert "Ruled out" not in text_of(reply)


async def test_a_pod_that_never_crashed_has_no_previous_log_and_no_known_cause(world: World) -> None:
    async def logs(pod: str, container: str, *, previous: bool = False, **_: Any) -> LogText:
        if previous:
            raise NotFound("kali has not been restarted.")
        return LogText(())

    world.cluster.logs = logs  # type: ignore[method-assign]  # a hand-written fake
    reply = await world.run("diagnose crash")
    assert reply.headline == "The pod crashes or does not start: no known cause found"
    assert reply.verdict is Verdict.OK


async def test_a_node_that_has_stopped_reporting_is_the_cause(world: World) -> None:
    lost = (Condition("Ready", "Unknown", "NodeStatusUnknown"),)
    pod = copy.deepcopy(dict(POD_OBJECT))
    pod["metadata"]["uid"] = "u"
    world.cluster.objects_answer = {"items": [pod]}
    world.cluster.pods_answer = [make_pod(uid="u", conditions=lost)]
    reply = await world.run("diagnose")
    assert reply.headline == "Node gpu-1 has stopped reporting, so nothing is known of the pod"
    assert [e.text for e in reply.excerpts] == ["Node: gpu-1 has stopped reporting"]


async def test_a_service_without_pods_is_the_cause(world: World) -> None:
    world.cluster.endpoints_answer = []
    assert (await world.run("diagnose ssh")).headline == "Service secure-agent-ssh leads to no pod"


async def test_an_invalid_network_policy_is_not_ruled_out_where_policies_can_not_be_read(world: World) -> None:
    world.cluster.policies_answer = NotFound("There is no resource ciliumnetworkpolicies.")
    reply = await world.run("diagnose egress")
    assert reply.headline.startswith("The pod can't reach the Internet: no known cause found: ")
    assert reply.verdict is Verdict.UNKNOWN


async def test_no_pod_is_the_cause_with_what_refuses_it(world: World) -> None:
    world.cluster.objects_answer, world.cluster.pods_answer = {"items": []}, []
    assert (await world.run("diagnose")).headline == "There is no pod"
    refused = "Error creating: pods is forbidden: exceeded quota"
    world.cluster.events_answer = [event("FailedCreate", refused, "replicaset/secure-agent-pod-5d9")]
    reply = await world.run("diagnose")
    assert reply.headline == "There is no pod: it is refused"
    assert [e.text for e in reply.excerpts] == [f"Warning FailedCreate replicaset/secure-agent-pod-5d9: {refused}"]


async def test_an_event_about_a_pod_that_is_gone_proves_nothing(world: World) -> None:
    world.cluster.objects_answer = broken(state={"waiting": {"reason": "ContainerCreating"}})
    held = "Multi-Attach error for volume pvc-1"
    for name, found in (("secure-agent-pod-gone", False), ("secure-agent-pod-abc", True)):
        world.cluster.events_answer = [event("FailedAttachVolume", held, f"pod/{name}")]
        headline = (await world.run("diagnose crash")).headline
        assert (headline == "A volume can't be mounted, so the pod can't start") is found


def event(reason: str, message: str, subject: str) -> Event:
    """A warning."""
    return Event("Warning", reason, message, subject)
