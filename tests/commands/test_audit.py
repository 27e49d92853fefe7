"""How the audit trail's records are displayed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.core.audit import Record
from bot.domain.core.reply import Mention, plain
from commands.admin import audit
from commands.admin.audit import line
from commands.shared.audit_words import about, said, said_about, when
from tests.commands.fakes import World
from tests.times import utc

NOW = datetime(2026, 11, 29, 13, 40, tzinfo=UTC)


def record(kind: str, data: dict[str, Any], at: datetime = NOW) -> Record:
    return Record(1, at, kind, "U1", "i-1", data)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("incident", {"what": "snoozed"}, "U1 snoozed the incident"),
        ("decision", {"choice": "approve"}, "U1 approved it"),
        ("decision", {"choice": "deny", "reason": "not now"}, "U1 denied it (not now)"),
        ("decision", {"choice": "break-glass"}, "U1 approved it alone (break-glass)"),
        ("execution", {"by": "bot-1"}, "U1 checked once more whether to begin it"),
        ("execution", {"by": "bot-1", "taken_over_from": "bot-2"}, "U1 took it over"),
        ("execution", {"by_hand": True, "labels": {"job": "a"}}, "U1 began to push the heartbeat"),
        (
            "request",
            {"action": "image set", "image": "ghcr.io/a/kali:1.1.0", "instead_of": "x", "reason": "crash test"},
            "U1 asked for image set 1.1.0 (crash test)",
        ),
        ("read", {"line": "cron edit"}, "U1 ran cron edit"),
        ("read", {"line": "cron edit", "form": True}, "U1 opened the form of cron edit"),
        ("refusal", {"rule": "no"}, "U1 was refused: no"),
        ("refusal", {"rule": "only-the-requester"}, "U1 was refused: only the requester can withdraw it"),
        (
            "refusal",
            {"rule": "no", "more": 1, "until": "2026-11-29T13:21:18+00:00"},
            "U1 was refused: no (once more: 13:21 UTC)",
        ),
        (
            "refusal",
            {"rule": "no", "more": 40, "until": "2026-11-27T13:21:18+00:00"},
            "U1 was refused: no (40 more times, last: Fri 27 Nov, 13:21 UTC)",
        ),
        ("refusal", {"rule": "no", "more": 2}, "U1 was refused: no (2 more times)"),
    ],
)
def test_a_record_is_summarised_in_one_line(kind: str, data: dict[str, Any], words: str) -> None:
    assert utc(plain(said(record(kind, data))), NOW) == f"@{words}"


def test_people_are_mentions_and_a_shell_is_named() -> None:
    assert said(record("incident", {"what": "acked"}))[0] == Mention("U1")
    shell = replace(record("request", {"called": "restart"}), actor="terminal:root")
    assert plain(said(shell)) == "somebody in a shell (as root) asked for restart"
    by_bot = replace(record("outcome", {"state": "succeeded"}), actor="agentpod", subject="U0CAROL01")
    assert plain(said(by_bot)) == "the request succeeded"
    ended = replace(by_bot, data={"state": "succeeded", "text": "kali runs 1.1.0"}, subject="r-8ya2b496")
    assert plain(said_about(ended, "image set 1.1.0")) == (
        "image set 1.1.0 succeeded: kali runs 1.1.0 (r-8ya2b496)"
    )
    void = replace(ended, data={"state": "void", "text": "the encrypted file was changed"})
    assert plain(said(void, "configs rotate")) == "void: the encrypted file was changed"
    step = replace(ended, kind="execution", data={"step": 1, "exit_code": 0})
    assert plain(said(step)) == "step 1 ended with exit code 0"
    unknown = replace(step, data={"step": 1, "exit_code": None})
    assert plain(said(unknown)) == "nobody knows how step 1 ended"
    named = replace(step, data={"step": "policy", "begins": True})
    assert plain(said(named)) == "step policy begins"
    made = replace(step, data={"step": "policy", "result": "it was deleted and created again"})
    assert plain(said(made)) == "step policy ended: it was deleted and created again"
    begun = replace(ended, kind="execution", data={})
    assert plain(said_about(begun)) == "the bot checked once more whether to begin r-8ya2b496"
    assert about(by_bot) == (Mention("U0CAROL01"),)
    read = replace(record("read", {"line": "cron", "target": "east"}), subject="cron")
    assert (plain(said(read)), about(read)) == ("@U1 ran cron", "east")
    assert about(replace(record("preferences", {}), subject="U1")) == "-", "the sentence says whose"
    approved = record("decision", {"choice": "approve"})
    assert plain(said(approved, "restart --force")) == "@U1 approved restart --force"
    assert about(record("request", {})) == "i-1"


def test_exported_records_keep_ids_as_they_are() -> None:
    assert json.loads(line(record("request", {})))["actor"] == "U1"


def test_a_record_of_another_day_shows_its_day() -> None:
    assert utc(when(record("request", {}), NOW), NOW) == "13:40:00 UTC"
    assert utc(when(record("request", {}, NOW - timedelta(days=2)), NOW), NOW) == "Fri 27 Nov, 13:40 UTC"


class Trail:
    """A ledger with 23 records."""

    async def records(self, *, since: datetime, limit: int, newest: bool = False) -> AsyncIterator[Record]:
        found = [replace(record("read", {"line": "cron"}), number=n, at=since) for n in range(3, 26)]
        for one in (found[::-1] if newest else found)[:limit]:
            yield one


@pytest.mark.parametrize(
    ("tail", "headline"),
    [(12, "The last 12 of 23 records of the last 7 d"), (23, "23 records of the last 7 d")],
)
async def test_a_part_of_the_records_is_called_so(tail: int, headline: str) -> None:
    ctx = replace(World().context(), ledger=Trail(), repairs=object())  # type: ignore[arg-type]
    assert (await audit.run(ctx, audit.AuditParams(tail=tail))).headline == headline
