"""How the audit trail's records are displayed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.core.audit import Record
from bot.domain.core.reply import Mention, plain
from commands.admin.audit import line
from commands.shared.audit_words import about, said, when

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
    assert plain(said(record(kind, data), NOW)) == f"@{words}"


def test_people_are_mentions_and_a_shell_is_named() -> None:
    assert said(record("incident", {"what": "acked"}), NOW)[0] == Mention("U1")
    shell = replace(record("request", {"called": "restart"}), actor="terminal:root")
    assert plain(said(shell, NOW)) == "somebody in a shell (as root) asked for restart"
    by_bot = replace(record("outcome", {"state": "succeeded"}), actor="agentpod", subject="U0CAROL01")
    assert plain(said(by_bot, NOW)) == "agentpod succeeded"
    assert about(by_bot) == (Mention("U0CAROL01"),)
    assert about(record("request", {})) == "i-1"


def test_exported_records_keep_ids_as_they_are() -> None:
    assert json.loads(line(record("request", {})))["actor"] == "U1"


def test_a_record_of_another_day_shows_its_day() -> None:
    assert when(record("request", {}), NOW) == "13:40:00 UTC"
    assert when(record("request", {}, NOW - timedelta(days=2)), NOW) == "Fri 27 Nov, 13:40 UTC"
