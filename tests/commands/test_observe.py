"""The commands that show one part of `status` in full."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import ContainerTarget, ProcessRule, Target
from bot.domain.core.workload import Claim, Condition, Deployment, Event, ExternalSecret, Pod, Service, Termination
from bot.domain.health import judge_storage
from bot.domain.heartbeats.heartbeat import HeartbeatPoll
from bot.errors import NotAllowed, NotFound, Permanent, Transient, UsageError
from bot.services.health.check import Check, run_checks
from bot.services.health.reads import Reads
from bot.services.health.sources import EXEC, SourceUnavailable
from commands.registry import BUILTIN
from tests import handbook
from tests.commands.fakes import (
    DF,
    FRESH,
    HANG,
    NOW,
    FakeCluster,
    World,
    beat,
    container,
    deployment,
    pod,
    said,
    ssh_service,
    text_of,
)
from tests.times import utc

OBSERVING = [command for command in BUILTIN if command.group == "Observe"]
READS = [command.name for command in OBSERVING]
OF_THE_API = [command.name for command in OBSERVING if command.rights(Target())]


@pytest.mark.parametrize("line", [*READS, "events --all", "processes --all"])
async def test_a_healthy_pod_is_said_to_be_healthy(world: World, line: str) -> None:
    reply = await world.run(line)
    assert (reply.verdict, reply.exit_code) == (Verdict.OK, 0)


@pytest.mark.parametrize("line", OF_THE_API)
async def test_a_silent_api_server_is_unknown_and_named_in_the_headline(world: World, line: str) -> None:
    world.cluster.all_answer(HANG)
    reply = await world.run(line)
    assert reply.verdict is Verdict.UNKNOWN
    assert "the API server does not answer" in reply.headline
    assert all(f.summary not in f.evidence for f in reply.findings)


@pytest.mark.parametrize("line", OF_THE_API)
async def test_a_refused_read_is_unknown_and_says_what_was_refused(world: World, line: str) -> None:
    world.cluster.all_answer(NotAllowed("The bot may not do that.", remedy="Apply the shipped Role."))
    reply = await world.run(line)
    assert reply.verdict is Verdict.UNKNOWN
    assert "may not do that" in text_of(reply)
    assert "Apply the shipped Role." in text_of(reply)


async def test_pods_shows_where_and_what_runs(world: World) -> None:
    reply = await world.run("pods")
    facts = {f.label: f.value for f in reply.facts}
    assert reply.headline.startswith("Pod: 1/1 ready on gpu-1, up ")
    assert facts["Image"].endswith("secure-agent-kali:1.4.2")
    assert facts["Age"] == "7 h"


async def test_pods_says_how_the_last_run_ended(world: World) -> None:
    ended = Termination("OOMKilled", 137, NOW - timedelta(minutes=5))
    world.cluster.pods_answer = [pod(containers=(container(restarts=3, last_termination=ended),))]
    reply = await world.run("pods")
    assert reply.verdict is Verdict.WARN
    assert {f.label: f.value for f in reply.facts}["Last end"] == "OOMKilled, exit code 137, 5 min ago"


async def test_pods_says_how_an_init_container_ended(world: World) -> None:
    ended = Termination("Error", 1, NOW - timedelta(minutes=5), "Read-only file system")
    crashing = container("fix", role="init", ready=False, state="waiting", reason="CrashLoopBackOff")
    waiting = container(ready=False, state="waiting", reason="PodInitializing")
    world.cluster.pods_answer = [
        pod(init_containers=(replace(crashing, last_termination=ended),), containers=(waiting,), phase="Pending")
    ]
    facts = {f.label: f.value for f in (await world.run("pods")).facts}
    assert facts["Last end of fix"] == "Error, exit code 1, 5 min ago", "the headline has its words"
    evidence = "\n".join(line for f in (await world.run("status")).findings for line in f.evidence)
    assert "init container 1 of" not in evidence, "of one that is the only one"


@pytest.mark.parametrize(
    ("condition", "said_of_it"),
    [
        (Condition("Ready", "False"), "no (the containers last said 1/1)"),
        (Condition("Ready", "False", "GatesNotReady", "x"), "no (the containers last said 1/1): GatesNotReady: x"),
    ],
)
async def test_pods_says_once_whether_it_is_ready(world: World, condition: Condition, said_of_it: str) -> None:
    world.cluster.pods_answer = [pod(conditions=(condition,))]
    facts = (await world.run("pods")).facts
    assert [f.value for f in facts if f.label == "Ready"] == [said_of_it]
    assert "1/1 ready" not in text_of(await world.run("status")).replace("containers 1/1 ready", "")


async def test_no_pod_fails_and_names_the_selector(world: World) -> None:
    world.cluster.pods_answer = []
    world.cluster.deployment_answer = deployment(current=0, updated=0, ready=0)
    reply = await world.run("pods")
    assert reply.headline == "Not healthy: no pod is running"
    assert "app=secure-agent-pod" in text_of(reply)


QUOTA = 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0'


@pytest.mark.parametrize("line", ["pods", "status"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wanted": 0}, "is scaled to 0"),
        ({"paused": True}, "is paused"),
        (
            {"conditions": (Condition("ReplicaFailure", "True", "FailedCreate", QUOTA),)},
            QUOTA.split("forbidden: ")[1],
        ),
        ({"conditions": (Condition("Progressing", "True", "NewReplicaSetCreated"),)}, "a rollout is in progress"),
    ],
)
async def test_a_missing_pod_is_explained_by_its_deployment_once(
    world: World, line: str, changes: dict[str, object], said: str
) -> None:
    world.cluster.pods_answer = []
    world.cluster.deployment_answer = deployment(**({"current": 0, "updated": 0, "ready": 0} | changes))
    reply = await world.run(line)
    assert reply.verdict is Verdict.FAIL
    assert said in reply.headline
    assert said in reply.findings[0].summary
    assert text_of(reply).count(said) == 2, "in the headline and its finding"


async def test_a_missing_deployment_is_named_with_the_setting_that_names_it(world: World) -> None:
    world.cluster.pods_answer = []
    world.cluster.deployment_answer = NotFound(
        'There is no such thing: deployments.apps "secure-agent-pod" not found.'
    )
    reply = await world.run("status")
    assert "there is no Deployment secure-agent-pod in secure-agent-pod" in reply.headline
    assert "targets[].deployment" in text_of(reply)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (NotAllowed('The bot may not get deployments.apps "secure-agent-pod".'), "the bot may not get"),
        (HANG, "no answer in"),
        (NotFound("The API server does not know deployments.apps: page not found."), "does not know"),
    ],
)
async def test_a_deployment_that_can_t_be_read_is_never_green_and_hides_no_pod(
    world: World, answer: object, why: str
) -> None:
    world.cluster.deployment_answer = answer
    for line, of_the_pod in {"pods": "Status: Running", "status": "1/1 ready"}.items():
        reply = await world.run(line)
        assert (reply.verdict, reply.exit_code) == (Verdict.UNKNOWN, 2)
        assert "Deployment secure-agent-pod: unknown (" in reply.headline
        assert why in reply.headline
        assert of_the_pod in text_of(reply)
    world.cluster.pods_answer = [pod(containers=(container(ready=False, state="waiting", reason="Error"),))]
    reply = await world.run("pods")
    assert reply.headline == "Not healthy: kali crashed"
    assert sum(why in line for line in reply.findings[0].evidence) == 1


async def test_a_healthy_deployment_is_a_fact_of_pods_and_nothing_in_status(world: World) -> None:
    facts = {f.label: f.value for f in (await world.run("pods")).facts}
    assert facts["Deployment"] == "1 replica wanted, Recreate"
    assert "Deployment" not in text_of(await world.run("status"))


async def test_a_paused_deployment_with_a_ready_pod_is_healthy_and_marked_in_pods(world: World) -> None:
    world.cluster.deployment_answer = deployment(paused=True)
    assert (await world.run("status")).verdict is Verdict.OK
    fact = next(f for f in (await world.run("pods")).facts if f.label == "Deployment")
    assert fact.verdict is Verdict.WARN
    assert "paused" in fact.value


async def test_pods_and_deployment_are_read_side_by_side(world: World) -> None:
    both = asyncio.Barrier(2)

    class Meeting(FakeCluster):
        async def pods(self, selector: str) -> Sequence[Pod]:
            await both.wait()
            return await super().pods(selector)

        async def deployment(self, name: str) -> Deployment:
            await both.wait()
            return await super().deployment(name)

    world.cluster, world.deadline = Meeting(), 2.0
    assert (await world.run("pods")).verdict is Verdict.OK


async def test_two_pods_fail_and_both_are_listed(world: World) -> None:
    world.cluster.pods_answer = [pod("one"), pod("two")]
    reply = await world.run("pods")
    assert reply.headline == "Not healthy: 2 pods run instead of one"
    assert [f.value.split(":")[0] for f in reply.facts if f.label in ("Pod", "Other pod")] == ["two", "one"]


async def test_a_pending_pod_says_why_in_the_conditions_words(world: World) -> None:
    why = Condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")
    waiting = container(ready=False, state="unknown")
    world.cluster.pods_answer = [pod(phase="Pending", node=None, containers=(waiting,), conditions=(why,))]
    reply = await world.run("pods")
    assert reply.headline == "Not healthy: the pod is Pending: 0/3 nodes are available"
    assert "Unschedulable" in text_of(reply)


@pytest.mark.parametrize(
    ("reason", "says", "headline", "remedy"),
    [
        ("CrashLoopBackOff", "back-off 5m", "kali keeps crashing", "`/agentpod diagnose` compares"),
        (
            "CreateContainerConfigError",
            'secret "agent-ssh-keys" not found',
            "Secret agent-ssh-keys is missing, so kali can't start",
            "agent-ssh-keys is required",
        ),
    ],
)
async def test_a_waiting_container_gets_the_handbooks_remedy(
    world: World, reason: str, says: str, headline: str, remedy: str
) -> None:
    waiting = container(ready=False, state="waiting", reason=reason, message=says)
    world.cluster.pods_answer = [pod(containers=(waiting,))]
    reply = await world.run("pods")
    assert reply.headline == f"Not healthy: {headline}"
    assert remedy in (reply.findings[0].remedy or "")


async def test_the_event_of_a_missing_secret_is_part_of_the_pods_finding(world: World) -> None:
    says = 'secret "agent-ssh-keys" not found'
    waiting = container(ready=False, state="waiting", reason="CreateContainerConfigError", message=says)
    world.cluster.pods_answer = [pod(containers=(waiting,))]
    failed = replace(event("Failed", 2), message=f"Error: {says}")
    world.cluster.events_answer = [failed]
    findings = {one.probe: one for one in (await world.run("status")).findings}
    assert "events" not in findings
    assert "Events" in findings["pod"].evidence[-1]
    world.cluster.events_answer = [failed, event("FailedMount", 2)]
    assert "events" in {one.probe for one in (await world.run("status")).findings}, "it names something else too"


def event(reason: str, minutes: int, count: int = 1, kind: str = "Warning") -> Event:
    return Event(
        kind,
        reason,
        f"{reason} happened",
        "pod/secure-agent-pod-abc",
        count,
        last_seen=NOW - timedelta(minutes=minutes),
    )


async def test_events_are_grouped_counted_and_newest_first(world: World) -> None:
    world.cluster.events_answer = [event("Old", 300), event("BackOff", 9, 2), event("BackOff", 3, 4)]
    reply = await world.run("events")
    assert reply.verdict is Verdict.WARN
    rows = utc(reply, NOW).tables[0].rows
    assert [row[:2] for row in rows] == [("BackOff ×6", "3 min, since 11:51 UTC"), ("Old", "5 h")]
    assert reply.tables[0].verdicts == (Verdict.WARN, None)


async def test_a_warning_about_one_part_calls_nothing_healthy(world: World) -> None:
    world.cluster.pods_answer = [pod(containers=(container(ready=False, state="waiting", reason="Error"),))]
    world.cluster.events_answer = [event("BackOff", 3, 4)]
    assert (await world.run("status")).headline.startswith("Not healthy: ")
    reply = await world.run("events")
    assert reply.headline == "Warning: BackOff, last 3 min ago (4 times): BackOff happened"
    assert reply.findings == (), "the table has the rest"
    world.cluster.events_answer = [event("BackOff", 3), event("Old", 7)]
    assert (await world.run("events")).headline.endswith(
        "BackOff, 3 min ago: BackOff happened; 1 more kind of warnings"
    )


async def test_when_and_how_often_is_said_once(world: World) -> None:
    world.cluster.events_answer = [event("BackOff", 3, 4)]
    reply = await world.run("status")
    assert text_of(reply).count("last 3 min ago (4 times)") == 2, "in the headline and its finding"
    assert text_of(reply).count("BackOff happened") == 2
    assert any(line.startswith("pod/") for f in reply.findings for line in f.evidence)


@pytest.mark.parametrize(("created", "verdict"), [(4, Verdict.OK), (6, Verdict.WARN)])
async def test_that_a_pod_could_not_be_created_is_over_once_it_was_created(
    world: World, created: int, verdict: Verdict
) -> None:
    refused = replace(event("FailedCreate", 5), object="replicaset/secure-agent-pod-5d9", uid="uid-rs")
    world.cluster.pods_answer = [replace(pod(), created_at=NOW - timedelta(minutes=created))]
    world.cluster.events_answer = [refused]
    assert (await world.run("status")).verdict is verdict


async def test_that_a_claim_could_not_be_provisioned_is_over_once_it_is_bound(world: World) -> None:
    world.cluster.events_answer = [
        replace(event("ProvisioningFailed", 5), object="persistentvolumeclaim/agent-home", uid=None)
    ]
    assert (await world.run("status")).verdict is Verdict.OK
    world.cluster.claims_answer = [replace(world.cluster.claims_answer[0], phase="Pending")]
    assert "ProvisioningFailed" in text_of(await world.run("status"))


@pytest.mark.parametrize(
    ("external", "verdict"),
    [
        ({"ready": "True", "ready_since": NOW - timedelta(minutes=4)}, Verdict.OK),
        ({"ready": "True", "ready_since": NOW - timedelta(days=4), "refreshed_at": NOW}, Verdict.OK),
        ({"ready": "True", "ready_since": NOW - timedelta(days=4)}, Verdict.WARN),
        ({"ready": "True"}, Verdict.WARN),
        ({"ready": "False", "refreshed_at": NOW}, Verdict.FAIL),
    ],
)
async def test_that_a_secret_could_not_be_filled_is_over_once_it_is_synced_again(
    world: World, external: dict[str, Any], verdict: Verdict
) -> None:
    failed = replace(event("UpdateFailed", 5), object="externalsecret/agent-ssh-keys", uid=None)
    world.cluster.events_answer = [failed]
    world.cluster.external_answer = [ExternalSecret("agent-ssh-keys", "agent-ssh-keys", **external)]
    reply = await world.run("status")
    assert reply.verdict is verdict
    assert ("UpdateFailed" in text_of(reply)) is (verdict is not Verdict.OK)


async def test_without_the_external_secrets_their_events_count(world: World) -> None:
    failed = replace(event("UpdateFailed", 5), object="externalsecret/agent-ssh-keys", uid=None)
    world.cluster.events_answer = [failed]
    world.cluster.external_answer = NotAllowed("The bot may not list externalsecrets.")
    assert "UpdateFailed" in text_of(await world.run("events"))


async def test_what_is_wrong_now_comes_before_an_event(world: World) -> None:
    world.cluster.events_answer = [event("BackOff", 3)]
    world.cluster.programs["df"] = said(DF.replace("310000 690000", "850000 150000"))
    reply = await world.run("status")
    assert [f.probe for f in reply.findings if f.verdict is Verdict.WARN] == ["disk", "events"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [("FailedMount", "FailedMount"), ("Back-off restarting failed container", "BackOff"), ("x", "NodeNotReady")],
)
async def test_an_event_that_says_what_the_pod_s_state_says_is_not_a_second_finding(
    world: World, message: str, reason: str
) -> None:
    said = f'MountVolume.SetUp failed for volume "home" : {message}, which is why it can not start'
    making = container(ready=False, state="waiting", reason="ContainerCreating", started_at=None)
    made = pod(phase="Pending", containers=(making,))
    world.cluster.pods_answer = [
        replace(made, conditions=tuple(c for c in made.conditions if c.type != "PodReadyToStartContainers"))
    ]
    world.cluster.events_answer = [replace(event(reason, 3), message=said)]
    reply = await world.run("status")
    assert [f.probe for f in reply.findings if f.verdict is not Verdict.OK] == ["pod"]
    assert any("Events" in line for line in reply.findings[0].evidence if line.startswith("Follows from it"))
    other = replace(event("Unhealthy", 2), message="Startup probe failed: connection refused")
    world.cluster.events_answer = [*world.cluster.events_answer, other]
    reply = await world.run("status")
    assert "events" in [f.probe for f in reply.findings if f.verdict is not Verdict.OK]


START = ["FailedScheduling", "FailedAttachVolume", "FailedMount", "FailedCreatePodSandBox", "Unhealthy"]


def ready_since(minutes: int, **changes: Any) -> Pod:
    """A pod that was ready ten seconds after its container was started."""
    at = NOW - timedelta(minutes=minutes)
    up = container(started_at=at - timedelta(seconds=10), **changes)
    made = pod(containers=(up,))
    return replace(made, conditions=tuple(replace(c, since=at) for c in made.conditions))


@pytest.mark.parametrize("reason", START)
async def test_what_a_start_waited_for_is_over_once_the_pod_is_ready(world: World, reason: str) -> None:
    world.cluster.pods_answer = [ready_since(4)]
    world.cluster.events_answer = [event(reason, 5)]
    assert (await world.run("status")).headline.startswith("Healthy: ")
    reply = await world.run("events")
    assert (reply.tables[0].rows[0][0], reply.tables[0].verdicts) == (reason, (None,))
    world.cluster.events_answer = [event(reason, 3)]
    later = (await world.run("status")).headline
    assert ("with 1 warning" in later) is (reason != "FailedScheduling")  # a pod gets its node once


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("Unhealthy", {"restarts": 1}),
        ("BackOff", {}),
        ("OOMKilling", {}),
    ],
)
async def test_what_may_not_be_over_counts(world: World, reason: str, change: dict[str, Any]) -> None:
    world.cluster.pods_answer = [ready_since(4, **change)]
    world.cluster.events_answer = [event(reason, 5)]
    assert (await world.run("events")).verdict is Verdict.WARN


def about(object_: str, uid: str | None, reason: str = "Failed") -> Event:
    return replace(event(reason, 5), object=object_, uid=uid)


POD = "pod/secure-agent-pod-abc"
OWN = {
    "the pod": about(POD, "uid-secure-agent-pod-abc"),
    "the pod, no uid": about(POD, None),
    "its ReplicaSet": about("replicaset/secure-agent-pod-5d9", "uid-rs"),
    "its Deployment": about("deployment/secure-agent-pod", "uid-deployment"),
    "its claim": about("persistentvolumeclaim/agent-home", "uid-claim"),
    "its Secret": about("secret/agent-ssh-keys", "x"),
    "what fills its Secret": about("externalsecret/agent-ssh-keys", "x", "UpdateFailed"),
    "the Service with its address": about("service/secure-agent-ssh", None),
    "a Service that sends to it": about("service/internal", "uid-internal"),
}
OTHERS = {
    "a pod that is gone": about("pod/secure-agent-pod-old", "uid-old"),
    "an earlier pod of the same name": about(POD, "uid-of-before"),
    "the bot's own pod": about("pod/agentpod-7c9", "uid-bot", "FailedScheduling"),
    "an old ReplicaSet": about("replicaset/secure-agent-pod-old", "uid-rs-old"),
    "an earlier ReplicaSet of the same name": about("replicaset/secure-agent-pod-5d9", "uid-rs-before"),
    "another Deployment": about("deployment/agentpod", "uid-other"),
    "a stranger's claim": about("persistentvolumeclaim/somebody-elses", "uid-c", "ProvisioningFailed"),
    "an earlier claim of the same name": about("persistentvolumeclaim/agent-home", "uid-claim-before"),
    "another Secret": about("secret/other", None),
    "another's Service": about("service/other", None),
    "a node": about("node/gpu-1", "gpu-1", "SystemOOM"),
    "a job": about("job/backup-1", "uid-job", "BackoffLimitExceeded"),
}


@pytest.fixture
def namespace(world: World) -> World:
    """A namespace that holds other objects as well."""
    other = Service("other", "ClusterIP", "10.0.0.9", (), (), {"app": "agentpod"}, "uid-svc")
    internal = Service("internal", "ClusterIP", "10.0.0.8", (), (), {"app": "secure-agent-pod"}, "uid-internal")
    world.cluster.services_answer = [*world.cluster.services_answer, internal, other]
    [claim] = world.cluster.claims_answer
    stranger = Claim("somebody-elses", "Pending", uid="uid-c")
    world.cluster.claims_answer = [replace(claim, uid="uid-claim"), stranger]
    world.deadline = 5.0  # nothing hangs here, so a generous deadline suits a busy machine
    return world


@pytest.mark.parametrize("whose", OWN)
async def test_a_warning_about_what_is_the_target_s_own_counts(namespace: World, whose: str) -> None:
    namespace.cluster.events_answer = [OWN[whose]]
    for line in ("events", "status"):
        reply = await namespace.run(line)
        assert reply.verdict is Verdict.WARN, whose
        assert OWN[whose].reason in text_of(reply)


@pytest.mark.parametrize("whose", OTHERS)
async def test_what_is_another_s_or_gone_is_only_listed_when_asked_for(namespace: World, whose: str) -> None:
    namespace.cluster.events_answer = [OTHERS[whose]]
    status = await namespace.run("status")
    assert (status.verdict, OTHERS[whose].reason in text_of(status)) == (Verdict.OK, False)
    short = await namespace.run("events")
    assert short.verdict is Verdict.OK
    assert "1 kind of warnings about objects that are gone or not the pod's" in text_of(short)
    everything = await namespace.run("events --all")
    assert everything.verdict is Verdict.OK
    assert OTHERS[whose].reason in text_of(everything)
    assert everything.tables[0].verdicts == (None,)


@pytest.mark.parametrize(
    ("object_", "verdict"),
    [
        ("replicaset/secure-agent-pod-77x", Verdict.WARN),
        ("replicaset/secure-agent-pod-old", Verdict.OK),
        ("replicaset/agentpod-77x", Verdict.OK),
    ],
)
async def test_without_a_pod_the_deployment_names_the_replica_set(
    namespace: World, object_: str, verdict: Verdict
) -> None:
    said = Condition(
        "Progressing", "True", "ReplicaSetUpdated", 'ReplicaSet "secure-agent-pod-77x" is progressing.'
    )
    namespace.cluster.pods_answer = []
    namespace.cluster.deployment_answer = deployment(conditions=(said,))
    namespace.cluster.events_answer = [about(object_, "uid-x", "FailedCreate")]
    assert (await namespace.run("events")).verdict is verdict


async def test_whose_a_warning_is_stays_unknown_where_the_pods_are(world: World) -> None:
    world.cluster.pods_answer = NotAllowed("The bot may not list pods.")
    world.cluster.events_answer = [OWN["the pod"]]
    reply = await world.run("events")
    assert reply.verdict is Verdict.UNKNOWN
    assert "Failed" in text_of(reply)


@pytest.mark.parametrize("unread", ["services_answer", "claims_answer"])
async def test_what_can_t_be_told_apart_counts(namespace: World, unread: str) -> None:
    setattr(namespace.cluster, unread, NotAllowed("The bot may not list them."))
    namespace.cluster.events_answer = [OWN["the Service with its address"], OWN["its claim"]]
    text = text_of(await namespace.run("events"))
    assert "service/secure-agent-ssh" in text
    assert "persistentvolumeclaim/agent-home" in text


async def test_a_stranger_s_claim_is_not_the_home_s(namespace: World) -> None:
    status = await namespace.run("status")
    assert status.verdict is Verdict.OK
    assert "somebody-elses" not in text_of(await namespace.run("storage"))


async def test_normal_events_are_only_shown_when_asked_for(world: World) -> None:
    world.cluster.events_answer = [event("Pulled", 3, kind="Normal")]
    assert "Pulled" not in text_of(await world.run("events"))
    assert "Pulled" in text_of(await world.run("events --all"))


async def test_old_warnings_are_shown_but_don_t_warn(world: World) -> None:
    world.cluster.events_answer = [event("Old", 61)]
    reply = await world.run("events")
    assert reply.verdict is Verdict.OK
    assert "Old" in text_of(reply)


async def test_root_fails(world: World) -> None:
    world.cluster.programs["id"] = said("uid=0(root) gid=0(root)\n")
    reply = await world.run("identity")
    assert reply.headline == "Not healthy: kali runs as root"


TWO = handbook.target(
    containers=(
        handbook.CONTAINER,
        ContainerTarget(name="sidecar", user=None, processes=(ProcessRule.named("sshd"),)),
    )
)


def with_sidecar(world: World) -> World:
    world.target = TWO
    world.cluster.pods_answer = [pod(containers=(container(), container("sidecar")))]
    return world


@pytest.mark.parametrize(("line", "program"), [("identity", "id"), ("processes", "ps")])
async def test_one_silent_container_leaves_the_others_known(world: World, line: str, program: str) -> None:
    with_sidecar(world).cluster.programs["sidecar", program] = HANG
    reply = await world.run(line)
    assert reply.verdict is Verdict.UNKNOWN
    assert "sidecar: no answer in" in reply.headline
    assert any("kali" in row or "sshd" in row for row in reply.tables[0].rows)
    assert "uid=1000(claude)" in text_of(reply) or "pid 61" in text_of(reply)


@pytest.mark.parametrize("line", ["identity", "processes"])
async def test_a_missing_container_is_named_with_those_that_exist(world: World, line: str) -> None:
    world.target = TWO
    world.cluster.pods_answer = [pod(containers=(container(), container("proxy")))]
    reply = await world.run(line)
    assert reply.headline == "Not healthy: the pod has no container sidecar"
    assert "it has kali and proxy" in text_of(reply)


async def test_a_fault_in_one_container_is_not_hidden_by_anothers_silence(world: World) -> None:
    with_sidecar(world).cluster.programs["sidecar", "ps"] = Transient("The kubelet is away.")
    world.cluster.programs["ps"] = said("PID USER COMMAND\n1 claude tini\n")
    reply = await world.run("processes")
    assert reply.verdict is Verdict.FAIL
    assert "The kubelet is away" in text_of(reply) or "the kubelet is away" in text_of(reply)


async def test_processes_are_shown_with_pid_and_running_time(world: World) -> None:
    reply = await world.run("processes")
    assert reply.tables[0].rows[0] == ("sshd", "61", "6 h 51 min")
    assert len(reply.tables) == 1


async def test_a_missing_process_fails_with_the_handbooks_remedy(world: World) -> None:
    world.cluster.programs["ps"] = said("PID USER ELAPSED COMMAND\n61 claude 01:00 sshd: /usr/sbin/sshd -D\n")
    reply = await world.run("processes")
    assert reply.headline == "Not healthy: supercronic and vibe-kanban are not running"
    assert "ask for a restart" in (reply.findings[0].remedy or "")


async def test_an_image_without_ps_and_shell_is_unknown(world: World) -> None:
    del world.cluster.programs["ps"]
    reply = await world.run("processes")
    assert reply.verdict is Verdict.UNKNOWN
    assert "no process list could be read" in reply.headline


async def test_all_processes_are_listed_without_secret_values(world: World) -> None:
    reply = await world.run("processes --all")
    assert "/usr/bin/tini -- /entrypoint.sh" in text_of(reply)
    assert "curl -H" in text_of(reply)
    assert "open-sesame-42" not in text_of(reply)


async def test_arguments_are_left_out_when_the_secret_values_are_not_known(world: World) -> None:
    world.cluster.secrets_answer = NotAllowed("The bot may not read Secrets.")
    reply = await world.run("processes --all")
    assert reply.verdict is Verdict.OK
    assert "open-sesame-42" not in text_of(reply)
    assert "Arguments are left out" in text_of(reply)


async def test_services_shows_each_address_with_its_endpoints_and_answer(world: World) -> None:
    reply = await world.run("services")
    row = ("SSH", "SSH-2.0-OpenSSH_9.9", "192.168.55.215:22 → 2222", "1/1 ready")
    assert reply.tables[0].rows[0] == row


async def test_an_address_that_nobody_carries_fails(world: World) -> None:
    world.cluster.services_answer = [ssh_service(ingress=())]
    reply = await world.run("services")
    assert reply.verdict is Verdict.FAIL
    assert "192.168.55.215:22 (not assigned)" in text_of(reply)


async def test_a_hanging_server_does_not_hold_up_the_other_answers(world: World) -> None:
    world.network.banner_answer = HANG
    reply = await world.run("services")
    assert reply.verdict is Verdict.UNKNOWN
    assert "answers with HTTP 200" in text_of(reply)


async def test_services_without_expected_addresses_still_lists_what_there_is(world: World) -> None:
    world.target = handbook.target(services=())
    reply = await world.run("services")
    assert "secure-agent-ssh" in text_of(reply)
    assert (reply.verdict, list(reply.findings)) == (None, [])
    assert reply.headline == "The settings expect no address (targets[].services), so none is judged"


async def test_drift_from_git_warns(world: World) -> None:
    drifted = replace(world.cluster.application_answer, sync="OutOfSync")
    world.cluster.application_answer = drifted
    reply = await world.run("argocd")
    assert reply.verdict is Verdict.WARN
    assert "argocd app get" in text_of(reply)


async def test_an_absent_application_is_unknown_with_the_reason(world: World) -> None:
    world.cluster.application_answer = NotFound("There is no Argo CD here.")
    reply = await world.run("argocd")
    assert (reply.verdict, reply.exit_code) == (Verdict.UNKNOWN, 2)
    assert "there is no Argo CD here" in reply.headline


async def test_argocd_that_is_switched_off_is_not_judged(world: World) -> None:
    world.target = handbook.target(argocd=None)
    assert (await world.run("argocd")).verdict is None


async def test_storage_shows_claims_disk_and_the_largest_folders(world: World) -> None:
    reply = await world.run("storage")
    assert reply.headline.startswith("Disk: ")
    assert {f.label: f.value for f in reply.facts}["Volume claim"].startswith("agent-home, Bound, 50 GiB")
    assert reply.tables[0].rows == (("repos", "488.3 MiB"), (".ssh", "20 KiB"))


async def test_a_full_disk_fails_and_an_unbound_claim_too(world: World) -> None:
    world.cluster.programs["df"] = said(DF.replace("310000 690000", "950000 50000"))
    assert (await world.run("storage")).headline == "Not healthy: the disk of /home/claude is 95 % full"
    world.cluster.claims_answer = [Claim("agent-home", "Pending")]
    assert "agent-home is Pending" in text_of(await world.run("storage"))


async def test_a_full_disk_names_the_largest_folder_unless_more_is_in_none(world: World) -> None:
    world.cluster.programs["df"] = said(DF.replace("310000 690000", "950000 50000"))
    world.cluster.programs["timeout"] = said("700000\t/home/claude/.cache\n900000\t/home/claude\n")
    [disk] = [one for one in (await world.run("storage")).findings if one.probe == "disk"]
    assert disk.remedy == "`.cache` has 683.6 MiB of the 927.7 MiB used: clear what is not needed there."
    for folders in (
        said("100000\t/home/claude/.cache\n200000\t/home/claude\n"),
        said("700000\t/home/claude/.cache\n", "", 124),
        Transient("The channel broke."),
    ):
        world.cluster.programs["timeout"] = folders
        [disk] = [one for one in (await world.run("storage")).findings if one.probe == "disk"]
        assert disk.remedy == judge_storage.CLEAR


async def test_what_keeps_the_disk_from_being_read_is_said_once(world: World) -> None:
    world.cluster.pods_answer = [pod(containers=(container(state="waiting", reason="CrashLoopBackOff"),))]
    reply = await world.run("storage")
    assert "kali is not running (CrashLoopBackOff)" in reply.headline
    assert "Folder sizes" not in text_of(reply)


async def test_a_disk_without_inodes_fails_and_says_so(world: World) -> None:
    world.cluster.programs["df -Pi"] = said("Filesystem Inodes IUsed IFree IUse% Mounted on\nx 9 9 0 100% /home\n")
    reply = await world.run("storage")
    assert reply.headline == "Not healthy: /home/claude: no inodes left (100 %)"
    assert {f.label: f.value for f in reply.facts}["Inodes"] == "9 of 9"


@pytest.mark.parametrize("answer", [Transient("The channel broke."), said("", "df: invalid option -- 'i'", 1)])
async def test_without_the_inodes_the_disk_is_judged_by_its_bytes(world: World, answer: Any) -> None:
    world.cluster.programs["df -Pi"] = answer
    reply = await world.run("storage")
    assert (reply.verdict, reply.data["inodes_percent"]) == (Verdict.OK, None)


async def test_folders_cut_short_in_the_pod_are_shown_as_partial(world: World) -> None:
    world.cluster.programs["timeout"] = said("7000\t/home/claude/.cache\n", "", 124)
    reply = await world.run("storage")
    assert reply.verdict is Verdict.OK
    assert "(partial)" in reply.tables[0].title
    assert reply.data["folders_complete"] is False


async def test_folders_that_can_t_be_read_leave_the_verdict_of_the_volume(world: World) -> None:
    world.cluster.programs["timeout"] = Transient("The channel broke.")
    reply = await world.run("storage")
    assert reply.verdict is Verdict.OK
    assert "Folder sizes: the channel broke" in text_of(reply)


async def test_a_du_without_depth_is_asked_through_a_shell(world: World) -> None:
    del world.cluster.programs["timeout"]
    world.cluster.programs["sh"] = said("12\t/home/claude/repos\n")
    assert "repos | 12 KiB" in text_of(await world.run("storage"))


async def test_heartbeats_say_state_age_what_comes_next_and_the_rule(world: World) -> None:
    reply = await world.run("heartbeats")
    row = next(r for r in reply.tables[0].rows if r[0] == "exercise-reminder")
    assert row[1:] == ("1 h ago", "up, stale in 2 h", "stale after 3 h, critical")


async def test_a_stale_critical_job_fails_and_comes_first(world: World) -> None:
    assert world.heartbeats
    world.heartbeats.answer = HeartbeatPoll((*FRESH[:2], beat("session_manager", timedelta(minutes=24))))
    reply = await world.run("heartbeats")
    assert reply.headline == "Not healthy: session-manager is stale"
    assert reply.tables[0].rows[0][:3] == ("session-manager", "24 min ago", "stale for 14 min")
    assert reply.findings[0].evidence == (), "the table says it"


async def test_never_seen_and_unknown_jobs_are_named(world: World) -> None:
    assert world.heartbeats
    world.heartbeats.answer = HeartbeatPoll((*FRESH[:2], beat("mystery", timedelta(days=3))))
    reply = await world.run("heartbeats")
    assert reply.verdict is Verdict.UNKNOWN
    assert reply.headline == "Could not tell: session-manager was never seen"
    assert "Not in the settings, so not judged: mystery (3 d ago)" in reply.notes
    assert reply.body == ()


@pytest.mark.parametrize("answer", [HANG, Transient("The Pushgateway refuses."), HeartbeatPoll(())])
async def test_a_source_that_can_t_be_read_is_blind_and_no_job_is_blamed(world: World, answer: object) -> None:
    assert world.heartbeats
    world.heartbeats.answer = answer
    reply = await world.run("heartbeats")
    assert reply.verdict is Verdict.UNKNOWN
    assert "the state of every job is unknown" in text_of(reply)
    assert not reply.tables
    assert "stale" not in text_of(reply).lower()


async def test_without_a_pushgateway_heartbeats_are_unknown(world: World) -> None:
    world.heartbeats = None
    assert (await world.run("heartbeats")).verdict is Verdict.UNKNOWN


async def test_a_thousand_unknown_jobs_are_counted_not_listed(world: World) -> None:
    assert world.heartbeats
    many = tuple(beat(f"job-{n}", timedelta(hours=1)) for n in range(1000))
    world.heartbeats.answer = HeartbeatPoll((*FRESH, *many))
    reply = await world.run("heartbeats")
    assert len(reply.tables) == 1
    assert "995 more" in reply.notes[0]


async def test_a_flag_that_does_not_exist_gets_the_usage(world: World) -> None:
    with pytest.raises(UsageError, match="Did you mean --all"):
        await world.run("events --al")


class Stubborn(Check):
    id, title, seconds = "disk", "Disk", 0.05

    async def run(self, reads: Reads) -> Finding:
        try:
            return await reads.of(EXEC, asyncio.sleep(60, Finding("disk", "Disk", Verdict.OK, "fine")))
        except SourceUnavailable:
            await asyncio.sleep(60)
            raise


async def test_a_check_that_does_not_end_in_time_still_names_the_source_it_asked(world: World) -> None:
    outcome = (await run_checks(world.context(), [Stubborn()]))[0]
    assert outcome.cause is not None
    assert outcome.cause.source == EXEC.key
    assert outcome.finding.summary == "no answer in 0.05 s"


async def test_a_missing_right_points_to_the_role_and_to_no_command(world: World) -> None:
    world.cluster.pods_answer = NotAllowed("The bot may not list pods.", remedy="Grant it in the Role.")
    finding = (await world.run("pods")).findings[0]
    assert (finding.remedy, finding.run) == ("Grant it in the Role.", None)


async def test_why_a_service_can_t_be_reached_is_said_beside_its_address(world: World) -> None:
    world.network.banner_answer = Permanent("connection refused")
    reply = await world.run("services")
    assert reply.headline == "Not healthy: SSH can't be reached at 192.168.55.215:22: connection refused"


async def test_storage_says_what_the_folders_don_t_explain(world: World) -> None:
    world.cluster.programs["timeout"] = said("200000\t/home/claude/repos\n204000\t/home/claude\n")
    reply = await world.run("storage")
    assert reply.tables[0].rows[1:] == (("files and smaller folders", "3.9 MiB"),)
    assert {f.label: f.value for f in reply.facts}["Outside all folders"] == (
        "103.5 MiB of what is used: deleted files that a process keeps open, or the file system's own data"
    )
    world.cluster.programs["timeout"] = said("300000\t/home/claude/repos\n305000\t/home/claude\n")
    assert "Outside all folders" not in text_of(await world.run("storage")), "too little to explain"


async def test_a_full_disk_says_how_much_of_how_much_is_used_once(world: World) -> None:
    world.cluster.programs["df"] = said(DF.replace("310000 690000", "950000 50000"))
    reply = await world.run("storage")
    [disk] = [one for one in reply.findings if one.probe == "disk"]
    assert disk.evidence[0] == "927.7 MiB of 976.6 MiB used, 48.8 MiB free"
    assert not {"Used", "Thresholds"} & {fact.label for fact in reply.facts}
    world.cluster.programs["df"] = said(DF)
    fine = await world.run("storage")
    assert " free of " in fine.headline
    assert "free" not in {f.label: f.value for f in fine.facts}["Used"], "the headline says it"
