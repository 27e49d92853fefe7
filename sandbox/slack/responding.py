"""Responses: what an app can do with a response URL or in an acknowledgement."""

from __future__ import annotations

from typing import Any

from sandbox.slack.core import Core
from sandbox.slack.errors import SlackError, rate_limited
from sandbox.slack.message import Message
from sandbox.slack.model import Json
from sandbox.slack.response_urls import ResponseUrl
from sandbox.slack.seed import BOT_USER

MAX_TEXT = 40_000


def use(core: Core, path: str, payload: Any) -> None:
    """Handle a POST to a response URL. Raises SlackError with an HTTP status of 4xx or 5xx."""
    if core.faults.rate_limited:
        raise rate_limited(core.faults.rate_limited)
    if core.faults.server_error:
        raise SlackError("internal_error", status=500)
    if core.faults.url_spent:
        raise SlackError("used_url", status=404)
    if not isinstance(payload, dict):
        raise SlackError("invalid_payload", status=400)
    url = core.urls.take(path)
    try:
        respond(core, url, payload)
    except SlackError as error:
        raise SlackError(error.word, error.messages, status=400) from error


def respond(core: Core, url: ResponseUrl, payload: Json) -> None:
    """Carry out a response, including one in an acknowledgement. Raises SlackError."""
    if payload.get("delete_original"):
        if url.last is not None:
            core.store.delete(url.last)
            url.last = None
        return
    content = _content(core, payload)
    if payload.get("replace_original") and url.last is not None:
        _replace(core, url.last, content)
        return
    ephemeral = payload.get("response_type", "ephemeral") != "in_channel"
    message = core.bot_message(
        url.channel,
        thread_ts=payload.get("thread_ts"),
        ephemeral_for=url.user if ephemeral else None,
        **content,
    )
    core.store.add(message)
    url.messages.append(message)
    if url.source is None:
        url.last = message


def _content(core: Core, payload: Json) -> Json:
    text = payload.get("text") or ""
    if not isinstance(text, str):
        raise SlackError("invalid_payload")
    if len(text) > MAX_TEXT:
        raise SlackError("msg_too_long")
    found = core.checked_blocks(payload.get("blocks"))
    attachments = payload.get("attachments") or []
    if not text and not found and not attachments:
        raise SlackError("no_text")
    return {"text": text, "blocks": found, "attachments": attachments}


def _replace(core: Core, message: Message, content: Json) -> None:
    message.text, message.blocks = content["text"], content["blocks"]
    message.attachments = content["attachments"]
    if message.ephemeral_for is None:
        message.edited = {"user": BOT_USER, "ts": core.store.next_ts()}
    core.store.changed(message)
