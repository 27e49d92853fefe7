"""The handbook's decision trees on a real control plane, with the shipped rights alone."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.services.container_exec import PS_COMMANDS
from sandbox.cluster import objects
from tests.controlplane.agent_pod import AgentPod, usual_answers, usual_log
from tests.controlplane.watching import comes_to_say
from tests.scenarios.talk import World

pytestmark = pytest.mark.asyncio(loop_scope="module")
DF = f"df -Pk {objects.HOME}"
POLICIES = "/apis/cilium.io/v2/namespaces/{}/ciliumnetworkpolicies/agent-egress"


@pytest.fixture
def pod(shared_pod: AgentPod) -> Iterator[AgentPod]:
    """The pod, healthy and with its usual programs before each test."""
    yield shared_pod
    shared_pod.answers(usual_answers())
    shared_pod.log(usual_log())
    shared_pod.heal()


def crashes(pod: AgentPod) -> None:
    now = datetime.now(UTC)
    said = "Download failed: getaddrinfo EAI_AGAIN npm-cdn.vibekanban.com"
    pod.log([(now - timedelta(minutes=2), said)], previous=True)
    pod.play("crash-loop")


def crashes_after_a_wait(pod: AgentPod) -> None:
    """The pod had to wait for a node, and for its volume, before its container began."""
    seen = (datetime.now(UTC) - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    now = pod.pod()["metadata"]
    about = {"kind": "Pod", "namespace": pod.namespace, "name": now["name"], "uid": now["uid"]}
    for reason in ("FailedScheduling", "FailedMount"):
        meta = {"name": f"waited-{reason.lower()}", "namespace": pod.namespace}
        event = {"metadata": meta, "involvedObject": about, "type": "Warning", "reason": reason, "count": 1}
        pod.ensure(f"{pod.path}/events", event | {"message": "not yet", "lastTimestamp": seen})
    crashes(pod)


def without(name: str) -> Callable[[AgentPod], None]:
    """A process is gone from the lists of processes."""

    def make(pod: AgentPod) -> None:
        answers = usual_answers()
        for argv in PS_COMMANDS:
            if (found := answers.get(shlex.join(argv))) is not None:
                found["out"] = "".join(line for line in found["out"].splitlines(True) if name not in line)
        pod.answers(answers)

    return make


def full(pod: AgentPod) -> None:
    line = f"/dev/longhorn/home 51290592 49751875 1538717 97% {objects.HOME}"
    pod.answers(
        usual_answers() | {DF: {"out": f"Filesystem 1024-blocks Used Available Capacity Mounted on\n{line}\n"}}
    )


def changed(pod: AgentPod) -> None:
    pod.patch(f"{pod.path}/secrets/agent-secrets-tier2", {"stringData": {"GITHUB_TOKEN": "another-value"}})


def refused(pod: AgentPod) -> None:
    policy = objects.egress_policy(datetime.now(UTC), objects.LRU)
    pod.patch(POLICIES.format(pod.namespace), {"status": policy["status"]})


def repaired(pod: AgentPod) -> None:
    policy = objects.egress_policy(datetime.now(UTC))
    pod.patch(POLICIES.format(pod.namespace), {"status": policy["status"]})


def lost_address(pod: AgentPod) -> None:
    pod.patch(f"{pod.path}/services/secure-agent-ssh/status", {"status": {"loadBalancer": {"ingress": None}}})


def got_address(pod: AgentPod) -> None:
    [service] = [s for s in objects.services(datetime.now(UTC)) if s["metadata"]["name"] == "secure-agent-ssh"]
    pod.patch(f"{pod.path}/services/secure-agent-ssh/status", {"status": service["status"]})


ROWS: dict[str, tuple[str, Callable[[AgentPod], None], str, str]] = {
    "crash: CrashLoopBackOff": (
        "crash",
        crashes,
        "VibeKanban can't reach its download server",
        "Download failed: getaddrinfo EAI_AGAIN npm-cdn.vibekanban.com",
    ),
    "crash: after a wait": (
        "crash",
        crashes_after_a_wait,
        "VibeKanban can't reach its download server",
        "Download failed: getaddrinfo EAI_AGAIN npm-cdn.vibekanban.com",
    ),
    "config: CreateContainerConfigError": (
        "config",
        lambda pod: pod.play("config-error"),
        "Secret agent-ssh-keys is missing, so kali can't start",
        'secret "agent-ssh-keys" not found',
    ),
    "ssh: sshd": ("ssh", without("sshd"), "sshd does not run, so nobody can sign in", "sshd: not running"),
    "ssh: address": ("ssh", lost_address, "address", "assigned: no address"),
    "kanban": ("kanban", without("vibe-kanban"), "VibeKanban does not run", "vibe-kanban: not running"),
    "cron": (
        "cron",
        without("supercronic"),
        "supercronic does not run, so no job runs",
        "supercronic: not running",
    ),
    "env": (
        "env",
        changed,
        "the values from before the last change of Secret agent-secrets-tier2",
        "kali was started before Secret agent-secrets-tier2 changed at",
    ),
    "disk": ("disk", full, "97 % full", "97%"),
    "egress": ("egress", refused, "is not valid: LRU not yet initialized", "LRU not yet initialized"),
}


@pytest.mark.parametrize("row", ROWS)
async def test_a_tree_names_the_cause_and_shows_the_line_that_proves_it(
    whole_world: World, pod: AgentPod, row: str
) -> None:
    tree, broken, cause, proof = ROWS[row]
    broken(pod)
    try:
        answer = await comes_to_say(whole_world, cause, proof, command=f"diagnose {tree}")
        assert cause in answer.first_line
    finally:
        repaired(pod)
        got_address(pod)


async def test_without_an_argument_the_symptom_leads_to_the_cause(whole_world: World, pod: AgentPod) -> None:
    crashes(pod)
    answer = await comes_to_say(whole_world, "VibeKanban can't reach its download server", command="diagnose")
    assert "VibeKanban can't reach its download server" in answer.first_line
