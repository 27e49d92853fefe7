"""Heartbeats become one finding; without data nothing is concluded about any job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.target import HeartbeatPolicy
from bot.domain.heartbeats.heartbeat import Health, JobStatus
from bot.domain.heartbeats.judge_heartbeats import (
    NOT_SECONDS,
    describe,
    judge_heartbeats,
    policy_in_words,
    verdict_of,
    with_cron_running,
)

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)


def status(job: str = "digest", health: Health = Health.UP, minutes: int | None = 5, **policy: Any) -> JobStatus:
    rule = HeartbeatPolicy.model_validate({"job": job, "stale_after": "3h"} | policy)
    last = None if minutes is None else NOW - timedelta(minutes=minutes)
    return JobStatus(job, health, last, None, None, rule)


@pytest.mark.parametrize(
    ("health", "severity", "required", "verdict"),
    [
        (Health.UP, "critical", True, Verdict.OK),
        (Health.LATE, "critical", True, Verdict.WARN),
        (Health.STALE, "critical", True, Verdict.FAIL),
        (Health.STALE, "warning", True, Verdict.WARN),
        (Health.FAILED, "critical", True, Verdict.FAIL),
        (Health.FAILED, "warning", True, Verdict.WARN),
        (Health.NEVER_SEEN, "critical", True, Verdict.UNKNOWN),
        (Health.NEVER_SEEN, "critical", False, Verdict.OK),
        (Health.PAUSED, "critical", True, Verdict.OK),
    ],
)
def test_each_health_has_its_verdict(health: Health, severity: str, required: bool, verdict: Verdict) -> None:
    assert verdict_of(status(health=health, severity=severity, required=required)) is verdict


def test_a_job_without_a_policy_is_never_a_problem() -> None:
    stray = JobStatus("stray", Health.FAILED, None, None, None, None)
    assert verdict_of(stray) is Verdict.OK
    assert judge_heartbeats([stray], 1, NOW).summary == "no heartbeats are expected by the settings"


def test_all_fresh_counts_the_jobs() -> None:
    finding = judge_heartbeats([status("a"), status("b")], 2, NOW)
    assert (finding.verdict, finding.summary) == (Verdict.OK, "2 jobs on time")
    paused = judge_heartbeats([status("a"), status("b", Health.PAUSED)], 2, NOW)
    assert (paused.verdict, paused.summary) == (Verdict.OK, "1 job on time, 1 paused")


def test_no_groups_means_no_data_and_names_no_job() -> None:
    finding = judge_heartbeats([status("a", Health.NEVER_SEEN, None)], 0, NOW)
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.summary == "the Pushgateway holds no heartbeats at all"
    assert "the state of every job is unknown" in finding.evidence


def test_the_worst_job_is_first_and_only_bad_ones_are_evidence() -> None:
    late, stale = status("late", Health.LATE), status("stale", Health.STALE, 200, severity="critical")
    finding = judge_heartbeats([status("fine"), late, stale], 3, NOW)
    assert (finding.verdict, finding.summary) == (Verdict.FAIL, "stale is stale, late is late")
    assert len(finding.evidence) == 2
    assert finding.run == "/agentpod logs --grep stale"


def test_many_jobs_are_folded_into_a_count() -> None:
    finding = judge_heartbeats([status(f"job-{n}", Health.STALE) for n in range(5)], 5, NOW)
    assert finding.summary == "job-0, job-1 and 3 more are stale"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"stale_after": "3h", "severity": "critical"}, "stale after 3 h, critical"),
        (
            {"schedule": "0 21 * * *", "timezone": "Europe/Berlin"},
            "due daily at 21:00 (Europe/Berlin), stale 10 min later, warning",
        ),
    ],
)
def test_policies_in_words(policy: dict[str, str], said: str) -> None:
    assert policy_in_words(HeartbeatPolicy.model_validate({"job": "x"} | policy)) == said
    assert policy_in_words(None) == "no policy"


def test_a_job_is_described_in_one_line() -> None:
    said = describe(status("digest", Health.STALE, 200), NOW)
    assert said == "digest: stale, last success 3 h 20 min ago (stale after 3 h, warning)"
    assert describe(status("x", Health.NEVER_SEEN, None), NOW).startswith("x: never seen, no success yet")


def test_a_job_that_was_never_seen_is_named_and_not_on_time() -> None:
    never = status("nightly", Health.NEVER_SEEN, None, required=False)
    one = judge_heartbeats([status("a"), never, status("b", Health.PAUSED)], 2, NOW)
    assert (one.verdict, one.summary) == (Verdict.OK, "1 job on time, 1 paused, nightly was never seen")
    alone = judge_heartbeats([never, status("other", Health.NEVER_SEEN, None, required=False)], 2, NOW)
    assert alone.summary == "nightly and other were never seen"
    several = judge_heartbeats([never, status("nightly", required=False)], 2, NOW)
    assert several.summary == "nightly was never seen", "one of its groups was"


def test_the_remedy_depends_on_where_the_job_runs() -> None:
    elsewhere = status("backup", Health.STALE, 300, inside=False)
    finding = judge_heartbeats([elsewhere], 1, NOW)
    assert finding.remedy is not None
    look = "Look where it runs: not in this pod, so that neither its log nor a restart helps. If it ran, its push"
    assert finding.remedy.startswith(look)
    assert "`/agentpod heartbeats push backup`" in finding.remedy
    assert finding.run == "/agentpod heartbeats"
    both = judge_heartbeats([elsewhere, status("digest", Health.STALE, 300, cron="debian")], 2, NOW)
    assert both.remedy == (
        "Check that Debian's cron runs. See what the job's script says in the log. If it ran, its push was lost: "
        "check the push line of its script, and the Pushgateway's log. `/agentpod heartbeats push digest` "
        "records the run until that is fixed."
    )
    seen = with_cron_running(both, ["debian"])
    assert str(seen.remedy).startswith("See what the job's script says in the log. If it ran, ")
    assert both.run == "/agentpod logs --grep digest"


def test_a_push_that_was_refused_comes_before_a_value_that_is_no_time() -> None:
    odd = status("backup", Health.FAILED, minutes=None)._replace(note="5 is no credible time")
    finding = judge_heartbeats([odd], 1, NOW)
    assert finding.summary == "backup has failed"
    assert finding.remedy != NOT_SECONDS


@pytest.mark.parametrize(
    "note",
    [
        "nan is no credible time",
        "1.8e+12 is no time in seconds: it looks like milliseconds",
        "clock skew: its time is 2030, too far in the future to count",
    ],
)
def test_a_job_that_pushes_no_time_was_seen_and_no_push_is_lost(note: str) -> None:
    odd = status(health=Health.STALE, minutes=None)._replace(note=note)
    finding = judge_heartbeats([odd], 1, NOW)
    assert finding.summary == "digest pushes a value that is no time"
    assert finding.remedy == NOT_SECONDS
    both = judge_heartbeats([odd, status("other", Health.STALE)], 1, NOW)
    assert both.summary == "digest pushes a value that is no time, other is stale"
    assert "`/agentpod heartbeats push other`" in (both.remedy or "")
    late = judge_heartbeats([status(health=Health.STALE)._replace(note=note)], 1, NOW)
    assert (late.summary, late.remedy) == ("digest is stale", NOT_SECONDS)
