"""Response URLs: five uses within thirty minutes; what each use may do."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.slack.errors import SlackError, rate_limited
from sandbox.slack.message import Message
from sandbox.slack.model import Json
from sandbox.slack.seed import BOT_USER, TEAM_ID
from sandbox.slack.store import Clock

if TYPE_CHECKING:
    from sandbox.slack.core import Core

USES = 5
LIFETIME_S = 1800.0
_KEPT = 20_000
MAX_TEXT = 40_000


@dataclass(slots=True, eq=False)
class ResponseUrl:
    """One URL: for whom it was made, what it has been used for.

    ``source`` is the clicked message (None for a slash command); ``last`` the message that
    replace_original and delete_original mean; ``messages`` all that came through it or its ack.
    """

    path: str
    channel: str
    user: str
    created: float
    source: Message | None = None
    last: Message | None = None
    uses: int = 0
    messages: list[Message] = field(default_factory=list)


class ResponseUrls:
    """All response URLs, by path."""

    def __init__(self, clock: Clock) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._urls: OrderedDict[str, ResponseUrl] = OrderedDict()

    def issue(self, kind: str, channel: str, user: str, source: Message | None = None) -> ResponseUrl:
        """A new URL of ``kind`` ``commands`` or ``actions``."""
        path = f"/{kind}/{TEAM_ID}/{secrets.randbelow(10**13)}/{secrets.token_urlsafe(18)}"
        url = ResponseUrl(path, channel, user, self._clock(), source, source)
        self._urls[path] = url
        if len(self._urls) > _KEPT:
            self._urls.popitem(last=False)
        return url

    def take(self, path: str) -> ResponseUrl:
        """Count one use. Raises SlackError (HTTP 404) invalid_url, expired_url or used_url."""
        url = self._urls.get(path)
        if url is None:
            raise SlackError("invalid_url", status=404)
        if self._clock() - url.created > LIFETIME_S:
            raise SlackError("expired_url", status=404)
        if url.uses >= USES:
            raise SlackError("used_url", status=404)
        url.uses += 1
        return url


def use(core: Core, path: str, payload: Any) -> None:
    """A POST to a response URL. Raises SlackError with an HTTP status of 4xx or 5xx."""
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
    """Do what a response (also one in an acknowledgement) asks for. Raises SlackError."""
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
