"""Choose the remedy for an issue of a pod. The runbook's texts are used only for the causes they fit. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.domain.core.target import Target
from bot.domain.core.workload import Pod
from bot.domain.health.container_state import LONG, Cause, Issue

EVENTS = "/agentpod events"
MEMORY = (
    "It took more memory than its limit. Its log shows what it was doing; raise the container's limit if it needs "
    "that much."
)
KILLED = (
    "Something outside of it ended it: often a liveness probe that failed, which the events say, or its node. "
    "Its log shows what it did until then."
)
RESTARTED = "An approved restart ended it. Its log shows what it has done since."
EVICTED = "See what its node is short of: the pod's requests, or the node, are too small."
LOST = "See why its node does not keep it: the events and the pod's own message say so."
UNSEEN = (
    "Nobody saw its end, as after a restart of its node or of the container runtime: see how long the node is up."
)
LOG = "Its log says why it ended."
PREVIOUS_LOG = "The previous container's log says why it ended."
KEYS_FILE = "authorized_keys"
"""The file that the missing Secret of the SSH keys is created from: only those whose keys are in it can log in."""
STAYS = "If it stays so, look at the events."

Remedy = tuple[str, str]
"""A sentence for people, and the next command line: ``/agentpod …`` or ``kubectl …``."""


def remedy(issue: Issue, pod: Pod, target: Target, now: datetime) -> Remedy:
    """The remedy for an issue: what usually passes soon has another one once it has lasted for long."""
    since = _since(issue.cause, pod)
    if issue.cause in _STAYED and since is not None and now - since > LONG:
        return _STAYED[issue.cause], EVENTS
    of = _REMEDIES.get(issue.cause)
    return of(issue, pod, target) if of else (STAYS, EVENTS)


_STAYED = {
    Cause.PROBE: "Its probe fails: the events show the probe's answer.",
    Cause.CREATING: "The events say why: often a volume that can't be attached or mounted.",
}


def _since(cause: Cause, pod: Pod) -> datetime | None:
    """Since when the pod is not ready, or is made; None where nobody knows."""
    if cause is Cause.CREATING:
        return pod.started_at or pod.created_at
    ready = pod.condition("Ready")
    return ready.since if ready is not None else None


def log_line(issue: Issue) -> str:
    """The command line that shows the log of the container that failed; the events where there is no log."""
    return f"/agentpod {issue.log}" if issue.log else EVENTS


def _is_watched(name: str, target: Target) -> bool:
    """Whether processes are expected in the container, so that the runbook's text is about it."""
    return any(c.name == name and c.processes for c in target.containers)


