"""Argo CD: ok only when Synced and Healthy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.judge_argocd import judge_application, revision
from bot.domain.probes import Verdict
from bot.domain.target import ArgoCD
from bot.domain.workload import Application, Condition

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sync", "health", "phase", "verdict"),
    [
        ("Synced", "Healthy", "Succeeded", Verdict.OK),
        ("Synced", "Healthy", None, Verdict.OK),
        ("OutOfSync", "Healthy", "Succeeded", Verdict.WARN),
        ("Synced", "Progressing", None, Verdict.WARN),
        ("Synced", "Suspended", None, Verdict.WARN),
        ("Synced", "Degraded", None, Verdict.FAIL),
        ("OutOfSync", "Missing", None, Verdict.FAIL),
        ("Unknown", "Healthy", None, Verdict.UNKNOWN),
        ("Synced", "", None, Verdict.UNKNOWN),
        ("Synced", "Healthy", "Failed", Verdict.FAIL),
        ("Synced", "Healthy", "Error", Verdict.FAIL),
        ("Synced", "Healthy", "Running", Verdict.OK),
    ],
)
def test_the_verdict_is_the_worst_of_sync_health_and_last_operation(
    sync: str, health: str, phase: str | None, verdict: Verdict
) -> None:
    app = Application("app", sync, health, "v1", operation_phase=phase)
    assert judge_application(app, ArgoCD(), NOW).verdict is verdict


@pytest.mark.parametrize(
    ("full", "short"),
    [("a" * 40, "aaaaaaa"), ("v1.2.3", "v1.2.3"), ("g" * 40, "g" * 40), (None, "unknown"), ("B" * 64, "BBBBBBB")],
)
def test_commits_are_shortened_and_versions_are_not(full: str | None, short: str) -> None:
    assert revision(Application("app", "Synced", "Healthy", full)) == short


def test_the_evidence_says_when_and_why() -> None:
    app = Application(
        "app",
        "OutOfSync",
        "Degraded",
        "c" * 40,
        health_message="no replicas",
        finished_at=NOW - timedelta(minutes=12),
        operation_phase="Failed",
        operation_message="hook failed",
        conditions=(Condition("SyncError", "True", message="bad manifest"),),
    )
    finding = judge_application(app, ArgoCD(), NOW)
    assert finding.summary == "Argo CD's last sync failed"
    assert finding.evidence == (
        "revision ccccccc",
        "last sync 12 min ago",
        "no replicas",
        "hook failed",
        "SyncError: bad manifest",
    )


def test_why_it_is_unhealthy_is_said_also_after_a_sync_that_succeeded() -> None:
    app = Application(
        "app",
        "Synced",
        "Degraded",
        health_message="no replicas",
        operation_phase="Succeeded",
        operation_message="successfully synced",
    )
    evidence = judge_application(app, ArgoCD(), NOW).evidence
    assert "no replicas" in evidence
    assert "successfully synced" not in evidence
