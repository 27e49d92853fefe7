"""Which of a pod's containers are looked into: those that the settings name. What is not is named. Pure."""

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
    """The pod's lasting containers that the settings don't name, as messages call them."""
    named = {c.name for c in target.containers}
    return tuple(container_state.called(c) for c in pod.lasting if c.name not in named)


def missing(pod: Pod, target: Target) -> tuple[str, ...]:
    """The containers of the settings that the pod does not have; none while nothing is known of its containers."""
    there = {c.name for c in pod.lasting}
    return tuple(c.name for c in target.containers if c.name not in there) if there else ()


def lines(pod: Pod, target: Target) -> tuple[str, ...]:
    """A line for each container that nobody looks into."""
    return tuple(f"{name} is not watched: {SETTING} does not name it" for name in unwatched(pod, target))


def of_missing(pod: Pod, target: Target, verdict: Verdict = Verdict.FAIL) -> list[PodIssue]:
    """That the settings name a container which the pod does not have: nobody watches what should run in it."""
    gone = missing(pod, target)
    if not gone:
        return []
    others = unwatched(pod, target)
    has = f", and {words.listed(others)} {'is' if len(others) == 1 else 'are'} not watched" if others else ""
    remedy = f"Make the names in {SETTING} those of the Deployment's pod template."
    return [PodIssue(verdict, f"the pod has no container {words.listed(gone)}{has}", remedy, _RUN)]


def of_unwatched(pod: Pod, target: Target) -> list[PodIssue]:
    """That a main container is not looked into: nobody sees as whom it runs, and what runs in it."""
    named = {c.name for c in target.containers}
    others = [c.name for c in pod.containers if c.name not in named]
    if not others or missing(pod, target):
        return []
    verb = "is" if len(others) == 1 else "are"
    remedy = f"Name it in {SETTING}; with processes: [] where no process has to run in it."
    return [PodIssue(Verdict.WARN, f"container {words.listed(others)} {verb} not watched", remedy, _RUN)]
