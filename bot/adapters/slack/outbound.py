"""How an answer gets to whoever asked: response URL, thread or direct message, and what else if that fails."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from bot.adapters.slack import blocks
from bot.adapters.slack.api import Api, SlackObserver
from bot.adapters.slack.blocks import File, Message, Rendered
from bot.adapters.slack.errors import SlackRefused, UrlSpent
from bot.adapters.slack.inbound import Request
from bot.adapters.slack.pictures import BAD_BLOCKS, hosted, sent
from bot.domain.reply import Reply
from bot.errors import AgentpodError

logger = logging.getLogger("agentpod.slack")

FIRST_PROGRESS = 0.8
"""Seconds before a first partial answer: most commands are done by then."""
BETWEEN_PROGRESS = 1.0
MAX_PROGRESS = 2
MAX_UPDATE_TEXT = 4_000


@dataclass
class Answer:
    """One request's answer: partial ones, then the final one."""

    api: Api
    observer: SlackObserver
    request: Request
    prefix: str
    started: float = field(default_factory=time.monotonic)
    _shown: int = 0
    _last: float = 0.0
    _ts: str | None = None
    _posted_channel: str = ""

    async def progress(self, reply: Reply) -> None:
        """Show a partial answer, sparingly; one that fails is no loss."""
        now = time.monotonic()
        early = now - self.started < FIRST_PROGRESS or now - self._last < BETWEEN_PROGRESS
        if early or self._shown >= MAX_PROGRESS or not self._can_edit():
            return
        self._shown += 1
        self._last = now
        rendered = blocks.render(reply, prefix=self.prefix, buttons=False)
        try:
            await self._send(rendered.messages[0], replace=True, final=False)
        except AgentpodError as error:
            logger.info("partial answer not shown: %s", error.message)

    async def final(self, reply: Reply, key: str) -> None:
        """Deliver the answer. Whatever Slack refuses is tried in a plainer way before it is given up."""
        rendered = blocks.render(await hosted(self.api, reply), key=key, prefix=self.prefix)
        note = await self._files(rendered.files)
        for number, message in enumerate(rendered.messages):
            last = number == len(rendered.messages) - 1
            await self._deliver(_noted(message, note) if last and note else message, replace=number == 0)

    async def say(self, text: str) -> None:
        """Deliver one plain sentence."""
        message = blocks.render(Reply(headline=text, shareable=False), buttons=False).messages[0]
        await self._deliver(message, replace=False)

    def _can_edit(self) -> bool:
        """A click's response URL edits the clicked message, which is right for "run again" alone."""
        request = self.request
        if not self._by_url:
            return True
        return request.surface == "slash" or request.edits or self._replaces_click

    @property
    def _replaces_click(self) -> bool:
        action = self.request.action
        return bool(action and action.kind == "again" and self.request.ephemeral)

    @property
    def _by_url(self) -> bool:
        """Slash commands, and clicks anywhere but in a direct message with the bot."""
        request = self.request
        in_dm = request.surface == "button" and request.channel.startswith("D") and not request.ephemeral
        return bool(request.response_url) and not in_dm

    async def _deliver(self, message: Message, *, replace: bool) -> None:
        try:
            await sent(lambda content: self._send(content, replace=replace), message)
        except AgentpodError as error:
            await self._otherwise(message, error)

    async def _send(self, message: Message, *, replace: bool, final: bool = True) -> None:
        if self._by_url:
            edit = replace and self._can_edit()
            payload = _payload(message) | {"response_type": "ephemeral", "replace_original": edit}
            if self.request.thread_ts and not edit:
                payload["thread_ts"] = self.request.thread_ts
            await self.api.respond(self.request.response_url, payload, 30 if final else 5)
        elif replace and self._ts:
            await self._update(message)
        else:
            await self._post(message)

    async def _update(self, message: Message) -> None:
        """Edit what was posted. chat.update takes less text than chat.postMessage: longer text goes below."""
        long = len(message.text) > MAX_UPDATE_TEXT
        payload = {"text": "Done: the answer follows.", "blocks": []} if long else _payload(message)
        await self.api.call("chat.update", **payload, channel=self._posted_channel, ts=self._ts)
        if long:
            await self._post(message)

    async def _post(self, message: Message) -> None:
        arguments = _payload(message) | {"channel": self.request.channel, "unfurl_links": False}
        if self.request.thread_ts:
            arguments["thread_ts"] = self.request.thread_ts
        done = await self.api.call("chat.postMessage", **arguments)
        self._ts, self._posted_channel = str(done.get("ts")), str(done.get("channel") or self.request.channel)

    async def _otherwise(self, message: Message, error: AgentpodError) -> None:
        """The usual way failed: an ephemeral message where the question was, else a direct message."""
        spent = isinstance(error, UrlSpent)
        logger.log(logging.INFO if spent else logging.WARNING, "answer takes another way: %s", error.message)
        request = self.request
        ways: list[tuple[str, dict[str, Any]]] = [
            ("chat.postEphemeral", {"channel": request.channel, "user": request.user}),
            ("chat.postMessage", {"channel": request.user}),
        ]
        for method, where in ways:
            for content in (message, Message(blocks.plain(message), [])):
                try:
                    await self.api.call(method, **_payload(content), **where)
                    return
                except SlackRefused as refused:
                    error = refused
                    if refused.word not in BAD_BLOCKS:
                        break
                except AgentpodError as failure:
                    error = failure
                    break
        self.observer.delivery_failed(type(error).__name__)
        logger.error("answer lost: %s", error.message, extra={"user": request.user, "channel": request.channel})

    async def _files(self, files: tuple[File, ...]) -> str:
        """Attach files; a sentence that says where they are, or why they are not."""
        if not files:
            return ""
        names = ", ".join(f.name for f in files)
        try:
            channel, thread, where = await self._file_place(names)
            for file in files:
                await self.api.upload(file.name, file.content, channel, thread)
        except AgentpodError as error:
            logger.warning("file not attached: %s", error.message)
            return f"{names} could not be attached: {error.message} {error.remedy or ''}".strip()
        return f"{names}: {where}."

    async def _file_place(self, names: str) -> tuple[str, str | None, str]:
        """Files can't be ephemeral. Posting to a user's id opens the direct message without im:write."""
        request = self.request
        if not self._by_url:
            return request.channel, request.thread_ts, "attached here"
        text = blocks.escape(f"For your {self.prefix} {(request.line or '')[:200]}: {names}")
        done = await self.api.call("chat.postMessage", channel=request.user, text=text)
        return str(done["channel"]), str(done["ts"]), "in your direct messages with me"


