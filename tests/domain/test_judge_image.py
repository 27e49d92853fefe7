"""What runs beside what the Deployment says: image, digest, `:latest`, and limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.core.images import TagNow, reference
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, Deployment, Pod
from bot.domain.health.judge_deployment import Absent, DeploymentUnread, Owner
from bot.domain.health.judge_image import LimitPair, images_of, judge_images
from tests.pods import conditions

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def container(image: str = "kali:1", name: str = "kali", **more: Any) -> Container:
    usual: dict[str, Any] = {
        "image_id": f"docker.io/library/kali@{DIGEST}",
        "ready": True,
        "state": "running",
        "started_at": NOW - timedelta(hours=7),
    }
    return Container(name, image, **(usual | more))


def wanted(*template: Container) -> Deployment:
    return Deployment("secure-agent-pod", "uid-d", template=template)


def judged(owner: Owner, *containers: Container) -> Finding:
    pod = Pod("pod-1", "uid", "Running", node="gpu-1", containers=containers, conditions=conditions(containers))
    return judge_images(images_of(pod, owner, Target()), pod, owner, Target(), NOW)


def test_the_deployment_s_image_is_ok() -> None:
    finding = judged(wanted(Container("kali", "kali:1")), container())
    assert (finding.verdict, finding.summary) == (
        Verdict.OK,
        "kali runs the Deployment's image, started 7 h ago",
    )


@pytest.mark.parametrize("image", ["kali:latest", "kali", "host:5000/team/kali"])
def test_an_image_without_a_fixed_version_is_a_warning_with_the_pin_to_copy(image: str) -> None:
    finding = judged(wanted(Container("kali", image)), container(image))
    assert finding.verdict is Verdict.WARN
    assert finding.summary.endswith("the next restart may start another one")
    assert finding.evidence == (f"runs now: {image.removesuffix(':latest')}@{DIGEST}",)


LATEST = container("kali:latest")
CRASHES = container("kali:latest", ready=False, state="waiting", reason="CrashLoopBackOff", started_at=None)
MOVED = TagNow("kali", reference("kali:latest"), DIGEST, OTHER)


def judged_with(tag: TagNow | None, settable: tuple[str, ...], one: Container) -> Finding:
    pod = Pod("pod-1", "uid", "Running", node="gpu-1", containers=(one,), conditions=conditions((one,)))
    owner, target = wanted(Container("kali", one.image, pull_policy=one.pull_policy)), Target(image_set=settable)
    return judge_images(images_of(pod, owner, target), pod, owner, target, NOW, {"kali": tag} if tag else {})


@pytest.mark.parametrize("image", ["kali:1", "kali:latest"])
def test_a_container_that_does_not_run_is_no_ok_and_nothing_to_pin(image: str) -> None:
    crashing = replace(CRASHES, image=image)
    for settable in ((), ("kali",)):
        finding = judged_with(None, settable, crashing)
        assert (finding.verdict, finding.summary) == (Verdict.FAIL, "kali is not running (CrashLoopBackOff)")
        assert DIGEST not in str(finding)


def test_a_container_between_two_crashes_is_nothing_to_pin() -> None:
    assert DIGEST not in str(judged_with(None, ("kali",), replace(LATEST, ready=False)))


def test_whether_a_container_runs_that_nobody_reported_is_unknown() -> None:
    finding = judged_with(None, (), container(ready=False, state="unknown", started_at=None))
    assert finding.verdict is Verdict.UNKNOWN
    assert "has not reported whether kali runs" in finding.summary


def test_a_tag_that_has_moved_is_the_headline_with_the_repairs_that_are_on() -> None:
    finding = judged_with(MOVED, ("kali",), LATEST)
    assert (finding.verdict, finding.summary) == (
        Verdict.WARN,
        ":latest has moved: the next restart starts sha256:bbbbbbbbbbbb…",
    )
    assert finding.remedy == (
        "To start the new one, ask for it: `/agentpod image pull --container kali`. "
        f"To keep the one that runs, ask for it: `/agentpod image set {DIGEST} --container kali`."
    )
    off = judged_with(MOVED, (), LATEST)
    assert "image set" not in str(off)
    assert off.evidence == (f"runs now: kali@{DIGEST}",)


def test_a_tag_that_moved_changes_nothing_where_no_restart_pulls_it() -> None:
    assert judged_with(MOVED, (), container(pull_policy="IfNotPresent")).verdict is Verdict.OK
    assert judged_with(MOVED, (), container(pull_policy="Always")).verdict is Verdict.WARN


def test_with_another_pull_policy_a_restart_need_not_pull() -> None:
    finding = judged(wanted(Container("kali", "kali")), container("kali", pull_policy="IfNotPresent"))
    assert "depends on what the node has (imagePullPolicy IfNotPresent)" in finding.summary


def test_a_tag_or_a_digest_is_a_fixed_version() -> None:
    for image in ("kali:1", f"kali@{DIGEST}", f"kali:latest@{DIGEST}", "host:5000/kali:v2"):
        assert judged(wanted(Container("kali", image)), container(image)).verdict is Verdict.OK, image


def test_an_image_other_than_the_deployment_s_is_named() -> None:
    finding = judged(wanted(Container("kali", "kali:2")), container())
    assert (finding.verdict, finding.summary) == (Verdict.WARN, "kali runs kali:1, the Deployment says kali:2")


def test_an_added_digest_is_no_other_image() -> None:
    assert judged(wanted(Container("kali", "kali:1")), container(f"kali:1@{DIGEST}")).verdict is Verdict.OK


def test_a_digest_other_than_the_pinned_one_is_named() -> None:
    finding = judged(wanted(Container("kali", f"kali@{OTHER}")), container(f"kali@{OTHER}"))
    assert finding.verdict is Verdict.WARN
    assert finding.summary == f"kali runs {DIGEST}, its image is pinned to {OTHER}"


@pytest.mark.parametrize(
    ("now", "says", "text"),
    [
        ("4Gi", "16Gi", "kali's memory limit was lowered to 4Gi: the Deployment says 16Gi"),
        ("4Gi", None, "kali's memory limit was lowered to 4Gi: the Deployment sets none"),
        ("16Gi", "16Gi", None),
        ("16384Mi", "16Gi", None),
        ("32Gi", "16Gi", None),
        (None, "16Gi", None),
        ("many", "16Gi", None),
    ],
)
def test_a_limit_below_the_deployment_s_is_a_warning(now: str | None, says: str | None, text: str | None) -> None:
    pod_s = {"memory": now} if now else {}
    template = Container("kali", "kali:1", limits={"memory": says} if says else {})
    finding = judged(wanted(template), container(limits=pod_s))
    assert (finding.verdict, text or "") == (Verdict.WARN if text else Verdict.OK, finding.summary if text else "")


def test_a_limit_is_shown_beside_the_deployment_s() -> None:
    assert LimitPair("cpu", "500m", "0.5").text == "cpu 500m"
    assert LimitPair("memory", "32Gi", "16Gi").text == "memory 32Gi (the Deployment says 16Gi)"
    assert LimitPair("memory", None, "16Gi").text == "memory none (the Deployment says 16Gi)"
    assert LimitPair("memory", "1Gi", "16Gi").text == "memory 1Gi (lowered: the Deployment says 16Gi)"


def test_each_of_several_containers_is_compared_and_an_injected_one_is_not() -> None:
    owner = wanted(Container("kali", "kali:1"), Container("proxy", "proxy:2", role="sidecar"))
    finding = judged(owner, container(), container("proxy:1", "proxy"), container("istio:1", "istio"))
    assert finding.summary == "proxy runs proxy:1, the Deployment says proxy:2"
    assert finding.evidence == ()


def test_an_image_that_can_t_be_pulled_is_a_failure() -> None:
    waits = container(ready=False, state="waiting", reason="ImagePullBackOff", message="x", image_id=None)
    finding = judged(wanted(Container("kali", "kali:1")), waits)
    assert (finding.verdict, finding.summary) == (
        Verdict.FAIL,
        "image kali:1 can't be pulled, so kali can't start",
    )


@pytest.mark.parametrize("owner", [Absent("deployments.apps not found"), DeploymentUnread("no answer in 3 s")])
def test_without_the_deployment_nothing_is_compared_and_that_is_unknown(owner: Owner) -> None:
    finding = judged(owner, container(limits={"memory": "4Gi"}))
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.summary.startswith("not compared: ")


def test_a_reference_is_split_at_the_right_colon() -> None:
    assert reference("host:5000/a/kali") == reference("host:5000/a/kali")
    named = reference(f"host:5000/a/kali:v1@{DIGEST}")
    assert (named.repository, named.tag, named.digest) == ("host:5000/a/kali", "v1", DIGEST)
