"""Judge the pod by the handbook's "What Healthy Looks Like": one pod, ready, on its node."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict, worst
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, Deployment, Event, Pod, Termination
from bot.domain.health import container_state, coverage, judge_deployment, pod_remedies, pod_state
from bot.domain.health.container_state import Cause, Issue
from bot.domain.health.judge_deployment import Owner
from bot.domain.health.pod_issue import PodIssue

PROBE, TITLE = "pod", "Pod"

RECENT_RESTART = timedelta(hours=1)
"""More recent restarts are a warning; older ones are only mentioned."""
Explained = Collection[tuple[str, str, int]]
"""Restarts that were approved, which are no issues: pod's uid, container, and its restart count afterwards."""
EVICTED_OFTEN = 3
"""Number of evicted or failed pods within `RECENT_RESTART` that is a warning; fewer can happen."""


def live(pods: Sequence[Pod]) -> list[Pod]:
    """Pods that are neither over (evicted, completed, failed) nor being deleted."""
    return [p for p in pods if not p.deleting and not p.over]


def current(pods: Sequence[Pod]) -> Pod | None:
    """The pod to examine: the newest live one with a running container, else the newest live one."""
    candidates = live(pods)
    running = [p for p in candidates if _runs(p)]
    best = running or candidates
    return best[-1] if best else None


def _runs(pod: Pod) -> bool:
    """Whether commands can run in the pod. On a lost node, its containers' states are out of date."""
    return any(c.state == "running" for c in pod.containers) and not pod_state.on_lost_node(pod)


def brief(pods: Sequence[Pod], now: datetime) -> str:
    """How long the pod is up, and how often it restarted; empty without one."""
    pod = current(pods)
    if pod is None:
        return ""
    return f"up {words.age_since(pod.started_at or pod.created_at, now)} · {words.plural(pod.restarts, 'restart')}"


def judge_pod(
    pods: Sequence[Pod],
    target: Target,
    now: datetime,
    owner: Owner = None,
    events: Sequence[Event] = (),
    explained: Explained = (),
) -> Finding:
    """The finding for the pod: the worst issue in the summary, all of them in the evidence.

    ``owner`` is its Deployment, which explains a missing or surplus pod; ``events`` explain containers that are
    not created; ``explained`` are the restarts that were approved, which are no issues.
    """
    found = pod_issues(pods, target, now, owner, events, explained=explained)
    issues = sorted(found, key=lambda t: -t.verdict.badness)
    pod = current(pods)
    # Without a pod, the Deployment's explanation is the finding itself, unless the Deployment could not be read.
    known = judge_deployment.notes(owner, target)
    added = known if pod or isinstance(owner, judge_deployment.DeploymentUnread) else ()
    # Several pods are listed as evidence already.
    about_it = about(pod) if pod and len(live(pods)) == 1 else ()
    if not issues and pod:
        up = words.age_since(pod.started_at or pod.created_at, now)
        where = f" on {pod.node}" if pod.node else ""
        return Finding(PROBE, TITLE, Verdict.OK, f"{pod.ready} ready{where}, up {up}", (*added, *about_it))
    first, others = issues[0], [t.summary for t in issues[1:]]
    said = (first.summary, *others)
    return Finding(
        PROBE,
        TITLE,
        worst(t.verdict for t in issues),
        first.summary,
        (*first.evidence, *others, *(line for line in added if not _is_repeated(line, said)), *about_it),
        first.remedy,
        first.run,
    )


def _is_repeated(line: str, said: Sequence[str]) -> bool:
    """Whether a line is the beginning of a summary, so that it would only repeat it."""
    return any(summary.startswith(line) for summary in said)


