"""The judgement of a pod: ready or not, the cause first, the remedy that fits and the log that shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import ContainerTarget
from bot.domain.core.workload import Container, Pod, Termination
from bot.domain.health import pod_state
from bot.domain.health.judge_pod import current, judge_pod
from bot.domain.health.pod_remedies import MEMORY
from bot.domain.incidents import pod_watch
from tests import handbook
from tests.pods import RUNNING, UP, api, run_that_ended, waiting
from tests.times import utc

NOW = datetime(2026, 11, 24, 3, 2, tzinfo=UTC)
TARGET = handbook.TARGET
OOM = run_that_ended("OOMKilled", 137)
CRASH = run_that_ended("Error", 1, "Download failed")
AGAIN = {"running": {"startedAt": "2026-11-24T03:01:42Z"}}
BACK_OFF = waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container=x pod=a_b(123)")
UNREADY = {"status": "False", "reason": "ContainersNotReady", "message": "containers with unready status: [kali]"}
NOT_READY = {"Ready": UNREADY, "ContainersReady": UNREADY}
NOT_INITIALIZED = NOT_READY | {"Initialized": {"status": "False", "reason": "ContainersNotInitialized"}}
DONE = {"name": "prepare", "state": run_that_ended("Completed", 0)}
PROXY = {"name": "egress-proxy", "spec": {"restartPolicy": "Always"}}
FIX = {"name": "fix-permissions"}
STARTS = {"name": "kali", "state": waiting("PodInitializing")}
PENDING = {"phase": "Pending"}


def judged(pod: Pod) -> Finding:
    return judge_pod([pod], TARGET, NOW)


def main(state: dict[str, Any], last: dict[str, Any] | None = None, **more: Any) -> Pod:
    """A pod whose only container is in this state."""
    one = {"name": "kali", "state": state, "lastState": last or {}, **more}
    return api(one, conditions=NOT_READY)


def starting(state: dict[str, Any], last: dict[str, Any] | None = None, **more: Any) -> Pod:
    """A pod whose second init container is in this state."""
    fix = {**FIX, "state": state, "lastState": last or {}, **more}
    return api(STARTS, inits=[DONE, fix], conditions=NOT_INITIALIZED, status=PENDING)


def beside(state: dict[str, Any], last: dict[str, Any] | None = None, **more: Any) -> Pod:
    """A pod whose native sidecar is in this state, while the main container is well."""
    proxy = {**PROXY, "state": state, "lastState": last or {}, "started": True, **more}
    return api(UP, inits=[proxy], conditions=NOT_READY)


def gated(condition: dict[str, str] | None) -> Pod:
    gate = "example.com/load-balancer"
    unready = {"status": "False", "reason": "ReadinessGatesNotReady"}
    held = {"Ready": unready, gate: condition or {}}
    return api(conditions=held, spec={"readinessGates": [{"conditionType": gate}]})


RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: "
)
RESOLVE = 'failed to pull and unpack image "ghcr.io/a/b:9": failed to resolve reference "ghcr.io/a/b:9": '
PULLS = [
    (f"{RESOLVE}ghcr.io/a/b:9: not found", "the registry does not have it"),
    (f"{RESOLVE}unexpected status from HEAD request: 403 Forbidden", "the registry does not let the node have it"),
    (
        "pull access denied, repository does not exist or may require login",
        "the registry does not let the node have it",
    ),
    ("toomanyrequests: You have reached your pull rate limit.", "the registry limits how often it is pulled"),
    ("dial tcp: lookup ghcr.io on 10.43.0.10:53: server misbehaving", "the registry's name can't be resolved"),
    ("dial tcp: lookup ghcr.io: no such host", "the registry's name can't be resolved"),
    ("tls: failed to verify certificate: x509: unknown authority", "the registry's certificate is not accepted"),
    ("dial tcp 140.82.121.33:443: i/o timeout", "the registry can't be reached"),
    ("unexpected status from HEAD request: 502 Bad Gateway", "the registry can't be reached"),
    ("no match for platform in manifest: not found", "it is not made for the node's platform"),
    ("write /var/lib/containerd/x/fs/usr/bin/y: no space left on device", "the node's disk is full"),
]
NO_PREEMPTION = " preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
GET_PVC = "kubectl -n secure-agent-pod get pvc"
UNSCHEDULABLE = [
    (
        '0/3 nodes are available: persistentvolumeclaim "home" not found.',
        "PersistentVolumeClaim home is missing, so no node takes the pod",
        GET_PVC,
    ),
    (
        '0/3 nodes are available: persistentvolumeclaim "home" is being deleted.',
        "PersistentVolumeClaim home is being deleted, so no node takes the pod",
        GET_PVC,
    ),
    (
        "0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 Insufficient memory.",
        "the pod is Pending: 0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 Insufficient "
        "memory.",
        "/agentpod events",
    ),
]
EVENTS, PREVIOUS = "/agentpod events", "/agentpod logs --container {} --previous"
DESCRIBE = "kubectl -n secure-agent-pod describe pod agent-7d9-x2k8p"
SILENT = "node gpu-1 has stopped reporting"
BAD = [
    # The pod as a whole
    (
        "dead node",
        api(conditions={"Ready": {"status": "False"}}),
        "node gpu-1 has stopped reporting: the pod is not ready",
        "kubectl describe node gpu-1",
    ),
    (
        "node not ready",
        api(conditions={"Ready": {"status": "False", "reason": "NodeNotReady"}}),
        "node gpu-1 has stopped reporting (NodeNotReady): the pod is not ready",
        "kubectl describe node gpu-1",
    ),
    (
        "ready is unknown",
        api(conditions={"Ready": {"status": "Unknown"}}),
        "node gpu-1 has stopped reporting: the pod is not ready",
        "kubectl describe node gpu-1",
    ),
    (
        "node lost",
        api(status={"reason": "NodeLost", "message": "Node gpu-1 which was running pod a is unresponsive"}),
        "node gpu-1 has stopped reporting (NodeLost): the pod is not ready",
        "kubectl describe node gpu-1",
    ),
    (
        "no ready condition",
        api(conditions={"Ready": {}}),
        "whether the pod is ready is not known: it has no Ready condition",
        EVENTS,
    ),
    (
        "no conditions",
        api(status={"conditions": None}),
        "whether the pod is ready is not known: it has no Ready condition",
        EVENTS,
    ),
    (
        "ready for no known reason",
        api(conditions={"Ready": {"status": "False", "reason": "Odd", "message": "as it is"}}),
        "the pod is not ready: Ready is False since 03:00 UTC (Odd: as it is)",
        EVENTS,
    ),
    (
        "ready while containers are not",
        api(conditions={"ContainersReady": {"status": "False", "reason": "Odd"}}),
        "the pod is not ready: ContainersReady is False since 03:00 UTC (Odd)",
        EVENTS,
    ),
    ("ready though pending", api(status=PENDING), "the pod is Pending though it says that it is ready", EVENTS),
    ("phase unknown", api(status={"phase": "Unknown"}), "the pod's state is unknown (phase Unknown)", EVENTS),
    (
        "phase never heard of",
        api(status={"phase": "Hibernated"}),
        "the pod's state is unknown (phase Hibernated)",
        EVENTS,
    ),
    (
        "gate unset",
        gated(None),
        "readiness gate example.com/load-balancer has not been set by anybody, so the pod is not ready",
        DESCRIBE,
    ),
    (
        "gate false",
        gated({"status": "False", "reason": "Draining"}),
        "readiness gate example.com/load-balancer is False since 03:00 UTC, so the pod is not ready",
        DESCRIBE,
    ),
    (
        "gate false though ready",
        api(conditions={"g/x": {"status": "Unknown"}}, spec={"readinessGates": [{"conditionType": "g/x"}]}),
        "readiness gate g/x is Unknown since 03:00 UTC, so the pod is not ready",
        DESCRIBE,
    ),
    (
        "unschedulable",
        api(
            conditions={
                "PodScheduled": {
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/3 nodes are available",
                },
                "Ready": {},
            },
            spec={"nodeName": ""},
            status=PENDING,
        ),
        "the pod is Pending: 0/3 nodes are available",
        EVENTS,
    ),
    *(
        (
            f"unschedulable: {said[:60]}",
            api(
                conditions={
                    "PodScheduled": {
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": said + NO_PREEMPTION,
                    },
                    "Ready": {},
                },
                spec={"nodeName": ""},
                status=PENDING,
            ),
            summary,
            run,
        )
        for said, summary, run in UNSCHEDULABLE
    ),
    (
        "scheduling gate",
        api(
            conditions={
                "PodScheduled": {
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                },
                "Ready": {},
            },
            spec={"nodeName": ""},
            status=PENDING,
        ),
        "the pod is held back by a scheduling gate: Scheduling is blocked due to non-empty scheduling gates",
        DESCRIBE,
    ),
    (
        "not looked at by a scheduler",
        api(conditions={"PodScheduled": {}, "Ready": {}}, spec={"nodeName": None}, status=PENDING),
        "the pod is Pending: no node has been chosen yet",
        EVENTS,
    ),
    ("no statuses", api(status={"containerStatuses": None}), "kali has no status", EVENTS),
    (
        "fewer statuses",
        api(UP, spec={"containers": [{"name": "kali"}, {"name": "vk-local"}]}),
        "vk-local has no status",
        EVENTS,
    ),
    (
        "no containers",
        api(spec={"containers": None}, status={"containerStatuses": None}),
        "the pod's containers have no status",
        EVENTS,
    ),
    # Main containers
    (
        "contradicted by its container",
        api({"name": "kali", "ready": False, "state": RUNNING}),
        "kali runs but is not ready",
        EVENTS,
    ),
    (
        "startup probe",
        main(RUNNING, started=False),
        "kali runs but has not finished starting (startup probe)",
        EVENTS,
    ),
    (
        "crash loop",
        main(BACK_OFF, CRASH, restartCount=7),
        "kali keeps crashing (exit 1, 7 restarts): Download failed",
        PREVIOUS.format("kali"),
    ),
    (
        "crash loop, up for a moment",
        main(
            AGAIN,
            CRASH | {"terminated": CRASH["terminated"] | {"finishedAt": "2026-11-24T03:01:40Z"}},
            restartCount=7,
        ),
        "kali keeps crashing (exit 1, 7 restarts): Download failed",
        PREVIOUS.format("kali"),
    ),
    (
        "crash loop, just ended",
        main(CRASH, CRASH, restartCount=7),
        "kali keeps crashing (exit 1, 7 restarts): Download failed",
        "/agentpod logs --container kali",
    ),
    ("first crash", main(CRASH), "kali crashed (exit 1): Download failed", "/agentpod logs --container kali"),
    (
        "crashed long ago, not ready now",
        main(RUNNING, run_that_ended("Error", 1, at="2026-11-23T03:00:00Z"), restartCount=3),
        "kali runs but is not ready",
        EVENTS,
    ),
    (
        "completed",
        main(BACK_OFF, run_that_ended("Completed", 0), restartCount=3),
        "kali keeps ending, though it should go on running (exit 0, 3 restarts)",
        PREVIOUS.format("kali"),
    ),
    (
        "out of memory",
        main(OOM, spec={"resources": {"limits": {"memory": "8Gi"}}}),
        "kali hit its memory limit (8Gi)",
        "/agentpod logs --container kali",
    ),
    (
        "crash loop for memory",
        main(BACK_OFF, OOM, restartCount=4, spec={"resources": {"limits": {"memory": "8Gi"}}}),
        "kali keeps hitting its memory limit (8Gi, 4 restarts)",
        PREVIOUS.format("kali"),
    ),
    (
        "killed",
        main(BACK_OFF, run_that_ended("Error", 137), restartCount=4),
        "kali keeps being killed (exit 137, 4 restarts)",
        PREVIOUS.format("kali"),
    ),
    (
        "killed by a probe",
        main(run_that_ended("Error", 143)),
        "kali was killed (exit 143)",
        "/agentpod logs --container kali",
    ),
    (
        "secret missing",
        main(waiting("CreateContainerConfigError", 'secret "agent-ssh-keys" not found')),
        "Secret agent-ssh-keys is missing, so kali can't start",
        "kubectl create secret generic agent-ssh-keys",
    ),
    (
        "another secret missing",
        main(waiting("CreateContainerConfigError", 'secret "tls" not found')),
        "Secret tls is missing, so kali can't start",
        "kubectl -n secure-agent-pod get secrets",
    ),
    (
        "config map missing",
        main(waiting("CreateContainerConfigError", 'configmap "settings" not found')),
        "ConfigMap settings is missing, so kali can't start",
        "kubectl -n secure-agent-pod get configmaps",
    ),
    (
        "key missing",
        main(
            waiting(
                "CreateContainerConfigError", "couldn't find key token in Secret secure-agent-pod/agent-ssh-keys"
            )
        ),
        "Secret agent-ssh-keys has no key token, so kali can't start",
        EVENTS,
    ),
    (
        "key of a config map missing",
        main(waiting("CreateContainerConfigError", "couldn't find key a.b in ConfigMap ns/settings")),
        "ConfigMap settings has no key a.b, so kali can't start",
        EVENTS,
    ),
    (
        "root",
        main(
            waiting(
                "CreateContainerConfigError",
                'container has runAsNonRoot and image will run as root (pod: "a_b(1)", container: kali)',
            )
        ),
        "kali may not start: its image runs as root",
        EVENTS,
    ),
    (
        "a user by name",
        main(
            waiting(
                "CreateContainerConfigError",
                "container has runAsNonRoot and image has non-numeric user (claude), "
                "cannot verify user is non-root",
            )
        ),
        "kali may not start: its image's user claude is no number, so nobody can tell that it is not root",
        EVENTS,
    ),
    (
        "another config error",
        main(waiting("CreateContainerConfigError", "failed to sync secret cache: timed out")),
        "kali can't start: failed to sync secret cache: timed out",
        EVENTS,
    ),
    (
        "name is reserved",
        main(
            waiting(
                "CreateContainerError",
                'failed to reserve container name "kali_0": name "kali_0" is reserved for "0f3a"',
            )
        ),
        'kali can\'t be created: failed to reserve container name "kali_0": name "kali_0" is reserved for "0f3a"',
        EVENTS,
    ),
    (
        "run error",
        main(waiting("RunContainerError", "exec: no such file or directory")),
        "kali can't start: exec: no such file or directory",
        EVENTS,
    ),
    (
        "start error in a loop",
        main(
            BACK_OFF,
            run_that_ended("StartError", 128, 'exec: "/entrypoint.sh": no such file or directory'),
            restartCount=3,
        ),
        'kali can\'t start: exec: "/entrypoint.sh": no such file or directory',
        EVENTS,
    ),
    ("hook", main(waiting("PostStartHookError", "exit 1")), "kali can't start: exit 1", EVENTS),
    (
        "pull",
        main(waiting("ErrImagePull", "manifest unknown")),
        "image kali:1 can't be pulled (the registry does not have it), so kali can't start",
        EVENTS,
    ),
    *(
        (
            f"pull: {said[:40]}",
            main(waiting("ErrImagePull", f"rpc error: code = Unknown desc = {said}")),
            f"image kali:1 can't be pulled ({why}), so kali can't start",
            EVENTS,
        )
        for said, why in PULLS
    ),
    (
        "pull: the name in quotes says nothing",
        main(waiting("ErrImagePull", 'failed to pull image "ghcr.io/x/not found:401": something else')),
        "image kali:1 can't be pulled, so kali can't start",
        EVENTS,
    ),
    (
        "the runtime's error comes last",
        main(waiting("RunContainerError", f'{RUNC}exec: "/entrypoint.sh": permission denied: unknown')),
        "kali can't start: OCI runtime create failed: runc create failed: unable to start container process: "
        'error during container init: exec: "/entrypoint.sh": permission denied',
        EVENTS,
    ),
    (
        "the driver's error comes last",
        main(
            waiting(
                "RunContainerError",
                f"{RUNC}error running hook #0: error running hook: exit status 1, stdout: , stderr: Auto-detected "
                "mode as 'legacy'\nnvidia-container-cli: initialization error: nvml error: driver/library version "
                "mismatch: unknown",
            )
        ),
        "kali can't start: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy' nvidia-container-cli: "
        "initialization error: nvml error: driver/library version mismatch",
        EVENTS,
    ),
    (
        "pull again",
        main(waiting("ImagePullBackOff", "Back-off pulling image")),
        "image kali:1 can't be pulled, so kali can't start",
        EVENTS,
    ),
    (
        "never pull",
        main(waiting("ErrImageNeverPull", "absent")),
        "image kali:1 is not on the node and may not be pulled, so kali can't start",
        EVENTS,
    ),
    (
        "image name",
        main(waiting("InvalidImageName", "parse")),
        "image name kali:1 is not valid, so kali can't start",
        EVENTS,
    ),
    (
        "unknown reason",
        main(waiting("PolarityReversed", "try again")),
        "kali waits: PolarityReversed: try again",
        EVENTS,
    ),
    ("being created", main(waiting("ContainerCreating")), "kali has been starting since 02:00 UTC", EVENTS),
    ("no reason", main(waiting("")), "kali has been starting since 02:00 UTC", EVENTS),
    ("no state", main({}), "kali has been starting since 02:00 UTC", EVENTS),
    (
        "lost by its node",
        main(run_that_ended("ContainerStatusUnknown", 137)),
        "kali ended, and its node does not know how",
        EVENTS,
    ),
    (
        "lost with its runtime",
        main(BACK_OFF, run_that_ended("Unknown", 255), restartCount=3),
        "kali ended, and its node does not know how (3 restarts)",
        EVENTS,
    ),
    # Init containers
    (
        "init crash loop",
        starting(BACK_OFF, run_that_ended("Error", 1, "chown: Read-only file system"), restartCount=7),
        "init container fix-permissions keeps crashing (exit 1, 7 restarts): chown: Read-only file system",
        PREVIOUS.format("fix-permissions"),
    ),
    (
        "init failed once",
        starting(run_that_ended("Error", 2)),
        "init container fix-permissions failed (exit 2)",
        "/agentpod logs --container fix-permissions",
    ),
    (
        "init out of memory",
        starting(BACK_OFF, OOM, restartCount=2, spec={"resources": {"limits": {"memory": "64Mi"}}}),
        "init container fix-permissions keeps hitting its memory limit (64Mi, 2 restarts)",
        PREVIOUS.format("fix-permissions"),
    ),
    (
        "init lacks a secret",
        starting(waiting("CreateContainerConfigError", 'secret "tls" not found')),
        "Secret tls is missing, so init container fix-permissions can't start",
        "kubectl -n secure-agent-pod get secrets",
    ),
    (
        "init image",
        starting(waiting("ImagePullBackOff", "Back-off")),
        "image fix-permissions:1 can't be pulled, so init container fix-permissions can't start",
        EVENTS,
    ),
    (
        "init runs",
        starting(RUNNING),
        "init container fix-permissions is still running, since 02:51 UTC",
        "/agentpod logs --container fix-permissions",
    ),
    (
        "init waits",
        starting(waiting("PodInitializing")),
        "init container fix-permissions has not been started yet",
        EVENTS,
    ),
    (
        "init contradicts",
        api(inits=[{**FIX, "state": run_that_ended("Error", 1)}]),
        "init container fix-permissions failed (exit 1)",
        "/agentpod logs --container fix-permissions",
    ),
    # Sidecars
    (
        "sidecar crash loop",
        beside(BACK_OFF, CRASH, restartCount=12),
        "sidecar egress-proxy keeps crashing (exit 1, 12 restarts): Download failed",
        PREVIOUS.format("egress-proxy"),
    ),
    (
        "sidecar out of memory",
        beside(BACK_OFF, OOM, restartCount=12),
        "sidecar egress-proxy keeps hitting its memory limit (12 restarts)",
        PREVIOUS.format("egress-proxy"),
    ),
    (
        "sidecar ended",
        beside(run_that_ended("Completed", 0)),
        "sidecar egress-proxy ended, though it should go on running (exit 0)",
        "/agentpod logs --container egress-proxy",
    ),
    ("sidecar not ready", beside(RUNNING), "sidecar egress-proxy runs but is not ready", EVENTS),
    (
        "sidecar starts",
        beside(RUNNING, started=False),
        "sidecar egress-proxy runs but has not finished starting (startup probe)",
        EVENTS,
    ),
    (
        "sidecar image",
        beside(waiting("ErrImagePull", "no")),
        "image egress-proxy:1 can't be pulled, so sidecar egress-proxy can't start",
        EVENTS,
    ),
    (
        "sidecar in a ready pod",
        api(UP, inits=[{**PROXY, "state": BACK_OFF, "lastState": CRASH, "restartCount": 5}]),
        "sidecar egress-proxy keeps crashing (exit 1, 5 restarts): Download failed",
        PREVIOUS.format("egress-proxy"),
    ),
]


@pytest.mark.parametrize(("pod", "summary", "run"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_pod_that_is_not_ready_is_never_healthy_and_names_the_cause(pod: Pod, summary: str, run: str) -> None:
    finding = judged(pod)
    assert (finding.verdict, utc(finding.summary, NOW)) == (Verdict.FAIL, summary)
    assert (finding.run or "").startswith(run)
    assert not pod_state.is_ready(pod)
    problem = pod_watch.problem(TARGET, [pod], NOW, hold=timedelta())
    assert problem is not None
    assert utc(problem.summary, NOW) == summary
    log = run.removeprefix("/agentpod ")
    assert problem.advice == (log if log.startswith("logs ") else "status")
    later = judge_pod([pod], TARGET, NOW + timedelta(minutes=2))
    assert utc(later.summary, NOW) == summary, "its words stay while nothing happens"


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("Evicted", "the pod was evicted, though its conditions say that it is ready (low on memory)"),
        ("Terminated", "the pod was ended by its node's shutdown, though its conditions say"),
        ("NodeLost", "node gpu-1 has stopped reporting (NodeLost)"),
        ("UnexpectedAdmissionError", "the pod's status is UnexpectedAdmissionError, though its conditions say"),
    ],
)
def test_a_pod_whose_status_has_a_reason_is_not_ready(reason: str, says: str) -> None:
    pod = api(status={"reason": reason, "message": "low on memory"})
    assert pod.status == reason, "kubectl's STATUS column"
    assert not pod_state.is_ready(pod)
    assert utc(judged(pod).summary, NOW).startswith(says)
    assert judged(pod).verdict is Verdict.FAIL


GOOD = [
    ("plain", api(), "1/1 ready on gpu-1"),
    ("init containers are through", api(UP, inits=[DONE]), "1/1 ready on gpu-1"),
    ("an init container is forgotten", api(UP, spec={"initContainers": [{"name": "prepare"}]}), "1/1 ready"),
    (
        "a sidecar counts",
        api(UP, inits=[{**PROXY, "ready": True, "started": True, "state": RUNNING}]),
        "2/2 ready",
    ),
    (
        "two gates hold",
        api(conditions={"a/b": {"status": "True"}}, spec={"readinessGates": [{"conditionType": "a/b"}]}),
        "1/1 ready",
    ),
    ("a condition of somebody else", api(conditions={"z/z": {"status": "False"}}), "1/1 ready"),
    (
        "a debug container",
        api(
            status={"ephemeralContainerStatuses": [{"name": "debugger", "ready": False, "state": CRASH}]},
            spec={"ephemeralContainers": [{"name": "debugger"}]},
        ),
        "1/1 ready",
    ),
]


@pytest.mark.parametrize(("pod", "summary"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_a_pod_that_is_ready_for_kubernetes_is_ready(pod: Pod, summary: str) -> None:
    finding = judged(pod)
    assert finding.verdict is Verdict.OK
    assert finding.summary.startswith(summary)
    assert pod_watch.problem(TARGET, [pod], NOW, hold=timedelta()) is None


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (
            {"reason": "Evicted", "message": "The node was low on resource: memory."},
            "the pod was evicted (The node",
        ),
        ({"reason": "Preempting"}, "the pod was preempted by one of a higher priority"),
        ({"reason": "DeadlineExceeded"}, "the pod ran longer than its deadline allows (activeDeadlineSeconds)"),
        (
            {"reason": "OutOfcpu", "message": "Node didn't have enough"},
            "the pod has failed (OutOfcpu: Node didn't",
        ),
        ({}, "the pod has failed"),
        ({"phase": "Succeeded"}, "the pod has completed, though it should go on running"),
    ],
)
def test_a_pod_that_is_over_says_how_it_ended(status: dict[str, Any], says: str) -> None:
    pod = api(status={"phase": "Failed", **status})
    assert judged(pod).summary.startswith(f"no pod is running: {says}")
    assert not pod_state.is_ready(pod)


@pytest.mark.parametrize(
    ("meta", "more", "says"),
    [
        ({}, {}, "the old pod is still terminating and there is no new one yet"),
        ({"deletionTimestamp": "2026-11-24T03:01:30Z"}, {}, "the old pod is still terminating"),
        (
            {"deletionTimestamp": "2026-11-24T02:30:00Z", "finalizers": ["a.b/backup"]},
            {},
            "the pod should have ended by 02:30 UTC and is still terminating: finalizer a.b/backup holds it",
        ),
        (
            {"deletionTimestamp": "2026-11-24T02:30:00Z"},
            {"conditions": {"Ready": {"status": "False"}}},
            "node gpu-1 has stopped reporting, so the old pod does not end",
        ),
    ],
)
def test_a_stuck_terminating_pod_names_what_holds_it(
    meta: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    pod = api(meta={"deletionTimestamp": "2026-11-24T03:02:30Z"} | meta, **more)
    assert utc(judged(pod).summary, NOW).startswith(says)


REMEDIES = {
    handbook.REMEDIES.crash: {"crash loop", "first crash"},
    handbook.REMEDIES.ssh_keys: {"secret missing"},
    MEMORY: {"out of memory", "crash loop for memory", "init out of memory", "sidecar out of memory"},
}


def test_a_remedy_is_shown_only_for_its_causes() -> None:
    said = {row[0]: judged(row[1]).remedy for row in BAD}
    for remedy, fits in REMEDIES.items():
        under = {name for name, text in said.items() if str(text).startswith(remedy)}
        assert fits <= under
        assert all(any(f.split()[0] in name for f in fits) or "complete" in name for name in under), under
    assert all("agent-ssh-keys" not in (text or "") for name, text in said.items() if name != "secret missing")
    assert all(said.values())


def test_a_message_in_the_headline_is_not_repeated() -> None:
    found = judged(main(BACK_OFF, run_that_ended("Error", 1, "cannot bind port 2222."), restartCount=7))
    assert found.summary == "kali keeps crashing (exit 1, 7 restarts): cannot bind port 2222"
    assert utc(found.evidence[0], NOW) == "kali ended at 02:50 UTC"
    assert "2222" not in str(found.evidence)


def test_a_container_that_runs_after_a_crash_shows_the_cause_first() -> None:
    ended = run_that_ended("Error", 1, "cannot bind port 2222", at="2026-11-24T03:01:40Z")
    found = judged(main(AGAIN, ended, restartCount=1))
    why = "kali crashed (exit 1, 1 restart): cannot bind port 2222; it runs again and is not ready"
    assert found.summary == why


UNREADY_LATER = UNREADY | {"lastTransitionTime": "2026-11-24T03:01:50Z"}


@pytest.mark.parametrize("reason", ["OOMKilled", "Error"])
def test_an_end_before_it_was_ready_is_not_why_its_probe_fails_now(reason: str) -> None:
    ended = run_that_ended(reason, 137, at="2026-11-24T03:00:55Z")
    again = {"running": {"startedAt": "2026-11-24T03:01:00Z"}}
    kali = {"name": "kali", "state": again, "lastState": ended, "restartCount": 2}
    later = api(kali, conditions={"Ready": UNREADY_LATER, "ContainersReady": UNREADY_LATER})
    assert judged(later).summary == "kali runs but is not ready"
    never = UNREADY | {"lastTransitionTime": "2026-11-24T03:01:01Z"}
    since_start = api(kali, conditions={"Ready": never, "ContainersReady": never})
    assert judged(since_start).summary.startswith("kali keeps ")


def test_the_evidence_has_the_last_words_of_the_termination_message_unless_the_summary_has_them() -> None:
    killed = main(BACK_OFF, run_that_ended("Error", 137, "starting\nfatal: no space left"), restartCount=7)
    assert "kali ended at 02:50 UTC: no space left" in utc(judged(killed).evidence, NOW)
    said = "starting\nchown: Read-only file system"
    failed = starting(BACK_OFF, run_that_ended("Error", 1, said), restartCount=7)
    last = "fix-permissions ended at 02:50 UTC"
    assert last in utc(judged(failed).evidence, NOW)
    problem = pod_watch.problem(TARGET, [failed], NOW, hold=timedelta())
    assert problem is not None
    assert ("Evidence", last) in utc(problem.facts, NOW)


def test_an_oom_killed_container_that_runs_again_is_a_warning_with_its_log() -> None:
    limits = {"resources": {"limits": {"memory": "8Gi"}}}
    local = {**UP, "name": "vk-local", "restartCount": 1, "lastState": OOM, "spec": limits}
    target = handbook.target(containers=(handbook.CONTAINER, ContainerTarget(name="vk-local")))
    finding = judge_pod([api(UP, local)], target, NOW)
    assert (finding.verdict, finding.summary) == (Verdict.WARN, "vk-local hit its memory limit (8Gi) 12 min ago")
    assert (finding.remedy, finding.run) == (MEMORY, "/agentpod logs --container vk-local --previous")


def test_a_container_without_expected_processes_gets_no_process_remedy() -> None:
    proxy = {**UP, **PROXY, "restartCount": 1, "lastState": CRASH}
    finding = judged(api(UP, inits=[proxy]))
    assert finding.summary == "sidecar egress-proxy restarted 12 min ago (Error, exit code 1)"
    assert "main processes" not in (finding.remedy or "")
    assert finding.run == "/agentpod logs --container egress-proxy --previous"


@pytest.mark.parametrize(
    ("pod", "ready", "status", "restarts"),
    [
        (api(), "1/1", "Running", 0),
        (beside(BACK_OFF, OOM, restartCount=12), "1/2", "Running", 12),
        (beside(BACK_OFF, OOM, restartCount=12, started=False), "1/2", "Init:CrashLoopBackOff", 12),
        (starting(BACK_OFF, CRASH, restartCount=7), "0/1", "Init:CrashLoopBackOff", 7),
        (starting(RUNNING), "0/1", "Init:1/2", 0),
        (starting(run_that_ended("Error", 1)), "0/1", "Init:Error", 0),
        (main(BACK_OFF, CRASH, restartCount=7), "0/1", "CrashLoopBackOff", 7),
        (main(run_that_ended("", 3)), "0/1", "ExitCode:3", 0),
        (api(meta={"deletionTimestamp": "2026-11-24T03:02:30Z"}), "1/1", "Terminating", 0),
        (api(status={"phase": "Failed", "reason": "Evicted"}), "1/1", "Evicted", 0),
    ],
)
def test_the_columns_are_kubectls_own(pod: Pod, ready: str, status: str, restarts: int) -> None:
    assert (pod.ready, pod.status, pod.restarts) == (ready, status, restarts)


def test_a_pod_on_a_lost_node_is_neither_current_nor_surplus() -> None:
    lost = api(conditions={"Ready": {"status": "False"}})
    fresh = api(
        STARTS, inits=[DONE], conditions=NOT_INITIALIZED, status=PENDING, meta={"name": "agent-2", "uid": "u-2"}
    )
    problem = pod_watch.problem(TARGET, [lost], NOW, hold=timedelta())
    assert problem is not None
    assert not problem.restart, "the old pod would never end"
    finding = judge_pod([lost, fresh], TARGET, NOW)
    assert finding.summary == "node gpu-1 has stopped reporting: the pod is not ready"
    assert current([lost, fresh]) == fresh
    assert current([lost]) == lost


def test_an_unobserved_termination_is_not_blamed_on_a_process() -> None:
    rebooted = api(UP | {"restartCount": 1, "lastState": run_that_ended("Unknown", 255)})
    finding = judged(rebooted)
    assert (finding.verdict, finding.summary) == (
        Verdict.WARN,
        "kali restarted 12 min ago (Unknown, exit code 255)",
    )
    assert "restart of its node" in (finding.remedy or "")


COMPLETED = Termination("Completed", 0, NOW)


def ended(name: str, minutes: int, code: int = 1, **changes: Any) -> Container:
    """A container that ended so many minutes ago, and runs again."""
    usual = {"state": "running", "last_termination": Termination("Error", code, NOW - timedelta(minutes=minutes))}
    return Container(name, "i", **(usual | changes))


@pytest.mark.parametrize(
    ("inits", "mains", "failed"),
    [
        ([], [Container("kali", "i", state="running")], None),
        ([], [ended("kali", 5)], "kali"),
        ([], [ended("kali", 90)], None),
        ([], [ended("kali", 5, 0)], None),
        ([], [ended("kali", 90, state="waiting")], "kali"),
        ([ended("init", 9, state="waiting")], [ended("kali", 5)], "init"),
        ([ended("init", 9, state="terminated", terminated=COMPLETED)], [ended("kali", 5)], "kali"),
        ([], [ended("kali", 9), ended("proxy", 5)], "proxy"),
    ],
)
def test_the_container_that_failed_last(
    inits: list[Container], mains: list[Container], failed: str | None
) -> None:
    pod = Pod("p", "u", "Running", containers=tuple(mains), init_containers=tuple(inits))
    found = pod_state.last_failed(pod, NOW - timedelta(hours=1))
    assert (found.name if found else None) == failed


def test_a_missing_secret_of_ssh_keys_is_created_with_the_keys_of_everybody() -> None:
    found = judged(main(waiting("CreateContainerConfigError", 'secret "agent-ssh-keys" not found')))
    assert str(found.remedy).split("\n")[-2:] == [
        "1. Put everybody's public keys into the file authorized_keys, one per line.",
        "2. Create Secret agent-ssh-keys from that file:",
    ]
    assert found.run is not None
    assert found.run.endswith(" --from-file=authorized_keys=./authorized_keys")


def test_a_selector_with_blanks_is_one_word_of_its_command() -> None:
    target = TARGET.model_copy(update={"selector": "app in (agent, other)"})
    twice = [Pod(name, name, "Running") for name in ("one", "two")]
    run = judge_pod(twice, target, NOW).run
    assert run is not None
    assert "-l 'app in (agent, other)' -o wide" in run
