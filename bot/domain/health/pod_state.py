"""Decide whether a pod is ready, and why not. All other code asks this module. Pure.

A container's own ``ready`` is not enough: the kubelet writes it, so it stays True when the kubelet dies, while the
control plane sets the pod's ``Ready`` condition to False. So a pod is ready if that condition is True, its phase
is Running, and nothing else contradicts it. Missing information means not ready.

Sources: Kubernetes, "Pod Lifecycle"; ``pkg/kubelet/status/generate.go`` (conditions),
``pkg/controller/util/node/controller_utils.go`` (MarkPodsNotReady).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.workload import Condition, Container, Event, Pod
from bot.domain.health import container_state, not_made
from bot.domain.health.container_state import LONG, Cause, Issue

STUCK = timedelta(minutes=1)
"""Time after the grace period at which a terminating pod counts as stuck."""
_SAID = 160
_PHASES = ("Pending", "Running", "Succeeded", "Failed")
_UNREACHABLE = ("NodeLost", "NodeNotReady", "NodeStatusUnknown", "NodeUnreachable")


@dataclass(frozen=True)
class PodState:
    """The judgement. A pod is ready if and only if there are no issues."""

    issues: tuple[Issue, ...] = ()
    """What keeps the pod from being ready, the most significant first."""

    @property
    def ready(self) -> bool:
        """Whether the pod is ready."""
        return not self.issues

    @property
    def issue(self) -> Issue | None:
        """The most significant issue; None where the pod is ready."""
        return self.issues[0] if self.issues else None


def is_ready(pod: Pod) -> bool:
    """Whether the pod is ready."""
    # The time matters only for the wording of issues.
    return state(pod, pod.created_at or _ANY_TIME).ready


def on_lost_node(pod: Pod) -> bool:
    """Whether the pod's node has stopped reporting: then neither exec nor logs work."""
    return _lost(pod) is not None


def last_failed(pod: Pod, since: datetime) -> Container | None:
    """Return the container that failed last, init containers included: one that is down before one that runs.

    Failures before ``since`` of a container that runs are over; so are those of an init container that completed.
    """
    found = [c for c in (*pod.init_containers, *pod.containers) if _failed(c, since)]
    return max(found, key=lambda c: (c.state != "running", _ended_at(c)), default=None)


def _failed(container: Container, since: datetime) -> bool:
    ended = container.ended
    if container.done or ended is None or ended.exit_code == 0:
        return False
    return container.state != "running" or _ended_at(container) >= since


def _ended_at(container: Container) -> datetime:
    ended = container.ended
    return (ended.finished_at if ended is not None else None) or _ANY_TIME


_ANY_TIME = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def state(pod: Pod, now: datetime, events: Sequence[Event] = ()) -> PodState:
    """Judge the pod. Summaries stay the same until something happens; ``now`` is used to format times.

    ``events`` of the namespace only explain why containers are not created; they make no pod unready.
    """
    if issue := _as_a_whole(pod, now):
        return PodState((issue,))
    inits = _initializing(pod, now)
    lasting = [i for c in pod.lasting if (i := container_state.judge(c, pod, now))]
    found = _consequences_left_out([*inits, *lasting])
    return PodState(tuple(not_made.explained(pod, found or _conditions(pod), events)))


def outlives_restart(pods: Sequence[Pod], now: datetime, events: Sequence[Event] = ()) -> str:
    """Why a new pod can't start either, if one of these can't; else empty."""
    issue = outliving(pods, now, events)
    return issue.summary if issue is not None else ""


def outliving(
    pods: Sequence[Pod],
    now: datetime,
    events: Sequence[Event] = (),
    but: Callable[[Issue], bool] = lambda _: False,
) -> Issue | None:
    """The issue for which a new pod can't start either; those are left out that ``but`` holds for."""
    issues = [issue for pod in pods for issue in state(pod, now, events).issues]
    return next((issue for issue in issues if issue.outlives_restart and not but(issue)), None)


def does_not_end(pods: Sequence[Pod], now: datetime) -> str:
    """Why one of the pods does not end when it is deleted; empty where that is not known."""
    deleted = (_deleting(pod, now) for pod in pods if not pod.over and (pod.deleting or on_lost_node(pod)))
    return next((issue.summary for issue in deleted if issue.cause is Cause.STUCK), "")


def asks_events(pod: Pod, now: datetime) -> bool:
    """Whether only events can explain why the pod is not ready."""
    return not_made.asks(pod, state(pod, now).issues)


def _consequences_left_out(issues: Sequence[Issue]) -> list[Issue]:
    """Sort by significance, and drop issues that only wait for another one to be solved."""
    ordered = sorted(issues, key=lambda i: i.cause.rank)
    causes = [i for i in ordered if i.cause not in (Cause.WAITS_FOR_INIT, Cause.CREATING)]
    return _once(causes or ordered)


