"""Changes pods as the API server could send them: every value stays of the type that Kubernetes' schema gives it.

The recorded objects were read from a real control plane. A mutation is one to four changes of one pod; the dice
are seeded, so that each can be thrown again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import msgspec

Object = dict[str, Any]
RECORDED = Path(__file__).parent / "recorded"
NOW = datetime(2026, 11, 29, 9, 40, tzinfo=UTC)
"""The present time: minutes after the objects were recorded."""

CONDITIONS = ("Ready", "ContainersReady", "Initialized", "PodScheduled")
OTHER_CONDITIONS = (
    "DisruptionTarget",
    "PodReadyToStartContainers",
    "PodResizePending",
    "example.com/load-balancer",
)
STATUSES = ("True", "False", "Unknown")
REASONS = ("", "NodeNotReady", "ContainersNotReady", "PodCompleted", "Unschedulable", "SchedulingGated", "Odd")
PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
POD_REASONS = ("Evicted", "NodeLost", "Shutdown", "NodeAffinity", "UnexpectedAdmissionError", "DeadlineExceeded")
WAITING = (
    "CrashLoopBackOff",
    "ContainerCreating",
    "PodInitializing",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "RunContainerError",
    "ImageInspectError",
    "SomethingNew",
)
TERMINATED = ("Error", "OOMKilled", "Completed", "ContainerCannotRun", "StartError", "ContainerStatusUnknown")
MESSAGES = (
    "",
    'secret "agent-ssh-keys" not found',
    'configmap "settings" not found',
    "back-off 5m0s restarting failed container=kali pod=secure-agent-pod-x_agent(0f3a)",
    'failed to reserve container name "kali_agent_0": name "kali_agent_0" is reserved for "0f3a"',
    "container has runAsNonRoot and image will run as root",
    "x" * 5000,
    "one\ntwo\x1b[31m ‮ three",
)
EXIT_CODES = (0, 1, 2, 126, 127, 137, 139, 143, 255, -1, 2**31 - 1)


@cache
def recorded() -> dict[str, Object]:
    """The recorded objects by name: ``pods`` and their ``deployment``."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))}


@cache
def _texts() -> dict[str, bytes]:
    """The recorded objects as JSON texts: decoding them for each mutation is faster than copying."""
    return {name: msgspec.json.encode(thing) for name, thing in recorded().items()}


def mutated(seed: int) -> tuple[str, list[Object], Object]:
    """Mutate a random recorded state: its name, the changed pods, and the Deployment."""
    dice = Random(seed)  # noqa: S311 - to be thrown again, not to be secret
    name = dice.choice(list(_texts()))
    thing = msgspec.json.decode(_texts()[name])
    pods = thing["pods"]
    for _ in range(dice.randint(1, 4)):
        dice.choice(CHANGES)(dice, dice.choice(pods))
    if dice.random() < 0.05:
        twin = copy.deepcopy(pods[0])
        twin["metadata"] |= {"name": "secure-agent-pod-twin", "uid": "twin"}
        pods.append(twin)
    return name, pods, thing["deployment"]


def moment(dice: Random) -> str | None:
    """A random time around now; sometimes far away, sometimes None."""
    far = dice.choice((1, 60, 3600, 86400, 10**8))
    at = NOW + timedelta(seconds=dice.uniform(-far, far / 10))
    return dice.choice((at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), None))


def _condition(dice: Random, pod: Object) -> None:
    kinds = (*CONDITIONS * 3, *OTHER_CONDITIONS)
    wanted = dice.choice(kinds)
    conditions = pod["status"].setdefault("conditions", [])
    found = next((c for c in conditions if c["type"] == wanted), None)
    if found is None:
        found = {"type": wanted}
        conditions.append(found)
    found["status"] = dice.choice(STATUSES)
    for key, values in (("reason", REASONS), ("message", MESSAGES)):
        found.pop(key, None)
        if dice.random() < 0.5:
            found[key] = dice.choice(values)
    found["lastTransitionTime"] = moment(dice)


def _condition_gone(dice: Random, pod: Object) -> None:
    if conditions := pod["status"].get("conditions"):
        conditions.pop(dice.randrange(len(conditions)))


def _phase(dice: Random, pod: Object) -> None:
    pod["status"]["phase"] = dice.choice(PHASES)


def _phase_gone(_: Random, pod: Object) -> None:
    pod["status"].pop("phase", None)


def _pod_reason(dice: Random, pod: Object) -> None:
    pod["status"] |= {"reason": dice.choice(POD_REASONS), "message": dice.choice(MESSAGES)}


