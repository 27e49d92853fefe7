"""Structured logs on stderr, as console lines or JSON; each line has the id of the request that caused it."""

from __future__ import annotations

import logging
import re
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import Enum
from typing import Literal, cast

from bot.domain.core import moments
from bot.domain.core.outside import Outside

request_id_var: ContextVar[str] = ContextVar("request_id", default="")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id", "taskName"}

OWN = "agentpod"
"""What the names of this project's loggers begin with."""
_WORDLESS = frozenset({type(None), bool, int, float, datetime})
"""Types of values without words; a subclass may have some."""

TOKEN = re.compile(r"x(?:ox[a-z]|app)-[A-Za-z0-9-]{6,}")
"""Matches Slack's tokens."""


def new_request_id() -> str:
    """A short id for one command, such as ``req-1a2b3c4d``. (Ids of repair requests begin with ``r-``.)"""
    return "req-" + secrets.token_hex(4)


class Redactor(logging.Filter):
    """Redacts known secret values, and whatever looks like a secret, in every log line."""

    def __init__(self, values: Iterable[str] | Outside) -> None:
        """``values`` are the settings' secrets; those shorter than six characters are not redacted."""
        super().__init__()
        self._outside = values if isinstance(values, Outside) else Outside(values)

    def clean(self, text: str) -> str:
        """The text without secrets and control characters."""
        return moments.bare(self._outside.text(text))

    def of(self, value: object) -> object:
        """The same for any value that JSON can hold, and the names in it; others are turned into text first."""
        plain = _jsonable(value)
        names = list(dict.fromkeys(_names(plain)))
        clean = self._outside.of(names)
        values = self._outside.of(plain)
        return values if clean is names else _renamed(values, dict(zip(names, clean, strict=True)))


def _names(value: object) -> Iterator[str]:
    """The names in all mappings of a value."""
    if isinstance(value, dict):
        yield from value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _names(part)


def _renamed(value: object, names: Mapping[str, str]) -> object:
    if isinstance(value, dict):
        return {names[name]: _renamed(part, names) for name, part in value.items()}
    return [_renamed(part, names) for part in value] if isinstance(value, list) else value


def _jsonable(value: object) -> object:
    if isinstance(value, Enum):
        return _jsonable(value.value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return moments.bare(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): _jsonable(part) for name, part in value.items()}
    return [_jsonable(part) for part in value] if isinstance(value, list | tuple) else str(value)


def _extras(record: logging.LogRecord) -> dict[str, object]:
    fields = {k: v for k, v in vars(record).items() if k not in _STANDARD and not k.startswith("_")}
    if request_id := request_id_var.get():
        fields["request_id"] = request_id
    return fields


def _has_only_our_words(record: logging.LogRecord) -> bool:
    """Whether there is nothing to redact: a message without arguments, and no fields but numbers and times.

    The messages in this project are literals, which a test holds. The first text to be redacted waits tens of
    milliseconds for the patterns, so the lines before Slack's connection must not need them.
    """
    return (
        (record.name == OWN or record.name.startswith(f"{OWN}."))
        and type(record.msg) is str
        and not (record.args or record.exc_info or record.exc_text or record.stack_info)
        and all(type(value) in _WORDLESS for value in _extras(record).values())
    )


class ConsoleFormatter(logging.Formatter):
    """``22:15:04 INFO  agentpod.slack  connected  connections=1``."""

    def __init__(self, redactor: Redactor) -> None:
        """Format with ``redactor`` applied to the whole line."""
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one line, followed by its traceback if it has one."""
        time = datetime.fromtimestamp(record.created, tz=UTC).strftime("%H:%M:%S")
        fields = "".join(f"  {k}={_shown(v)}" for k, v in _extras(record).items())
        line = f"{time} {record.levelname:7s} {record.name}: {record.getMessage()}{fields}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line if _has_only_our_words(record) else self._redactor.clean(line)


def _shown(value: object) -> str:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return repr(text) if not text or any(c.isspace() for c in text) else text


def _json_formatter(redactor: Redactor) -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    class RedactingFormatter(JsonFormatter):
        def add_fields(
            self, log_data: dict[str, object], record: logging.LogRecord, message_dict: dict[str, object]
        ) -> None:
            super().add_fields(log_data, record, message_dict)
            if request_id := request_id_var.get():
                log_data["request_id"] = request_id
            fit = _jsonable if _has_only_our_words(record) else redactor.of
            shown = cast("dict[str, object]", fit(dict(log_data)))
            log_data.clear()
            log_data.update(shown)

    return RedactingFormatter(
        "%(levelname)s %(name)s %(message)s",
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
    )


def configure(
    level: str, style: Literal["auto", "console", "json"], secret_values: Iterable[str] | Outside = ()
) -> logging.Handler:
    """Send all logs to stderr, those of libraries from level warning on; returns the handler.

    ``secret_values`` are redacted, and so is whatever looks like a secret.
    """
    redactor = Redactor(secret_values)
    people = style == "console" or (style == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ConsoleFormatter(redactor) if people else _json_formatter(redactor))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("agentpod").setLevel(level.upper())
    logging.captureWarnings(True)
    return handler
