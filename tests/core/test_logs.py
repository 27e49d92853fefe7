"""Logs: one line for people, one JSON object for machines, no secret in either."""

from __future__ import annotations

import ast
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

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


class _Counting(logs.Redactor):
    """A redactor that notes what it is given."""

    def __init__(self) -> None:
        super().__init__([])
        self.given: list[str] = []

    def clean(self, text: str) -> str:
        self.given.append(text)
        return super().clean(text)


def test_a_line_of_literals_numbers_and_times_needs_no_redaction() -> None:
    redactor = _Counting()
    at = datetime(2026, 11, 29, 12, tzinfo=UTC)
    line = logs.ConsoleFormatter(redactor).format(_record("listening", port=8080, at=at))
    assert line.endswith("agentpod.x: listening  port=8080  at=2026-11-29T12:00:00+00:00")
    assert redactor.given == []


@pytest.mark.parametrize(
    "record",
    [
        _record("hello %s", "hunter2"),
        _record("hello", who="hunter2"),
        _record("hello", who=["hunter2"]),
        logging.LogRecord("slack_sdk.web", logging.WARNING, "f.py", 1, "hunter2", (), None),
    ],
)
def test_every_other_line_is_redacted(record: logging.LogRecord) -> None:
    line = logs.ConsoleFormatter(logs.Redactor(["hunter2"])).format(record)
    assert "hunter2" not in line


def test_every_message_that_is_logged_is_a_literal() -> None:
    """What comes from outside goes into arguments and fields: a message without any is not redacted."""
    root = Path(logs.__file__).parents[1]
    files = [file for part in ("bot", "commands") for file in (root / part).rglob("*.py")]
    calls = [(file, call) for file in files for call in _log_calls(ast.parse(file.read_text()))]
    assert len(calls) > 50
    wrong = [f"{file.relative_to(root)}:{call.lineno}" for file, call in calls if not _is_literal(call)]
    assert wrong == []


def _log_calls(tree: ast.AST) -> Iterator[ast.Call]:
    levels = {"debug", "info", "warning", "error", "exception", "critical", "log"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in levels:
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "logger":
                yield node


def _is_literal(call: ast.Call) -> bool:
    message = call.args[1 if call.func.attr == "log" else 0]  # type: ignore[attr-defined]
    return isinstance(message, ast.Constant) and isinstance(message.value, str)
