"""Crontab lines: the next run is always later, also at clock changes, and errors mark what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.core.cron import DIALECTS, Dialect, check_crontab, next_run
from bot.domain.core.cron.brief import brief
from bot.domain.incidents.alerting import Maintenance

SCHEDULES = ("30 2 * * *", "30 1 * * *", "0 2 * * *", "*/20 * * * *", "15 1,2,3 * * 0", "0 */6 * * *")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


@given(
    st.sampled_from(DIALECTS),
    st.sampled_from(SCHEDULES),
    st.sampled_from(ZONES),
    st.sampled_from([(2026, 10, 25), (2026, 11, 1), (2027, 3, 14), (2027, 3, 28), (2027, 4, 4)]),
    st.integers(-24 * 60, 24 * 60),
)
@settings(max_examples=300, deadline=None)
def test_the_next_run_is_later_and_no_run_is_skipped(
    cron: Dialect, schedule: str, zone: str, day: tuple[int, int, int], minutes: int
) -> None:
    after = datetime(*day, tzinfo=UTC) + timedelta(minutes=minutes)
    following = next_run(schedule, zone, after, cron)
    assert following > after
    if cron == "debian":  # supercronic decides where the clock was when it last ran
        assert next_run(schedule, zone, after - timedelta(minutes=1), cron) in (after, following)
        assert next_run(schedule, zone, following - timedelta(seconds=1), cron) == following


@pytest.mark.parametrize(
    ("cron", "zone", "schedule", "first"),
    [
        ("debian", "Europe/Berlin", "30 2 * * *", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("debian", "America/New_York", "30 1 * * *", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        ("supercronic", "Europe/Berlin", "30 2 * * *", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("supercronic", "America/New_York", "30 1 * * *", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
    ],
)
def test_a_maintenance_in_a_repeated_hour_is_one_window(
    cron: Dialect, zone: str, schedule: str, first: datetime
) -> None:
    window = Maintenance(name="x", schedule=schedule, lasts=timedelta(minutes=20), timezone=zone, cron=cron)
    night = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    minutes = [night + timedelta(minutes=n) for n in range(12 * 60)]
    active = [at for at in minutes if window.active(at)]
    assert active == [first + timedelta(minutes=n) for n in range(20)]


EITHER = [
    ("0 25 * * *", "  ^^", "this is not a valid hour: it takes 0 to 23"),
    ("61  9 * * *", "^^", "this is not a valid minute: it takes 0 to 59"),
    ("0 9 31 2 *", "^^^^^^^^^^", "it never runs: there is no such date or time"),
    ("0 9 30 FEB *", "^^^^^^^^^^^^", "it never runs: there is no such date or time"),
    ("0 \u00a09 * * *", "  ^", "a crontab has plain letters, digits and signs only"),
    ("0 9 * *\n0 9 * * *", "       ^", "a crontab has plain letters, digits and signs only"),
    ("0,60 9 * * *", "", ""),
    ("0 0 1-32 * *", "", ""),
    ("0 0 * 13 *", "", ""),
    ("0 0 0 * *", "", ""),
    ("1- * * * *", "", ""),
    ("0/0 * * * *", "", ""),
    ("-5 * * * *", "", ""),
    ("~ * * * *", "", ""),
    ("0 0 * * MON-FRY", "", ""),
    ("# 0 9 * * *", "^^^^^^^^^^^", "a line that begins with # is a comment, which never runs"),
    ("@reboot", "^^^^^^^", ""),
    ("@every 5m", "^^^^^^", ""),
    ("@daily @daily", "", ""),
    ("@DAILY", "^^^^^^", ""),
    (
        "CRON_TZ=Europe/Berlin 0 3 * * *",
        "^" * 21,
        "a zone is no part of the schedule: give it as the job's timezone",
    ),
    ("TZ=UTC 0 3 * * *", "^^^^^^", "a zone is no part of the schedule: give it as the job's timezone"),
    ("1," * 150 + "1 * * * *", "", "it is longer than 200 characters"),
]
SUPERCRONIC = [
    (
        "0\t9 * * MON-FRY",
        "        ^^^^^^^",
        "this is not a valid day of the week: it takes 0 to 7, SUN to SAT, 5L or 5#3",
    ),
    ("0 9 32 * *", "    ^^", "this is not a valid day of the month: it takes 1 to 31, L, LW or 15W"),
    ("0 9 * JUNEE *", "      ^^^^^", "this is not a valid month: it takes 1 to 12, or JAN to DEC"),
    ("0 9 * *", "       ^", "it has 4 fields, and supercronic takes 5 to 7"),
    ("1 2 3 4 5 * * 8", "              ^", "it has 8 fields, and supercronic takes 5 to 7"),
    ("", "^", "it has 0 fields, and supercronic takes 5 to 7"),
    (
        "0 9 * * 5-7",
        "        ^^^",
        "this range of the day of the week ends before it begins; Debian's cron takes it",
    ),
    ("0 */24 * * *", "  ^^^^", "this is not a valid step: it takes 1 to 23; Debian's cron takes it"),
    ("40-10/5 * * * *", "^^^^^^^", "no minute fits this: it never runs"),
    ("*,x * * * *", "  ^", "supercronic ignores this beside *, and runs as if it were not there: leave it out"),
    ("x,* * * * *", "^", "this is not a valid minute: it takes 0 to 59"),
    (
        "@midnight",
        "^" * 9,
        "supercronic knows no @midnight: it has @yearly, @annually, @monthly, @weekly, @daily, "
        "@hourly; Debian's cron takes it",
    ),
    (
        "0 4 * * * /usr/bin/nightly",
        " " * 10 + "^" * 16,
        "supercronic takes only a year here: leave a command out, and seconds where there is no year",
    ),
    (
        "0 4 * * * 2027",
        " " * 10 + "^^^^",
        "supercronic reads 2027 as the year, and a job that ends can't be watched: leave the year out",
    ),
]
DEBIAN = [
    ("0\t9 * * MON-FRY", "        ^^^^^^^", "this is not a valid day of the week: it takes 0 to 7, or SUN to SAT"),
    ("0 9 32 * *", "    ^^", "this is not a valid day of the month: it takes 1 to 31"),
    (
        "0 9 * JUNE *",
        "      ^^^^",
        "this is not a valid month: it takes 1 to 12, or JAN to DEC; supercronic takes it",
    ),
    ("15 0 9 * * *", "           ^", "it has 6 fields, and Debian's cron takes 5; supercronic takes it"),
    ("0 4 L * *", "    ^", "this is not a valid day of the month: it takes 1 to 31; supercronic takes it"),
    ("0 4 ? * *", "    ^", "this is not a valid day of the month: it takes 1 to 31; supercronic takes it"),
    ("5/20 * * * *", "^^^^", "Debian's cron takes a step only after a range: write 5-59/20; supercronic takes it"),
    (
        "0 4 * * 5#3",
        "         ^^",
        "Debian's cron ignores this, and runs as if it were not there: leave it out; supercronic takes it",
    ),
    ("*5 * * * *", " ^", "Debian's cron ignores this, and runs as if it were not there: leave it out"),
    ("0~30 * * * *", " ^^^", "Debian's cron ignores this, and runs as if it were not there: leave it out"),
    ("@reboot", "^^^^^^^", "Debian's cron runs it when it starts, at no time that is known: use stale_after"),
]
BAD = [
    (cron, *row)
    for cron, rows in (("supercronic", EITHER + SUPERCRONIC), ("debian", EITHER + DEBIAN))
    for row in rows
]
"""Crons, lines, the marked part (empty: any) and the reason."""


@pytest.mark.parametrize(("cron", "line", "caret", "why"), BAD)
def test_the_error_for_a_bad_line_has_a_caret_under_the_wrong_part(
    cron: Dialect, line: str, caret: str, why: str
) -> None:
    name = "supercronic" if cron == "supercronic" else "Debian's cron"
    with pytest.raises(ValueError, match=f"not a crontab schedule for {name}:") as caught:
        check_crontab(line, cron)
    lines = str(caught.value).splitlines()
    shown, under = "\n".join(lines[1:-1]), lines[-1]
    assert shown.removeprefix("      ") == line.replace("\t", " ")[:200]
    assert "^ " in under
    assert not caret or under.removeprefix("      ").startswith(f"{caret} {why}")
    assert under.endswith(why)


@pytest.mark.parametrize("cron", DIALECTS)
@given(st.text(alphabet="0123456789*/,-#LW?MONSAT@ ", max_size=20) | st.text(max_size=12))
def test_any_line_is_accepted_or_refused_with_a_reason(cron: Dialect, line: str) -> None:
    try:
        check_crontab(line, cron)
    except ValueError as error:
        assert "not a crontab schedule" in str(error)  # noqa: PT017 - either outcome is right
    else:
        after = datetime(2026, 1, 1, tzinfo=UTC)
        assert next_run(line, "Europe/Berlin", after, cron) > after


def test_a_schedule_that_never_matches_is_refused_in_bounded_time() -> None:
    """The search covers at most sixty years, month by month; some days of the month don't exist in any month."""
    for line in ("0 0 31 2,4,6,9,11 *", "0 0 31W 4 *", "0 0 30 2 *", "59 23 31 11 *"):
        with pytest.raises(ValueError, match="never runs"):
            check_crontab(line, "supercronic")


