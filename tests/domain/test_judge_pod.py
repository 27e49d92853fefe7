"""The pod: exactly one, ready, on its node; and the handbook's remedy for each issue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Condition, Container, Pod, Termination
from bot.domain.health.judge_pod import current, judge_pod, live
from tests.pods import api, conditions
from tests.times import utc

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)
TARGET = Target()


def container(state: str = "running", reason: str | None = None, **more: Any) -> Container:
    return Container("kali", "kali:1", ready=state == "running", state=state, reason=reason, **more)


def pod(name: str = "pod-1", phase: str = "Running", **more: Any) -> Pod:
    fields: dict[str, Any] = {
        "node": "gpu-1",
        "created_at": NOW - timedelta(hours=6, minutes=51),
        "containers": (container(),),
    }
    shown = fields | more
    return Pod(name, "uid", phase, **({"conditions": conditions(shown["containers"])} | shown))


def judged(*pods: Pod, target: Target = TARGET) -> Finding:
    return judge_pod(pods, target, NOW)


def test_one_ready_pod_on_its_node_is_ok() -> None:
    finding = judged(pod())
    assert (finding.verdict, finding.summary) == (Verdict.OK, "1/1 ready on gpu-1, up 6 h 51 min")
    assert finding.evidence == ("pod-1: 1/1 ready, 0 restarts", "image kali:1")


def test_no_pod_fails_and_names_the_selector() -> None:
    finding = judged()
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, "no pod is running")
    assert "app=secure-agent-pod" in finding.evidence[0]


def test_a_single_evicted_pod_fails_with_its_reason() -> None:
    finding = judged(pod(phase="Failed", reason="Evicted", message="low on memory", containers=()))
    assert finding.summary == "no pod is running: the pod was evicted (low on memory)"
    assert finding.evidence[0] == "pod-1: Evicted"


def record(number: int, minutes: float, reason: str = "Evicted") -> Pod:
    at = NOW - timedelta(minutes=minutes)
    ended = (Condition("Ready", "False", "PodFailed", since=at),)
    made = pod(f"old-{number}", "Failed", reason=reason, message="low on memory", conditions=ended)
    return replace(made, uid=f"uid-{number}")


@pytest.mark.parametrize(
    ("records", "summary"),
    [
        ([record(1, 5), record(2, 9)], None),
        ([record(1, 5), record(2, 9), record(3, 61)], None),
        ([record(n, n) for n in (2, 5, 9)], "the pod was evicted 3 times in the last hour, last 2 min ago"),
        (
            [record(1, 2, "NodeShutdown"), record(2, 5), record(3, 9)],
            "the pod was lost 3 times in the last hour, last 2 min ago",
        ),
    ],
)
def test_repeated_evictions_are_a_warning_despite_a_ready_pod(records: list[Pod], summary: str | None) -> None:
    finding = judged(*records, pod())
    assert finding.verdict is (Verdict.WARN if summary else Verdict.OK)
    assert summary is None or finding.summary == summary


def test_a_single_terminating_pod_suggests_a_restart_in_progress() -> None:
    finding = judged(pod(deleting=True))
    assert finding.verdict is Verdict.FAIL
    assert finding.summary == "the old pod is still terminating and there is no new one yet"


def test_ended_and_terminating_pods_do_not_count() -> None:
    assert judged(pod("old", deleting=True), pod("evicted", "Failed"), pod()).verdict is Verdict.OK


def test_two_live_pods_fail() -> None:
    finding = judged(pod("a"), pod("b"))
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, "2 pods run instead of one")
    assert finding.evidence[:2] == ("a: 1/1 Running", "b: 1/1 Running")


def test_the_wrong_node_fails_and_none_accepts_any() -> None:
    assert judged(pod(node="gpu-2")).summary == "the pod runs on gpu-2, not on gpu-1"
    assert judged(pod(node="gpu-2"), target=Target(node=None)).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("reason", "says", "headline", "run"),
    [
        ("ImagePullBackOff", "Back-off", "image kali:1 can't be pulled, so kali can't start", "/agentpod events"),
        ("ContainerCreating", None, "kali has been starting since 15:50 UTC", "/agentpod events"),
    ],
)
def test_a_waiting_reason_becomes_a_cause_with_a_next_step(
    reason: str, says: str | None, headline: str, run: str
) -> None:
    finding = judged(pod(containers=(container("waiting", reason, message=says),)))
    assert (finding.verdict, utc(finding.summary, NOW), finding.run) == (Verdict.FAIL, headline, run)
    assert says is None or finding.evidence[0] == says


def test_a_pod_that_can_not_be_placed_says_why() -> None:
    unplaced = Condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")
    finding = judged(pod(phase="Pending", node=None, conditions=(unplaced,), containers=(container("waiting"),)))
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, "the pod is Pending: 0/3 nodes are available")


def test_an_unready_container_that_runs_is_named() -> None:
    unready = Container("kali", "kali:1", ready=False, state="running")
    assert judged(pod(containers=(unready,))).summary == "kali runs but is not ready"


@pytest.mark.parametrize(("minutes", "verdict"), [(59, Verdict.WARN), (60, Verdict.OK), (600, Verdict.OK)])
def test_a_restart_within_the_hour_warns(minutes: int, verdict: Verdict) -> None:
    ended = Termination("Error", 1, NOW - timedelta(minutes=minutes))
    finding = judged(pod(containers=(container(restarts=1, last_termination=ended),)))
    assert finding.verdict is verdict
    if verdict is Verdict.WARN:
        assert finding.summary == "kali restarted 59 min ago (Error, exit code 1)"
    assert any("(Error, exit code 1)" in line for line in finding.evidence)


def test_the_worst_issue_is_first_and_the_others_are_evidence() -> None:
    ended = Termination("Error", 1, NOW - timedelta(minutes=5))
    finding = judged(pod(node="gpu-2", containers=(container(restarts=1, last_termination=ended),)))
    assert finding.summary == "the pod runs on gpu-2, not on gpu-1"
    assert "kali restarted 5 min ago (Error, exit code 1)" in finding.evidence


def test_the_current_pod_is_the_newest_running_one() -> None:
    waiting = pod("new", containers=(container("waiting"),))
    pods = [pod("old"), pod("mid"), waiting, pod("gone", deleting=True)]
    assert [p.name for p in live(pods)] == ["old", "mid", "new"]
    assert (found := current(pods)) is not None
    assert found.name == "mid"
    assert current([waiting]) == waiting
    assert current([pod(deleting=True)]) is None


def test_a_container_without_a_status_is_unknown() -> None:
    finding = judged(pod(containers=(Container("kali", "kali:1"),)))
    assert finding.verdict is Verdict.FAIL


def test_the_last_pod_s_end_is_shown_once() -> None:
    said = "The node was low on resource: memory. Container kali was using 9Gi"
    gone = api(status={"phase": "Failed", "reason": "Evicted", "message": said})
    finding = judge_pod([gone], TARGET, NOW)
    assert finding.summary == f"no pod is running: the pod was evicted ({said})"
    assert finding.evidence == (f"{gone.name}: Evicted",)
    long = api(status={"phase": "Failed", "reason": "Evicted", "message": said + ", request is 0" * 12})
    assert judge_pod([long], TARGET, NOW).evidence[0].endswith(", request is 0")
