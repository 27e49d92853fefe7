"""Validates the structure of payloads before Bolt or the bot reads them.

Bolt and the SDK rely on the documented structure and raise if a part has another type. Invalid payloads are
refused here, for Socket Mode and HTTP alike, so that no later code has to expect them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

MAX_TEXT = 40_000
"""Maximum characters of a text: Slack's limit for a message."""
MAX_WORD = 3_000
"""Maximum characters of an id, an address, or a form's private data."""
MAX_DEPTH = 40
MAX_FIELDS = 100

ShapeCheck = Callable[[object], bool]


def _text(most: int) -> ShapeCheck:
    def check(value: object) -> bool:
        return value is None or (isinstance(value, str) and len(value) <= most and _writable(value))

    return check


def _writable(text: str) -> bool:
    """Whether every database and encoding accepts a text: it has no lone surrogates and no NUL."""
    if text.isascii():
        return "\0" not in text
    return not any("\ud800" <= c <= "\udfff" or c == "\0" for c in text)


_word, _long = _text(MAX_WORD), _text(MAX_TEXT)


def _object(parts: Mapping[str, ShapeCheck]) -> ShapeCheck:
    def check(value: object) -> bool:
        return value is None or (isinstance(value, dict) and _fits(value, parts))

    return check


def _either(*checks: ShapeCheck) -> ShapeCheck:
    return lambda value: any(check(value) for check in checks)


def _list_of(check: ShapeCheck) -> ShapeCheck:
    return lambda value: (
        value is None or (isinstance(value, list) and len(value) <= MAX_FIELDS and all(map(check, value)))
    )


def _given(check: ShapeCheck) -> ShapeCheck:
    return lambda value: value is not None and check(value)


def _fits(value: Mapping[Any, Any], parts: Mapping[str, ShapeCheck]) -> bool:
    return all(check(value[name]) for name, check in parts.items() if name in value)


_IDS: Mapping[str, ShapeCheck] = dict.fromkeys(
    (
        "type",
        "id",
        "user_id",
        "channel_id",
        "team_id",
        "enterprise_id",
        "user_team",
        "source_team",
        "context_team_id",
        "context_enterprise_id",
        "app_installed_team_id",
        "event_id",
        "event_ts",
        "action_ts",
        "ts",
        "thread_ts",
        "message_ts",
        "trigger_id",
        "response_url",
        "callback_id",
        "private_metadata",
        "hash",
        "action_id",
        "block_id",
        "channel_type",
        "subtype",
        "bot_id",
        "tab",
        "command",
        "name",
        "username",
        "user_name",
        "function_execution_id",
        "bot_access_token",
        "challenge",
        "ssl_check",
    ),
    _word,
)
_NAMED = _object(_IDS)
_WHO = _either(_word, _NAMED)
_AUTHORIZATION = _given(
    _object({**_IDS, "user": _WHO, "team": _WHO, "enterprise": _WHO, "authorizations": lambda _: False})
)
_INNER: Mapping[str, ShapeCheck] = {**_IDS, "user": _WHO, "channel": _WHO, "team": _WHO, "enterprise": _WHO}
_NESTED: Mapping[str, ShapeCheck] = dict.fromkeys(("event", "authorizations"), lambda _: False)
"""Refuses keys that Bolt searches for in every part, while Slack has them at the top level only."""
_NO_MORE: Mapping[str, ShapeCheck] = dict.fromkeys(
    ("message", "previous_message", "item", "assistant_thread"), lambda _: False
)
_MESSAGE = _object({**_INNER, **_NESTED, **_NO_MORE, "text": _long})
_ACTION = _given(_object({**_IDS, "value": _word, "selected_option": _object({"value": _word})}))
_VALUES = _object({})
_VIEW = _object({**_IDS, "state": _object({"values": _VALUES})})
_PARTS: Mapping[str, ShapeCheck] = {
    **_INNER,
    "text": _long,
    "event": _object(
        {
            **_INNER,
            **_NESTED,
            "text": _long,
            "item": _either(_word, _MESSAGE),
            "message": _MESSAGE,
            "previous_message": _MESSAGE,
            "assistant_thread": _MESSAGE,
            "inputs": _object({}),
            "function": _NAMED,
        }
    ),
    "view": _VIEW,
    "container": _NAMED,
    "message": _MESSAGE,
    "previous_message": _MESSAGE,
    "item": _either(_word, _MESSAGE),
    "assistant_thread": _MESSAGE,
    "function_data": _object({"execution_id": _word, "inputs": _object({})}),
    "actions": _list_of(_ACTION),
    "authorizations": _list_of(_AUTHORIZATION),
    "response_urls": _given(_list_of(_given(_object({"response_url": _word})))),
}
_BY_PEOPLE = frozenset(["block_actions", "view_submission", "view_closed", "shortcut", "message_action"])
"""Payload types in which users and channels are objects with an id."""
_OURS = frozenset(["app_mention", "message", "app_home_opened", "member_joined_channel"])
"""Event types in which users and channels are ids."""
_PEOPLE = ("user", "channel", "team", "enterprise")


def sound(body: object) -> bool:
    """Whether a payload has Slack's structure, and no part exceeds Slack's limits."""
    if not isinstance(body, dict) or not _fits(body, _PARTS) or _depth(body) > MAX_DEPTH:
        return False
    kind = body.get("type")
    if kind == "event_callback":
        return _sound_event(body["event"]) if isinstance(body.get("event"), dict) else False
    if not _has_its_parts(kind, body):
        return False
    return all((_NAMED if kind in _BY_PEOPLE else _WHO if kind else _word)(body.get(part)) for part in _PEOPLE)


def _sound_event(event: Mapping[str, Any]) -> bool:
    if not isinstance(event.get("type"), str):
        return False
    return event["type"] not in _OURS or all(_word(event.get(part)) for part in _PEOPLE)


def _has_its_parts(kind: object, body: Mapping[str, Any]) -> bool:
    """Whether a payload has the parts that Bolt expects of its type."""
    if kind in ("block_actions", "interactive_message") and not body.get("actions"):
        return False
    view = body.get("view")
    if kind in ("view_submission", "view_closed") and not (
        isinstance(view, dict) and isinstance(view.get("type"), str)
    ):
        return False
    step = kind == "workflow_step_edit" or (isinstance(view, dict) and view.get("type") == "workflow_step")
    return not step and body.get("event", {}) is not None


def _depth(value: object) -> int:
    """Return the nesting depth, without recursion; counting stops beyond `MAX_DEPTH`."""
    level: list[object] = [value]
    depth = 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(v for v in one.values() if isinstance(v, dict | list))
            elif isinstance(one, list):
                inner.extend(v for v in one if isinstance(v, dict | list))
        level = inner
    return depth


def envelope(frame: str) -> dict[str, Any] | None:
    """Parse a Socket Mode frame; None if it has not Slack's structure."""
    try:
        found = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not _fits(found, {"type": _word, "envelope_id": _word, "reason": _word}):
        return None
    return found if "payload" not in found or isinstance(found["payload"], dict) else None


def form(body: str, content_type: str) -> dict[str, Any] | None:
    """Parse a request's body in HTTP mode as Bolt does; None if it can't be parsed to an object."""
    try:
        if content_type == "application/json" or body.startswith("{"):
            found = json.loads(body)
        else:
            fields = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS))
            found = json.loads(fields["payload"]) if "payload" in fields else fields
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
