"""Compare a pod's containers with those named in the settings: which are unwatched, which are missing. Pure."""

from __future__ import annotations

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod
from bot.domain.health import container_state
from bot.domain.health.pod_issue import PodIssue

SETTING = "targets[].containers"
_RUN = "/agentpod pods"


def unwatched(pod: Pod, target: Target) -> tuple[str, ...]:
    """The pod's main containers and sidecars that the settings don't name, as named in messages."""
    named = {c.name for c in target.containers}
    return tuple(container_state.called(c) for c in pod.lasting if c.name not in named)


def missing(pod: Pod, target: Target) -> tuple[str, ...]:
    """The containers in the settings that the pod doesn't have; none while the pod lists no containers."""
    there = {c.name for c in pod.lasting}
    return tuple(c.name for c in target.containers if c.name not in there) if there else ()


def lines(pod: Pod, target: Target) -> tuple[str, ...]:
    """A line for each container that is not watched."""
    return tuple(f"{name} is not watched: {SETTING} does not name it" for name in unwatched(pod, target))


def of_missing(pod: Pod, target: Target, verdict: Verdict = Verdict.FAIL) -> list[PodIssue]:
    """An issue where the settings name a container that the pod doesn't have: its processes are not watched."""
    gone = missing(pod, target)
    if not gone:
        return []
    others = unwatched(pod, target)
    has = f", and {words.listed(others)} {'is' if len(others) == 1 else 'are'} not watched" if others else ""
    remedy = f"Make the names in {SETTING} those of the Deployment's pod template."
    return [PodIssue(verdict, f"the pod has no container {words.listed(gone)}{has}", remedy, _RUN)]


def of_unwatched(pod: Pod, target: Target) -> list[PodIssue]:
    """A warning where a main container is not watched: its user and processes are not checked."""
    named = {c.name for c in target.containers}
    others = [c.name for c in pod.containers if c.name not in named]
    if not others or missing(pod, target):
        return []
    verb = "is" if len(others) == 1 else "are"
    remedy = f"Name it in {SETTING}; with processes: [] where no process has to run in it."
    return [PodIssue(Verdict.WARN, f"container {words.listed(others)} {verb} not watched", remedy, _RUN)]
