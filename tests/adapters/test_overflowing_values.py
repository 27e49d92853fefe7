"""Times and JSON from outside that overflow or nest too deeply are values that can't be read, never crashes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from bot.adapters.kubernetes.config import ConfigSource
from bot.adapters.kubernetes.credentials import claims_of, not_accepted
from bot.adapters.kubernetes.errors import status_of
from bot.adapters.sinks.health_bridge import client as bridge
from bot.adapters.slack import api, forms, inbound, shortcuts
from bot.domain.approvals import egress_policy
from bot.domain.core import words
from bot.domain.digest import checks
from bot.domain.health import host_keys, secret_memory
from bot.errors import Uncertain
from bot.services import change_log
from bot.services.follow import stop_requests
from sandbox.slack import seed

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
DEEP = [
    pytest.param("[" * 100_000, id="brackets"),
    pytest.param('{"c":' * 50_000, id="braces"),
    pytest.param('{"x":' + "[" * 50_000 + "]" * 50_000 + "}", id="whole"),
]
MANY = "9" * 5_000
"""A number that no float holds, and longer than Python reads."""
FAR = ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "9001-01-01T00:00:00+00:00"]
"""Times near the limits of datetime, where arithmetic would overflow."""
SHORT = [
    pytest.param("[" * 1_900, id="short brackets"),
    pytest.param('{"c":' * 390, id="short braces"),
    pytest.param('{"c":"status","x":' + "[" * 1_900, id="a command and brackets"),
]
"""Too deep as well, and as long as a value of Slack's may be."""


@pytest.mark.parametrize("value", SHORT)
def test_a_button_whose_value_cannot_be_read_is_none_of_the_bots(value: str) -> None:
    assert inbound._value("agentpod:run:0", value) == (None, None)
    button = {"type": "actions", "elements": [{"type": "button", "value": value}]}
    assert shortcuts.incidents_of({"user": seed.BOT_USER, "blocks": [button]}, seed.BOT_USER) == set()


def _window(kept: str) -> dict[str, Any]:
    view = {"callback_id": forms.CALLBACK, "private_metadata": kept, "state": {"values": {}}}
    return {"type": "view_submission", "user": {"id": "U1"}, "view": view}


KEPT = {"c": "status", "s": "", "ch": "C1", "u": "", "e": False}


def test_a_form_with_a_usable_value_is_read() -> None:
    assert forms.submission(_window(json.dumps(KEPT | {"at": 5}))) is not None


@pytest.mark.parametrize(
    "kept",
    [*DEEP, *(pytest.param(json.dumps(KEPT)[:-1] + f', "at": {at}}}', id=at[:9]) for at in ("1e999", MANY))],
)
def test_a_form_whose_values_cannot_be_read_is_none_of_the_bots(kept: str) -> None:
    assert forms.submission(_window(kept)) is None


@pytest.mark.parametrize("text", [*DEEP, *SHORT])
def test_slacks_answer_to_an_update_is_no_error_where_it_cannot_be_read(text: str) -> None:
    assert api._is_error(text) is False
    assert api._url_refusal(text).message == "Slack did not take the answer: refused."


def _token(claims: str) -> str:
    body = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
    return f"Bearer e30.{body}.e30"


@pytest.mark.parametrize(
    "claims", [*DEEP, *(pytest.param(f'{{"exp": {exp}}}', id=exp[:9]) for exp in ("1e999", "253402300800", MANY))]
)
def test_a_tokens_claims_that_cannot_be_read_are_none(claims: str) -> None:
    assert claims_of(_token(claims)) is None
    error = not_accepted("Unauthorized", _token(claims), ConfigSource((), None, None), NOW)
    assert error.message == "The API server does not accept the bot's credentials (401 Unauthorized)."


def test_a_token_that_ends_with_the_calendar_is_not_expired() -> None:
    error = not_accepted("no", _token('{"exp": 253402300799}'), ConfigSource((), None, None), NOW)
    assert "though its token is not expired" in error.message


@pytest.mark.parametrize("text", DEEP)
def test_an_answer_that_nests_too_deeply_is_shown_by_its_beginning(text: str) -> None:
    assert status_of(text.encode()).message == text[:200]
    with pytest.raises(Uncertain, match="without saying what it processed"):
        bridge._check_processed(_answer(text))


@pytest.mark.parametrize(
    "text", ['{"processed": 1e999, "total": 1}', f'{{"processed": 1, "total": {"9" * 5_000}}}']
)
def test_the_health_bridges_count_that_overflows_says_nothing(text: str) -> None:
    with pytest.raises(Uncertain, match="without saying what it processed"):
        bridge._check_processed(_answer(text))


def _answer(text: str) -> Any:
    return type("Answered", (), {"body": text.encode()})()


@pytest.mark.parametrize("text", DEEP)
def test_a_mark_of_the_ledger_that_nests_too_deeply_is_as_none(text: str) -> None:
    assert host_keys.from_json(text) is None
    assert secret_memory.from_json(text) is None
    assert checks.of_day(text, date(2026, 12, 1)) is None
    assert stop_requests._known(text) == {}
    assert change_log._from_json(text) is None
    assert egress_policy.metadata_of(text) == {}


@pytest.mark.parametrize("text", FAR)
def test_a_time_near_the_calendars_limits_is_none(text: str) -> None:
    assert words.moment_of(text) is None
    mark = json.dumps({"at": text, "order": "1", "key": "k", "state": {}})
    assert change_log._from_json(mark) is None
    assert change_log._from_json(mark.replace(text, NOW.isoformat())) is not None
