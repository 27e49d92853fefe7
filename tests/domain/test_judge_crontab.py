"""The crontab beside the heartbeats: which policy is whose, what contradicts, and what a wrong line does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain.core import moments
from bot.domain.core.cron import Dialect
from bot.domain.core.cron.crontab import read_crontab
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.heartbeats.judge_crontab import (
    CronJob,
    contradictions,
    jobs_of,
    judge_crontab,
    longest_gap,
    no_crontab,
    script_of,
    shown_run,
    unmatched,
)

NOW = datetime(2026, 11, 29, 20, 24, tzinfo=UTC)
SESSION = HeartbeatPolicy(job="session_manager", stale_after=timedelta(minutes=10))


def policy(**more: Any) -> HeartbeatPolicy:
    return HeartbeatPolicy.model_validate({"job": "digest", **more})


def jobs(
    text: str, *policies: HeartbeatPolicy, zone: str = "UTC", dialect: Dialect = "supercronic"
) -> list[CronJob]:
    return jobs_of(read_crontab(f"{text}\n", dialect), policies, "/opt/scripts", zone, dialect, NOW)


def against(text: str, one: HeartbeatPolicy, zone: str = "UTC") -> list[str]:
    return [c.said for c in contradictions(jobs(text, one, zone=zone), zone, "supercronic", NOW)]


def judged(text: str, *policies: HeartbeatPolicy, dialect: Dialect = "supercronic") -> Finding:
    found, made = read_crontab(text, dialect), jobs(text.rstrip("\n"), *policies, dialect=dialect)
    return judge_crontab(found, made, dialect, NOW)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/opt/scripts/a.sh", "a.sh"),
        ("bash /opt/scripts/a.sh --now", "a.sh"),
        ("timeout 60 '/opt/scripts/a.sh'", "a.sh"),
        ("cd /home && /opt/scripts/push-heartbeat.sh x", None),
        ("/opt/scripts-old/a.sh", None),
        ("claude update", None),
    ],
)
def test_a_job_is_called_by_its_script(command: str, name: str | None) -> None:
    assert script_of(command, "/opt/scripts") == name


def test_a_heartbeat_belongs_to_the_script_of_its_name() -> None:
    [job] = jobs("*/5 * * * * /opt/scripts/session-manager.sh", SESSION)
    assert (job.policies, job.next_run) == ((SESSION,), NOW + timedelta(minutes=1))


def test_or_to_the_script_that_the_settings_name() -> None:
    named = policy(job="exercise-reminder", stale_after="3h", script="exercise-cron.sh")
    one, other = jobs("0 8 * * * /opt/scripts/exercise-cron.sh\n0 9 * * * exercise-reminder", named)
    assert (one.policies, other.policies) == ((named,), ())


def test_or_to_a_line_that_pushes_it_by_hand() -> None:
    [job] = jobs(
        "0 4 * * * git pull && /opt/scripts/push-heartbeat.sh self_update",
        policy(job="self-update", stale_after="2d"),
    )
    assert [p.job for p in job.policies] == ["self-update"]
    assert job.pushes("self_update")
    assert not job.pushes("update")


def test_a_heartbeat_that_no_line_pushes_is_named() -> None:
    gone, outside = policy(job="gone", stale_after="1h"), policy(job="outside", stale_after="1h", inside=False)
    assert unmatched(jobs("*/5 * * * * session-manager", SESSION), (SESSION, gone, outside)) == ["gone"]


def test_an_age_longer_than_the_time_between_runs_is_fine() -> None:
    assert against("*/5 * * * * session-manager", SESSION) == []
    assert against("0 21 * * * digest.sh", policy(stale_after="26h")) == []


@pytest.mark.parametrize(
    ("line", "age", "gap"),
    [
        ("0 21 * * * digest", "23h", "1 d"),
        ("0 21 * * * digest", "1d", "1 d"),
        ("0 8,11,14,17,20 * * 0,1,5,6 digest", "3h", "3 d 12 h"),
        ("*/5 8-18 * * 1-5 digest", "10m", "2 d 13 h"),
        ("0 0 1 1 * digest", "30d", "366 d"),
    ],
)
def test_an_age_within_the_time_between_runs_contradicts(line: str, age: str, gap: str) -> None:
    [said] = against(line, policy(stale_after=age))
    assert said.endswith(f", but up to {gap} pass between its runs (line 1)")


def test_two_lines_of_one_job_count_together() -> None:
    two = "0 8 * * * digest\n0 20 * * * digest"
    assert against(two, policy(stale_after="13h")) == []
    assert against(two, policy(stale_after="11h")) == [
        "digest is stale after 11 h, but up to 12 h pass between its runs (lines 1 and 2)"
    ]


def test_a_line_that_runs_seldom_adds_no_gap_to_one_that_runs_often() -> None:
    assert against("0 0 * * * digest\n0 0 1 1 * digest", policy(stale_after="25h")) == []


def test_a_schedule_other_than_the_line_s_contradicts_and_the_same_in_other_words_does_not() -> None:
    assert against("0 21 * * * digest", policy(schedule="0 21 * * *")) == []
    assert against("0 21 * * * digest", policy(schedule="00 21 * 1-12 *")) == []
    assert against("@daily digest", policy(schedule="0 0 * * *")) == []
    [said] = against("# x\n0 21 * * * digest", policy(schedule="0 9 * * *"))
    assert said == "digest is due by 0 9 * * *, but line 2 says 0 21 * * *"


def test_a_zone_other_than_the_crontab_s_contradicts() -> None:
    berlin = policy(schedule="0 21 * * *", timezone="Europe/Berlin")
    assert against("0 21 * * * digest", berlin, zone="Europe/Berlin") == []
    [said] = against("0 21 * * * digest", berlin)
    assert said == "digest is due by the time of Europe/Berlin, but the crontab runs by that of UTC"
    assert against("0 21 * * * digest", policy(schedule="0 21 * * *"), zone="Etc/UTC") == []


def test_the_longest_gap_spans_a_clock_change() -> None:
    before = datetime(2026, 10, 24, 9, tzinfo=UTC)
    assert longest_gap(["0 12 * * *"], "Europe/Berlin", "debian", before) == timedelta(hours=25)


def test_a_crontab_without_problems_says_how_many_jobs_and_the_next_run() -> None:
    finding = judged("*/5 * * * * session-manager\n@daily x\n", SESSION)
    assert (finding.verdict, finding.summary) == (Verdict.OK, "2 jobs, the next one runs in 1 min")


@pytest.mark.parametrize("late", [0, 1, 5])
def test_a_run_that_is_due_is_now_and_never_past(late: int) -> None:
    crontab = read_crontab("* * * * * /opt/scripts/a.sh\n", "supercronic")
    now = datetime(2026, 11, 30, 9, 59, 59, tzinfo=UTC)
    jobs = jobs_of(crontab, (), "/opt/scripts", "UTC", "supercronic", now)
    then = now + timedelta(seconds=late)
    assert judge_crontab(crontab, jobs, "supercronic", then).summary == "1 job, the next one runs now"
    assert moments.bare(shown_run(jobs[0].next_run or then, then)).endswith("(now)")


@pytest.mark.parametrize(
    ("dialect", "does"),
    [
        ("supercronic", "supercronic ends at it, and so runs no job"),
        ("debian", "Debian's cron ignores the whole crontab because of it"),
    ],
)
def test_a_refused_line_is_a_failure_and_says_what_it_does_to_the_others(dialect: Dialect, does: str) -> None:
    finding = judged("0 0 30 2 * never\n61 * * * * x\n*/5 * * * * session-manager\n", SESSION, dialect=dialect)
    assert (finding.verdict, finding.summary) == (
        Verdict.FAIL,
        "line 2: this is not a valid minute: it takes 0 to 59",
    )
    assert finding.evidence[0] == does
    assert "line 1" in finding.evidence[1]
    assert finding.remedy == "Fix lines 1 and 2 of the crontab."


def test_a_contradiction_says_what_to_write_and_makes_the_crontab_no_worse() -> None:
    text, one = "0 21 * * * digest\n", policy(stale_after="3h")
    [found] = contradictions(jobs(text, one), "UTC", "supercronic", NOW)
    assert 'schedule: "0 21 * * *", timezone: UTC' in found.remedy
    assert judged(text, one).verdict is Verdict.OK


def test_a_crontab_without_jobs_is_a_warning() -> None:
    assert judged("# nothing\n").verdict is Verdict.WARN


def test_a_crontab_that_was_not_read_to_its_end_is_unknown() -> None:
    assert judged("@daily x\n" * 2_500).verdict is Verdict.UNKNOWN


def test_a_file_that_is_absent_fails_and_one_that_can_t_be_read_is_unknown() -> None:
    absent = no_crontab("/x", "cat: /x: No such file or directory", Target())
    assert (absent.verdict, "entrypoint" in (absent.remedy or "")) == (Verdict.FAIL, False)
    assert no_crontab("/x", "cat: /x: Permission denied", Target()).verdict is Verdict.UNKNOWN


def test_a_run_is_shown_in_the_reader_s_zone() -> None:
    said = shown_run(datetime(2026, 11, 29, 23, 30, tzinfo=UTC), NOW)
    assert moments.short(said, NOW) == "23:30 UTC (in 3 h 6 min)"
    assert moments.short(said, NOW, ZoneInfo("Europe/Berlin")).startswith("Mon 30 Nov, 00:30 ")
