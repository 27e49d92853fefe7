"""Whether a restart brings up a pod: what a new one lacks, and what keeps the old one from ending."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.core.workload import Condition, Container, Deployment, Event, Pod
from bot.domain.health.new_pod import new_pod
from tests.domain.test_judge_deployment import NOW, QUOTA, WEBHOOK, deployment, failed, pod, podless

UNMOUNTED = 'MountVolume.SetUp failed for volume "keys" : secret "agent-ssh-keys" not found'
KEYS = "a new pod can't start either: Secret agent-ssh-keys is missing, so the pod's volume can't be mounted"
LOST = "node gpu-1 has stopped reporting, so the old pod does not end"


def waiting(reason: str, message: str = "") -> Pod:
    stuck = Container("kali", "kali:1", ready=False, state="waiting", reason=reason, message=message)
    return pod(ready=False, containers=(stuck,))


def lost(**changes: Any) -> Pod:
    silent = Condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    return pod(conditions=(silent,), **changes)


@pytest.mark.parametrize(
    ("owner", "pods", "force", "said"),
    [
        (podless(failed(QUOTA)), [], False, "no pod can be created: exceeded quota"),
        (deployment(failed(QUOTA)), [pod()], False, ""),  # the old one ends first, which frees the quota
        (deployment(failed(QUOTA), strategy="RollingUpdate"), [pod()], False, "no pod can be created: exceeded"),
        (deployment(failed(QUOTA), strategy="RollingUpdate"), [pod()], True, ""),
        (deployment(failed(WEBHOOK)), [pod()], True, "no pod can be created: admission webhook"),
        (deployment(), [lost()], False, LOST),
        (deployment(), [lost()], True, ""),  # a new one is made beside it
        (deployment(strategy="RollingUpdate"), [lost()], False, ""),
        (
            deployment(),
            [pod(deleting=True, delete_by=NOW - timedelta(hours=1), finalizers=("example.com/hold",))],
            False,
            "finalizer example.com/hold holds it",
        ),
        (deployment(), [pod(deleting=True, delete_by=NOW)], False, ""),
        (deployment(), [waiting("ImagePullBackOff", "not found")], True, "a new pod can't start either: "),
        (deployment(), [waiting("CrashLoopBackOff")], False, ""),
        (deployment(), [pod()], False, ""),
    ],
)
def test_a_restart_that_brings_up_no_pod_says_why(
    owner: Deployment, pods: list[Pod], force: bool, said: str
) -> None:
    found = new_pod(owner, pods, NOW, force=force).stuck
    assert said in found
    assert bool(said) is bool(found)


def test_what_only_events_say_counts() -> None:
    starting = replace(waiting("ContainerCreating"), conditions=())
    event = Event("Warning", "FailedMount", UNMOUNTED, f"pod/{starting.name}", last_seen=NOW, uid=starting.uid)
    assert new_pod(deployment(), [starting], NOW, [event]).stuck == KEYS


def test_an_image_that_is_replaced_is_no_reason() -> None:
    stuck = waiting("ImagePullBackOff", "not found")
    assert new_pod(deployment(), [stuck], NOW, but_image_of="kali").stuck == ""
    assert new_pod(deployment(), [stuck], NOW, but_image_of="proxy").stuck != ""


UNSIGNED = 'admission webhook "sign.example" denied the request: image registry.example/kali:1 is not signed'


@pytest.mark.parametrize(
    ("message", "but", "stuck", "doubt"),
    [
        (UNSIGNED, "kali", False, False),  # the very image that is replaced
        (UNSIGNED, "proxy", False, True),
        (UNSIGNED, "", True, False),
        (UNSIGNED.replace("kali:1", "kali:1.2"), "kali", False, True),  # another image
        (WEBHOOK, "kali", False, True),
        (WEBHOOK, "", True, False),
        (QUOTA, "kali", True, False),
        ('pods "x" violates PodSecurity "restricted:latest"', "kali", True, False),
        ('pods "x" is forbidden: serviceaccount "agent" not found', "kali", True, False),
    ],
)
def test_a_refusal_that_another_image_may_end_is_no_certain_one(
    message: str, but: str, stuck: bool, doubt: bool
) -> None:
    owner = replace(podless(failed(message)), images={"kali": "kali:1", "proxy": "proxy:1"})
    found = new_pod(owner, [], NOW, but_image_of=but)
    assert (bool(found.stuck), bool(found.doubt)) == (stuck, doubt)


@pytest.mark.parametrize(
    ("strategy", "pods", "force", "spared"),
    [
        ("RollingUpdate", [pod()], False, True),
        ("RollingUpdate", [pod()], True, False),
        ("RollingUpdate", [waiting("ImagePullBackOff", "not found")], False, False),
        ("Recreate", [pod()], False, False),
    ],
)
def test_only_a_ready_pod_that_is_replaced_late_is_spared(
    strategy: str, pods: list[Pod], force: bool, spared: bool
) -> None:
    assert new_pod(deployment(failed(WEBHOOK), strategy=strategy), pods, NOW, force=force).spared is spared


def test_a_rolling_update_that_may_end_the_old_pod_first_spares_none() -> None:
    owner = deployment(failed(WEBHOOK), strategy="RollingUpdate", max_unavailable=1)
    assert new_pod(owner, [pod()], NOW).spared is False
    two = deployment(failed(WEBHOOK), strategy="RollingUpdate", max_unavailable=1, wanted=2)
    assert new_pod(two, [pod()], NOW).spared is True
    full = deployment(failed(QUOTA), strategy="RollingUpdate", max_unavailable=1)
    assert new_pod(full, [pod()], NOW).stuck == "", "the old pod's end frees the quota"
    assert new_pod(full, [lost()], NOW).stuck == "", "a new pod doesn't wait for the old one's end"
