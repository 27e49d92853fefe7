"""Argo CD: ok only when Synced and Healthy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.target import ArgoCD
from bot.domain.core.workload import Application, ApplicationSource, Condition
from bot.domain.health.judge_argocd import judge_application, revision

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
    [
        ("sha256:" + "ab" * 32, "sha256:abababa"),
        ("1.2.3-" + "a" * 34, "1.2.3-" + "a" * 34),
        ("20261129", "20261129"),
        ("v" * 900, "v" * 39 + "…"),
        ("a" * 40, "aaaaaaa"),
        ("v1.2.3", "v1.2.3"),
        ("g" * 40, "g" * 40),
        (None, "unknown"),
        ("B" * 64, "BBBBBBB"),
    ],
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
    assert finding.summary == "Argo CD can't sync app: bad manifest"
    assert finding.evidence == ("revision ccccccc", "last sync 12 min ago", "no replicas", "hook failed")


GIT, CHART, OCI = "0123456789abcdef0123456789abcdef01234567", "4.2.1", "sha256:" + "cd" * 32


def several(**changes: object) -> Application:
    sources = (ApplicationSource("agent-ops", GIT), ApplicationSource("redis", CHART), ApplicationSource("x", OCI))
    return replace(Application("app", "Synced", "Healthy", sources=sources), **changes)


def test_several_sources_each_show_short_revision_and_name() -> None:
    finding = judge_application(several(), ArgoCD(), NOW)
    assert finding.summary == "Synced and Healthy at 0123456 (agent-ops), 4.2.1 (redis) and sha256:cdcdcdc (x)"
    more = judge_application(several(sources=several().sources * 3), ArgoCD(), NOW)
    assert more.summary.endswith("and 6 more")
    assert GIT not in more.summary
    assert revision(several(sources=(ApplicationSource("a"), ApplicationSource("b", "v1")))) == (
        "unknown (a) and v1 (b)"
    )


@pytest.mark.parametrize(
    ("changes", "verdict", "summary"),
    [
        (
            {"sync": "Unknown", "conditions": (Condition("ComparisonError", "True", message="auth required"),)},
            Verdict.UNKNOWN,
            "Argo CD can't compare app with its source: auth required",
        ),
        (
            {"conditions": (Condition("InvalidSpecError", "True", message="no such project"),)},
            Verdict.UNKNOWN,
            "Argo CD can't use the specification of app: no such project",
        ),
        (
            {"conditions": (Condition("SyncError", "True", message="Failed sync attempt to 012"),)},
            Verdict.FAIL,
            "Argo CD can't sync app: Failed sync attempt to 012",
        ),
        (
            {"sync": "OutOfSync", "operation_phase": "Failed", "operation_message": "one or more objects failed"},
            Verdict.FAIL,
            "Argo CD's last sync failed: one or more objects failed",
        ),
        (
            {"health": "Degraded", "unhealthy": ("Deployment a is Degraded: exceeded its progress deadline",)},
            Verdict.FAIL,
            "Argo CD says app is Synced and Degraded: Deployment a is Degraded: exceeded its progress deadline",
        ),
        (
            {"health": "Missing", "sync": "OutOfSync", "operation_phase": "Running"},
            Verdict.FAIL,
            "Argo CD says app is OutOfSync and Missing, a sync is running",
        ),
        (
            {"health": "Suspended", "health_message": "CronJob is suspended"},
            Verdict.WARN,
            "Argo CD says app is Synced and Suspended: CronJob is suspended",
        ),
        (
            {"health": "Progressing", "health_message": "Waiting for rollout to finish"},
            Verdict.WARN,
            "Argo CD says app is Synced and Progressing: Waiting for rollout to finish",
        ),
        (
            {"conditions": (Condition("OrphanedResourceWarning", "True", message="1 orphaned"),)},
            Verdict.OK,
            "Synced and Healthy at ",
        ),
        ({"operation_phase": "Running"}, Verdict.OK, "Synced and Healthy at "),
        ({"health": "Sleeping"}, Verdict.UNKNOWN, "Argo CD says app is Synced and Sleeping"),
    ],
)
def test_the_cause_is_in_the_headline(changes: dict[str, object], verdict: Verdict, summary: str) -> None:
    finding = judge_application(several(**changes), ArgoCD(), NOW)
    assert finding.verdict is verdict
    assert finding.summary.startswith(summary)
    said = summary.rpartition(": ")[2]
    assert not any(said in line for line in finding.evidence)


def test_the_health_message_is_shown_even_after_a_successful_sync() -> None:
    app = Application(
        "app",
        "Synced",
        "Degraded",
        health_message="no replicas",
        operation_phase="Succeeded",
        operation_message="successfully synced",
    )
    finding = judge_application(app, ArgoCD(), NOW)
    assert finding.summary == "Argo CD says app is Synced and Degraded: no replicas"
    assert "successfully synced" not in finding.evidence


REFUSED = (
    "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = "
    "`git fetch origin --tags --force --prune` failed exit status 128: fatal: Authentication failed for "
    "'https://github.com/derio-net/frank/'"
)
IMMUTABLE = (
    'one or more objects failed to apply, reason: Deployment.apps "secure-agent-pod" is invalid: spec.selector: '
    'Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"agent"}}: field is immutable (retried 5)'
)


@pytest.mark.parametrize(
    ("change", "said", "remedy"),
    [
        (
            {"conditions": (Condition("ComparisonError", "", None, REFUSED),)},
            "Authentication failed",
            "syncs nothing",
        ),
        ({"operation_phase": "Failed", "operation_message": IMMUTABLE}, "field is immutable", "then sync again"),
        ({"health": "Degraded", "health_message": "x"}, "x", "not healthy"),
        ({"sync": "OutOfSync"}, "OutOfSync", "See what differs, then sync."),
        ({"sync": "OutOfSync", "self_heal": True}, "OutOfSync", "Argo CD syncs it by itself (self-heal is on)."),
    ],
)
def test_the_innermost_cause_is_in_the_first_line_and_the_remedy_fits(
    change: dict[str, Any], said: str, remedy: str
) -> None:
    app = replace(Application("app", "Synced", "Healthy", "v1"), **change)
    finding = judge_application(app, ArgoCD(), NOW)
    assert said in finding.summary
    assert len(finding.summary) < 260
    assert remedy in (finding.remedy or "")
