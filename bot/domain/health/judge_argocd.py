"""What Argo CD says of the manifests: in sync with Git and healthy, or not."""

from __future__ import annotations

import re
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import ArgoCD
from bot.domain.core.workload import Application

PROBE, TITLE = "argocd", "Argo CD"

_HEALTH = {
    "Healthy": Verdict.OK,
    "Progressing": Verdict.WARN,
    "Suspended": Verdict.WARN,
    "Degraded": Verdict.FAIL,
    "Missing": Verdict.FAIL,
}
_SYNC = {"Synced": Verdict.OK, "OutOfSync": Verdict.WARN}


_CONDITIONS = {
    "ComparisonError": (Verdict.UNKNOWN, "can't compare {name} with its source"),
    "InvalidSpecError": (Verdict.UNKNOWN, "can't use the specification of {name}"),
    "UnknownError": (Verdict.UNKNOWN, "can't tell how {name} is"),
    "SyncError": (Verdict.FAIL, "can't sync {name}"),
    "DeletionError": (Verdict.FAIL, "can't delete {name}"),
}
"""Argo CD's conditions of errors; its warnings (orphaned or shared resources) say nothing of the pod."""
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-fA-F]{40,64}")
_SHOWN = 3
"""Sources that a headline names."""


def short(full: str | None) -> str:
    """Seven characters of a commit or a digest (``sha256:…`` of OCI); a version as it is."""
    if not full:
        return "unknown"
    if _DIGEST.fullmatch(full):
        kind, mark, digest = full.rpartition(":")
        return f"{kind}{mark}{digest[:7]}"
    return words.cut(full, 40)


def revision(application: Application) -> str:
    """The short revision; of several sources each one's, with its name."""
    if not application.sources:
        return short(application.revision)
    shown = [f"{short(s.revision)} ({words.cut(s.name, 40)})" for s in application.sources[:_SHOWN]]
    more = len(application.sources) - _SHOWN
    return words.listed(shown) if more <= 0 else f"{', '.join(shown)} and {more} more"


def judge_application(application: Application, config: ArgoCD, now: datetime) -> Finding:
    """Ok only when Synced and Healthy; drift warns; Degraded, Missing and a failed sync fail."""
    sync = _SYNC.get(application.sync, Verdict.UNKNOWN)
    health = _HEALTH.get(application.health, Verdict.UNKNOWN)
    errors = [_CONDITIONS[c.type][0] for c in application.conditions if c.type in _CONDITIONS]
    failed = [Verdict.FAIL] if _failed(application) else []
    verdict = max((sync, health, *errors, *failed), key=lambda v: v.badness)
    if verdict is Verdict.OK:
        running = ", a sync is running" if application.operation_phase in _RUNNING else ""
        summary = f"{_state(application)} at {revision(application)}{running}"
        return Finding(PROBE, TITLE, verdict, summary, _evidence(application, now, ""))
    cause, said = _cause(application)
    return Finding(
        PROBE,
        TITLE,
        verdict,
        f"{cause}: {words.innermost(said, 160)}" if said else cause,
        _evidence(application, now, said),
        _remedy(application),
        f"argocd app get {application.name} --port-forward --port-forward-namespace {config.namespace}",
    )


def _remedy(application: Application) -> str:
    """What to do about its cause."""
    types = {c.type for c in application.conditions}
    if types & {"ComparisonError", "InvalidSpecError", "UnknownError"}:
        return "Mend what Argo CD names, in its source or in the Application: until then it syncs nothing."
    if _failed(application) or types & {"SyncError", "DeletionError"}:
        return "Mend what Argo CD names, then sync again."
    if application.sync == "OutOfSync":
        return "Look at what differs and sync it; a change by hand is undone where self-heal is on."
    return "See which of its resources are not healthy, and why."


_RUNNING = ("Running", "Terminating")


def _failed(application: Application) -> bool:
    return application.operation_phase in ("Failed", "Error")


def _state(application: Application) -> str:
    return f"{application.sync or 'Unknown'} and {application.health or 'Unknown'}"


def _cause(application: Application) -> tuple[str, str]:
    """What is wrong and what Argo CD says of it, the cause before what follows from it."""
    for condition in application.conditions:
        if condition.type in _CONDITIONS:
            what = _CONDITIONS[condition.type][1].format(name=application.name)
            return f"Argo CD {what}", condition.message or condition.reason or ""
    if _failed(application):
        return "Argo CD's last sync failed", application.operation_message or ""
    running = ", a sync is running" if application.operation_phase in _RUNNING else ""
    said = application.health_message or next(iter(application.unhealthy), "")
    return f"Argo CD says {application.name} is {_state(application)}{running}", said


def _evidence(application: Application, now: datetime, said: str) -> tuple[str, ...]:
    """Where it stands and what else Argo CD says, without what was ``said`` already."""
    lines = [f"revision {revision(application)}", *([words.innermost(said, 600)] if len(said) > 160 else [])]
    if application.finished_at:
        lines.append(f"last sync {words.ago(application.finished_at, now)}")
    # An operation that succeeded says only that; why the application is unhealthy counts all the same.
    operation = application.operation_message if application.operation_phase != "Succeeded" else None
    messages = (application.health_message, operation, *application.unhealthy[:3])
    lines += [words.cut(message, 200) for message in messages if message and message != said]
    shown = [c for c in application.conditions if (c.message or c.reason) != said or not said]
    lines += [f"{c.type}: {words.cut(c.message or c.reason or '', 160)}" for c in shown[:3]]
    return tuple(lines)
