"""Retry-After is limited, whatever its value."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.core import retry_after

NOW = datetime(2026, 11, 29, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("86400", 120.0),
        ("9" * 200, 120.0),
        ("Sun, 29 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 29 Nov 2026 10:00:30 -0000", 30.0),
        ("Mon, 30 Nov 2026 10:00:00 GMT", 120.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 120.0),
        ("Sun, 29 Nov 2020 10:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("+5", None),
        ("NaN", None),
        ("inf", None),
        ("1e9", None),
        ("٣", None),
        ("soon", None),
        ("Sun, 99 Nov 2026 99:99:99 GMT", None),
        ("5, 6", None),
        ("x" * 100_000, None),
    ],
)
def test_a_value_is_a_number_or_a_date_and_limited_to_two_minutes(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after.seconds(value, NOW) == seconds


def test_a_shortened_pause_is_reported() -> None:
    assert retry_after.said("86400", NOW) == " It asked for a pause of 1 d; agentpod tries again after 2 min."
    assert retry_after.said("100", NOW) == ""
    assert retry_after.said("garbage", NOW) == ""
