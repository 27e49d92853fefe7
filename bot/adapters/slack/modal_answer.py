"""Answers in a modal what has no message to be answered below: clicks in the Home tab, and refused shortcuts.

A modal appears where the person is; a direct message would wait unseen behind another tab.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.adapters.slack import blocks, forms
from bot.adapters.slack.inbound import ANSWER
from bot.adapters.slack.outbound import Answer
from bot.domain.core import labels
from bot.domain.core.reply import Reply
from bot.errors import AgentpodError

logger = logging.getLogger("agentpod.slack")
MOST_BLOCKS = 100
"""Slack's limit of blocks in a view."""
WAIT = Reply("⏳ Working on it…", shareable=False)
ELSEWHERE = "The whole answer is in Messages, beside Home: it does not fit in this window."


def modal(line: str, rendered: blocks.Rendered) -> dict[str, Any]:
    """Return the modal that shows the answer to a command line."""
    shown = [block for message in rendered.messages for block in message.blocks]
    return {
        "type": "modal",
        "callback_id": ANSWER,
        "title": forms.plain_text(labels.of(line) or "agentpod", forms.MAX_TITLE),
        "close": forms.plain_text("Close", forms.MAX_TITLE),
        "blocks": shown[:MOST_BLOCKS],
    }


@dataclass
class ModalAnswer(Answer):
    """An answer in a modal; a direct message where it has a file or picture, or where the modal is not open."""

    _view: str = ""

    def __post_init__(self) -> None:
        """Answer a click in a modal in the same one."""
        super().__post_init__()
        self._view = self.request.view

    @property
    def follows(self) -> bool:
        """A modal is not updated after its answer."""
        return False

    async def begin(self) -> None:
        """Open the modal before the command runs: Slack lets a click open one for three seconds only."""
        await self._shows(WAIT)

    async def progress(self, reply: Reply) -> None:
        """Show no partial answers."""

    async def final(self, reply: Reply, key: str) -> None:
        """See `Answer`."""
        reply = await self.api.clean(reply)
        fits = not (reply.images or self._rendered(reply).files)
        here = reply if fits else Reply(reply.headline, reply.verdict, body=(ELSEWHERE,), shareable=False)
        if not await self._shows(here) or not fits:
            await super().final(reply, key)

    async def say(self, text: str) -> None:
        """See `Answer`."""
        await self.final(Reply(text, shareable=False), "")

    async def open_form(self, view: dict[str, Any]) -> None:
        """Turn the modal into a form. Raises AgentpodError."""
        if self._view:
            await self.api.call("views.update", 10, view_id=self._view, view=view)
        else:
            await super().open_form(view)

    def _rendered(self, reply: Reply) -> blocks.Rendered:
        outside, now = self.api.outside, datetime.now(UTC)
        return blocks.render(reply, prefix=self.prefix, tables=False, outside=outside, now=now)

    async def _shows(self, reply: Reply) -> bool:
        """Show a reply in the modal, which is opened first if it is not yet; return whether that worked."""
        view = modal(self.request.line or "", self._rendered(reply))
        try:
            if self._view:
                await self.api.call("views.update", 10, view_id=self._view, view=view)
            else:
                opened = await self.api.call("views.open", 3, trigger_id=self.request.trigger, view=view)
                self._view = str(opened["view"]["id"])
        except AgentpodError as error:
            logger.info("answer not shown in a modal: %s", error.message)
            return False
        return True
