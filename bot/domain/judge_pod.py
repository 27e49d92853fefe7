"""Whether the pod is as the handbook's "What Healthy Looks Like" says: one pod, all ready, on its node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import judge_deployment, words
from bot.domain.judge_deployment import Owner
from bot.domain.probes import Finding, Verdict, worst
from bot.domain.target import Target
from bot.domain.trouble import Trouble
from bot.domain.workload import Container, Deployment, Pod

PROBE, TITLE = "pod", "Pod"

RECENT_RESTART = timedelta(hours=1)
"""A restart younger than this is a warning; older ones are only mentioned."""

_ENDED = ("Succeeded", "Failed")


def live(pods: Sequence[Pod]) -> list[Pod]:
    """The pods that count: neither ended (evicted, completed) nor being deleted."""
    return [p for p in pods if not p.deleting and p.phase not in _ENDED]


def current(pods: Sequence[Pod]) -> Pod | None:
    """The pod to look into: the newest live one that has a running container, else the newest live one."""
    candidates = live(pods)
    running = [p for p in candidates if any(c.state == "running" for c in p.containers)]
    best = running or candidates
    return best[-1] if best else None


def judge_pod(pods: Sequence[Pod], target: Target, now: datetime, owner: Owner = None) -> Finding:
    """The finding for the pod: the worst trouble in the summary, all of it in the evidence.

    ``owner`` is what is known of its Deployment, which says why a pod is missing or one too many.
    """
    troubles = sorted(pod_troubles(pods, target, now, owner), key=lambda t: -t.verdict.badness)
    pod = current(pods)
    # Why there is no pod at all is the finding itself, unless it is not known.
    known = judge_deployment.notes(owner, target)
    added = known if pod or isinstance(owner, judge_deployment.Unread) else ()
    # Several pods are listed as evidence already.
    about_it = about(pod, now) if pod and len(live(pods)) == 1 else ()
    if not troubles and pod:
        up = words.age_since(pod.started_at or pod.created_at, now)
        where = f" on {pod.node}" if pod.node else ""
        return Finding(PROBE, TITLE, Verdict.OK, f"{pod.ready} ready{where}, up {up}", (*added, *about_it))
    first, others = troubles[0], [t.summary for t in troubles[1:]]
    said = (first.summary, *others)
    return Finding(
        PROBE,
        TITLE,
        worst(t.verdict for t in troubles),
        first.summary,
        (*first.evidence, *others, *(line for line in added if not _told(line, said)), *about_it),
        first.remedy,
        first.run,
    )


def _told(line: str, said: Sequence[str]) -> bool:
    """Whether a line only says again what a summary says, which may go on after it."""
    return any(summary.startswith(line) for summary in said)


def pod_troubles(
    pods: Sequence[Pod], target: Target, now: datetime, owner: Owner = None, *, restarts: bool = True
) -> list[Trouble]:
    """Everything wrong with the pods behind the selector, in no order.

    Without ``restarts`` a pod is well as soon as it runs again.
    """
    alive = live(pods)
    if not alive:
        return [_no_pod(pods, target, owner)]
    troubles = [_too_many(alive, target, owner)] if len(alive) > 1 else []
    for pod in alive:
        troubles += _not_ready(pod, target, now) or (_restarted(pod, now) if restarts else [])
        if target.node and pod.node and pod.node != target.node:
            troubles.append(_wrong_node(pod, target))
    if len(alive) == 1 and alive[0].all_ready:
        troubles += judge_deployment.beside_a_ready_pod(owner, target)
    return troubles


def _no_pod(pods: Sequence[Pod], target: Target, owner: Owner) -> Trouble:
    leaving = tuple(f"{p.name}: Terminating" for p in pods if p.deleting)
    seen = leaving or tuple(_ended(p) for p in pods)
    if why := judge_deployment.why_no_pod(owner, target, pods):
        return replace(why, evidence=(*why.evidence, *seen))
    if leaving:
        return Trouble(
            Verdict.FAIL,
            "the old pod is still terminating and there is no new one yet",
            "A restart looks like this for a while (the strategy is Recreate). If it stays, look at the events.",
            "/agentpod events",
            leaving,
        )
    asks = owner.wanted if isinstance(owner, Deployment) else None
    return Trouble(
        Verdict.FAIL,
        "no pod is running",
        f"The Deployment asks for {words.plural(asks, 'replica')}: see what the events say."
        if asks
        else "Check that the Deployment asks for one replica, and what the events say.",
        f"kubectl -n {target.namespace} describe deployment {target.deployment}",
        seen or (f"no pod has the labels {target.selector} in {target.namespace}",),
    )


def _ended(pod: Pod) -> str:
    return f"{pod.name}: {pod.status}" + (f", {words.cut(pod.message, 150)}" if pod.message else "")


def _too_many(pods: Sequence[Pod], target: Target, owner: Owner) -> Trouble:
    seen = tuple(f"{p.name}: {p.ready} {p.status}" for p in pods)
    if why := judge_deployment.why_several(owner, target, len(pods)):
        return replace(why, evidence=seen)
    return Trouble(
        Verdict.FAIL,
        f"{len(pods)} pods run instead of one",
        "The volume is ReadWriteOnce and the strategy Recreate: there must be one. Check replicas and strategy.",
        f"kubectl -n {target.namespace} get pods -l {target.selector} -o wide",
        seen,
    )


def _wrong_node(pod: Pod, target: Target) -> Trouble:
    return Trouble(
        Verdict.FAIL,
        f"the pod runs on {pod.node}, not on {target.node}",
        f"Check the Deployment's nodeSelector and whether {target.node} is ready.",
        f"kubectl get node {target.node}",
    )


def _not_ready(pod: Pod, target: Target, now: datetime) -> list[Trouble]:
    if not pod.containers or all(c.state == "unknown" for c in pod.containers):
        return [_pending(pod)]
    troubles = [_container_trouble(c, target, now) for c in pod.containers if not c.ready]
    waits_for_place = pod.phase == "Pending" and any(
        c.type == "PodScheduled" and c.status == "False" for c in pod.conditions
    )
    return [_pending(pod)] if waits_for_place else troubles


def _pending(pod: Pod) -> Trouble:
    why = next((c for c in pod.conditions if c.status != "True" and (c.message or c.reason)), None)
    reason = (why.message or why.reason) if why else pod.message or pod.reason
    said = f": {words.cut(reason, 160)}" if reason else ""
    name = "Pending" if pod.phase == "Pending" else pod.status
    return Trouble(
        Verdict.FAIL,
        f"the pod is {name}{said}",
        "Nothing runs until it is placed. Look at the events for what is in the way.",
        "/agentpod events",
    )


HANDBOOK_CRASH = (
    "Check which process died in the log of the run before. Common causes: “Download failed” (VibeKanban can't "
    "reach npm-cdn.vibekanban.com: Cilium or DNS); “No such file or directory: /entrypoint.sh” (the image needs "
    "a rebuild); sshd fails (host key permissions: 600 for private keys, 700 for .ssh-host-keys/)."
)
HANDBOOK_CONFIG = (
    "A Secret or ConfigMap that the pod needs does not exist. agent-ssh-keys is required: create it if it is "
    "missing. The agent-secrets-tier1 and -tier2 references are optional and don't block."
)


def _container_trouble(container: Container, target: Target, now: datetime) -> Trouble:
    reason = container.reason or container.state
    evidence = [words.cut(words.without_pod_id(container.message), 200)] if container.message else []
    evidence += [_last_run(container, now)] if container.last_termination else []
    remedy, run = _waiting_remedy(reason, target)
    if container.state == "running":
        summary = f"{container.name} runs but is not ready"
    else:
        summary = f"{container.name} is in {reason}" if container.reason else f"{container.name} is {reason}"
    return Trouble(Verdict.FAIL, summary, remedy, run, tuple(evidence))


def _waiting_remedy(reason: str, target: Target) -> tuple[str, str]:
    if reason in ("CrashLoopBackOff", "Error", "OOMKilled", "Completed", "StartError"):
        return HANDBOOK_CRASH, "/agentpod logs --previous"
    if reason in ("CreateContainerConfigError", "CreateContainerError"):
        create = (
            f"kubectl create secret generic agent-ssh-keys --namespace={target.namespace} "
            "--from-file=authorized_keys=~/.ssh/id_rsa.pub"
        )
        return HANDBOOK_CONFIG, create
    if reason in ("ImagePullBackOff", "ErrImagePull", "InvalidImageName"):
        return "The image can't be pulled: check its name and tag, and the registry.", "/agentpod events"
    return "If it stays so, look at the events.", "/agentpod events"


def _last_run(container: Container, now: datetime) -> str:
    ended = container.last_termination
    if ended is None:
        return f"{container.name} has not ended before"
    code = "" if ended.exit_code is None else f", exit code {ended.exit_code}"
    message = f": {words.cut(ended.message, 150)}" if ended.message else ""
    when = f", {words.ago(ended.finished_at, now)}" if ended.finished_at else ""
    return f"{container.name} ended before: {ended.reason}{code}{when}{message}"


def last_runs(pod: Pod, now: datetime) -> tuple[str, ...]:
    """How each container that ended before did, a line each."""
    return tuple(_last_run(c, now) for c in pod.containers if c.last_termination)


def _restarted(pod: Pod, now: datetime) -> list[Trouble]:
    return [
        Trouble(
            Verdict.WARN,
            f"{c.name} restarted {words.ago(c.last_termination.finished_at, now)} ({ending(c)})",
            "The pod restarts when one of its processes ends (wait -n). The log of the run before says which.",
            "/agentpod logs --previous",
        )
        for c in pod.containers
        if c.last_termination
        and c.last_termination.finished_at
        and now - c.last_termination.finished_at < RECENT_RESTART
    ]


def ending(container: Container) -> str:
    """How its last run ended: ``Error, exit code 1``."""
    ended = container.last_termination
    if ended is None:
        return "reason unknown"
    return ended.reason + ("" if ended.exit_code is None else f", exit code {ended.exit_code}")


def about(pod: Pod, now: datetime) -> tuple[str, ...]:
    """The pod in a few lines: readiness and restarts, how it ended before, its images."""
    lines = [f"{pod.name}: {pod.ready} ready, {words.plural(pod.restarts, 'restart')}"]
    for container in pod.containers:
        if container.last_termination and container.ready:
            lines.append(_last_run(container, now))
        lines.append(f"image {container.image}")
    return tuple(lines)
