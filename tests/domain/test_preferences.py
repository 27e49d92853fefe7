"""People's preferences: what is read from their words, and when quiet hours are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.stored import Unreadable
from bot.domain.outbox.preferences import (
    SEVERITIES,
    Preferences,
    from_json,
    in_zone,
    quiet_hours,
    severities,
    to_json,
)

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
NIGHT = Preferences("U1", ("critical",), "22:00-07:00", "Europe/Berlin")
TIMES = st.times().map(lambda t: f"{t:%H:%M}")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("22:00-07:00", "22:00-07:00"),
        (" 22:00 – 7:00 ", "22:00-07:00"),
        ("0:00-6:30", "00:00-06:30"),
        ("none", ""),
        ("None", ""),
    ],
)
def test_quiet_hours_are_read(text: str, read: str) -> None:
    assert quiet_hours(text) == read


@pytest.mark.parametrize(
    "text", ["", "22-7", "22:00", "24:00-07:00", "22:60-07:00", "always", "22:00-07:00-08:00"]
)
def test_other_words_are_no_quiet_hours(text: str) -> None:
    with pytest.raises(ValueError, match=r"22:00-07:00, or none"):
        quiet_hours(text)


def test_quiet_hours_of_no_length_are_refused() -> None:
    with pytest.raises(ValueError, match="two different times"):
        quiet_hours("07:00-7:00")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("critical", ("critical",)),
        ("Warning, critical", SEVERITIES),
        ("all", SEVERITIES),
        ("none", ()),
    ],
)
def test_severities_are_read(text: str, read: tuple[str, ...]) -> None:
    assert severities(text) == read


@pytest.mark.parametrize("text", ["", " ", ",", "urgent", "critical, urgent", "all, critical"])
def test_other_words_are_no_severities(text: str) -> None:
    with pytest.raises(ValueError, match="critical, warning, all or none"):
        severities(text)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-30T21:59:59+01:00", None),
        ("2026-11-30T22:00:00+01:00", "2026-12-01T07:00:00+01:00"),
        ("2026-12-01T06:59:59+01:00", "2026-12-01T07:00:00+01:00"),
        ("2026-12-01T07:00:00+01:00", None),
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),  # the clocks go forward that night
        ("2026-10-25T01:00:00+02:00", "2026-10-25T07:00:00+01:00"),  # and back
    ],
)
def test_quiet_hours_are_in_the_persons_own_time(now: str, until: str | None) -> None:
    assert NIGHT.held_until("critical", at(now)) == (at(until) if until else None)


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        ("02:30-03:15", "2026-03-29T01:59:00+01:00", None),
        ("02:30-03:15", "2026-03-29T03:00:00+02:00", "2026-03-29T03:15:00+02:00"),
        ("22:00-02:30", "2026-03-29T01:59:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("22:00-02:30", "2026-03-29T03:00:00+02:00", None),
        ("02:10-02:50", "2026-03-29T03:00:00+02:00", None),  # there is no such time that night
        ("22:00-02:30", "2026-10-25T01:00:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("22:00-02:30", "2026-10-25T02:15:00+01:00", "2026-10-25T02:30:00+01:00"),
        ("02:30-07:00", "2026-10-25T02:30:00+02:00", "2026-10-25T07:00:00+01:00"),
    ],
)
def test_quiet_hours_at_an_hour_that_clocks_skip_or_show_twice(quiet: str, now: str, until: str | None) -> None:
    one = Preferences("U1", SEVERITIES, quiet, "Europe/Berlin")
    assert one.held_until("warning", at(now)) == (at(until) if until else None)


def test_critical_alerts_may_break_through_and_nothing_else() -> None:
    one = Preferences("U1", SEVERITIES, "22:00-07:00", "Europe/Berlin", wake=True, requests="awake")
    night = at("2026-12-01T03:00:00+01:00")
    assert one.held_until("critical", night) is None
    assert one.held_until("warning", night) == one.requests_held_until(night) == at("2026-12-01T07:00:00+01:00")


@pytest.mark.parametrize("requests", ["always", "never"])
def test_requests_obey_quiet_hours_only_on_demand(requests: str) -> None:
    one = Preferences("U1", quiet="22:00-07:00", requests=requests)  # type: ignore[arg-type]
    assert one.requests_held_until(datetime(2026, 12, 1, 3, tzinfo=UTC)) is None


@given(
    TIMES,
    TIMES,
    st.sampled_from(ZONES),
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
)
def test_a_moment_is_quiet_as_the_clock_on_the_wall_says(first: str, last: str, zone: str, now: datetime) -> None:
    if first == last:
        return
    period = Preferences("U1", quiet=f"{first}-{last}", zone=zone).quiet_period(now)
    wall = f"{now.astimezone(ZoneInfo(zone)):%H:%M}"
    inside = first <= wall < last if first < last else wall >= first or wall < last
    if period is not None:
        assert period.begin <= now < period.end
        assert period.end - period.begin <= timedelta(hours=26)
    shift = now.astimezone(ZoneInfo(zone)).utcoffset()
    steady = all(
        (now + timedelta(hours=h)).astimezone(ZoneInfo(zone)).utcoffset() == shift for h in range(-49, 50, 7)
    )
    assert not steady or (period is not None) == inside


@given(
    st.builds(
        Preferences,
        user=st.just("U1"),
        alerts=st.sampled_from([(), ("critical",), SEVERITIES]),
        quiet=st.sampled_from(["", "22:00-07:00", "00:30-06:00"]),
        zone=st.sampled_from(ZONES),
        wake=st.booleans(),
        requests=st.sampled_from(["always", "awake", "never"]),
    )
)
def test_what_is_saved_is_read_as_it_was(one: Preferences) -> None:
    assert from_json(to_json(one)) == one


def test_a_stored_zone_that_is_unknown_here_is_utc() -> None:
    assert in_zone(NIGHT, "Mars/Olympus").zone == "UTC"
    assert from_json(to_json(NIGHT).replace("Europe/Berlin", "../../etc/passwd")).zone == "UTC"


@pytest.mark.parametrize("text", ["", "[]", '{"v":1}', None, '{"v":1,"user":"U1","requests":"sometimes"}'])
def test_other_bodies_are_refused(text: object) -> None:
    with pytest.raises(Unreadable):
        from_json(text)
