"""Missing and surplus pods are explained by the Deployment and its controller."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Condition, Container, Deployment, Manager, Pod
from bot.domain.health.judge_deployment import Absent, DeploymentUnread, Owner, in_a_line
from bot.domain.health.judge_pod import judge_pod
from tests.pods import conditions

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)
NAME = "secure-agent-pod"
DONE = Condition("Progressing", "True", "NewReplicaSetAvailable", "ReplicaSet has successfully progressed.")
GOING = Condition("Progressing", "True", "ReplicaSetUpdated", 'ReplicaSet "x-1" is progressing.')
LATE = Condition("Progressing", "False", "ProgressDeadlineExceeded", 'ReplicaSet "x-1" has timed out progressing.')
QUOTA = 'pods "x-1-abc" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1'
SECURITY = 'pods "x-1-abc" is forbidden: violates PodSecurity "restricted:latest": privileged'
WEBHOOK = 'admission webhook "policy.example" denied the request: no latest tags'
NO_ACCOUNT = 'pods "x-1-" is forbidden: error looking up service account n/x: serviceaccount "x" not found'


def bare(said: str) -> str:
    """The API server's message, without the name of the pod that was never created."""
    return said.split(" is forbidden: ", 1)[1]


def deployment(*conditions: Condition, **changes: Any) -> Deployment:
    """A Deployment of one replica; by default its rollout is complete."""
    usual: dict[str, Any] = {"current": 1, "updated": 1, "ready": 1, "available": 1, "strategy": "Recreate"}
    usual |= {"generation": 4, "observed_generation": 4}
    return Deployment(NAME, "uid", conditions=conditions or (DONE,), **(usual | changes))


def podless(*conditions: Condition, **changes: Any) -> Deployment:
    return deployment(*conditions, **({"current": 0, "updated": 0, "ready": 0, "available": 0} | changes))


def failed(message: str) -> Condition:
    return Condition("ReplicaFailure", "True", "FailedCreate", message)


def pod(name: str = "pod-1", ready: bool = True, **more: Any) -> Pod:
    container = Container("kali", "kali:1", ready=ready, state="running" if ready else "waiting", reason=None)
    if not ready:
        container = replace(container, reason="CrashLoopBackOff")
    fields: dict[str, Any] = {"node": "gpu-1", "created_at": NOW - timedelta(hours=1), "containers": (container,)}
    shown = fields | {"conditions": conditions([container])} | more
    return Pod(name, "uid", shown.pop("phase", "Running"), **shown)


def judged(owner: Owner, *pods: Pod) -> Finding:
    return judge_pod(pods, Target(), NOW, owner)


def whole(finding: Finding) -> str:
    return "\n".join((finding.summary, *finding.evidence, finding.remedy or "", finding.run or ""))


@pytest.mark.parametrize(
    ("owner", "summary", "run"),
    [
        (
            Absent(f'deployments.apps "{NAME}" not found'),
            f"there is no Deployment {NAME} in secure-agent-pod",
            "get deployments",
        ),
        (
            podless(wanted=0),
            f"Deployment {NAME} is scaled to 0",
            f"kubectl -n secure-agent-pod scale deployment {NAME} --replicas=1",
        ),
        (
            podless(paused=True),
            f"no pod is running and Deployment {NAME} is paused",
            f"kubectl -n secure-agent-pod rollout resume deployment {NAME}",
        ),
        (podless(failed(QUOTA)), f"no pod can be created: {bare(QUOTA)}", "get resourcequota"),
        (podless(failed(SECURITY)), f"no pod can be created: {bare(SECURITY)}", "get namespace"),
        (podless(failed(WEBHOOK)), f"no pod can be created: {WEBHOOK}", "/agentpod events"),
        (podless(failed(NO_ACCOUNT)), f"no pod can be created: {bare(NO_ACCOUNT)}", "get serviceaccounts"),
        (podless(failed("something else")), "no pod can be created: something else", "/agentpod events"),
        (
            podless(LATE),
            'the rollout made no progress in time: ReplicaSet "x-1" has timed out progressing.',
            "rollout undo",
        ),
        (podless(GOING), "a rollout is in progress and there is no pod yet", "/agentpod events"),
        (podless(generation=5), "a rollout is in progress and there is no pod yet", "/agentpod events"),
        (
            deployment(),
            f"Deployment {NAME} has 1 pod, but none with the labels app=secure-agent-pod",
            "get pods --show-labels",
        ),
        (podless(), "no pod is running", "describe deployment"),
        (DeploymentUnread("no answer in 3 s"), "no pod is running", "describe deployment"),
        (None, "no pod is running", "describe deployment"),
    ],
)
def test_a_missing_pod_has_the_deployments_reason(owner: Owner, summary: str, run: str) -> None:
    finding = judged(owner)
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, summary)
    assert run in (finding.run or "")
    assert finding.remedy


def test_a_rollout_of_what_git_makes_is_undone_by_a_commit() -> None:
    by = Manager("Flux", "Flux (apps)", "Change it in Git.", undoes=False)
    finding = judged(replace(podless(LATE), managers=(by,)))
    assert (finding.remedy or "").endswith(
        "is undone by reverting its commit: Flux (apps) manages the Deployment."
    )
    assert finding.run == "/agentpod events"


