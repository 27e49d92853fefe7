"""The pretend pod's optional extras: an init container, a native sidecar and a readiness gate.

They exist only while a fault asks for them. Statuses and conditions are as the kubelet writes them
(``pkg/kubelet/status/generate.go``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.cluster.conditions import PodFaults
from sandbox.cluster.podlogs import Line
from sandbox.cluster.store import stamp

Object = dict[str, Any]
INIT, SIDECAR, GATE = "fix-permissions", "egress-proxy", "example.com/load-balancer"
_SAID = {
    INIT: ("chown: changing ownership of '/home/claude': Read-only file system",),
    SIDECAR: ("egress-proxy: listening on 127.0.0.1:3128", "egress-proxy: cache is growing"),
}


def spec(faults: PodFaults) -> Object:
    """What the faults add to a new pod's spec."""
    inits: list[Object] = []
    if faults.init_crash:
        inits.append({"name": INIT, "image": "docker.io/library/busybox:1.37"})
    if faults.sidecar:
        limits = {"resources": {"limits": {"memory": "128Mi"}}}
        inits.append({"name": SIDECAR, "image": "docker.io/ubuntu/squid:6.6", "restartPolicy": "Always", **limits})
    found: Object = {"initContainers": inits} if inits else {}
    return found | ({"readinessGates": [{"conditionType": GATE}]} if faults.gate else {})


def blocks(pod: Object) -> bool:
    """Whether the main container waits for an init container that never succeeds."""
    return any(c["name"] == INIT for c in pod["spec"].get("initContainers") or ())


def statuses(pod: Object, faults: PodFaults, at: datetime) -> list[Object]:
    """The statuses of the pod's init containers and sidecars once the kubelet has started them."""
    return [_status(c, faults, at) for c in pod["spec"].get("initContainers") or ()]


def all_ready(pod: Object) -> bool:
    """Whether the pod's sidecars are ready."""
    return not unready(pod)


def unready(pod: Object) -> list[str]:
    """The names of the sidecars that are not ready."""
    return [s["name"] for s in _sidecars(pod) if not s["ready"]]


def end(status: Object, code: int, at: datetime) -> None:
    """End a sidecar's main process; the kubelet starts it again."""
    began = status["state"].get("running", {}).get("startedAt", stamp(at))
    ended = {"exitCode": code, "reason": "Error", "startedAt": began, "finishedAt": stamp(at)}
    status |= {"state": {"terminated": ended}, "ready": False, "started": False}


def ended(pod: Object) -> bool:
    """Whether a sidecar's main process has ended."""
    return any("terminated" in s["state"] for s in _sidecars(pod))


def start_again(pod: Object, at: datetime) -> None:
    """Start the sidecars that have ended."""
    for status in _sidecars(pod):
        if "terminated" in status["state"]:
            status |= {"lastState": status["state"], "state": {"running": {"startedAt": stamp(at)}}}
            status |= {"restartCount": status["restartCount"] + 1, "ready": True, "started": True}


def _sidecars(pod: Object) -> list[Object]:
    return [s for s in pod["status"].get("initContainerStatuses") or () if s["name"] != INIT]


def gated(pod: Object) -> bool:
    """Whether the pod has a readiness gate."""
    return bool(pod["spec"].get("readinessGates"))


def log(pod: Object, container: str, at: datetime) -> list[Line] | None:
    """The log of an init container or sidecar; None if the pod has none of that name."""
    names = [c["name"] for c in pod["spec"].get("initContainers") or ()]
    return [Line(at, text) for text in _SAID.get(container, ())] if container in names else None


def _status(container: Object, faults: PodFaults, at: datetime) -> Object:
    name, image = container["name"], container["image"]
    head = {"name": name, "image": image, "imageID": "", "lastState": {}, "ready": False, "started": False}
    if name == INIT:
        ended = _ended("Error", 1, _SAID[INIT][0], at)
        return head | {"restartCount": 7, "state": _back_off(name), "lastState": ended}
    if faults.sidecar in ("crash", "oom"):
        ended = _ended("OOMKilled", 137, "", at) if faults.sidecar == "oom" else _ended("Error", 1, "", at)
        return head | {"restartCount": 12, "state": _back_off(name), "lastState": ended}
    runs = {"state": {"running": {"startedAt": stamp(at)}}, "ready": True, "started": True}
    return head | {"restartCount": 0, **runs}


def _back_off(name: str) -> Object:
    message = f"back-off 5m0s restarting failed container={name}"
    return {"waiting": {"reason": "CrashLoopBackOff", "message": message}}


def _ended(reason: str, code: int, message: str, at: datetime) -> Object:
    times = {"startedAt": stamp(at), "finishedAt": stamp(at)}
    said = {"message": message} if message else {}
    return {"terminated": {"exitCode": code, "reason": reason, **said, **times}}