def _deleted(dice: Random, pod: Object) -> None:
    pod["metadata"] |= {
        "deletionTimestamp": moment(dice) or "2026-11-29T09:39:00Z",
        "deletionGracePeriodSeconds": 30,
    }


def _statuses(pod: Object) -> list[Object]:
    kinds = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    return [status for kind in kinds for status in pod["status"].get(kind) or ()]


def _terminated(dice: Random) -> Object:
    ended: Object = {"exitCode": dice.choice(EXIT_CODES), "reason": dice.choice(TERMINATED)}
    ended |= {"startedAt": moment(dice), "finishedAt": moment(dice), "message": dice.choice(MESSAGES)}
    if dice.random() < 0.2:
        ended |= {"reason": "", "signal": 9}
    return ended


def _state(dice: Random, pod: Object) -> None:
    """A container's state, alone: what else is said of it stays, as it does while the kubelet can't report."""
    for status in _some(dice, _statuses(pod)):
        status["state"] = dice.choice(
            (
                {"waiting": {"reason": dice.choice(WAITING), "message": dice.choice(MESSAGES)}},
                {"terminated": _terminated(dice)},
                {"running": {"startedAt": moment(dice)}},
                {"waiting": {}},
                {},
            )
        )


def _last_state(dice: Random, pod: Object) -> None:
    for status in _some(dice, _statuses(pod)):
        status["lastState"] = {"terminated": _terminated(dice)}
        status["restartCount"] = dice.choice((0, 1, 3, 12, 4000, 2**31 - 1))


def _flag(dice: Random, pod: Object) -> None:
    for status in _some(dice, _statuses(pod)):
        name = dice.choice(("ready", "started"))
        status[name] = dice.choice((True, False))
        if name == "started" and dice.random() < 0.3:
            status.pop("started")


def _some(dice: Random, statuses: Sequence[Object]) -> Sequence[Object]:
    return [dice.choice(statuses)] if statuses else []


def _status_gone(dice: Random, pod: Object) -> None:
    kind = dice.choice(("containerStatuses", "initContainerStatuses"))
    if statuses := pod["status"].get(kind):
        if dice.random() < 0.5:
            statuses.pop(dice.randrange(len(statuses)))
        else:
            pod["status"][kind] = dice.choice(([], None))


def _more_containers(dice: Random, pod: Object) -> None:
    name = dice.choice(("helper", "kali-2", "x" * 63))
    made = {"name": name, "image": "example.com/helper:1"}
    if dice.random() < 0.5:
        pod["spec"]["containers"].append(made)
    else:
        sidecar = {"restartPolicy": "Always"} if dice.random() < 0.6 else {}
        pod["spec"].setdefault("initContainers", []).append(made | sidecar)


def _debugged(dice: Random, pod: Object) -> None:
    """An ephemeral container, which says nothing about the pod."""
    pod["spec"]["ephemeralContainers"] = [{"name": "debugger", "image": "busybox"}]
    state = dice.choice(({"terminated": _terminated(dice)}, {"running": {"startedAt": moment(dice)}}))
    said = {
        "name": "debugger",
        "image": "busybox",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": state,
    }
    pod["status"]["ephemeralContainerStatuses"] = [said]


def _gates(dice: Random, pod: Object) -> None:
    pod["spec"]["readinessGates"] = [
        {"conditionType": dice.choice(("example.com/load-balancer", "other.io/gate"))}
    ]


def _place(dice: Random, pod: Object) -> None:
    if dice.random() < 0.5:
        pod["spec"].pop("nodeName", None)
    else:
        pod["spec"]["nodeName"] = dice.choice(("gpu-1", "gpu-2"))


def _times(dice: Random, pod: Object) -> None:
    pod["metadata"]["creationTimestamp"] = moment(dice)
    pod["status"]["startTime"] = moment(dice)


def _optional_gone(dice: Random, pod: Object) -> None:
    part = pod[dice.choice(("status", "spec", "metadata"))]
    kept = {"name", "uid", "containers", "namespace"}
    if names := sorted(set(part) - kept):
        part.pop(dice.choice(names))


CHANGES: Sequence[Callable[[Random, Object], None]] = (
    *(_condition,) * 4,
    _condition_gone,
    *(_phase,) * 2,
    _phase_gone,
    _pod_reason,
    _deleted,
    *(_state,) * 4,
    *(_last_state,) * 2,
    *(_flag,) * 2,
    _status_gone,
    _more_containers,
    _debugged,
    _gates,
    _place,
    _times,
    _optional_gone,
)
