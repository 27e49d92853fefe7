"""How the audit trail's records are displayed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.core.audit import Record
from commands.admin.audit import said, when

NOW = datetime(2026, 11, 29, 13, 40, tzinfo=UTC)


def record(kind: str, data: dict[str, Any], at: datetime = NOW) -> Record:
    return Record(1, at, kind, "U1", "i-1", data)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("incident", {"what": "snoozed"}, "U1 snoozed it"),
        ("refusal", {"rule": "no"}, "U1 refused: no"),
        (
            "refusal",
            {"rule": "no", "more": 1, "until": "2026-11-29T13:21:18+00:00"},
            "U1 refused: no (once more until 13:21 UTC)",
        ),
        (
            "refusal",
            {"rule": "no", "more": 40, "until": "2026-11-27T13:21:18+00:00"},
            "U1 refused: no (40 more times until Fri 27 Nov, 13:21 UTC)",
        ),
        ("refusal", {"rule": "no", "more": 2}, "U1 refused: no (2 more times)"),
    ],
)
def test_a_record_is_summarised_in_one_line(kind: str, data: dict[str, Any], words: str) -> None:
    assert said(record(kind, data), NOW) == words


def test_a_record_of_another_day_shows_its_day() -> None:
    assert when(record("request", {}), NOW) == "13:40:00 UTC"
    assert when(record("request", {}, NOW - timedelta(days=2)), NOW) == "Fri 27 Nov, 13:40 UTC"
