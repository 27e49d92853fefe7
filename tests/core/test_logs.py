"""Logs: one line for people, one object for machines, no secret in either."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import logs


def _record(message: str = "hello %s", *args: object, **extra: object) -> logging.LogRecord:
    record = logging.LogRecord("agentpod.x", logging.INFO, "f.py", 1, message, args, None)
    record.__dict__.update(extra)
    return record


def test_a_line_for_people_has_time_level_logger_words_and_fields() -> None:
    line = logs.ConsoleFormatter(logs.Redactor([])).format(_record("hello %s", "you", port=8080, where="a b"))
    assert line.endswith("INFO    agentpod.x: hello you  port=8080  where='a b'")


def test_a_line_for_machines_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        handler = logs.configure("info", "json", ["hunter2-secret"])
        handler.setStream(sys.stderr)
        token = logs.request_id_var.set("r-42")
        logging.getLogger("agentpod.x").info("password hunter2-secret", extra={"port": 1})
        logs.request_id_var.reset(token)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(False)
    line = json.loads(capsys.readouterr().err)
    assert line["message"] == "password [redacted]"
    assert (line["level"], line["logger"], line["port"], line["request_id"]) == ("INFO", "agentpod.x", 1, "r-42")


@given(st.text(st.characters(categories=["L", "N"]), min_size=6, max_size=40), st.text(max_size=20))
def test_no_known_secret_survives(secret: str, around: str) -> None:
    cleaned = logs.Redactor([secret]).clean(f"{around}{secret}{around}")
    assert secret not in cleaned.replace("[redacted]", "")


@pytest.mark.parametrize("token", ["xoxb-1234567890-abc", "xapp-1-A0-123456", "xoxp-abcdef-123"])
def test_whatever_looks_like_a_slack_token_is_removed(token: str) -> None:
    assert token not in logs.Redactor([]).clean(f"Bearer {token}, and so on")