def _once(issues: Sequence[Issue]) -> list[Issue]:
    """Drop duplicates by container and cause: a sidecar is judged both while starting and while running."""
    return list({(i.container, i.cause): i for i in reversed(issues)}.values())[::-1]


# -- the pod as a whole


def _as_a_whole(pod: Pod, now: datetime) -> Issue | None:
    """An issue of the pod as a whole, which makes its containers' states irrelevant; None where there is none."""
    if pod.over:
        return _over(pod)
    if pod.deleting:
        return _deleting(pod, now)
    if lost := _lost(pod):
        return lost
    if pod.phase not in _PHASES:
        return Issue(Cause.UNKNOWN, f"the pod's state is unknown (phase {words.cut(pod.phase, 40) or 'missing'})")
    if not pod.node:
        return _unplaced(pod)
    if not pod.containers:
        return Issue(Cause.UNKNOWN, "the pod's containers have no status")
    return None


def _over(pod: Pod) -> Issue:
    """The issue of a pod that is over: evicted, preempted, past its deadline, rejected by its node, completed."""
    target = pod.condition("DisruptionTarget")
    said = pod.message or (target.message if target else None) or ""
    reason = pod.reason or (target.reason if target else None) or ""
    if reason in _ENDS:
        what, inside = _ENDS[reason], said
    else:
        what = (
            "the pod has completed, though it should go on running"
            if pod.phase == "Succeeded"
            else "the pod has failed"
        )
        inside = ": ".join(t for t in (words.cut(reason, 60), said) if t)
    return Issue(Cause.OVER, f"{what} ({words.cut(inside, _SAID)})" if inside else what, reason=reason)


_ENDS = {
    "Evicted": "the pod was evicted",
    "Preempting": "the pod was preempted by one of a higher priority",
    "Preempted": "the pod was preempted by one of a higher priority",
    "PreemptionByScheduler": "the pod was preempted by one of a higher priority",
    "DeadlineExceeded": "the pod ran longer than its deadline allows (activeDeadlineSeconds)",
    "NodeLost": "the pod was lost with its node",
    "DeletionByTaintManager": "the pod was evicted by a taint of its node",
    "EvictionByEvictionAPI": "the pod was evicted by a request (a node drain)",
    "DeletionByPodGC": "the pod was cleared away with its node",
    "TerminationByKubelet": "the pod was ended by its node",
    "Terminated": "the pod was ended by its node's shutdown",
    "NodeShutdown": "the pod was ended by its node's shutdown",
}


def _deleting(pod: Pod, now: datetime) -> Issue:
    if (lost := _lost(pod)) is not None:
        text = f"node {pod.node or 'unknown'} has stopped reporting, so the old pod does not end"
        return Issue(Cause.STUCK, text, evidence=lost.evidence)
    late = pod.delete_by is not None and now - pod.delete_by > STUCK
    if not late or pod.delete_by is None:
        return Issue(Cause.DELETING, "the pod is terminating")
    since = f"the pod should have ended by {words.moment(pod.delete_by)} and is still terminating"
    if pod.finalizers:
        return Issue(Cause.STUCK, f"{since}: finalizer {words.cut(words.listed(pod.finalizers), 80)} holds it")
    return Issue(Cause.STUCK, since)


def _lost(pod: Pod) -> Issue | None:
    """An issue where the node has stopped reporting, so that the containers' statuses are out of date.

    The control plane then sets Ready to False (or Unknown) without a reason, while ContainersReady stays as the
    kubelet left it. Besides readiness gates, nothing else makes the two differ.
    """
    ready, containers = pod.condition("Ready"), pod.condition("ContainersReady")
    said = next((r for r in (pod.reason, ready.reason if ready else None) if r in _UNREACHABLE), "")
    if not said and not (ready is not None and _left_behind(ready, containers, pod)):
        return None
    since = f" since {words.moment(ready.since)}" if ready is not None and ready.since else ""
    summary = (
        f"node {pod.node or 'unknown'} has stopped reporting{f' ({said})' if said else ''}: the pod is not ready"
    )
    evidence = [words.cut(m, 200) for m in (pod.message, ready.message if ready else None) if m]
    if ready is not None:
        evidence.append(f"the pod's Ready condition is {ready.status}{since}; its containers are as last reported")
    return Issue(Cause.NODE, summary, evidence=tuple(evidence), reason=said)


def _left_behind(ready: Condition, containers: Condition | None, pod: Pod) -> bool:
    if ready.status == "Unknown":
        return ready.reason is None and bool(pod.node)
    gates_hold = all(c is not None and c.status == "True" for c in map(pod.condition, pod.readiness_gates))
    kept = containers is None or containers.status == "True"
    reports = bool(pod.lasting) and all(c.ready and c.state == "running" for c in pod.lasting)
    return ready.status == "False" and not ready.reason and kept and gates_hold and reports


