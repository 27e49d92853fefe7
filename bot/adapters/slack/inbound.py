"""Converts Bolt's payloads (commands, clicks, forms, shortcuts, workflow steps, events) to requests. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.adapters.slack import forms
from bot.adapters.slack.claims import of_event, of_person
from bot.adapters.slack.request import Action, ActionKind, SlackRequest
from bot.adapters.slack.typed import command_line
from bot.runbook.context import Surface

RUN, AGAIN, SHARE = "agentpod:run", "agentpod:again", "agentpod:share"
LINK = "agentpod:link"
"""A button that opens a page: Slack reports the click, which has to be acknowledged and asks for nothing."""
ANSWER = "agentpod:answer"
"""The callback of a modal that shows an answer."""
MAX_VALUE = 2000
"""Slack's limit of characters in a button's value."""
_KINDS: dict[str, ActionKind] = {"run": "run", "again": "again", "share": "share"}


def below_message(request: SlackRequest) -> SlackRequest:
    """Have a click answered for all in the clicked message's thread, if all can see that message.

    A message that only the user sees, and one in a direct message or the Home tab, keeps its private answer.
    """
    public = request.surface == "button" and not request.ephemeral and not request.channel.startswith("D")
    shares = request.action is not None and request.action.kind == "share"
    if not public or shares or not request.message_ts:
        return request
    return replace(request, below=request.thread_ts or request.message_ts)


def read(body: Mapping[str, Any], bot_user: str, names: Sequence[str] = ()) -> SlackRequest | None:
    """Return the request in a payload, or None if it is not for the bot. ``names``: see `typed.command_line`."""
    if "command" in body and "type" not in body:
        return _slash(body, bot_user, names)
    if body.get("type") == "block_actions":
        return _click(body)
    if body.get("type") == "view_submission":
        return _submitted(body)
    if body.get("type") in ("shortcut", "message_action"):
        from bot.adapters.slack import shortcuts  # at its first use: most days nobody uses one

        return shortcuts.read(body, bot_user)
    if body.get("type") == "event_callback":
        return _event(body, bot_user, names)
    return None


def _slash(body: Mapping[str, Any], bot_user: str, names: Sequence[str]) -> SlackRequest:
    return SlackRequest(
        "slash",
        str(body.get("user_id", "")),
        str(body.get("channel_id", "")),
        command_line(str(body.get("text") or ""), bot_user, names),
        f"slash:{body.get('trigger_id') or body.get('response_url')}",
        response_url=str(body.get("response_url") or ""),
        trigger=str(body.get("trigger_id") or ""),
        claims=of_person(body),
    )


def _submitted(body: Mapping[str, Any]) -> SlackRequest:
    """Read a submitted form. The modal has the place of the answer; an unreadable one is answered directly."""
    person = _object(body.get("user"))
    user, claims = str(person.get("id", "")), of_person(person)
    view_id = (body.get("view") or {}).get("id") if isinstance(body.get("view"), dict) else None
    dedup = f"form:{view_id or body.get('trigger_id')}"
    sent = forms.submission(body)
    if sent is None:
        return SlackRequest("modal", user, user, None, dedup, claims=claims)
    origin = sent.origin
    return SlackRequest(
        "modal",
        user,
        origin.channel or user,
        sent.line,
        dedup,
        response_url=origin.response_url,
        thread_ts=origin.thread_ts,
        answers=sent.answers,
        sink=sent.sink,
        edits=origin.edits,
        home=origin.home,
        message_ts=origin.message_ts,
        since=origin.since,
        trigger=str(body.get("trigger_id") or ""),
        claims=claims,
    )


def _event(body: Mapping[str, Any], bot_user: str, names: Sequence[str]) -> SlackRequest | None:
    event = body.get("event")
    if isinstance(event, dict) and event.get("type") == "function_executed":
        from bot.adapters.slack import steps  # at its first use: most workspaces have no such workflow

        return steps.read(event)
    if isinstance(event, dict) and event.get("type") == "member_joined_channel":
        return _joined(body, event, bot_user)
    if isinstance(event, dict) and event.get("type") == "assistant_thread_started":
        from bot.adapters.slack import prompts  # at its first use: few apps have the assistant's view

        return prompts.read(body, event)
    if not isinstance(event, dict) or event.get("bot_id") or event.get("subtype") or event.get("hidden"):
        return None
    user, text = event.get("user"), str(event.get("text") or "")
    if not user or user == bot_user or event.get("edited"):
        return None
    if event.get("type") == "app_home_opened":
        return _opened(body, event) if event.get("tab") == "home" else None
    surface: Surface
    if event.get("type") == "app_mention":
        surface = "mention"
    elif event.get("type") == "message" and event.get("channel_type") == "im":
        surface = "dm"
    else:
        return None
    ts = str(event.get("ts") or "")
    thread = str(event.get("thread_ts") or "") or None
    channel = str(event.get("channel") or "")
    key = f"event:{body.get('event_id') or channel + ts}"
    said, place = command_line(text, bot_user, names), thread or _own(surface, ts)
    claims = of_event(body, event)
    return SlackRequest(
        surface, str(user), channel, said, key, thread_ts=place, claims=claims, in_thread=thread is not None
    )


def _joined(body: Mapping[str, Any], event: Mapping[str, Any], bot_user: str) -> SlackRequest | None:
    """Return the request to welcome a channel, if it is the bot that has joined it."""
    channel = event.get("channel")
    if (
        not bot_user
        or event.get("user") != bot_user
        or not isinstance(channel, str)
        or channel[:1] not in ("C", "G")
    ):
        return None
    key = f"event:{body.get('event_id') or channel + str(event.get('event_ts'))}"
    return SlackRequest("joined", bot_user, channel, None, key, joined=True)


def _opened(body: Mapping[str, Any], event: Mapping[str, Any]) -> SlackRequest:
    """Return the request to show the dashboard, for a user who opened the Home tab."""
    user = str(event["user"])
    key = f"event:{body.get('event_id') or user + str(event.get('event_ts'))}"
    return SlackRequest("home", user, user, "dashboard", key, home=True, claims=of_event(body, event))


def _own(surface: Surface, ts: str) -> str | None:
    """Return the thread of the answer: below a mention; none for a direct message."""
    return ts if surface == "mention" else None


def _click(body: Mapping[str, Any]) -> SlackRequest | None:
    actions = body.get("actions")
    if not isinstance(actions, list) or not actions or not isinstance(actions[0], dict):
        return None
    first = actions[0]
    if str(first.get("action_id", "")).startswith(f"{LINK}:"):
        return None
    place = body.get("container") or {}
    person = _object(body.get("user"))
    user = str(person.get("id", ""))
    # A click in the Home tab, or in a modal above it, has no conversation: it is answered in a modal.
    view = _object(body.get("view"))
    modal = str(view.get("id") or "") if view.get("callback_id") == ANSWER else ""
    home = view.get("type") == "home" or bool(modal)
    channel = (body.get("channel") or {}).get("id") or place.get("channel_id") or (user if home else "")
    wanted, action = _value(str(first.get("action_id", "")), _given(first))
    return SlackRequest(
        "button",
        user,
        str(channel),
        wanted,
        f"click:{body.get('trigger_id') or first.get('action_ts')}",
        response_url=str(body.get("response_url") or ""),
        thread_ts=place.get("thread_ts"),
        action=action,
        ephemeral=bool(place.get("is_ephemeral")),
        trigger=str(body.get("trigger_id") or ""),
        home=home,
        view=modal,
        view_hash=str(view.get("hash") or ""),
        message_ts=str(place.get("message_ts") or ""),
        claims=of_person(person),
    )


def _given(action: Mapping[str, Any]) -> object:
    """Return a button's value, or that of the selected menu option."""
    picked = action.get("selected_option")
    return picked.get("value") if isinstance(picked, dict) else action.get("value")


def _value(action_id: str, value: object) -> tuple[str | None, Action | None]:
    """Return a button's command line and action; (None, None) if the bot did not create the button."""
    prefix, _, rest = action_id.partition(":")
    kind = _KINDS.get(rest.partition(":")[0])
    if prefix != "agentpod" or kind is None or not isinstance(value, str) or len(value) > MAX_VALUE:
        return None, None
    try:
        given = json.loads(value)
        line, key = given["c"], given.get("k", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, None
    if not isinstance(line, str) or not isinstance(key, str) or len(key) > 40 or not line.isprintable():
        return None, None
    return line, Action(kind, key)


def value(line: str, key: str = "") -> str | None:
    """Return the value of a button for a command line; None if the line is too long for one."""
    text = json.dumps({"c": line, "k": key} if key else {"c": line}, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= MAX_VALUE else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
