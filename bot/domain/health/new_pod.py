"""Judge whether a new pod would start: where not, no restart helps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.workload import Deployment, Event, Pod
from bot.domain.health import judge_deployment, judge_pod, pod_state
from bot.domain.health.container_state import Cause, Issue


@dataclass(frozen=True)
class NewPod:
    """What is known of the pod that a restart would bring up; each reason is a sentence without its full stop."""

    stuck: str = ""
    """Why it would not start; empty where that is not known."""
    doubt: str = ""
    """Why it may not start: what refuses it may be the image that is replaced; else empty."""
    spared: bool = False
    """Whether the old pod runs on until a new one is ready."""


def new_pod(
    deployment: Deployment,
    pods: Sequence[Pod],
    now: datetime,
    events: Sequence[Event] = (),
    *,
    force: bool = False,
    but_image_of: str = "",
) -> NewPod:
    """Judge whether a new pod would start.

    ``force``: the old pod is deleted, rather than replaced; ``but_image_of``: this container gets another image.
    """
    living, ends_first = judge_pod.live(pods), force or deployment.ends_first
    spared = not ends_first and any(map(pod_state.is_ready, living))
    refused = judge_deployment.uncreatable(deployment, frees=bool(living) and ends_first)
    mended = judge_deployment.is_mended_by_image(deployment, but_image_of)
    if refused and mended is False:
        return NewPod(refused, spared=spared)
    if not force and deployment.strategy == "Recreate" and (why := pod_state.does_not_end(pods, now)):
        return NewPod(why)
    issue = pod_state.outliving(living, now, events, but=lambda one: _mended(one, but_image_of))
    if issue is not None:
        return NewPod(f"a new pod can't start either: {issue.summary}", spared=spared)
    return NewPod(doubt=refused if mended is None else "", spared=spared)


def _mended(issue: Issue, container: str) -> bool:
    return issue.cause is Cause.IMAGE and bool(container) and issue.container == container
