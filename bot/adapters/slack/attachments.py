"""Attaches an answer's files; they are uploaded before the answer names them, and sent as text if that fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot.adapters.slack.api import Api
from bot.adapters.slack.delivery import patiently
from bot.adapters.slack.draft import PIECE, File, pieces
from bot.adapters.slack.errors import may_have_worked
from bot.adapters.slack.fallbacks import escape
from bot.adapters.slack.request import SlackRequest
from bot.errors import AgentpodError

logger = logging.getLogger("agentpod.slack")

AS_TEXT = 9_000
"""Maximum characters of files that are sent as a message instead."""


@dataclass(frozen=True)
class Attached:
    """The result of attaching an answer's files."""

    note: str = ""
    """Where the files are, or why they could not be attached."""
    whole: bool = True
    """Whether the whole content can be read somewhere in Slack."""


@dataclass
class Attachments:
    """Attaches an answer's files. Files can't be ephemeral: those of a private answer go to a direct message."""

    api: Api
    request: SlackRequest
    prefix: str
    private: bool
    """Whether only the requester sees the answer."""

    async def bring(self, files: Sequence[File]) -> Attached:
        """Attach files, or send their text instead. Never raises AgentpodError."""
        if not files:
            return Attached()
        names = ", ".join(f.name for f in files)
        try:
            ids = {await patiently(self.api, partial(self.api.hand_in, f.name, f.content)): f.name for f in files}
            channel, thread, where = await self._place(names)
        except AgentpodError as error:
            return await self._instead(files, names, error)
        try:
            await patiently(self.api, partial(self.api.attach, ids, channel, thread))
        except AgentpodError as error:
            return await self._incomplete(files, names, error, (channel, thread))
        return Attached(f"{names}: {where}.")

    async def _place(self, names: str) -> tuple[str, str | None, str]:
        """Return the channel and thread for the files, and its name in words.

        Posting to a user's id opens the direct message without the scope im:write.
        """
        request = self.request
        if not self.private:
            return request.channel, request.thread_ts, "attached here"
        post = partial(self.api.call, "chat.postMessage", channel=request.user, text=self._title(names))
        done = await patiently(self.api, post)
        return str(done["channel"]), str(done["ts"]), "in your direct messages with me"

    def _title(self, names: str) -> str:
        line = self.api.outside.text(self.request.line or "")[:200]
        return escape(f"For your {self.prefix} {line}: {names}")

    async def _incomplete(
        self, files: Sequence[File], names: str, error: AgentpodError, place: tuple[str, str | None]
    ) -> Attached:
        """Handle a failed last step; a direct message that already names the files is corrected."""
        if may_have_worked(error):
            there = "in your direct messages with me" if self.private else "here"
            return Attached(f"{names} may be attached {there}: Slack did not confirm it ({error.message})")
        attached = await self._instead(files, names, error)
        if self.private and place[1]:
            text = f"{self._title(names)}\n{escape(attached.note)}"
            try:
                await self.api.call("chat.update", 10, channel=place[0], ts=place[1], text=text)
            except AgentpodError as failure:
                logger.info("the message that names the files was not updated: %s", failure.message)
        return attached

    async def _instead(self, files: Sequence[File], names: str, error: AgentpodError) -> Attached:
        """Send the content as a message if it fits in one."""
        logger.warning("file not attached: %s", error.message)
        why = f"{names} could not be attached: {error.message} {error.remedy or ''}".strip()
        if sum(len(f.content) for f in files) > AS_TEXT:
            long = f"It is too long for a message: {self._in_a_terminal()}"
            return Attached(f"{why} {long}", whole=False)
        try:
            await patiently(self.api, partial(self._post, files, names))
        except AgentpodError as failure:
            logger.warning("file not sent as text either: %s", failure.message)
            return Attached(f"{why} {self._in_a_terminal()}", whole=False)
        there = "in your direct messages with me" if self.private else "in this conversation"
        return Attached(f"{why} Its text is {there}.")

    def _in_a_terminal(self) -> str:
        return f"in a terminal, agentpod {(self.request.line or '').strip()[:200]} shows all of it."

    async def _post(self, files: Sequence[File], names: str) -> None:
        request = self.request
        where: dict[str, Any] = {"channel": request.user if self.private else request.channel}
        if not self.private and request.thread_ts:
            where["thread_ts"] = request.thread_ts
        await self.api.call("chat.postMessage", 10, text=self._title(names), blocks=list(_blocks(files)), **where)


def _blocks(files: Sequence[File]) -> Iterator[dict[str, Any]]:
    """Yield blocks with the files' content in a fixed-width font."""
    for file in files:
        title = {"type": "text", "text": file.name, "style": {"bold": True}}
        yield {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [title]}]}
        for piece in pieces(file.content, PIECE):
            shown = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": piece}]}
            yield {"type": "rich_text", "elements": [shown]}
