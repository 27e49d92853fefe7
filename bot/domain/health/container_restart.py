"""What became of a container whose main process was to end, from the pods as they are now. Pure.

The kubelet starts the container again in the same pod and counts that, so its restart count tells whether it was
restarted, whichever process looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from bot.domain.core.workload import Container, Pod
from bot.domain.health import container_state, judge_pod, pod_state


class Stage(Enum):
    """How far the restart has come."""

    SAME = "same"
    """It runs as before: its main process has not ended."""
    ENDED = "ended"
    """It does not run, and was not started again yet."""
    STARTED = "started"
    """It was restarted, and is not ready yet."""
    READY = "ready"
    UNSEEN = "unseen"
    """Its node has stopped reporting, so what is known of it may be old."""
    GONE = "gone"
    """The pod, or the container in it, is there no more."""


@dataclass(frozen=True)
class ContainerProgress:
    """The container as it is now."""

    stage: Stage
    restarts: int = 0
    why: str = ""
    """Why it is not ready, or what is there in place of the pod."""
    log: str = ""
    """The command that shows the log of the container that terminated last; empty where there is none."""
    evidence: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the container that was to end surely has."""
        return self.stage in (Stage.ENDED, Stage.STARTED, Stage.READY)


def progress(uid: str, name: str, restarts: int, pods: Sequence[Pod], now: datetime) -> ContainerProgress:
    """Judge the container of that name in the pod with that uid; ``restarts`` is the count before."""
    pod = next((one for one in pods if one.uid == uid), None)
    if pod is None or pod.over or pod.deleting:
        other = judge_pod.current(pods)
        there = f"{other.name} is there" if other is not None and other.uid != uid else "no pod is there"
        return ContainerProgress(Stage.GONE, why=f"the pod is being deleted; {there}" if pod else there)
    container = pod.container(name)
    if container is None:
        return ContainerProgress(Stage.GONE, why=f"the pod has no container {name} any more")
    if container.restarts <= restarts and pod_state.on_lost_node(pod):
        return ContainerProgress(Stage.UNSEEN, container.restarts, "its node has stopped reporting")
    if container.restarts <= restarts:
        runs = container.state in ("running", "unknown")
        return _unready(Stage.SAME if runs else Stage.ENDED, container, pod, now)
    if container.ready and container.state == "running" and container.started is not False:
        return ContainerProgress(Stage.READY, container.restarts)
    return _unready(Stage.STARTED, container, pod, now)


def _unready(stage: Stage, container: Container, pod: Pod, now: datetime) -> ContainerProgress:
    issue = container_state.judge(container, pod, now)
    why, evidence = (issue.summary, issue.evidence) if issue is not None else ("", ())
    return ContainerProgress(stage, container.restarts, why, container_state.log_of(container), evidence)