def pod_issues(
    pods: Sequence[Pod],
    target: Target,
    now: datetime,
    owner: Owner = None,
    events: Sequence[Event] = (),
    *,
    restarts: bool = True,
    explained: Explained = (),
) -> list[PodIssue]:
    """All issues of the pods that match the selector, in no order.

    ``restarts`` is off for incidents: then recent restarts and unwatched containers are no issues, and a container
    that is missing from the pod is only a warning, since settings that don't fit should wake nobody.
    """
    alive = live(pods)
    if not alive:
        return [_no_pod(pods, target, now, owner)]
    # A pod on a lost node does not count as surplus: its replacement has to run beside it.
    there = [p for p in alive if not pod_state.on_lost_node(p)]
    issues = [_too_many(there, target, owner)] if len(there) > 1 else []
    for pod in alive:
        issues += _not_ready(pod, target, now, events, explained) or (
            _restarted(pod, target, now, explained) if restarts else []
        )
        if target.node and pod.node and pod.node != target.node:
            issues.append(_wrong_node(pod, target))
    if len(alive) == 1:
        issues += coverage.of_missing(alive[0], target, Verdict.FAIL if restarts else Verdict.WARN)
        issues += coverage.of_unwatched(alive[0], target) if restarts else []
    if restarts:
        issues += _ended_often(pods, now)
    if len(alive) == 1 and pod_state.is_ready(alive[0]):
        issues += judge_deployment.beside_a_ready_pod(owner, target)
    return issues


def _no_pod(pods: Sequence[Pod], target: Target, now: datetime, owner: Owner) -> PodIssue:
    leaving = tuple(f"{p.name}: Terminating" for p in pods if p.deleting)
    seen = leaving or tuple(_ended(p) for p in pods)
    if stuck := next((t for p in pods for t in _stuck(p, target, now)), None):
        return stuck
    if why := judge_deployment.why_no_pod(owner, target, pods):
        return replace(why, evidence=(*why.evidence, *seen))
    if leaving:
        return PodIssue(
            Verdict.FAIL,
            "the old pod is still terminating and there is no new one yet",
            "A restart looks like this for a while (the strategy is Recreate). If it stays, look at the events.",
            "/agentpod events",
            leaving,
            passing=True,
        )
    asks = owner.wanted if isinstance(owner, Deployment) else None
    summary = _none_runs(pods, now)
    return PodIssue(
        Verdict.FAIL,
        summary,
        f"The Deployment asks for {words.plural(asks, 'replica')}: see what the events say."
        if asks
        else "Check that the Deployment asks for one replica, and see what the events say.",
        f"kubectl -n {target.namespace} describe deployment {target.deployment}",
        tuple(_ended(p, summary) for p in pods)
        or (f"no pod has the labels {target.selector} in {target.namespace}",),
        passing=not pods,
    )


def _stuck(pod: Pod, target: Target, now: datetime) -> list[PodIssue]:
    """Issues of a pod that is still terminating after its grace period."""
    return [_of_issue(i, pod, target, now) for i in pod_state.state(pod, now).issues if i.cause is Cause.STUCK]


def _none_runs(pods: Sequence[Pod], now: datetime) -> str:
    """Summary for a missing pod, with what became of the last one."""
    last = pod_state.state(pods[-1], now).issue if pods else None
    return f"no pod is running: {last.summary}" if last else "no pod is running"


def _ended(pod: Pod, summary: str = "") -> str:
    """A line about a pod that is over, with its message unless ``summary`` contains it."""
    said = words.cut(pod.message or "", 300)
    return f"{pod.name}: {pod.status}" + (f", {said}" if said and said not in summary else "")


def _too_many(pods: Sequence[Pod], target: Target, owner: Owner) -> PodIssue:
    seen = tuple(f"{p.name}: {p.ready} {p.status}" for p in pods)
    if why := judge_deployment.why_several(owner, target, len(pods)):
        return replace(why, evidence=seen)
    return PodIssue(
        Verdict.FAIL,
        f"{len(pods)} pods run instead of one",
        "The volume is ReadWriteOnce, so only one pod may run. Check the Deployment's replicas and strategy.",
        f"kubectl -n {target.namespace} get pods -l {shlex.quote(target.selector)} -o wide",
        seen,
    )


def _wrong_node(pod: Pod, target: Target) -> PodIssue:
    return PodIssue(
        Verdict.FAIL,
        f"the pod runs on {pod.node}, not on {target.node}",
        f"Check the Deployment's nodeSelector and whether {target.node} is ready.",
        f"kubectl get node {target.node}",
    )


def _not_ready(
    pod: Pod, target: Target, now: datetime, events: Sequence[Event], explained: Explained
) -> list[PodIssue]:
    """What keeps the pod from being ready; empty where it is ready."""
    return [_of_issue(issue, pod, target, now, explained) for issue in pod_state.state(pod, now, events).issues]


