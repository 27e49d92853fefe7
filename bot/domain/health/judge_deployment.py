"""Explain a missing or surplus pod from the Deployment's spec and its controller's conditions.

Source of the conditions and their reasons: Kubernetes, "Deployments", "Deployment status", and
``pkg/controller/deployment/util/deployment_util.go``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.probes import Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Condition, Deployment, Pod
from bot.domain.health import deployment_owner
from bot.domain.health.pod_issue import PodIssue

SETTING = "targets[].deployment"
_LONG = 160
_NONE, _QUOTA = "no pod can be created", "exceeded quota"
_SECURITY, _ACCOUNT = "violates PodSecurity", "serviceaccount"
_NOT_OF_IMAGES = (_QUOTA, _SECURITY, _ACCOUNT)
_UNBORN = re.compile(r'^pods "[^"]*" is forbidden: ')


@dataclass(frozen=True)
class Absent:
    """The Deployment does not exist; ``said`` is the API server's message."""

    said: str


@dataclass(frozen=True)
class DeploymentUnread:
    """The Deployment could not be read; ``why`` is the reason, ``remedy`` and ``run`` the next step."""

    why: str
    remedy: str | None = None
    run: str | None = None


Owner = Deployment | Absent | DeploymentUnread | None
"""The pod's Deployment as far as it is known; None where it was not read."""


def why_no_pod(owner: Owner, target: Target, seen: Sequence[Pod]) -> PodIssue | None:
    """Why the Deployment has no live pod; None where the Deployment doesn't explain it.

    ``seen`` are its pods that are no longer alive: while one of them is terminating, the next can't start.
    """
    if isinstance(owner, Absent):
        return _absent(owner, target)
    if not isinstance(owner, Deployment):
        return None
    if owner.wanted == 0:
        return _scaled_to_zero(owner, target)
    if owner.paused:
        return _paused(owner, target)
    stuck = _stuck(owner, target)
    if stuck or any(pod.deleting for pod in seen):
        return stuck
    if owner.current and not seen:
        return _other_labels(owner, target)
    return _rolling_out(owner)


def why_several(owner: Owner, target: Target, count: int) -> PodIssue | None:
    """Why the Deployment has several pods; None where the Deployment doesn't explain it."""
    if not isinstance(owner, Deployment):
        return None
    summary = f"{count} pods run instead of one"
    if owner.wanted > 1:
        return PodIssue(
            Verdict.FAIL,
            f"{summary}: {owner.wanted} replicas wanted",
            "The volume is ReadWriteOnce, so only one pod may run. Scale to 1, in the manifests too.",
            _scale(target),
        )
    if owner.strategy != "Recreate":
        return PodIssue(
            Verdict.FAIL,
            f"{summary}: the strategy is {owner.strategy}, not Recreate",
            "A new pod starts before the old one has gone, but the volume is ReadWriteOnce: set Recreate.",
            f"kubectl -n {target.namespace} get deployment {owner.name} -o jsonpath={{.spec.strategy}}",
        )
    return None


def beside_a_ready_pod(owner: Owner, target: Target) -> list[PodIssue]:
    """Problems of the Deployment although its pod is ready: the next change or restart won't work."""
    if isinstance(owner, DeploymentUnread):
        return [PodIssue(Verdict.UNKNOWN, unread_line(owner, target), owner.remedy, owner.run)]
    if isinstance(owner, Absent):
        issue = _absent(owner, target)
        summary = f"{issue.summary}: nothing brings the pod back when it ends"
        return [PodIssue(Verdict.WARN, summary, issue.remedy, issue.run, issue.evidence)]
    stuck = _stuck(owner, target) if isinstance(owner, Deployment) else None
    return [PodIssue(Verdict.WARN, stuck.summary, stuck.remedy, stuck.run, stuck.evidence)] if stuck else []


def notes(owner: Owner, target: Target) -> tuple[str, ...]:
    """Lines about the Deployment for a pod that has issues of its own."""
    if isinstance(owner, Absent):
        return (_absent(owner, target).summary,)
    if isinstance(owner, DeploymentUnread):
        return (unread_line(owner, target),)
    if owner is None:
        return ()
    lines = [f"Deployment {owner.name} is {PAUSED}"] if owner.paused else []
    if stuck := _stuck(owner, target):
        lines.append(stuck.summary)
    elif owner.wanted and not owner.paused and _in_progress(owner):
        lines.append(f"a rollout is in progress: {_progress(owner)}")
    return tuple(lines)


def unread_line(owner: DeploymentUnread, target: Target) -> str:
    """The line for a Deployment that could not be read."""
    return f"Deployment {target.deployment}: unknown ({owner.why})"


PAUSED = "paused: a change or restart won't roll out until it is resumed"


def in_a_line(owner: Deployment) -> str:
    """The Deployment in a line, for a healthy pod: ``1 replica wanted, Recreate``."""
    said = f"{words.plural(owner.wanted, 'replica')} wanted, {owner.strategy}"
    return f"{said}; {PAUSED}" if owner.paused else said


def _absent(owner: Absent, target: Target) -> PodIssue:
    sync = " (sync the Argo CD Application)" if target.argocd is not None else ""
    return PodIssue(
        Verdict.FAIL,
        f"there is no Deployment {target.deployment} in {target.namespace}",
        f"Create it from its manifests{sync}, or correct {SETTING} in the settings, which names it.",
        f"kubectl -n {target.namespace} get deployments",
        (words.cut(owner.said, 300),),
    )


def _scale(target: Target) -> str:
    return f"kubectl -n {target.namespace} scale deployment {target.deployment} --replicas=1"


