"""Messages that the bot sends by itself: cards, progress and direct messages, edited as things go on."""

from __future__ import annotations

from typing import Any

from bot.adapters.slack import blocks
from bot.adapters.slack.api import Api
from bot.adapters.slack.blocks import Message
from bot.adapters.slack.errors import SlackRefused
from bot.adapters.slack.pictures import hosted, sent
from bot.domain.repair import Posted
from bot.domain.reply import Reply
from bot.errors import NotFound

DEADLINE = 8.0
"""Seconds for one call: less than a delivery is held for."""
GONE = frozenset({"cant_update_message", "edit_window_closed", "thread_not_found"})


class SlackChat:
    """The Chat port on Slack's Web API."""

    def __init__(self, api: Api, prefix: str) -> None:
        """``prefix`` is how people address the bot."""
        self._api, self._prefix = api, prefix

    async def post(self, place: str, reply: Reply, *, thread: str | None = None) -> Posted:
        """See the port. A user's id opens the direct message with them."""
        more = {"thread_ts": thread} if thread else {}

        async def send(message: Message) -> dict[str, Any]:
            content = {"text": message.text, "blocks": message.blocks, "unfurl_links": False}
            return await self._api.call("chat.postMessage", DEADLINE, channel=place, **content, **more)

        done = await sent(send, self._message(await hosted(self._api, reply)))
        return Posted(str(done.get("channel") or place), str(done.get("ts") or ""))

    async def edit(self, at: Posted, reply: Reply) -> None:
        """See the port."""
        message = self._message(await hosted(self._api, reply))
        try:
            await self._api.call(
                "chat.update", DEADLINE, channel=at.channel, ts=at.ts, text=message.text, blocks=message.blocks
            )
        except SlackRefused as error:
            if error.word in GONE:
                raise NotFound(error.message) from error
            raise

    def _message(self, reply: Reply) -> Message:
        """One message: what does not fit is left to the command that shows all of it."""
        message = blocks.render(reply, prefix=self._prefix).messages[0]
        return Message(message.text[:4_000], message.blocks)
