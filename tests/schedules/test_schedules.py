"""Our schedules match the real crons, also on the nights on which a zone changes its clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.core.cron import DIALECTS, Dialect
from bot.domain.core.target import HeartbeatPolicy
from bot.domain.heartbeats.heartbeat import PUSHED, Group, Health
from bot.domain.incidents.alerting import AlertRules, decide
from bot.domain.incidents.job_state import look, problem
from tests.schedules.build import CannotBuild, Crons, ensure
from tests.schedules.nights import compare
from tests.schedules.real import REFUSED, debian, difference, hours, ours, supercronic

pytestmark = pytest.mark.xdist_group("schedules")


@pytest.fixture(scope="module")
def crons() -> Crons:
    """The real crons. Without them these tests fail; `scripts/test.sh` skips them except in CI."""
    try:
        return ensure()
    except CannotBuild as error:
        pytest.fail(f"no real cron: {error}", pytrace=False)


@pytest.mark.parametrize(("cron", "lines"), [("supercronic", 120), ("debian", 30)])
def test_random_lines_run_when_the_real_cron_runs_them(
    crons: Crons, tmp_path: Path, cron: Dialect, lines: int
) -> None:
    tally = compare(cron, crons, tmp_path, lines, seed=1)
    assert tally.differences == ()
    assert (tally.tried, tally.taken) >= (26 * lines, 20 * lines)
    assert tally.runs > 3 * tally.tried


def test_late_runs_are_ten_seconds_apart(crons: Crons, tmp_path: Path) -> None:
    """Not in the comparison: runs of an hour skipped by a clock change start at once, one after the other."""
    change = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    lines = ["0-59 2 * * *"]
    zone, start, end = "Europe/Berlin", change - hours(1), change + hours(1)
    [late] = debian(crons, tmp_path, zone, lines, start, end, pauses=True)
    assert late == [change + timedelta(minutes=n) for n in range(len(late or ()))]
    assert 5 < len(late) <= 10
    assert ours("debian", zone, lines[0], start, end=end) == [change]


EDGES = """
0 0 * * 05 ; 0 0 * * 00 ; 0 0 5,,6 * * ; ,5, 0 * * * ; 0 0 ? * ? ; 0 0 L,LW,1W * * ; 0 0 31W * *
0 0 * * SUN#5,3L ; 0 0 * * 7-6 ; 0 0 * * 0-7 ; 0 0 * * 5-7/2 ; 0 0 1 * 5-7/2 ; 0/59 * * * *
* * * * * * * ; 59 59 23 31 12 ? * ; 0 0 29 2 * ; @daily ; @hourly ; @yearly
0 0 * january,DEC sunday-saturday ; 007 * * * * ; 0 0 */31 * * ; 0 0 1 */12 * ; */100 * * * *
5-64/30 * * * * ; 0 0 * * fri-sun ; 0 0 * * 5-3 ; 0 0 5-3 * 1 ; */90 * * * * ; 0 0 */2,5 * */3,1
0 0 1,*/2 * 1 ; 0 0 5,*/9 * * ; @midnight ; @weekly ; 0 0 1 1-12/3 mon-wed/2 ; 0-0 0-0 * * *
5#3 * * * * ; *x * * * * ; 1-5-7 * * * * ; 60 * * * * ; 0 24 * * * ; 0 0 0 * * ; 0 0 * 0 * ; 0 0 * * 8
L * * * * ; 0 0 32W * * ; 0 0 W * * ; 0 0 * * L ; 0 0 * * 5#6 ; @reboot ; @every 5m ; @Daily
0 0 * * * * * * ; 0 0 * * ; 0 0 * * * 2026 ; 0 0 * * * 2099 ; 0 0 * * * 1999
"""
EDGE_LINES = [line.strip() for part in EDGES.strip().splitlines() for line in part.split(" ; ")]
"""Lines at the edges of either cron's syntax, and beyond."""