def _of_issue(issue: Issue, pod: Pod, target: Target, now: datetime, explained: Explained = ()) -> PodIssue:
    remedy, run = pod_remedies.remedy(issue, pod, target, now)
    container = pod.container(issue.container)
    if issue.cause is Cause.KILLED and container is not None and _is_explained(pod, container, explained):
        remedy = pod_remedies.RESTARTED
    return PodIssue(Verdict.FAIL, issue.summary, remedy, run, issue.evidence, _is_passing(issue))


def _is_passing(issue: Issue) -> bool:
    """Whether each restart looks like this for a while: it is scheduled, made, and not ready at once."""
    unscheduled = issue.cause is Cause.UNPLACED and not issue.reason
    return issue.passing or issue.cause is Cause.PROBE or unscheduled


def _restarted(pod: Pod, target: Target, now: datetime, explained: Explained) -> list[PodIssue]:
    """Issues for the containers of a ready pod that restarted recently, unless that was approved."""
    return [
        _restart_issue(c, ended.finished_at, target, now)
        for c in pod.lasting
        if (ended := _recent(c, now)) and not _is_explained(pod, c, explained)
    ]


def _is_explained(pod: Pod, container: Container, explained: Explained) -> bool:
    return (pod.uid, container.name, container.restarts) in explained


def restarted_recently(pods: Sequence[Pod], now: datetime) -> bool:
    """Whether a container of a live pod restarted so recently that it is a warning, unless that was approved."""
    return any(_recent(c, now) for pod in live(pods) for c in pod.lasting)


def _recent(container: Container, now: datetime) -> Termination | None:
    ended = container.last_termination
    recent = ended is not None and ended.finished_at is not None and now - ended.finished_at < RECENT_RESTART
    return ended if recent else None


def _restart_issue(container: Container, at: datetime | None, target: Target, now: datetime) -> PodIssue:
    how, when, name = container_state.crashed(container), words.ago(at, now), container_state.called(container)
    limit = f" ({container.memory_limit})" if container.memory_limit else ""
    summary = {
        Cause.MEMORY: f"{name} hit its memory limit{limit} {when}",
        Cause.KILLED: f"{name} was killed {when} ({ending(container)})",
    }.get(how.cause, f"{name} restarted {when} ({ending(container)})")
    remedy = pod_remedies.after_a_restart(how.cause, container.name, target)
    return PodIssue(Verdict.WARN, summary, remedy, f"/agentpod {container_state.log_of(container)}")


def last_runs(pod: Pod) -> tuple[str, ...]:
    """A line about the latest termination of each container that has one."""
    return tuple(line for c in pod.every_container for line in container_state.last_run(c))


def over_since(pod: Pod) -> datetime | None:
    """When a pod that is over ended: the newest transition of its conditions. None where it has none."""
    return max((c.since for c in pod.conditions if c.since), default=None)


def _ended_often(pods: Sequence[Pod], now: datetime) -> list[PodIssue]:
    """A warning where several pods were evicted or failed recently, although the current one may be ready."""
    ends = {p.uid: at for p in pods if p.over and (at := over_since(p)) and now - at < RECENT_RESTART}
    if len(ends) < EVICTED_OFTEN:
        return []
    evicted = all(p.reason == "Evicted" for p in pods if p.uid in ends)
    how = f"the pod was {'evicted' if evicted else 'lost'} {words.plural(len(ends), 'time')} in the last hour"
    summary = f"{how}, last {words.ago(max(ends.values()), now)}"
    said = tuple(_ended(p) for p in pods if p.uid in ends)[-1:]
    remedy = pod_remedies.EVICTED if evicted else pod_remedies.LOST
    return [PodIssue(Verdict.WARN, summary, remedy, "/agentpod events", said)]


def ending(container: Container) -> str:
    """How the previous container terminated: ``Error, exit code 1``."""
    return container_state.ending(container.last_termination)


def about(pod: Pod) -> tuple[str, ...]:
    """The pod in a few lines: readiness, restarts, previous terminations, images."""
    ready = f"{pod.ready} ready" if pod_state.is_ready(pod) else f"containers {pod.ready} ready"
    lines = [f"{pod.name}: {ready}, {words.plural(pod.restarts, 'restart')}"]
    for container in pod.lasting:
        if container.ready:
            lines += container_state.last_run(container)
        lines.append(f"image {container.image}")
    return tuple(lines)
