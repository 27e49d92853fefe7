"""A pod whose containers are not created shows the cause from its own events: a volume, the network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Event, Pod
from bot.domain.health import pod_state
from bot.domain.health.judge_pod import judge_pod
from bot.domain.health.rollout import APPROVAL_ANNOTATION, ChangeMarker, progress
from bot.domain.incidents import pod_watch
from tests.pods import RUNNING, api, waiting
from tests.times import utc

NOW = datetime(2026, 11, 24, 3, 2, tzinfo=UTC)
UNREADY = {"status": "False", "reason": "ContainersNotReady"}
KALI = {"name": "kali", "state": waiting("ContainerCreating")}
HELD = {"Ready": UNREADY, "ContainersReady": UNREADY}
POD = api(KALI, conditions=HELD, status={"phase": "Pending"})
OF = "MountVolume.{} failed for volume"
SANDBOX = "Failed to create pod sandbox: rpc error: code = Unknown desc = "
ATTACH, MOUNT, BOX = "FailedAttachVolume", "FailedMount", "FailedCreatePodSandBox"
CILIUM = (
    f'{SANDBOX}failed to setup network for sandbox "{"0f3a" * 16}": plugin type="cilium-cni" failed (add): unable '
    "to connect to Cilium daemon: failed to create cilium agent client after 30.000000 seconds timeout: Get "
    '"http://localhost/v1/config": dial unix /var/run/cilium/cilium.sock: connect: no such file or directory'
)
ROWS = [
    (
        MOUNT,
        f'{OF.format("SetUp")} "ssh-keys" : secret "agent-ssh-keys" not found',
        "Secret agent-ssh-keys is missing",
    ),
    (MOUNT, f'{OF.format("SetUp")} "c" : configmap "agent-config" not found', "ConfigMap agent-config is missing"),
    (
        MOUNT,
        f'{OF.format("SetUp")} "config" : references non-existent config key: crontab',
        "volume config can't be mounted: references non-existent config key: crontab",
    ),
    (
        MOUNT,
        "Unable to attach or mount volumes: unmounted volumes=[home], unattached volumes=[home kube-api-8x]: "
        "timed out waiting for the condition",
        "volume home can't be mounted: timed out waiting for the condition",
    ),
    (
        MOUNT,
        f'{OF.format("SetUp")} "nfs" : mount failed: exit status 32\nMounting command: mount\nMounting arguments: '
        "-t nfs 10.0.0.5:/export /var/lib/kubelet/pods/x/volumes/nfs\nOutput: mount.nfs: Connection timed out",
        "volume nfs can't be mounted: mount.nfs: Connection timed out",
    ),
    (
        MOUNT,
        f"{OF.format('MountDevice')} \"pvc-1\" : rpc error: code = Internal desc = 'fsck' found errors on device "
        f"/dev/longhorn/pvc-1 but could not: {'y' * 90}: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.",
        "RUN fsck MANUALLY.",
    ),
    (
        MOUNT,
        f'{OF.format("MountDevice")} "pvc-1" : rpc error: code = Internal desc = mount failed: exit status 32\n'
        "Mounting command: mount\nMounting arguments: -t ext4 -o defaults /dev/longhorn/pvc-1 "
        f"/var/lib/kubelet/plugins/kubernetes.io/csi/driver.longhorn.io/{'5e' * 32}/globalmount\n"
        f"Output: mount: /var/lib/kubelet/plugins/kubernetes.io/csi/driver.longhorn.io/{'5e' * 32}/globalmount: "
        "wrong fs type, bad option, bad superblock on /dev/longhorn/pvc-1, missing codepage or helper program, or "
        "other error.",
        "volume pvc-1 can't be mounted: wrong fs type, bad option",
    ),
    (
        MOUNT,
        f'{OF.format("SetUp")} "pvc-1" : rpc error: code = Internal desc = failed to stage: mount failed: exit '
        "status 32\nMounting command: mount\nMounting arguments: -t nfs 10.0.0.5:/x /var/lib/kubelet/x\nOutput: "
        "mount.nfs: Connection refused",
        "volume pvc-1 can't be mounted: mount.nfs: Connection refused",
    ),
    (
        MOUNT,
        f'{OF.format("MountDevice")} "pvc-1" : rpc error: code = Internal desc = format of disk "/dev/b" failed: '
        'type:("ext4") target:("/var/lib/x") options:("defaults") errcode:(exit status 1) output:(mke2fs: '
        "Device or resource busy",
        "volume pvc-1 can't be mounted: mke2fs: Device or resource busy",
    ),
    (
        ATTACH,
        'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) secure-agent-pod-5d9-old',
        "volume pvc-1 can't be attached: Volume is already used by pod(s) secure-agent-pod-5d9-old",
    ),
    (
        ATTACH,
        'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Aborted desc = volume pvc-1 is not '
        "ready for workloads",
        "volume pvc-1 can't be attached: volume pvc-1 is not ready for workloads",
    ),
    (BOX, CILIUM, "dial unix /var/run/cilium/cilium.sock: connect: no such file or directory"),
    (
        BOX,
        f'{SANDBOX}failed to get sandbox runtime: no runtime for "nvidia" is configured',
        'no runtime for "nvidia"',
    ),
    (
        BOX,
        f'(combined from similar events): {SANDBOX}plugin type="calico" failed (add): connection is unauthorized',
        'sandbox can\'t be made: plugin type="calico" failed (add): connection is unauthorized',
    ),
    ("NetworkNotReady", "network is not ready: cni plugin not initialized", "cni plugin not initialized"),
]


def event(reason: str, message: str = "", ago: int = 60, **more: str) -> Event:
    at = NOW - timedelta(seconds=ago)
    kind = "Warning" if reason.startswith(("Failed", "Network")) else "Normal"
    made = Event(kind, reason, message, f"pod/{POD.name}", 3, at - timedelta(seconds=600), at, uid=POD.uid)
    return replace(made, **more)


def summary(*events: Event, pod: Pod = POD) -> str:
    finding = judge_pod([pod], Target(), NOW, None, events)
    assert finding.verdict is Verdict.FAIL
    return utc(finding.summary, NOW)


@pytest.mark.parametrize(("reason", "message", "said"), ROWS)
def test_the_cause_is_in_every_headline(reason: str, message: str, said: str) -> None:
    events = [event(reason, message)]
    assert said in summary(*events)
    problem = pod_watch.problem(Target(), [POD], NOW, hold=timedelta(), events=events)
    assert problem is not None
    assert said in problem.summary
    notes = {APPROVAL_ANNOTATION: "r-1"}
    counts = {"generation": 8, "observed_generation": 8, "updated": 1, "current": 1}
    owner = Deployment("agent", "d-1", template_annotations=notes, **counts)
    mark = ChangeMarker(NOW - timedelta(seconds=40), (("agent-5c4-aaaaa", "u-old"),), "r-1", 8)
    assert said in progress(mark, owner, [POD], events, NOW, timedelta(minutes=5), None).trouble


@pytest.mark.parametrize(
    "events",
    [
        (event(MOUNT, "x", object="pod/another"),),
        (event(MOUNT, "x", uid="u-earlier"),),
        (event(ATTACH, "x", 90), event("SuccessfulAttachVolume", "", 30)),
        (event(MOUNT, "x", 90), event("Pulled", "", 30)),
        (event("FailedScheduling", "x"),),
        (event("Unhealthy", "x"),),
    ],
)
def test_outdated_events_and_those_of_other_pods_are_no_cause(events: tuple[Event, ...]) -> None:
    assert summary(*events) == "kali has been starting since 02:00 UTC"


def test_an_image_pull_in_progress_is_shown() -> None:
    said = "kali has been starting since 02:00 UTC: its image is being pulled"
    assert summary(event(MOUNT, "x", 90), event("Pulling", 'Pulling image "kali:1"', 30)) == said


def test_an_event_with_a_cause_comes_before_a_timeout() -> None:
    why = event(ATTACH, 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached', 100)
    vain = event(MOUNT, "Unable to attach or mount volumes: unmounted volumes=[home]: timed out", 10)
    assert "already exclusively attached" in summary(why, vain)
    stale = replace(why, last_seen=NOW - timedelta(hours=1))
    assert summary(stale, vain).startswith("volume home can't be mounted")


def test_a_pod_that_waits_for_its_init_containers_is_explained_too() -> None:
    inits = [{"name": "fix", "state": waiting("PodInitializing")}]
    main = {"name": "kali", "state": waiting("PodInitializing")}
    held = HELD | {"Initialized": {"status": "False", "reason": "ContainersNotInitialized"}}
    pod = api(main, inits=inits, conditions=held, status={"phase": "Pending"})
    assert "can't be attached" in summary(event(ATTACH, 'Multi-Attach error for volume "pvc-1" x'), pod=pod)


def test_events_make_no_pod_unready_and_hide_no_container() -> None:
    events = [event(MOUNT, "x")]
    assert pod_state.state(api(), NOW, events).ready
    failing = api({"name": "kali", "state": waiting("ErrImageNeverPull", "absent")}, conditions=HELD)
    assert "may not be pulled" in summary(*events, pod=failing)
    stands = HELD | {"PodReadyToStartContainers": {"status": "True"}}
    assert "has been starting since" in summary(*events, pod=api(KALI, conditions=stands))
    crashed = api({"name": "kali", "state": RUNNING}, conditions=HELD)
    assert summary(*events, pod=crashed) == "kali runs but is not ready"


def test_a_megabyte_of_message_is_parsed_in_bounded_time() -> None:
    hostile = 'MountVolume.SetUp failed for volume "' + ": " * 500_000
    assert len(summary(event(MOUNT, hostile))) < 400