def test_a_rare_day_is_found_decades_ahead() -> None:
    """Five Mondays in February come every 28 years, and after 2072 not before 2112."""
    after = datetime(2072, 3, 1, tzinfo=UTC)
    assert next_run("0 0 * 2 1#5", "UTC", after, "supercronic") == datetime(2112, 2, 29, tzinfo=UTC)
    assert next_run("0 0 29 2 *", "UTC", datetime(2097, 1, 1, tzinfo=UTC), "debian").year == 2104


def test_a_line_with_seconds_runs_within_the_minute() -> None:
    after = datetime(2026, 5, 1, 4, 0, 10, tzinfo=UTC)
    assert next_run("*/15 * * * * * *", "UTC", after, "supercronic") == after + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("/opt/scripts/a.sh", "a.sh"),
        ("curl https://host/a/b -o /tmp/x", "curl https://host/a/b -o x"),
        ("cd /srv/willikins && git pull && /opt/push.sh self_update", "git … && push.sh self_update"),
        ("/opt/evil --quiet && sleep 9 && /opt/backup.sh", "evil … (1 more) && backup.sh"),
        ("cd $(/opt/evil) && /opt/backup.sh --keep 30", "cd … && backup.sh --keep 30"),
        ("/opt/backup.sh --to /mnt/b 2>&1 | /opt/evil -q", "backup.sh … | evil -q"),
        ("/opt/backup.sh --all --keep 9 & /opt/evil -q;", "backup.sh … & evil -q"),
        ("cd /srv/willikins && /opt/scripts/weekly-digest.sh now", "weekly-digest.sh now"),
        ("/opt/backup.sh --to /mnt/backup --keep 30 --verbose", "backup.sh --to backup --keep…"),
    ],
)
def test_a_command_is_shortened_so_that_its_program_stays(command: str, shown: str) -> None:
    assert brief(command, 30) == shown


@given(st.text(alphabet="a /&|;$(\n'", max_size=80))
def test_a_command_in_brief_fits(command: str) -> None:
    assert len(brief(command, 30)) <= 30
