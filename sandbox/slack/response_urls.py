"""Response URLs: five uses within thirty minutes."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from sandbox.slack.errors import SlackError
from sandbox.slack.message import Message
from sandbox.slack.seed import TEAM_ID
from sandbox.slack.store import Clock

USES = 5
LIFETIME_S = 1800.0
_KEPT = 20_000


@dataclass(slots=True, eq=False)
class ResponseUrl:
    """One response URL: its user, and what it has been used for.

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
        """A new URL of ``kind`` ``commands``, ``actions`` or ``app`` (a message shortcut's)."""
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
