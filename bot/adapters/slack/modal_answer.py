"""Answers in a modal what has no message to be answered below: clicks in the Home tab, and refused shortcuts.

A modal appears where the person is; a direct message would wait unseen behind another tab.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.adapters.slack import blocks, forms
from bot.adapters.slack.errors import SlackRefused
from bot.adapters.slack.inbound import ANSWER
from bot.adapters.slack.outbound import Answer
from bot.adapters.slack.pages import VIEW
from bot.adapters.slack.unfinished import IF_NOTHING_FOLLOWS
from bot.domain.core import labels
from bot.domain.core.reply import Reply
from bot.errors import AgentpodError

logger = logging.getLogger("agentpod.slack")
WAIT = Reply("⏳ Working on it…", body=(IF_NOTHING_FOLLOWS,), shareable=False)
ELSEWHERE = "The whole answer is in Messages, beside Home: this window can't show it."
MAX_NAME = 255
"""Slack's limit of characters in a view's external id."""


def modal(line: str, rendered: blocks.Rendered) -> dict[str, Any]:
    """Return the modal that shows the answer to a command line."""
    return {
        "type": "modal",
        "callback_id": ANSWER,
        "title": forms.plain_text(labels.of(line) or "agentpod", forms.MAX_TITLE),
        "close": forms.plain_text("Close", forms.MAX_TITLE),
        "blocks": rendered.messages[0].blocks,
    }


@dataclass
class ModalAnswer(Answer):
    """An answer in a modal; a direct message where the modal can't show it, is closed, or shows something else.

    Two clicks in one modal race for it. Each update carries the view's hash, so Slack refuses the later one's, and
    nobody loses a form that is being filled in. The view's external id is the request's own: it finds the modal
    where Slack's response with the view's id and hash was lost.
    """

    _place: dict[str, str] = field(default_factory=dict)
    """What an update names its view by; empty until the modal is opened."""

    def __post_init__(self) -> None:
        """Answer a click in a modal in the same one."""
        super().__post_init__()
        if self.request.view:
            self._place = {"view_id": self.request.view, "hash": self.request.view_hash}

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
        self.given = True
        reply = await self.api.clean(reply)
        fits = self._fits(reply)
        here = reply if fits else Reply(reply.headline, reply.verdict, body=(ELSEWHERE,), shareable=False)
        shown = await self._shows(here)
        if not shown:
            await self._shows(Reply(ELSEWHERE, shareable=False))
        if not shown or not fits:
            await super().final(reply, key)

    async def say(self, text: str) -> None:
        """See `Answer`."""
        await self.final(Reply(text, shareable=False), "")

    async def open_form(self, view: dict[str, Any]) -> None:
        """Turn the modal into a form. Raises AgentpodError."""
        await self._fill(view)

    def _fits(self, reply: Reply) -> bool:
        return not (reply.images or self._rendered(reply).files)

    def _rendered(self, reply: Reply) -> blocks.Rendered:
        outside, now = self.api.outside, datetime.now(UTC)
        return blocks.render(reply, prefix=self.prefix, tables=False, room=VIEW, outside=outside, now=now)

    async def _shows(self, reply: Reply) -> bool:
        """Show a reply in the modal, which is opened first if it is not yet; return whether that worked."""
        try:
            await self._fill(modal(self.request.line or "", self._rendered(reply)))
        except AgentpodError as error:
            logger.info("answer not shown in a modal: %s", error.message)
            return False
        return True

    async def _fill(self, view: dict[str, Any]) -> None:
        """Update the modal, or open it if it is not yet. Raises AgentpodError."""
        name = self.request.dedup[:MAX_NAME]
        try:
            view = await self._send({**view, "external_id": name})
        except AgentpodError as error:
            if not isinstance(error, SlackRefused) or error.word == "hash_conflict":  # it may have worked
                self._place = {"external_id": name}
            raise
        self._place = {"view_id": view["id"], "hash": view["hash"]}

    async def _send(self, view: dict[str, Any]) -> dict[str, Any]:
        """Return the view as Slack has it now."""
        if self._place:
            done = await self.api.call("views.update", 10, **self._place, view=view)
        else:
            done = await self.api.call("views.open", 3, trigger_id=self.request.trigger, view=view)
        return dict(done["view"])
