"""Say why a new pod would not start, so that no restart helps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.core.workload import Deployment, Event, Pod
from bot.domain.health import judge_deployment, judge_pod, pod_state
from bot.domain.health.container_state import Cause, Issue


def will_not_start(
    deployment: Deployment,
    pods: Sequence[Pod],
    now: datetime,
    events: Sequence[Event] = (),
    *,
    force: bool = False,
    but_image_of: str = "",
) -> str:
    """Why a restart brings up no pod, in a sentence without its full stop; empty where that is not known.

    ``force``: the old pod is deleted, rather than replaced; ``but_image_of``: this container gets another image.
    """
    ends_first = force or deployment.strategy == "Recreate"
    if why := judge_deployment.uncreatable(deployment, frees=bool(judge_pod.live(pods)) and ends_first):
        return why
    if not force and ends_first and (why := pod_state.does_not_end(pods, now)):
        return why
    issue = pod_state.outliving(judge_pod.live(pods), now, events, but=lambda one: _mended(one, but_image_of))
    return f"a new pod can't start either: {issue.summary}" if issue is not None else ""


def _mended(issue: Issue, container: str) -> bool:
    return issue.cause is Cause.IMAGE and bool(container) and issue.container == container
