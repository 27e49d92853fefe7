"""What Argo CD says of the manifests: in sync with Git and healthy, or not."""

from __future__ import annotations

from datetime import datetime

from bot.domain import words
from bot.domain.probes import Finding, Verdict
from bot.domain.target import ArgoCD
from bot.domain.workload import Application

PROBE, TITLE = "argocd", "Argo CD"

_HEALTH = {
    "Healthy": Verdict.OK,
    "Progressing": Verdict.WARN,
    "Suspended": Verdict.WARN,
    "Degraded": Verdict.FAIL,
    "Missing": Verdict.FAIL,
}
_SYNC = {"Synced": Verdict.OK, "OutOfSync": Verdict.WARN}


def revision(application: Application) -> str:
    """The short revision: seven characters of a commit, or a version as it is."""
    full = application.revision or "unknown"
    is_commit = len(full) >= 40 and all(c in "0123456789abcdef" for c in full.lower())
    return full[:7] if is_commit else full


def judge_application(application: Application, config: ArgoCD, now: datetime) -> Finding:
    """Ok only when Synced and Healthy; drift warns; Degraded, Missing and a failed sync fail."""
    sync = _SYNC.get(application.sync, Verdict.UNKNOWN)
    health = _HEALTH.get(application.health, Verdict.UNKNOWN)
    failed = application.operation_phase in ("Failed", "Error")
    verdict = max((sync, health, Verdict.FAIL if failed else Verdict.OK), key=lambda v: v.badness)
    state = f"{application.sync or 'Unknown'} and {application.health or 'Unknown'}"
    summary = f"{state} at {revision(application)}"
    if verdict is Verdict.OK:
        return Finding(PROBE, TITLE, verdict, summary, _evidence(application, now))
    summary = "Argo CD's last sync failed" if failed else f"Argo CD says {application.name} is {state}"
    return Finding(
        PROBE,
        TITLE,
        verdict,
        summary,
        _evidence(application, now),
        "Look at what differs and sync it; a change by hand is undone where self-heal is on.",
        f"argocd app get {application.name} --port-forward --port-forward-namespace {config.namespace}",
    )


def _evidence(application: Application, now: datetime) -> tuple[str, ...]:
    lines = [f"revision {revision(application)}"]
    if application.finished_at:
        lines.append(f"last sync {words.ago(application.finished_at, now)}")
    # An operation that succeeded says only that; why the application is unhealthy counts all the same.
    operation = application.operation_message if application.operation_phase != "Succeeded" else None
    lines += [words.cut(message, 200) for message in (application.health_message, operation) if message]
    lines += [f"{c.type}: {words.cut(c.message or c.reason or '', 160)}" for c in application.conditions[:3]]
    return tuple(lines)