def _crash(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001 - all remedies have the same signature
    return (target.remedies.crash if _is_watched(issue.container, target) else LOG), log_line(issue)


def _memory(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    return MEMORY, log_line(issue)


def _killed(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    return KILLED, log_line(issue)


def _start(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    said = " ".join((issue.summary, *issue.evidence)).lower()
    if "reserved" in said:
        text = (
            "A container of an earlier attempt is left on the node. If it stays so, restart its container runtime."
        )
    elif "no such file or directory" in said or "executable file not found" in said:
        text = "The image lacks what it is to run: check the command, or rebuild the image."
    else:
        text = "The kubelet's message says what is in the way; the events have the rest."
    return text, EVENTS


def _not_made(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    node = pod.node or "its node"
    if issue.reason == "FailedAttachVolume":
        text = (
            "Find out what still holds the volume, and whether its storage is healthy. A silent node keeps the "
            "volume until the node is back or deleted."
        )
        return text, "kubectl get volumeattachments"
    if "Sandbox" in issue.reason or "SandBox" in issue.reason or "Network" in issue.reason:
        return f"Check the network plugin and the container runtime on {node}.", EVENTS
    return f"Check what serves the volume, and its driver on {node}.", EVENTS


def _config(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    kind, name = issue.missing
    if kind:
        return missing(kind, name, target)
    return "Correct what the kubelet names, in the object or in the pod's template.", EVENTS


def missing(kind: str, name: str, target: Target) -> Remedy:
    """The remedy for an object that the pod needs and that does not exist."""
    if kind == "Secret" and target.ssh is not None and name == target.ssh.secret:
        return _ssh_keys(name, target.ssh.key, target)
    text = f"Create {kind} {name}, or mark the pod's reference to it as optional."
    return text, f"kubectl -n {target.namespace} get {kind.lower()}s"


def _ssh_keys(name: str, key: str, target: Target) -> Remedy:
    create = f"kubectl create secret generic {name} --namespace={target.namespace} --from-file={key}=./{KEYS_FILE}"
    known = target.remedies.ssh_keys
    steps = (
        f"1. Put everybody's public keys into the file {KEYS_FILE}, one per line.",
        f"2. Create Secret {name} from that file:",
    )
    return "\n".join([*([known] if known and name in known else []), *steps]), create


def _image(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    return (
        "Check the image's name and tag, and whether the node reaches the registry and may pull from it.",
        EVENTS,
    )


def _node(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    text = (
        "Check the node: power, network, kubelet. Kubernetes makes a new pod after five minutes. A ReadWriteOnce "
        "volume may stay attached to the silent node until that is back or deleted."
    )
    return text, f"kubectl describe node {pod.node}" if pod.node else EVENTS


def _unplaced(issue: Issue, pod: Pod, target: Target) -> Remedy:
    if issue.reason == "SchedulingGated":
        return "Whoever set the gate has to take it away.", _describe(pod, target)
    if issue.summary.startswith("PersistentVolumeClaim"):
        return "Create it, or correct its name in the pod's template.", f"kubectl -n {target.namespace} get pvc"
    text = (
        "Nothing runs until a node takes it: compare its requests, node selector and tolerations with the nodes."
    )
    return text, EVENTS


def _stuck(issue: Issue, pod: Pod, target: Target) -> Remedy:
    if pod.finalizers:
        return "Whoever set the finalizer has to take it away.", _describe(pod, target)
    if issue.evidence:
        return _node(issue, pod, target)
    return "Its processes don't end, or its node does not answer: look at the events.", EVENTS


def _gate(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    text = "A controller outside of the pod sets it: see whether that runs, and what it waits for."
    return text, _describe(pod, target)


def _probe(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    return "Its probe fails. If it stays so, the events show the probe's answer.", EVENTS


def _init(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    return "The pod goes on when it has ended. If it takes too long, look at its log.", log_line(issue)


def _creating(issue: Issue, pod: Pod, target: Target) -> Remedy:  # noqa: ARG001
    return "If it stays so, the events say why: often a volume that can't be attached or mounted.", EVENTS


def _describe(pod: Pod, target: Target) -> str:
    return f"kubectl -n {target.namespace} describe pod {pod.name}"


_REMEDIES: dict[Cause, Callable[[Issue, Pod, Target], Remedy]] = {
    Cause.CRASH: _crash,
    Cause.MEMORY: _memory,
    Cause.KILLED: _killed,
    Cause.START: _start,
    Cause.CONFIG: _config,
    Cause.NOT_MADE: _not_made,
    Cause.IMAGE: _image,
    Cause.NODE: _node,
    Cause.UNPLACED: _unplaced,
    Cause.STUCK: _stuck,
    Cause.GATE: _gate,
    Cause.PROBE: _probe,
    Cause.INIT: _init,
    Cause.CREATING: _creating,
}


def after_a_restart(cause: Cause, container: str, target: Target) -> str:
    """The remedy for a container that terminated recently and runs again."""
    if cause is Cause.MEMORY:
        return MEMORY
    if cause is Cause.KILLED:
        return KILLED
    if cause is Cause.WAITS:
        return UNSEEN
    return target.remedies.restarted if _is_watched(container, target) else LOG
