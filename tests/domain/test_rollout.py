"""Following a restart: every outcome, what is shown, and that an old pod is never taken for a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bot.domain.core.workload import Condition, Container, Deployment, Event, Pod, Termination
from bot.domain.health.judge_deployment import Absent
from bot.domain.health.pod_state import is_ready
from bot.domain.health.rollout import (
    APPROVAL_ANNOTATION,
    RESTARTED_ANNOTATION,
    ChangeMarker,
    Outcome,
    RolloutProgress,
    Stage,
    headline,
    lines,
    progress,
)
from tests.pods import READY as ALL_TRUE
from tests.pods import conditions
from tests.times import utc

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
DEADLINE = timedelta(minutes=5)
APP = "secure-agent-pod"
OLD, NEW, NEWER = f"{APP}-7f9c4d8b6-aaaaa", f"{APP}-5d6b8c9f4-bbbbb", f"{APP}-5d6b8c9f4-ccccc"
PATCHED = ChangeMarker(START, ((OLD, "u-old"),), "r-1", 8, START.isoformat())
DELETED = ChangeMarker(START, ((OLD, "u-old"),), "r-1", None, START.isoformat())
IMAGE = "ghcr.io/derio/kali:1"


def at(seconds: float) -> datetime:
    """The time that many seconds after the change was sent."""
    return START + timedelta(seconds=seconds)


def container(state: str = "waiting", reason: str | None = "ContainerCreating", **more: Any) -> Container:
    started = at(9) if state == "running" else None
    return Container("kali", IMAGE, state=state, reason=reason, **({"started_at": started} | more))


RUNNING = container("running", None)
READY = replace(RUNNING, ready=True)


def pod(name: str = NEW, *containers: Container, **more: Any) -> Pod:
    """A new pod, created 4 s after the change, scheduled a second later."""
    fields: dict[str, Any] = {"node": "gpu-1", "created_at": at(4), "started_at": at(5)}
    shown = containers or (container(),)
    fields["phase"] = "Pending" if any(c.state in ("waiting", "unknown") for c in shown) else "Running"
    return Pod(name, f"u-{name[-5:]}", containers=shown, **({"conditions": conditions(shown)} | fields | more))


OLD_POD = Pod(OLD, "u-old", "Running", "gpu-1", created_at=at(-9999), containers=(READY,), conditions=ALL_TRUE)
ENDING = replace(OLD_POD, deleting=True)
UNPLACED = (Condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available: 3 Insufficient cpu."),)
PENDING = pod(NEW, Container("kali", IMAGE), node=None, started_at=None, conditions=UNPLACED)
UP = pod(NEW, READY, phase="Running")


def deployment(**more: Any) -> Deployment:
    """After the patch, with its pod ready."""
    fields: dict[str, Any] = {
        "generation": 8,
        "observed_generation": 8,
        "updated": 1,
        "ready": 1,
        "current": 1,
        "strategy": "Recreate",
        "template_annotations": {APPROVAL_ANNOTATION: "r-1", RESTARTED_ANNOTATION: START.isoformat()},
    }
    return Deployment(APP, "d-1", **(fields | more))


EMPTY = deployment(updated=0, ready=0, current=0)
WAITS = deployment(ready=0)


@dataclass
class Following:
    """A restart that is polled repeatedly."""

    mark: ChangeMarker = PATCHED
    deadline: timedelta = DEADLINE
    said: list[RolloutProgress] = field(default_factory=list)

    def look(
        self, seconds: float, pods: Sequence[Pod], owner: Deployment | Absent = WAITS, events: Sequence[Event] = ()
    ) -> RolloutProgress:
        """The progress that many seconds after the start."""
        before = self.said[-1] if self.said else None
        self.said.append(progress(self.mark, owner, pods, events, at(seconds), self.deadline, before))
        return self.said[-1]


def stages(seen: RolloutProgress) -> list[str]:
    return [s.stage.name for s in seen.steps]


def warning(reason: str, message: str, about: str = f"pod/{NEW}", seconds: float = 10, **more: Any) -> Event:
    return Event("Warning", reason, message, about, last_seen=at(seconds), **more)


def test_a_healthy_restart_goes_through_every_stage_with_the_clusters_own_times() -> None:
    one = Following()
    assert one.look(0.1, [OLD_POD], deployment(observed_generation=7)).doing == "waiting for the old pod to end"
    assert one.look(1, [ENDING], EMPTY).doing == "the old pod is ending"
    assert stages(one.said[-1]) == ["SENT"]
    assert headline(one.look(4, [], EMPTY)) == "Waiting for a new pod"
    making = one.look(6, [pod()])
    assert stages(making) == ["SENT", "OLD_GONE", "SCHEDULED", "PULLING"]
    assert lines(making, at(17))[-1] == "⏳ making the containers (12 s)"
    assert one.look(10, [pod(NEW, RUNNING)]).doing == "waiting for it to be ready"
    assert one.look(14, [UP]).doing == "waiting for the Deployment's word"
    done = one.look(15, [UP], deployment())
    assert (done.outcome, done.took, done.pod, done.advice) == (Outcome.READY, timedelta(seconds=15), NEW, "")
    assert headline(done) == "Ready after 15 s"
    assert lines(done, at(999)) == (
        "✓ old pod gone after 4 s",
        "✓ new pod on gpu-1 after 5 s",
        "✓ containers started after 9 s",
        "✓ ready after 15 s",
    )


def test_a_bot_that_takes_over_late_derives_the_same_progress() -> None:
    done = Following().look(60, [UP], deployment())
    assert done.outcome is Outcome.READY
    assert [(s.stage.name, (s.at - START).seconds) for s in done.steps] == [
        ("SENT", 0),
        ("OLD_GONE", 4),
        ("SCHEDULED", 5),
        ("PULLING", 5),
        ("STARTED", 9),
        ("READY", 60),
    ]


def test_a_slow_pull_names_the_image_stalls_with_events_and_still_succeeds() -> None:
    one = Following()
    pulling = Event("Normal", "Pulling", "Pulling image", f"pod/{NEW}", last_seen=at(6))
    slow = warning("FailedMount", "MountVolume.SetUp failed", seconds=20, count=3)
    assert one.look(6, [pod()], WAITS, [pulling]).doing == f"pulling {IMAGE}"
    assert not one.look(49, [pod()], WAITS, [pulling, slow]).stalled
    stalled = one.look(51, [pod()], WAITS, [pulling, slow])
    assert (stalled.stalled, stalled.advice) == (True, "events")
    assert stalled.evidence == ("FailedMount ×3: MountVolume.SetUp failed",)
    pulled = replace(pulling, reason="Pulled", last_seen=at(60))
    assert one.look(60, [pod()], WAITS, [pulled, pulling]).doing == "making the containers"
    assert one.look(70, [UP], deployment()).outcome is Outcome.READY


def test_older_events_and_those_of_other_objects_are_no_evidence() -> None:
    events = [
        warning("BackOff", "of another pod", "pod/other"),
        warning("Failed", "of another set", "replicaset/other-5d6b8c9f4"),
        warning("Unhealthy", "of before", seconds=-60),
        warning("FailedCreate", "of ours", f"replicaset/{APP}-5d6b8c9f4"),
        Event("Normal", "Scheduled", "assigned", f"pod/{NEW}", last_seen=at(5)),
    ]
    one = Following()
    assert one.look(10, [pod()], WAITS, events).evidence == ()
    assert one.look(60, [pod()], WAITS, events).evidence == ("FailedCreate: of ours",)


CRASHED = container("waiting", "CrashLoopBackOff", message="back-off 10s", restarts=0)
DIED = Termination("Error", 1, at(20))
CONFIG = container("waiting", "CreateContainerConfigError", message='secret "agent-ssh-keys" not found')
MISSING = container("waiting", "ErrImagePull", message="manifest unknown")


def test_one_crash_may_pass() -> None:
    one = Following()
    first = one.look(20, [pod(NEW, replace(CRASHED, last_termination=DIED))])
    assert (first.outcome, first.reason) == (
        Outcome.GOING,
        "kali keeps crashing (exit 1)",
    )
    assert headline(first) == f"Trouble: {first.reason}"
    again = replace(RUNNING, restarts=1, last_termination=DIED)
    assert (
        one.look(31, [pod(NEW, again)]).trouble == "kali crashed (exit 1, 1 restart), runs again and is not ready"
    )
    assert one.look(120, [pod(NEW, again)]).outcome is Outcome.GOING
    assert one.look(130, [pod(NEW, replace(again, ready=True))], deployment()).outcome is Outcome.READY


@pytest.mark.parametrize(
    "state",
    [replace(CRASHED, restarts=2, last_termination=DIED), replace(RUNNING, restarts=2, last_termination=DIED)],
)
def test_a_second_restart_is_a_crash_loop_at_once(state: Container) -> None:
    failed = Following().look(40, [pod(NEW, state)])
    assert (failed.outcome, failed.advice, failed.took) == (
        Outcome.FAILED,
        "logs --container kali --previous",
        None,
    )
    assert headline(failed).startswith("Failed after 40 s: kali ")
    assert lines(failed, at(40))[-1] == f"✗ {failed.reason}"


def test_repeated_oom_kills_fail_by_name() -> None:
    killed = container("terminated", "OOMKilled", restarts=2, last_termination=Termination("OOMKilled", 137))
    assert Following().look(40, [pod(NEW, killed)]).reason == "kali keeps hitting its memory limit (2 restarts)"


@pytest.mark.parametrize(
    ("bad", "patience", "reason"),
    [
        (CRASHED, 60, "kali keeps crashing"),
        (CONFIG, 20, "Secret agent-ssh-keys is missing, so kali can't start"),
        (MISSING, 60, f"image {IMAGE} can't be pulled (the registry does not have it), so kali can't start"),
        (
            container("waiting", "InvalidImageName", message="parse"),
            0,
            f"image name {IMAGE} is not valid, so kali can't start: parse",
        ),
    ],
)
def test_a_temporary_problem_fails_after_its_patience(bad: Container, patience: int, reason: str) -> None:
    one = Following()
    assert one.look(10, [pod(NEW, bad)]).outcome is (Outcome.GOING if patience else Outcome.FAILED)
    if patience:
        assert one.look(9.9 + patience, [pod(NEW, bad)]).outcome is Outcome.GOING
    failed = one.look(10 + patience, [pod(NEW, bad)], WAITS, [warning("Failed", "it says")])
    assert (failed.outcome, failed.reason) == (Outcome.FAILED, reason)
    if patience:
        assert failed.evidence == ("Failed: it says",)


def test_a_changed_message_does_not_restart_the_patience() -> None:
    one = Following()
    for seconds in range(10, 70, 10):
        reason = "ErrImagePull" if seconds % 20 else "ImagePullBackOff"
        assert one.look(seconds, [pod(NEW, replace(MISSING, reason=reason))]).outcome is Outcome.GOING
    assert one.look(70, [pod(NEW, MISSING)]).outcome is Outcome.FAILED


def test_a_problem_that_returns_restarts_its_patience() -> None:
    one = Following()
    one.look(10, [pod(NEW, MISSING)])
    assert one.look(60, [pod()]).trouble_since is None
    assert one.look(75, [pod(NEW, MISSING)]).outcome is Outcome.GOING


QUOTA = Condition(
    "ReplicaFailure", "True", "FailedCreate", f'pods "{NEW}" is forbidden: exceeded quota: pods, used: pods=1'
)


def test_a_quota_that_refuses_the_new_pod_fails_after_a_minute() -> None:
    one, refused = Following(), replace(EMPTY, conditions=(QUOTA,))
    assert one.look(2, [ENDING], refused).trouble == ""
    assert one.look(5, [], refused).trouble == "no pod can be created: exceeded quota: pods, used: pods=1"
    failed = one.look(65, [], refused)
    assert (failed.outcome, failed.reason, failed.advice) == (Outcome.FAILED, one.said[-2].trouble, "status")


def test_a_past_refusal_does_not_count_once_a_new_pod_exists() -> None:
    one, refused = Following(), replace(EMPTY, conditions=(QUOTA,))
    one.look(5, [], refused)
    assert one.look(100, [UP], deployment(conditions=(QUOTA,))).outcome is Outcome.READY


def late(replica_set: str) -> Deployment:
    said = f'ReplicaSet "{replica_set}" has timed out progressing.'
    return replace(WAITS, conditions=(Condition("Progressing", "False", "ProgressDeadlineExceeded", said),))


def test_only_this_rollout_s_progress_deadline_is_final() -> None:
    ours, before = late(NEW.rpartition("-")[0]), late(OLD.rpartition("-")[0])
    failed = Following().look(20, [pod()], ours)
    assert failed.outcome is Outcome.FAILED
    assert failed.reason.startswith("the rollout made no progress in time")
    assert Following().look(20, [], before).outcome is Outcome.GOING
    assert Following(DELETED).look(20, [], before).trouble == ""


def test_a_deployment_paused_meanwhile_is_reported_and_may_be_resumed() -> None:
    one, paused = Following(), deployment(observed_generation=7, paused=True)
    waits = one.look(5, [OLD_POD], paused)
    assert "Deployment secure-agent-pod is paused" in waits.trouble
    assert waits.advice == "status"
    assert one.look(200, [OLD_POD], paused).outcome is Outcome.GOING
    assert one.look(210, [UP], deployment(generation=9, observed_generation=9)).outcome is Outcome.READY
    assert "changed meanwhile (generation 9, not 8)" in one.said[-1].reason
    # A deleted pod comes back whether or not the Deployment is paused.
    assert Following(DELETED).look(5, [ENDING], paused).trouble == ""


def test_a_deployment_scaled_to_0_or_deleted_fails_at_once() -> None:
    scaled = Following().look(10, [], replace(EMPTY, wanted=0))
    assert (scaled.outcome, scaled.reason) == (Outcome.FAILED, f"Deployment {APP} is scaled to 0")
    for before in ([], [pod()]):
        one = Following()
        one.look(5, before)
        gone = one.look(10, [], Absent('deployments.apps "x" not found'))
        assert (gone.outcome, gone.ended_at) == (Outcome.FAILED, at(10))
        assert gone.reason == 'the Deployment is gone: deployments.apps "x" not found'


@pytest.mark.parametrize(
    ("annotations", "by"),
    [
        ({APPROVAL_ANNOTATION: "r-2"}, "changed again by r-2"),
        ({}, "changed again before"),
        (
            {APPROVAL_ANNOTATION: "r-1", RESTARTED_ANNOTATION: "2026-11-24T03:00:30Z"},
            "restarted again at 03:00:30 UTC",
        ),
    ],
)
def test_another_change_of_the_template_supersedes_this_one(annotations: dict[str, str], by: str) -> None:
    other = deployment(generation=9, observed_generation=9, template_annotations=annotations)
    found = Following().look(40, [UP], other)
    assert found.outcome is Outcome.SUPERSEDED
    assert by in utc(found.reason, START)
    assert headline(found).startswith("Superseded after 40 s: ")


def test_an_earlier_approval_does_not_affect_a_forced_restart() -> None:
    before = {APPROVAL_ANNOTATION: "r-0", RESTARTED_ANNOTATION: "2026-11-20T03:00:00+01:00"}
    mark = replace(DELETED, restarted=before[RESTARTED_ANNOTATION])
    assert Following(mark).look(20, [UP], deployment(template_annotations=before)).outcome is Outcome.READY


@pytest.mark.parametrize(
    "restarted", ["2026-11-24T03:05:00Z", "2026-11-24T02:00:00Z", "yesterday", "0001-01-01T00:00:00+14:00"]
)
def test_only_a_different_restart_time_supersedes_regardless_of_clocks(
    restarted: str,
) -> None:
    there = deployment(template_annotations={RESTARTED_ANNOTATION: restarted})
    assert Following(replace(DELETED, restarted=restarted)).look(20, [UP], there).outcome is Outcome.READY
    assert Following(DELETED).look(20, [UP], there).outcome is Outcome.SUPERSEDED


def test_a_marker_without_a_restart_time_is_never_superseded_by_one() -> None:
    there = deployment(template_annotations={RESTARTED_ANNOTATION: "2026-11-24T03:00:30Z"})
    assert Following(replace(DELETED, restarted=None)).look(20, [UP], there).outcome is Outcome.READY


def test_an_unschedulable_pod_shows_why_and_fails_at_the_deadline() -> None:
    one = Following()
    waits = one.look(10, [PENDING])
    assert waits.doing == "waiting for a node"
    assert waits.trouble == "the pod is Pending: 0/3 nodes are available: 3 Insufficient cpu."
    assert one.look(299, [PENDING]).outcome is Outcome.GOING
    failed = one.look(300, [PENDING])
    assert failed.outcome is Outcome.FAILED
    assert failed.reason.startswith("not ready in time: the pod is Pending: 0/3 nodes")
    assert "SCHEDULED" not in stages(failed)


def test_at_the_deadline_the_reason_is_what_it_last_waited_for() -> None:
    failed = Following().look(300, [pod(NEW, RUNNING)])
    assert (failed.reason, failed.advice) == ("not ready in time: kali runs but is not ready", "events")
    assert Following().look(300, [UP], deployment()).outcome is Outcome.READY


def test_an_old_pod_that_does_not_terminate_is_named() -> None:
    one, stuck = Following(), warning("FailedKillPod", "can't be stopped", f"pod/{OLD}", 30)
    assert one.look(44, [ENDING], EMPTY, [stuck]).trouble == ""
    named = one.look(45, [ENDING], EMPTY, [stuck])
    assert (named.trouble, named.stalled) == (f"the old pod {OLD} is still terminating", True)
    assert named.evidence == ("FailedKillPod: can't be stopped",)
    assert one.look(300, [ENDING], EMPTY).reason == f"not ready in time: {named.trouble}"


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (pod(phase="Failed", reason="Evicted", message="low on memory"), f"{NEW}: Evicted: low on memory"),
        (pod(NEW, RUNNING, deleting=True), f"{NEW} was deleted"),
        (None, f"{NEW} was deleted"),
    ],
)
def test_a_lost_new_pod_is_reported_and_the_next_one_followed(left: Pod | None, said: str) -> None:
    one, rest = Following(), [left] if left else []
    assert "STARTED" in stages(one.look(10, [pod(NEW, RUNNING)]))
    without = one.look(12, rest, EMPTY)
    assert stages(without) == ["SENT", "OLD_GONE"]
    assert without.trouble == f"the new pod did not stay ({said}), and there is no other yet"
    assert one.look(13, rest, EMPTY).trouble == without.trouble
    nxt = one.look(20, [*rest, pod(NEWER, created_at=at(15), started_at=at(16))])
    assert (nxt.pod, nxt.replaced, nxt.trouble) == (NEWER, (said,), "")
    assert lines(nxt, at(20))[:3] == (
        "✓ old pod gone after 4 s",
        f"✗ {said}",
        "✓ new pod on gpu-1 after 16 s",
    )
    assert one.look(30, [*rest, pod(NEWER, READY)], deployment()).outcome is Outcome.READY


def test_pods_that_failed_between_polls_are_reported_and_three_fail_the_rollout() -> None:
    out = [pod(f"{NEW[:-1]}{n}", phase="Failed", reason="OutOfcpu", message="no cpu left") for n in range(3)]
    one = Following()
    going = one.look(9, [*out[:2], pod()])
    assert (going.outcome, going.trouble) == (Outcome.GOING, "")
    assert going.replaced == tuple(f"{p.name}: OutOfcpu: no cpu left" for p in out[:2])
    assert one.look(10, [*out[:2], pod()]).replaced == going.replaced
    failed = one.look(12, [*out, pod()])
    assert failed.outcome is Outcome.FAILED
    assert failed.reason == f"3 new pods did not stay, the last was {out[2].name}: OutOfcpu: no cpu left"
    assert Following().look(12, [*out, UP], deployment()).outcome is Outcome.READY


def test_without_an_old_pod_none_is_reported_gone() -> None:
    found = progress(replace(PATCHED, old_pods=()), EMPTY, [], (), at(3), DEADLINE)
    assert lines(found, at(5)) == ("✓ change made", "⏳ waiting for a new pod (2 s)")


def test_a_forced_restart_is_ready_with_the_same_template_even_while_the_old_pod_is_ending() -> None:
    same, one = f"{APP}-7f9c4d8b6-ddddd", Following(DELETED)
    assert stages(one.look(6, [ENDING, pod(same)])) == ["SENT", "SCHEDULED", "PULLING"]
    done = one.look(12, [ENDING, pod(same, READY)], deployment(updated=0))
    assert (done.outcome, done.reason) == (Outcome.READY, "the new pod is ready; the old one is still ending")


def test_the_old_pod_of_a_forced_restart_may_go_after_the_new_one_is_there() -> None:
    one = Following(DELETED)
    one.look(6, [ENDING, pod()])
    found = one.look(20, [pod()])
    assert stages(found) == ["SENT", "SCHEDULED", "PULLING", "OLD_GONE"]
    assert found.stage is Stage.PULLING


def test_a_later_pod_of_the_old_template_is_not_the_new_one() -> None:
    born_late = pod(f"{APP}-7f9c4d8b6-zzzzz", READY)
    found = Following().look(20, [born_late], deployment())
    assert (found.outcome, found.pod, stages(found)) == (Outcome.GOING, "", ["SENT"])


def test_a_truncated_name_has_no_template_hash() -> None:
    long = "a" * 50
    old, new = (f"{long}-7f9c4d8-{end}" for end in ("aaaaa", "bbbbb"))
    owner = replace(deployment(), name=long)
    found = progress(
        ChangeMarker(START, ((old, "u-old"),), "r-1", 8), owner, [pod(new, READY)], (), at(9), DEADLINE
    )
    assert found.outcome is Outcome.READY


@pytest.mark.parametrize(
    "owner", [deployment(observed_generation=7), deployment(updated=0), WAITS, deployment(generation=9)]
)
def test_a_ready_pod_waits_for_the_controller_s_status(owner: Deployment) -> None:
    assert Following().look(20, [UP], owner).outcome is Outcome.GOING


def test_a_rolling_update_is_not_done_while_an_old_pod_stays() -> None:
    one = Following()
    assert one.look(20, [OLD_POD, UP], deployment(strategy="RollingUpdate")).outcome is Outcome.GOING
    assert one.look(25, [ENDING, UP], deployment(strategy="RollingUpdate")).outcome is Outcome.READY


def test_the_followed_pod_is_kept_while_it_lives() -> None:
    one = Following()
    one.look(6, [pod()])
    assert one.look(8, [pod(), pod(NEWER)]).pod == NEW


def test_a_cluster_time_in_the_future_counts_as_now() -> None:
    ahead = pod(NEW, replace(RUNNING, started_at=at(70)), created_at=at(64), started_at=at(65))
    assert {s.at for s in Following().look(10, [ahead]).steps} == {START, at(10)}


def test_a_ready_pod_that_is_being_deleted_is_not_ready() -> None:
    assert Following().look(20, [replace(UP, deleting=True)], deployment()).outcome is Outcome.GOING


def test_a_clock_set_back_keeps_the_order_of_steps() -> None:
    one = Following()
    one.look(10, [pod()])
    back = one.look(-60, [pod(NEW, RUNNING)])
    assert [s.at for s in back.steps] == sorted(s.at for s in back.steps)


def test_progress_round_trips_through_the_ledger() -> None:
    one = Following()
    one.look(10, [pod(NEW, MISSING)])
    for kept, kind in ((one.said[-1], RolloutProgress), (PATCHED, ChangeMarker), (DELETED, ChangeMarker)):
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        assert adapter.validate_json(adapter.dump_json(kept)) == kept


# -- any interleaving of facts

CONTAINERS = st.sampled_from([READY, RUNNING, container(), CRASHED, CONFIG, MISSING, Container("kali", IMAGE)])
PHASES = st.sampled_from(["Pending", "Running", "Failed"])


@st.composite
def any_pods(draw: st.DrawFn) -> list[Pod]:
    """Any of the three pods, in any state."""
    found = []
    for name, uid in ((OLD, "u-old"), (NEW, "u-bbbbb"), (NEWER, "u-ccccc")):
        if draw(st.booleans()):
            node, states = draw(st.sampled_from(["gpu-1", None])), (draw(CONTAINERS),)
            one = Pod(name, uid, draw(PHASES), node, deleting=draw(st.booleans()), containers=states)
            found.append(replace(one, created_at=at(4), started_at=at(5) if node else None))
    return found


OWNERS = st.builds(
    deployment,
    ready=st.integers(0, 1),
    updated=st.integers(0, 1),
    observed_generation=st.integers(7, 9),
    wanted=st.sampled_from([1, 1, 1, 0]),
    paused=st.booleans(),
    conditions=st.sampled_from([(), (QUOTA,), late("x").conditions]),
)
LOOKS = st.lists(st.tuples(st.floats(0.1, 40), any_pods(), OWNERS), min_size=1, max_size=12)


@given(st.sampled_from([PATCHED, DELETED]), LOOKS)
def test_progress_is_consistent_for_any_sequence_of_states(
    mark: ChangeMarker, looks: list[tuple[float, list[Pod], Deployment]]
) -> None:
    one, seconds = Following(mark), 0.0
    for pause, pods, owner in looks:
        seconds += pause
        before, found = one.said[-1] if one.said else None, one.look(seconds, pods, owner)
        assert [s.at for s in found.steps] == sorted(s.at for s in found.steps)
        assert all(START <= s.at <= at(seconds) for s in found.steps)
        assert headline(found)
        assert all(lines(found, at(seconds)))
        if found.outcome is Outcome.READY and (before is None or before.outcome is Outcome.GOING):
            fresh = [
                p for p in pods if p.uid != "u-old" and is_ready(p) and not p.deleting and p.phase != "Failed"
            ]
            assert found.pod in [p.name for p in fresh]
        if before is not None and before.outcome is not Outcome.GOING:
            assert found is before
        elif before is not None and found.pod_uid == before.pod_uid:
            assert set(stages(before)) <= set(stages(found))
            assert found.steps[: len(before.steps)] == before.steps
        elif before is not None and before.pod_uid:
            assert before.pod in found.replaced[-1]
            assert len(found.replaced) <= 3
        assert (Stage.READY in {s.stage for s in found.steps}) <= (found.outcome is not Outcome.GOING)


@given(st.sampled_from([PATCHED, DELETED]), st.lists(st.sampled_from([OLD_POD, ENDING]), max_size=1), OWNERS)
def test_an_old_pod_is_never_taken_for_the_new_one(mark: ChangeMarker, pods: list[Pod], owner: Deployment) -> None:
    assert progress(mark, owner, pods, (), at(30), DEADLINE).outcome is not Outcome.READY


@given(LOOKS)
def test_every_rollout_ends_at_the_deadline(looks: list[tuple[float, list[Pod], Deployment]]) -> None:
    one, seconds = Following(), 0.0
    for pause, pods, owner in looks:
        seconds += pause
        one.look(seconds, pods, owner)
    assert one.look(max(seconds, 300), looks[-1][1], looks[-1][2]).outcome is not Outcome.GOING