@pytest.mark.parametrize("cron", DIALECTS)
def test_the_limits_of_the_syntax_match_the_real_cron(crons: Crons, tmp_path: Path, cron: Dialect) -> None:
    start, end = datetime(2026, 5, 30, 22, 0, tzinfo=UTC), datetime(2026, 5, 31, 2, 0, tzinfo=UTC)
    if cron == "debian":
        found, until = debian(crons, tmp_path, "UTC", EDGE_LINES, start, end), end
    else:
        found, until = supercronic(crons, "UTC", [(line, start) for line in EDGE_LINES], 5), None
    pairs = zip(EDGE_LINES, found, strict=True)
    assert [told for line, real in pairs if (told := difference(cron, "UTC", line, start, real, until))] == []
    assert found.count(REFUSED) > 10


NIGHTS = [
    ("*/15 * * * *", "Europe/Berlin", datetime(2026, 10, 24, 22, 0, tzinfo=UTC)),
    ("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 28, 1, 0, tzinfo=UTC)),
    ("30 2 * * *", "America/New_York", datetime(2026, 3, 7, 7, 0, tzinfo=UTC)),
    ("0 0 * * *", "America/Havana", datetime(2026, 3, 7, 4, 0, tzinfo=UTC)),
    ("*/20 0-2 * * *", "Africa/Cairo", datetime(2026, 4, 23, 20, 0, tzinfo=UTC)),
    ("*/10 * * * *", "Australia/Lord_Howe", datetime(2026, 4, 4, 12, 0, tzinfo=UTC)),
]


@pytest.mark.parametrize("cron", DIALECTS)
@pytest.mark.parametrize(("schedule", "zone", "start"), NIGHTS)
def test_a_job_that_its_cron_runs_is_never_stale(
    crons: Crons, tmp_path: Path, cron: Dialect, schedule: str, zone: str, start: datetime
) -> None:
    """With a heartbeat 20 s after each run of the real cron, the bot, polling each minute, reports nothing."""
    end = start + hours(30)
    if cron == "debian":
        [runs] = debian(crons, tmp_path, zone, [schedule], start, end)
    else:
        [runs] = supercronic(crons, zone, [(schedule, start)], 200)
    pushed = [run + timedelta(seconds=20) for run in runs or () if run < end]
    assert len(pushed) > 1
    assert _stale(_rule(schedule, zone, cron), pushed, pushed[0], pushed[-1] + timedelta(minutes=1)) == []


def test_a_job_is_stale_one_grace_period_after_the_missing_run(crons: Crons) -> None:
    """On this night */15 doesn't run from 23:45 to 01:00 UTC; here the run at 01:00 is missing as well."""
    start = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    [runs] = supercronic(crons, "Europe/Berlin", [("*/15 * * * *", start)], 60)
    late = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    assert late in (runs or ())
    pushed = [run for run in runs or () if run < late]
    stale = _stale(_rule("*/15 * * * *", "Europe/Berlin", "supercronic"), pushed, start, late + hours(1))
    assert stale[0] == late + timedelta(minutes=10)


def _rule(schedule: str, zone: str, cron: Dialect) -> HeartbeatPolicy:
    return HeartbeatPolicy(job="a", schedule=schedule, timezone=zone, cron=cron, grace=timedelta(minutes=10))


def _stale(rule: HeartbeatPolicy, pushed: list[datetime], start: datetime, end: datetime) -> list[datetime]:
    """The minutes at which a job with these heartbeats is stale or reported."""
    found, memory, incident, now = [], None, None, start
    while now < end:
        last = [at for at in pushed if at <= now][-1:]
        groups = [Group({"job": "a"}, {PUSHED: at.timestamp()}) for at in last]
        seen = look(rule, groups, memory, now)
        memory = seen.memory
        incident = decide(incident, problem("t", "heartbeat:t:a", seen, now), AlertRules(), now)
        if seen.status.health is Health.STALE or (incident is not None and incident.notified):
            found.append(now)
        now += timedelta(minutes=1)
    return found
