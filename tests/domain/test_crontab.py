"""A whole crontab as its cron reads it: jobs, refused lines with the wrong part, and the zone."""

from __future__ import annotations

import pytest

from bot.domain.core.cron import Dialect
from bot.domain.core.cron.crontab import MOST_LINES, Crontab, LineProblem, read_crontab
from bot.domain.core.cron.in_words import in_words


def read(*lines: str, dialect: Dialect = "supercronic") -> Crontab:
    return read_crontab("".join(f"{line}\n" for line in lines), dialect)


def problem(*lines: str, dialect: Dialect = "supercronic") -> LineProblem:
    [found] = read(*lines, dialect=dialect).problems
    return found


@pytest.mark.parametrize("dialect", ["supercronic", "debian"])
def test_comments_and_settings_are_no_jobs(dialect: Dialect) -> None:
    found = read("# a comment", "", "  ", "PATH = /usr/bin", "*/5 * * * * /opt/a.sh  --now", dialect=dialect)
    assert found.problems == ()
    assert [(j.number, j.schedule, j.command) for j in found.jobs] == [(5, "*/5 * * * *", "/opt/a.sh  --now")]


@pytest.mark.parametrize(
    ("line", "schedule", "command"),
    [
        ("0 4 * * * cd /x && y", "0 4 * * *", "cd /x && y"),
        ("@daily /opt/a.sh x y z u v w", "@daily", "/opt/a.sh x y z u v w"),
        ("0 4 * * * * /opt/a.sh", "0 4 * * * *", "/opt/a.sh"),
        ("30 0 4 * * * * /opt/a.sh", "30 0 4 * * * *", "/opt/a.sh"),
        ("\t0 4\t* * *\t/opt/a.sh", "0 4 * * *", "/opt/a.sh"),
        ("0 4 * * * 7z a b", "0 4 * * *", "7z a b"),
        ("0 4 * * * 2026", "0 4 * * *", "2026"),
    ],
)
def test_supercronic_tries_years_and_seconds_first(line: str, schedule: str, command: str) -> None:
    [job] = read(line).jobs
    assert (job.schedule, job.command) == (schedule, command)


def test_a_command_that_reads_as_a_year_is_named_and_harms_no_other_line() -> None:
    found = problem("0 4 * * * 2026 /opt/a.sh")
    assert (found.why, found.fatal) == ("supercronic reads 2026 as the year: a command can't begin with it", False)


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("61 * * * * /opt/a.sh", "61"),
        ("* 4 * * /opt/a.sh", "/opt/a.sh"),
        ("0 0 0 4 * * Mon job", "0"),
    ],
)
def test_a_refused_line_is_marked_where_it_is_wrong(line: str, marked: str) -> None:
    found = problem("# first", line)
    assert found.where is not None
    assert (found.number, found.text[slice(*found.where)], found.fatal) == (2, marked, True)


def test_the_mark_stands_under_the_wrong_part() -> None:
    first, second = problem("5 61 * * * /opt/a.sh").lines
    assert first == "line 1: 5 61 * * * /opt/a.sh"
    assert second.startswith("          ^^ this is not a valid hour")


@pytest.mark.parametrize("line", ["* * * * *", "@daily", "* * * *", "@often /opt/a.sh"])
def test_a_line_without_command_or_schedule_is_refused(line: str) -> None:
    for dialect in ("supercronic", "debian"):
        assert problem(line, dialect=dialect).fatal


def test_a_date_that_never_comes_is_named_and_harms_no_other_line() -> None:
    found = read("0 0 30 2 * /opt/never.sh", "@daily /opt/a.sh")
    assert [p.fatal for p in found.problems] == [False]
    assert (found.refused, [j.number for j in found.jobs]) == (False, [2])


def test_cron_tz_sets_the_zone_of_the_file_for_supercronic_only() -> None:
    lines = ("0 4 * * * /opt/a.sh", 'CRON_TZ="Europe/Berlin"', "TZ=Asia/Tokyo")
    assert read(*lines).zone == "Europe/Berlin"
    assert read(*lines, dialect="debian").zone is None


def test_supercronic_refuses_an_unknown_zone_and_crashes_on_an_empty_value() -> None:
    assert problem("CRON_TZ=Europe/Belrin").why == "there is no such time zone"
    assert "crashes on an empty value" in problem("MAILTO=").why
    assert read("MAILTO=", dialect="debian").problems == ()


def test_debian_takes_no_file_without_a_line_feed_at_its_end() -> None:
    text = "* * * * * /opt/a.sh"
    assert "line feed at the end" in read_crontab(text, "debian").problems[0].why
    assert read_crontab(text, "supercronic").problems == ()


def test_debian_runs_a_job_at_its_start_and_has_no_seconds() -> None:
    found = read("@reboot /opt/a.sh", '"MY NAME" = x', "* * * * * * /opt/a.sh", dialect="debian")
    assert [(j.schedule, j.command) for j in found.jobs] == [
        ("@reboot", "/opt/a.sh"),
        ("* * * * *", "* /opt/a.sh"),
    ]
    assert problem("@reboot /opt/a.sh").fatal


def test_a_long_crontab_is_cut() -> None:
    found = read(*["@daily /opt/a.sh"] * (MOST_LINES + 1))
    assert (len(found.jobs), found.left_out) == (MOST_LINES, 2)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 min"),
        ("0 * * * *", "every hour"),
        ("15 * * * *", "every hour at minute 15"),
        ("5,20,50 * * * *", "every hour at minutes 5, 20 and 50"),
        ("0 */2 * * *", "every 2 h"),
        ("30 */6 * * *", "daily at 00:30, 06:30, 12:30 and 18:30"),
        ("10 */2 * * *", "every 2 h at minute 10"),
        ("0 4 * * *", "daily at 04:00"),
        ("@daily", "daily at 00:00"),
        ("30 4 * * 0", "Sun at 04:30"),
        ("30 4 * * 7", "Sun at 04:30"),
        ("0 8,20 * * 0,1,5,6", "Fri to Mon at 08:00 and 20:00"),
        ("0 9 * * 1,3", "Mon and Wed at 09:00"),
        ("*/5 8-17 * * 1-5", "Mon to Fri every 5 min from 08:00 to 17:55"),
        ("0 0 1 * *", "on day 1 of the month at 00:00"),
        ("0 0 13 * 5", "on day 13 of the month or Fri at 00:00"),
        ("0 0 1,15 1 *", "on days 1 and 15 of the month at 00:00, in Jan"),
        ("0 0 * 3,9 *", "every day at 00:00, in Mar and Sep"),
        ("*/7 3-5 * * *", "*/7 3-5 * * *"),
        ("0 0 L * *", "0 0 L * *"),
        ("30 0 4 * * * *", "30 0 4 * * * *"),
        ("61 * * * *", "61 * * * *"),
    ],
)
def test_a_schedule_in_words(schedule: str, said: str) -> None:
    assert in_words(schedule, "supercronic") == said


def test_debian_s_days_in_words() -> None:
    assert in_words("@reboot", "debian") == "when cron starts"
    assert in_words("30 4 * * sun", "debian") == "Sun at 04:30"
    assert in_words("0 0 13 * 5", "debian") == "on day 13 of the month or Fri at 00:00"
    assert in_words("0 0 */2 * 1", "debian") == "0 0 */2 * 1", "a day must match both"
