"""Slack's shortcuts: those of the lightning menu, and those in the menu of a message. Pure.

A shortcut runs a command line for the person who used it, with the rights that they have there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bot.adapters.slack.claims import of_person
from bot.adapters.slack.request import SlackRequest
from bot.domain.core import labels

Json = Mapping[str, Any]
_INCIDENT = re.compile(r"(?<![\w-])i-[a-z0-9]{7}(?![\w-])")
_NOTED = re.compile(rf"(?:{_INCIDENT.pattern})(?= ·|\Z)")
"""How small print names the incident that a message is about; elsewhere in it stand words that people chose."""
_UNKNOWN = "This shortcut no longer exists. /agentpod help lists what there is."
_NO_ALERT = (
    "That message is not an alert from agentpod. Use the shortcut on an alert; "
    "`/agentpod incidents` lists all incidents."
)
_SEVERAL = "That message is about several incidents. Choose one of them in `/agentpod incidents`."


@dataclass(frozen=True)
class Shortcut:
    """One shortcut of the manifest; ``line`` is run, with the id of the incident that it is ``about``, if any."""

    callback: str
    name: str
    description: str
    line: str
    kind: Literal["global", "message"] = "global"
    about: bool = False
    shared: bool = False
    """Whether the answer goes into the message's thread, for all who can read it."""


SHORTCUTS = (
    Shortcut("status", labels.of("status"), "All checks of the agent pod at once, worst first", "status"),
    Shortcut("restart", labels.of("restart"), "Opens a form for the reason; an approver decides", "restart"),
    Shortcut("incidents", labels.of("incidents"), "What is wrong now, and was within a day", "incidents"),
    Shortcut("approvals", labels.of("approvals"), "Requests that wait for a decision", "approvals"),
    Shortcut("help", labels.of("help"), "What you may run, and how", "help"),
    Shortcut(
        "ack", "Acknowledge incident", "On an alert: acknowledge it for all to see", "ack", "message", about=True
    ),
    Shortcut(
        "report",
        "Report of this incident",
        "On an alert: what happened, in order",
        "report",
        "message",
        about=True,
    ),
    Shortcut(
        "status_here",
        "Status into the thread",
        "Answers a message with the pod's status, in its thread, for all",
        "status",
        "message",
        shared=True,
    ),
)
"""In the order of the manifest. Slack takes at most 24 characters of a name, and 150 of a description."""


def read(body: Json, bot_user: str) -> SlackRequest:
    """Return the request of a shortcut's payload; its line is None where nothing can be run."""
    kind = "global" if body.get("type") == "shortcut" else "message"
    found = next((s for s in SHORTCUTS if s.kind == kind and s.callback == body.get("callback_id")), None)
    person, message = _object(body.get("user")), _object(body.get("message"))
    user = str(person.get("id", ""))
    channel = str(_object(body.get("channel")).get("id") or user)
    thread = str(message.get("thread_ts") or "") or None
    line, said = _line(found, message, bot_user)
    return SlackRequest(
        "shortcut",
        user,
        channel,  # a global shortcut has none: it is answered by direct message
        line,
        f"shortcut:{body.get('trigger_id') or body.get('action_ts')}",
        response_url=str(body.get("response_url") or ""),
        thread_ts=thread,
        trigger=str(body.get("trigger_id") or ""),
        claims=of_person(person),
        in_thread=thread is not None,
        below=(thread or str(message.get("ts") or "")) if found is not None and found.shared else "",
        said=said,
    )


def _line(shortcut: Shortcut | None, message: Json, bot_user: str) -> tuple[str | None, str]:
    """Return the line to run, or None and what is answered instead."""
    if shortcut is None:
        return None, _UNKNOWN
    if not shortcut.about:
        return shortcut.line, ""
    ids = incidents_of(message, bot_user)
    if len(ids) == 1:
        return f"{shortcut.line} {next(iter(ids))}", ""
    return None, _SEVERAL if ids else _NO_ALERT


def incidents_of(message: Json, bot_user: str) -> set[str]:
    """Return the ids of the incidents that a message of the bot's own is about, by its buttons and small print.

    Other authors' messages are about none: they could name an incident that they don't show.
    """
    if not bot_user or message.get("user") != bot_user:
        return set()
    return {id_ for text in _machine_texts(message.get("blocks")) for id_ in _INCIDENT.findall(text)}


def _machine_texts(blocks: object) -> Iterator[str]:
    """The lines of the message's buttons, and the ids with which elements of its contexts begin."""
    for block in blocks if isinstance(blocks, list) else []:
        for element in _elements(block):
            text, value = element.get("text"), element.get("value")
            if block.get("type") == "context" and isinstance(text, str):
                yield found[0] if (found := _NOTED.match(text)) else ""
            elif block.get("type") == "actions" and isinstance(value, str):
                yield _command(value)


def _elements(block: object) -> Iterator[Json]:
    elements = block.get("elements") if isinstance(block, dict) else None
    yield from (one for one in (elements if isinstance(elements, list) else []) if isinstance(one, dict))


def _command(value: str) -> str:
    """The first two words of a button's line: behind them stand texts of any kind."""
    try:
        line = json.loads(value)["c"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return " ".join(line.split()[:2]) if isinstance(line, str) else ""


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}