def _payload(message: Message) -> dict[str, Any]:
    return {"text": message.text, "blocks": message.blocks}


def _noted(message: Message, note: str) -> Message:
    line = {"type": "context", "elements": [{"type": "plain_text", "text": note[:600], "emoji": False}]}
    at = len(message.blocks) - (message.blocks[-1:] != [] and message.blocks[-1]["type"] == "actions")
    return Message(message.text, [*message.blocks[:at], line, *message.blocks[at:]])


async def share(api: Api, request: Request, rendered: Rendered, text: str) -> None:
    """Post an answer into the clicked message's channel in the name of who clicked. Raises AgentpodError."""
    by = {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": f"Shared by <@{request.user}>: {text}", "verbatim": True}],
    }
    for number, message in enumerate(rendered.messages):
        content = Message(message.text, [by, *message.blocks] if number == 0 else message.blocks)
        payload = _payload(content)
        try:
            await _publish(api, request, payload)
        except SlackRefused as error:
            if error.word not in BAD_BLOCKS:
                raise
            plain = f"Shared by <@{request.user}>:\n{blocks.plain(message)}"
            await _publish(api, request, payload | {"text": plain, "blocks": []})
    if request.ephemeral:
        with contextlib.suppress(AgentpodError):  # what was private is out already: two copies do no harm
            await api.respond(request.response_url, {"delete_original": True})


async def _publish(api: Api, request: Request, payload: dict[str, Any]) -> None:
    """By the response URL, which works where the app is no member; else as an ordinary message."""
    try:
        public = {"response_type": "in_channel", "replace_original": False}
        await api.respond(request.response_url, payload | public)
    except UrlSpent:
        await api.call("chat.postMessage", channel=request.channel, **payload)
