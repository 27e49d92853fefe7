"""Posts and edits the messages that the bot sends by itself: cards, progress and direct messages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from bot.adapters.slack import blocks
from bot.adapters.slack.api import Api
from bot.adapters.slack.blocks import Message
from bot.adapters.slack.errors import SlackRefused, UrlSpent
from bot.adapters.slack.pages import MESSAGE
from bot.adapters.slack.pictures import hosted, sent
from bot.adapters.slack.precedence import Precedence
from bot.domain.core.reply import Reply
from bot.domain.outbox.message import MessageRef
from bot.errors import AgentpodError, NotFound

logger = logging.getLogger("agentpod.slack")

DEADLINE = 8.0
"""Seconds for sending a message once its pictures are uploaded; shorter than the outbox's lease on it."""
INFO = 5.0
"""Seconds for reading whether a channel is shared, or a message's address."""
MOST_TEXT = 4_000
_SHARED = ("is_ext_shared", "is_pending_ext_shared")
"""Marks of a channel with people of another company, or to which some are invited."""
GONE = frozenset({"cant_update_message", "edit_window_closed", "cannot_reply_to_message"})


class SlackChat:
    """The Chat port on Slack's Web API. Calls are not retried here: the outbox decides when to."""

    def __init__(self, api: Api, prefix: str, precedence: Precedence | None = None, *, ahead: bool = True) -> None:
        """``prefix`` is how people address the bot; with ``ahead``, ``precedence`` sends these before answers."""
        self._api, self._prefix, self._precedence = api, prefix, precedence or Precedence()
        self._ahead = ahead

    async def post(self, place: str, reply: Reply, *, thread: str | None = None) -> MessageRef:
        """See the port. A user's id opens the direct message with them."""
        more = {"thread_ts": thread} if thread else {}
        try:
            async with self._turn(place):
                done = await self._say("chat.postMessage", reply, channel=place, unfurl_links=False, **more)
        except SlackRefused as error:
            raise _gone(error) from error
        posted = MessageRef(str(done.get("channel") or place), str(done.get("ts") or ""))
        if thread and not done.get("message", more).get("thread_ts"):
            await self._take_back(posted)
            raise NotFound("The message that it belongs under is gone.")
        return posted

    async def is_shared(self, place: str) -> bool:
        """See the port. A channel that the bot doesn't see is none that it can post in."""
        if not place.startswith(("C", "G")):
            return False
        try:
            answer = await self._api.call("conversations.info", INFO, channel=place)
        except SlackRefused as error:
            if error.word == "channel_not_found":
                return False
            raise
        found = answer.get("channel")
        return not isinstance(found, dict) or any(found.get(key) for key in _SHARED)

    async def permalink(self, at: MessageRef) -> str:
        """See the port. A message that is gone has none."""
        try:
            found = await self._api.call("chat.getPermalink", INFO, channel=at.channel, message_ts=at.ts)
        except SlackRefused as error:
            logger.info("a message has no permalink: %s", error.word)
            return ""
        return str(found.get("permalink") or "")

    @contextlib.asynccontextmanager
    async def _turn(self, place: str) -> AsyncIterator[None]:
        if self._ahead:
            with self._precedence.first(place):
                yield
        else:
            async with self._precedence.turn(place):
                yield

    async def _take_back(self, stray: MessageRef) -> None:
        """Delete a reply to a deleted message: Slack does not refuse it, but posts it to the channel."""
        try:
            await self._api.once("chat.delete", DEADLINE, channel=stray.channel, ts=stray.ts)
        except AgentpodError as error:
            logger.warning("a stray message could not be deleted: %s", error.message, extra={"ts": stray.ts})

    async def edit(self, at: MessageRef, reply: Reply) -> None:
        """See the port."""
        try:
            await self._say("chat.update", reply, channel=at.channel, ts=at.ts)
        except SlackRefused as error:
            raise _gone(error) from error

    async def respond(self, url: str, reply: Reply) -> None:
        """See the port."""
        message = self._message(await hosted(self._api, await self._api.clean(reply)))

        async def send(content: Message) -> None:
            payload = {"text": content.text, "blocks": content.blocks, "replace_original": True}
            await self._api.respond(url, {**payload, "response_type": "ephemeral"}, DEADLINE)

        try:
            await sent(send, message)
        except (UrlSpent, SlackRefused) as error:
            raise NotFound(error.message) from error

    async def _say(self, method: str, reply: Reply, **where: Any) -> dict[str, Any]:
        message = self._message(await hosted(self._api, await self._api.clean(reply)))
        until = asyncio.get_running_loop().time() + DEADLINE

        async def send(content: Message) -> dict[str, Any]:
            left = until - asyncio.get_running_loop().time()
            text = content.text[:MOST_TEXT]
            return await self._api.once(method, left, text=text, blocks=content.blocks, **where)

        return await sent(send, message)

    def _message(self, reply: Reply) -> Message:
        """Render the one message, without the files that only an answer has."""
        rendered = blocks.render(
            reply,
            prefix=self._prefix,
            attached=False,
            room=MESSAGE,
            outside=self._api.outside,
            now=datetime.now(UTC),
            name_of=self._api.name_of,
        )
        return rendered.messages[0]


def _gone(error: SlackRefused) -> AgentpodError:
    """Return NotFound for a message that can't be edited or replied to any more, else the error itself."""
    return NotFound(error.message) if error.word in GONE else error