def _unplaced(pod: Pod) -> Issue:
    scheduled = pod.condition("PodScheduled")
    reason, said = (scheduled.reason, scheduled.message) if scheduled else (None, None)
    if reason == "SchedulingGated":
        return Issue(Cause.UNPLACED, _with("the pod is held back by a scheduling gate", said), reason=reason)
    if scheduled is None or scheduled.status == "True":
        said = pod.message or pod.reason
        return Issue(Cause.UNPLACED, _with("the pod is Pending", said or "no node has been chosen yet"))
    text = _PREEMPTION.sub("", said or "")
    if missing := _NO_CLAIM.search(text):
        gone = "is missing" if missing["how"] == "not found" else missing["how"]
        summary = f"PersistentVolumeClaim {missing['name']} {gone}, so no node takes the pod"
        return Issue(Cause.UNPLACED, summary, evidence=(words.cut(text, 300),), reason=reason or "Unschedulable")
    summary = _with("the pod is Pending", text or reason)
    evidence = (words.cut(text, 600),) if len(text) > _SAID else ()
    return Issue(Cause.UNPLACED, summary, evidence=evidence, reason=reason or "Unschedulable")


_PREEMPTION = re.compile(r"\s*\bpreemption: .*", re.DOTALL)
"""The scheduler's remark that no other pod could be preempted, which is no reason of its own."""
_NO_CLAIM = re.compile(r'persistentvolumeclaim "(?P<name>[^"]{1,253})" (?P<how>not found|is being deleted)')


# -- init containers and sidecars


def _initializing(pod: Pod, now: datetime) -> list[Issue]:
    """The issue of the first init container that has not completed, or sidecar that has not started."""
    for number, container in enumerate(pod.init_containers):
        if _through(container):
            continue
        if container.state == "unknown" and pod.initialized:
            continue
        return [_init_issue(pod, container, number, now)]
    return []


def _through(container: Container) -> bool:
    """Whether the next init container may start. A started sidecar is judged like a main container."""
    return container.done or (container.role == "sidecar" and container.started is True)


def _init_issue(pod: Pod, container: Container, number: int, now: datetime) -> Issue:
    issue = container_state.judge(container, pod, now)
    total = len(pod.init_containers)
    if issue is None:
        text = f"{container_state.called(container)} has not finished starting"
        return Issue(Cause.INIT, text, container=container.name)
    if total == 1 or pod.initialized:
        return issue
    place = f"it is init container {number + 1} of {total}; the rest wait for it"
    return replace(issue, evidence=(*issue.evidence, place))


# -- conditions that the containers don't explain


def _conditions(pod: Pod) -> list[Issue]:
    """Why the pod is not ready although its containers are; empty where it is ready."""
    gates = [gate for g in pod.readiness_gates if (gate := _gate(pod, g))]
    if gates:
        return gates
    ready = pod.condition("Ready")
    if ready is None:
        return [Issue(Cause.UNKNOWN, "whether the pod is ready is not known: it has no Ready condition")]
    if ready.status != "True":
        return [_unready(ready)]
    if pod.phase != "Running":
        return [Issue(Cause.CONDITION, f"the pod is {pod.phase} though it says that it is ready")]
    held = [c for c in map(pod.condition, _NEEDED) if c is not None and c.status != "True"]
    return [_unready(c) for c in held[:1]] or _contradicted(pod)


def _contradicted(pod: Pod) -> list[Issue]:
    """The issue of a pod whose status names a reason, such as Evicted, while its conditions say it is ready."""
    if not pod.reason:
        return []
    what = _ENDS.get(pod.reason, f"the pod's status is {words.cut(pod.reason, 60)}")
    text = f"{what}, though its conditions say that it is ready"
    said = f"{text} ({words.cut(pod.message, _SAID)})" if pod.message else text
    return [Issue(Cause.CONDITION, said, reason=pod.reason)]


_NEEDED = ("ContainersReady", "Initialized", "PodScheduled")


def _gate(pod: Pod, gate: str) -> Issue | None:
    condition, gate = pod.condition(gate), words.cut(gate, 80)
    if condition is not None and condition.status == "True":
        return None
    if condition is None:
        return Issue(Cause.GATE, f"readiness gate {gate} has not been set by anybody, so the pod is not ready")
    since = f" since {words.moment(condition.since)}" if condition.since else ""
    said = ": ".join(t for t in (condition.reason, condition.message) if t)
    summary = f"readiness gate {gate} is {condition.status}{since}, so the pod is not ready"
    return Issue(Cause.GATE, summary, evidence=(words.cut(said, 200),) if said else ())


def _unready(condition: Condition) -> Issue:
    since = f" since {words.moment(condition.since)}" if condition.since else ""
    said = ": ".join(t for t in (condition.reason, condition.message) if t)
    text = f"the pod is not ready: {condition.type} is {words.cut(condition.status, 20)}{since}"
    return Issue(Cause.CONDITION, f"{text} ({words.cut(said, _SAID)})" if said else text)


def _with(text: str, said: str | None) -> str:
    return f"{text}: {words.cut(said, _SAID)}" if said else text


__all__ = ["LONG", "Cause", "Issue", "PodState", "is_ready", "state"]
