"""Crontab lines: the next run is after the moment whatever the clock does, and a bad line is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.alerting import Maintenance
from bot.domain.cron import check_crontab, next_run

SCHEDULES = ("30 2 * * *", "30 1 * * *", "0 2 * * *", "*/20 * * * *", "15 1,2,3 * * 0", "0 */6 * * *")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


@given(
    st.sampled_from(SCHEDULES),
    st.sampled_from(ZONES),
    st.sampled_from([(2026, 10, 25), (2026, 11, 1), (2027, 3, 14), (2027, 3, 28), (2027, 4, 4)]),
    st.integers(-24 * 60, 24 * 60),
)
@settings(max_examples=300, deadline=None)
def test_the_next_run_is_later_and_no_run_is_left_out(
    schedule: str, zone: str, day: tuple[int, int, int], minutes: int
) -> None:
    after = datetime(*day, tzinfo=UTC) + timedelta(minutes=minutes)
    following = next_run(schedule, zone, after)
    assert following > after
    assert next_run(schedule, zone, after - timedelta(minutes=1)) in (after, following)
    assert next_run(schedule, zone, following - timedelta(seconds=1)) == following


@pytest.mark.parametrize(
    ("zone", "schedule", "first"),
    [
        ("Europe/Berlin", "30 2 * * *", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("America/New_York", "30 1 * * *", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
    ],
)
def test_a_maintenance_in_a_doubled_hour_is_one_window(zone: str, schedule: str, first: datetime) -> None:
    window = Maintenance(name="x", schedule=schedule, lasts=timedelta(minutes=20), timezone=zone)
    night = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    minutes = [night + timedelta(minutes=n) for n in range(12 * 60)]
    active = [at for at in minutes if window.active(at)]
    assert active == [first + timedelta(minutes=n) for n in range(20)]


@pytest.mark.parametrize(
    ("line", "caret", "why"),
    [
        ("0 25 * * *", "  ^^", "this is no hour: it takes 0 to 23"),
        ("61  9 * * *", "^^", "this is no minute: it takes 0 to 59"),
        ("0\t9 * * MON-FRY", "        ^^^^^^^", "this is no day of the week: it takes 0 to 7, or SUN to SAT"),
        ("0 9 32 * *", "    ^^", "this is no day of the month: it takes 1 to 31"),
        ("0 9 * JUNE *", "      ^^^^", "this is no month: it takes 1 to 12, or JAN to DEC"),
        ("0 9 * *", "       ^", "it has 4 fields, and a crontab schedule has 5"),
        ("15 0 9 * * *", "           ^", "it has 6 fields, and a crontab schedule has 5"),
        ("", "^", "it has 0 fields, and a crontab schedule has 5"),
        ("0 9 31 2 *", "    ^^", "it never comes: there is no such date"),
    ],
)
def test_a_bad_line_is_shown_with_a_caret_under_what_is_wrong(line: str, caret: str, why: str) -> None:
    with pytest.raises(ValueError, match="not a crontab schedule") as caught:
        check_crontab(line)
    [_, shown, under] = str(caught.value).split("\n")
    assert shown.removeprefix("      ") == line.replace("\t", " ")
    assert under.removeprefix("      ") == f"{caret} {why}"


@given(st.text(alphabet="0123456789*/,-#LWMONSAT ", max_size=20) | st.text(max_size=12))
def test_any_line_is_taken_or_refused_with_a_reason(line: str) -> None:
    try:
        check_crontab(line)
    except ValueError as error:
        assert "not a crontab schedule" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert next_run(line, "Europe/Berlin", datetime(2026, 1, 1, tzinfo=UTC))