def _scaled_to_zero(owner: Deployment, target: Target) -> PodIssue:
    return PodIssue(
        Verdict.FAIL,
        f"Deployment {owner.name} is scaled to 0",
        "Somebody or something turned the pod off. Scale it to 1 when it should run.",
        _scale(target),
    )


def _paused(owner: Deployment, target: Target) -> PodIssue:
    return PodIssue(
        Verdict.FAIL,
        f"no pod is running and Deployment {owner.name} is paused",
        "Nothing rolls out until it is resumed.",
        f"kubectl -n {target.namespace} rollout resume deployment {owner.name}",
        (_progress(owner),),
    )


def _stuck(owner: Deployment, target: Target) -> PodIssue | None:
    """An issue where the controller can't create a pod, or a rollout exceeded its progress deadline."""
    refused, progress = owner.condition("ReplicaFailure"), owner.condition("Progressing")
    if refused is not None and refused.status == "True":
        return _refused(refused, target)
    if progress is not None and progress.status == "False" and progress.reason == "ProgressDeadlineExceeded":
        return _controller_issue(
            "the rollout made no progress in time",
            progress,
            *_undo(owner, target),
        )
    return None


def _undo(owner: Deployment, target: Target) -> tuple[str, str]:
    """What to do about a rollout that can't succeed: where a program would undo its undoing, revert the commit."""
    look = "Look at the events for what is in its way; a rollout that can't succeed"
    if (by := deployment_owner.owner_of(owner, target.namespace, target.argocd, None)) is not None:
        return f"{look} is undone by reverting its commit: {by.name} manages the Deployment.", "/agentpod events"
    return f"{look} can be undone.", f"kubectl -n {target.namespace} rollout undo deployment {owner.name}"


def uncreatable(owner: Deployment, *, frees: bool) -> str:
    """Why the controller can create no pod; empty where it can.

    ``frees``: the old pod ends first, which frees its part of the quota.
    """
    refused = owner.condition("ReplicaFailure")
    if refused is None or refused.status != "True" or (frees and _QUOTA in (refused.message or "")):
        return ""
    return f"{_NONE}: {words.cut(_said(refused), _LONG)}"


def is_mended_by_image(owner: Deployment, container: str) -> bool | None:
    """Whether another image of the container ends the refusal of new pods; None where that is not known."""
    refused = owner.condition("ReplicaFailure")
    said = (refused.message or "") if refused is not None else ""
    if not container or any(mark in said for mark in _NOT_OF_IMAGES):
        return False
    image = owner.images.get(container, "")
    return True if image and re.search(rf"(?<![\w.-]){re.escape(image)}(?![\w-]|\.\w)", said) else None


def _refused(condition: Condition, target: Target) -> PodIssue:
    said = condition.message or ""
    get = f"kubectl -n {target.namespace} get"
    remedy, run = "Correct the pod template or what refuses it.", "/agentpod events"
    if _QUOTA in said:
        remedy, run = "Raise the ResourceQuota, or free what uses it up.", f"{get} resourcequota"
    elif _SECURITY in said:
        remedy = "Make the pod template meet the namespace's Pod Security level, or change that level."
        run = f"kubectl get namespace {target.namespace} --show-labels"
    elif "admission webhook" in said:
        remedy = "Make the pod template meet the policy, or ask who runs the webhook that the message names."
    elif _ACCOUNT in said:
        remedy, run = "Create the ServiceAccount that the pod template names.", f"{get} serviceaccounts"
    return _controller_issue(_NONE, condition, remedy, run)


def _controller_issue(what: str, condition: Condition, remedy: str, run: str) -> PodIssue:
    """An issue with the controller's message: shortened in the summary, whole in the evidence where it is long."""
    said = _said(condition)
    long = (said,) if len(said) > _LONG else ()
    return PodIssue(Verdict.FAIL, f"{what}: {words.cut(said, _LONG)}", remedy, run, long)


def _said(condition: Condition) -> str:
    """The controller's message on one line.

    The generated name of a pod that was never created is removed: it would only fill the first line on a phone.
    """
    return _UNBORN.sub("", " ".join((condition.message or condition.reason or "").split()))


def _other_labels(owner: Deployment, target: Target) -> PodIssue:
    return PodIssue(
        Verdict.FAIL,
        f"Deployment {owner.name} has {words.plural(owner.current, 'pod')}, but none with the labels "
        f"{target.selector}",
        "Correct targets[].selector in the settings: the Deployment's pod template must have those labels.",
        f"kubectl -n {target.namespace} get pods --show-labels",
        passing=True,
    )


def _rolling_out(owner: Deployment) -> PodIssue | None:
    if not _in_progress(owner):
        return None
    return PodIssue(
        Verdict.FAIL,
        "a rollout is in progress and there is no pod yet",
        f"The strategy is {owner.strategy}. If it stays so, look at the events.",
        "/agentpod events",
        (_progress(owner),),
        passing=True,
    )


def _in_progress(owner: Deployment) -> bool:
    """Whether a rollout is in progress, as ``kubectl rollout status`` decides it.

    That is while the controller has not observed the newest generation, or updated pods are missing.
    """
    progress = owner.condition("Progressing")
    complete = progress is not None and progress.reason == "NewReplicaSetAvailable"
    return owner.observed_generation < owner.generation or (owner.updated < owner.wanted and not complete)


def _progress(owner: Deployment) -> str:
    if owner.observed_generation < owner.generation:
        return f"the Deployment controller has not acted on generation {owner.generation} yet"
    counts = f"{owner.updated} of {words.plural(owner.wanted, 'replica')} updated, {owner.ready} ready"
    progress = owner.condition("Progressing")
    return f"{counts}; {progress.message.rstrip('.')}" if progress and progress.message else counts
