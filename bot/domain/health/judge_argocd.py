"""Judge the Argo CD Application: whether it is in sync with its source and healthy."""

from __future__ import annotations

import re
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import ArgoCD
from bot.domain.core.workload import Application

PROBE, TITLE = "argocd", "Argo CD"
UNREAD_REMEDY = "Give the bot the right to read the Application, or set argocd: null where Argo CD is not used."

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
"""Argo CD's error conditions. Its warnings (orphaned or shared resources) don't concern the pod."""
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-fA-F]{40,64}")
_SHOWN = 3
"""Most sources that a headline names."""


def short(full: str | None) -> str:
    """Shorten a commit or an OCI digest (``sha256:…``) to seven characters; a version stays as it is."""
    if not full:
        return "unknown"
    if _DIGEST.fullmatch(full):
        kind, mark, digest = full.rpartition(":")
        return f"{kind}{mark}{digest[:7]}"
    return words.cut(full, 40)


def revision(application: Application) -> str:
    """The short revision; with several sources, the revision and name of each."""
    if not application.sources:
        return short(application.revision)
    shown = [f"{short(s.revision)} ({words.cut(s.name, 40)})" for s in application.sources[:_SHOWN]]
    more = len(application.sources) - _SHOWN
    return words.listed(shown) if more <= 0 else f"{', '.join(shown)} and {more} more"


def judge_application(application: Application, config: ArgoCD, now: datetime) -> Finding:
    """Judge an Application: ok if Synced and Healthy; OutOfSync warns; Degraded, Missing or a failed sync fail."""
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
    """The next step for the cause that `_cause` names."""
    types = {c.type for c in application.conditions}
    if types & {"ComparisonError", "InvalidSpecError", "UnknownError"}:
        return "Fix what Argo CD names, in its source or in the Application: until then it syncs nothing."
    if _failed(application) or types & {"SyncError", "DeletionError"}:
        return "Fix what Argo CD names, then sync again."
    if application.sync == "OutOfSync":
        if application.self_heal:
            return "Argo CD syncs it by itself (self-heal is on). If it stays out of sync, see what differs."
        return "See what differs, then sync."
    return "See which of its resources are not healthy, and why."


_RUNNING = ("Running", "Terminating")


def _failed(application: Application) -> bool:
    return application.operation_phase in ("Failed", "Error")


def _state(application: Application) -> str:
    return f"{application.sync or 'Unknown'} and {application.health or 'Unknown'}"


def _cause(application: Application) -> tuple[str, str]:
    """What is wrong, and Argo CD's message about it. Errors come before the states that follow from them."""
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
    """Evidence lines: revision, last sync, and Argo CD's messages except the one in ``said``."""
    lines = [f"revision {revision(application)}", *([words.innermost(said, 600)] if len(said) > 160 else [])]
    if application.finished_at:
        lines.append(f"last sync {words.ago(application.finished_at, now)}")
    # The message of a successful operation adds nothing.
    operation = application.operation_message if application.operation_phase != "Succeeded" else None
    messages = (application.health_message, operation, *application.unhealthy[:3])
    lines += [words.cut(message, 200) for message in messages if message and message != said]
    shown = [c for c in application.conditions if (c.message or c.reason) != said or not said]
    lines += [f"{c.type}: {words.cut(c.message or c.reason or '', 160)}" for c in shown[:3]]
    return tuple(lines)


def no_application(said: str, remedy: str | None) -> Finding:
    """The finding where the Application isn't there: ``said`` is the error's sentence."""
    return Finding(PROBE, TITLE, Verdict.UNKNOWN, words.lower_first(said), (), remedy or UNREAD_REMEDY)


_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def revisions(application: Application) -> dict[str, str]:
    """Where manifests come from → their revision, a commit shortened; empty where none is known."""
    several = {f"{application.name}, {one.name}": one.revision for one in application.sources}
    found = several or {application.name: application.revision}
    return {name: _shown_revision(value) for name, value in found.items() if value}


def _shown_revision(revision: str) -> str:
    return revision[:12] if _COMMIT.fullmatch(revision) else words.cut(revision, 60)