def test_argo_cd_is_named_for_a_missing_deployment_only_where_it_is_used() -> None:
    gone = Absent(f'deployments.apps "{NAME}" not found')
    assert "Argo CD" in whole(judged(gone))
    assert "Argo CD" not in whole(judge_pod([], Target(argocd=None), NOW, gone))


def test_a_missing_deployment_shows_the_setting_and_the_server_s_message() -> None:
    finding = judged(Absent(f'deployments.apps "{NAME}" not found'))
    assert "targets[].deployment in the settings" in (finding.remedy or "")
    assert finding.evidence == (f'deployments.apps "{NAME}" not found',)


def test_a_long_refusal_is_complete_in_the_evidence() -> None:
    message = QUOTA + ", requested: limits.memory=64Gi, used: limits.memory=0, limited: limits.memory=32Gi" * 2
    finding = judged(podless(failed(message)))
    assert finding.summary.endswith("…")
    assert bare(message) in finding.evidence


def test_a_controller_that_has_not_acted_yet_is_reported() -> None:
    assert "the Deployment controller has not acted on generation 5 yet" in judged(podless(generation=5)).evidence


def test_a_terminating_pod_explains_a_missing_one_unless_the_deployment_does() -> None:
    going = pod(deleting=True)
    assert judged(podless(GOING), going).summary.startswith("the old pod is still terminating")
    off = judged(podless(wanted=0), going)
    assert off.summary.endswith("is scaled to 0")
    assert "pod-1: Terminating" in off.evidence
    assert judged(podless(failed(QUOTA)), going).summary.startswith("no pod can be created")


def test_an_evicted_pod_is_not_taken_for_one_with_other_labels() -> None:
    evicted = pod(phase="Failed", reason="Evicted")
    finding = judged(deployment(), evicted)
    assert finding.summary == "no pod is running: the pod was evicted"
    assert "pod-1: Evicted" in finding.evidence


def test_several_wanted_replicas_have_scaling_as_remedy() -> None:
    finding = judged(deployment(wanted=2), pod("a"), pod("b"))
    assert finding.summary == "2 pods run instead of one: 2 replicas wanted"
    assert finding.run == f"kubectl -n secure-agent-pod scale deployment {NAME} --replicas=1"
    assert finding.evidence[:2] == ("a: 1/1 Running", "b: 1/1 Running")


def test_several_pods_of_a_rolling_update_are_explained_by_the_strategy() -> None:
    finding = judged(deployment(strategy="RollingUpdate"), pod("a"), pod("b"))
    assert finding.summary == "2 pods run instead of one: the strategy is RollingUpdate, not Recreate"


def test_unexplained_pods_are_only_counted() -> None:
    assert judged(deployment(), pod("a"), pod("b")).summary == "2 pods run instead of one"


@pytest.mark.parametrize(
    ("owner", "line"),
    [
        (deployment(paused=True), "paused: a change or restart won't roll out until it is resumed"),
        (deployment(LATE), "the rollout made no progress in time"),
        (deployment(GOING, updated=0), "a rollout is in progress: 0 of 1 replica updated"),
        (DeploymentUnread("the bot may not get it"), f"Deployment {NAME}: unknown (the bot may not get it)"),
        (Absent("not found"), f"there is no Deployment {NAME}"),
    ],
)
def test_a_pod_s_own_issue_comes_before_the_deployment_s(owner: Owner, line: str) -> None:
    finding = judged(owner, pod(ready=False))
    assert finding.summary == "kali keeps crashing"
    assert sum(line in e for e in finding.evidence) == 1


@pytest.mark.parametrize("owner", [deployment(), deployment(paused=True), deployment(wanted=1), None])
def test_a_healthy_deployment_adds_nothing_to_a_ready_pod(owner: Owner) -> None:
    finding = judged(owner, pod())
    assert (finding.verdict, finding.summary) == (Verdict.OK, "1/1 ready on gpu-1, up 1 h")


def test_an_unreadable_deployment_is_reported_with_a_ready_pod() -> None:
    finding = judged(DeploymentUnread("no answer in 3 s", "Look at the API server.", "/agentpod version"), pod())
    assert (finding.verdict, finding.summary) == (
        Verdict.UNKNOWN,
        f"Deployment {NAME}: unknown (no answer in 3 s)",
    )
    assert (finding.remedy, finding.run) == ("Look at the API server.", "/agentpod version")
    assert finding.summary not in finding.evidence


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (Absent("not found"), "nothing brings the pod back when it ends"),
        (deployment(failed(QUOTA)), "exceeded quota"),
        (deployment(LATE), "has timed out progressing"),
    ],
)
def test_a_stuck_deployment_warns_once_with_a_ready_pod(owner: Owner, words: str) -> None:
    finding = judged(owner, pod())
    assert finding.verdict is Verdict.WARN
    assert words in finding.summary
    assert whole(finding).count(words) == 1


def test_the_deployment_in_a_line() -> None:
    assert in_a_line(deployment()) == "1 replica wanted, Recreate"
    assert in_a_line(deployment(paused=True)).endswith(
        "paused: a change or restart won't roll out until it is resumed"
    )
