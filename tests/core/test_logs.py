"""Logs: one line for people, one JSON object for machines, no secret in either."""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, cast

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
    with _configured("json", ["hunter2-secret"]):
        token = logs.request_id_var.set("r-42")
        logging.getLogger("agentpod.x").info("password hunter2-secret", extra={"port": 1})
        logs.request_id_var.reset(token)
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


class _Worded(int):
    """A number that is written as a word."""

    def __str__(self) -> str:
        return "hunter2"

    __repr__ = __str__


class _Kind(StrEnum):
    SECRET = "hunter2"
    OTHER = "other"


@contextmanager
def _configured(style: Literal["console", "json"], values: list[str]) -> Iterator[logging.Handler]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        yield logs.configure("info", style, values)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(False)


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
        _record("hello", who=_Worded(1)),
        _record("hello", who=_Kind.SECRET),
        _record("hello", who={"hunter2": 1}),
        _record("hello", who=[{"a": {"hunter2": "b"}}]),
        _record("hello", who="x", hunter2=1),
        _record(cast("str", {"hunter2": "hello"})),
        _record(cast("str", _Worded(1))),
        _record("hello", exc_text="hunter2"),
        logging.LogRecord("slack_sdk.web", logging.WARNING, "f.py", 1, "hunter2", (), None),
        logging.LogRecord("agentpodlike", logging.WARNING, "f.py", 1, "hunter2", (), None),
    ],
)
@pytest.mark.parametrize("style", ["console", "json"])
def test_every_other_line_is_redacted(record: logging.LogRecord, style: Literal["console", "json"]) -> None:
    with _configured(style, ["hunter2"]) as handler:
        line = handler.format(record)
    assert "hunter2" not in line


def test_names_in_a_json_line_that_need_no_redaction_stay() -> None:
    with _configured("json", ["hunter2"]) as handler:
        line = json.loads(handler.format(_record("hello", who={"a": [{"b": _Kind.OTHER}]}, port=1)))
    assert (line["who"], line["port"], line["level"]) == ({"a": [{"b": "other"}]}, 1, "INFO")


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
