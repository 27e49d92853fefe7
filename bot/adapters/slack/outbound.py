"""Sends answers to the requester by response URL, thread or direct message, with fallbacks if that fails."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.adapters.slack import blocks
from bot.adapters.slack.api import Api, SlackObserver
from bot.adapters.slack.attachments import Attachments
from bot.adapters.slack.blocks import Message, Rendered
from bot.adapters.slack.delivery import MAX_USES, Delivery, Way, mark, noted, patiently
from bot.adapters.slack.errors import SlackRefused, UrlSpent, may_have_worked
from bot.adapters.slack.fallbacks import escape
from bot.adapters.slack.mailbox import Mailbox
from bot.adapters.slack.pages import MAX_CHARACTERS, MAX_MESSAGES, MESSAGE
from bot.adapters.slack.pictures import BAD_BLOCKS, hosted, sent
from bot.adapters.slack.precedence import Precedence
from bot.adapters.slack.request import SlackRequest
from bot.adapters.slack.unfinished import CUT_SHORT, IF_NOTHING_FOLLOWS
from bot.domain.core.reply import Reply
from bot.errors import AgentpodError, Permanent

logger = logging.getLogger("agentpod.slack")

FIRST_PROGRESS = 0.8
"""Seconds before a first partial answer: most commands are done by then."""
BETWEEN_PROGRESS = 1.0
MAX_PROGRESS = 2
MAX_UPDATE_TEXT = 4_000


if TYPE_CHECKING:  # loaded when somebody asks for a repair
    from bot.domain.approvals.receipt import Receipt

    Follow = Callable[[Receipt], Awaitable[None]]
    """Takes a receipt to keep up to date. Raises AgentpodError."""

URL_FOR = timedelta(minutes=29)
"""How long a response URL is used: Slack takes it for thirty minutes."""
ALONE = "Only you see this: it could not be posted into the thread. If I am not in this channel: /invite @agentpod"
OF_FORM = 2
"""Uses of a response URL that the answers before its form may have taken."""


@dataclass
class Answer:
    """The answer to one request: partial ones, then the final one."""

    api: Api
    observer: SlackObserver
    request: SlackRequest
    prefix: str
    mailbox: Mailbox
    precedence: Precedence = field(default_factory=Precedence)
    follow: Follow | None = None
    started: float = field(default_factory=time.monotonic)
    since: int = 0
    """When its response URL was made, in seconds since the epoch."""
    given: bool = False
    """Whether its final form was handed on."""
    _shown: int = 0
    _last: float = 0.0
    _ts: str | None = None
    _posted_channel: str = ""
    _lost_progress: bool = False
    """Whether a partial answer may have been posted that can't be edited."""
    _uses: int = 0
    """How often its response URL was used."""
    _replaced: bool = False
    """Whether the response URL has replaced its message, and so can do it again."""

    def __post_init__(self) -> None:
        """Take the age of the request's response URL over."""
        self.since = self.request.since or int(time.time())

    @property
    def follows(self) -> bool:
        """Whether it can be updated after it was given."""
        return self.follow is not None and self._can_edit()

    async def begin(self) -> None:
        """Prepare the place of the answer before its command runs, where that can't wait."""

    async def open_form(self, view: dict[str, Any]) -> None:
        """Open a form. Raises AgentpodError."""
        await self.api.call("views.open", 3, trigger_id=self.request.trigger, view=view)

    async def progress(self, reply: Reply) -> None:
        """Show a partial answer, rate-limited; failures are only logged."""
        now = time.monotonic()
        early = now - self.started < FIRST_PROGRESS or now - self._last < BETWEEN_PROGRESS
        if early or self._shown >= MAX_PROGRESS or not self._can_edit():
            return
        self._shown += 1
        self._last = now
        rendered = blocks.render(
            reply,
            prefix=self.prefix,
            buttons=False,
            attached=False,
            room=MESSAGE,
            outside=self.api.outside,
            now=datetime.now(UTC),
        )
        try:
            await sent(self._partial, noted(rendered.messages[0], IF_NOTHING_FOLLOWS))
        except AgentpodError as error:
            self._lost_progress = may_have_worked(error) and not self._by_url and not self._ts
            logger.info("partial answer not shown: %s", error.message)

    async def _partial(self, message: Message) -> None:
        if self._by_url:
            await self._respond(message, edit=True, deadline=5)
        elif self._ts:
            await self._update(message)
        else:
            await self._post(message)

    async def final(self, reply: Reply, key: str) -> None:
        """Deliver the answer. ``key`` is that of the kept answer, for sharing; empty if it can't be shared."""
        self.given = True
        size = sum(len(e.text) for e in reply.excerpts) + MAX_MESSAGES * MAX_CHARACTERS
        await self.mailbox.deliver(partial(self._final, reply, key), size)

    async def _final(self, reply: Reply, key: str) -> None:
        reply = await hosted(self.api, await self.api.clean(reply))
        render = partial(
            blocks.render,
            reply,
            key=key,
            prefix=self.prefix,
            outside=self.api.outside,
            now=datetime.now(UTC),
            name_of=self.api.name_of,
        )
        rendered = render()
        attached = await Attachments(
            self.api, self._placed, self.prefix, self._by_url or self.request.private
        ).bring(rendered.files)
        if rendered.files and not attached.whole:
            rendered = render(attached=False)
        for number, message in enumerate(rendered.messages):
            last = number == len(rendered.messages) - 1
            shown = noted(message, attached.note) if last and attached.note else message
            if self.request.below and not number:
                shown = _credited(shown, "Asked by", self.request.user, self._line)
            await self._deliver(shown, replace=number == 0)
        if reply.receipt and self.follow is not None:
            await self._begin_to_follow(reply.receipt, self.follow)

    async def _begin_to_follow(self, request: str, follow: Follow) -> None:
        """Have the answer updated from now on, where that is possible; a failure is only logged."""
        from bot.domain.approvals.receipt import Receipt

        if self._replaced:
            until = datetime.fromtimestamp(self.since, UTC) + URL_FOR
            left = MAX_USES - self._uses - (OF_FORM if self.request.surface == "modal" else 0)
            receipt = Receipt(request, self.request.user, self.request.response_url, until, left)
        elif self._ts:
            receipt = Receipt(request, self.request.user, channel=self._posted_channel, ts=self._ts)
        else:
            return
        try:
            await follow(receipt)
        except AgentpodError as error:
            logger.warning("a receipt is not followed: %s", error.message)

    async def cut_short(self) -> None:
        """Say that there will be no answer, where none was given."""
        if not self.given:
            await self.final(Reply(CUT_SHORT, shareable=False), "")

    async def say(self, text: str) -> None:
        """Deliver one plain sentence."""
        self.given = True
        message = blocks.render(
            Reply(headline=text, shareable=False), buttons=False, outside=self.api.outside, now=datetime.now(UTC)
        ).messages[0]
        await self.mailbox.deliver(partial(self._deliver, message, replace=False), len(text))

    def _can_edit(self) -> bool:
        """Whether to edit. A click's response URL edits the clicked message, which only "Run again" should do."""
        request = self.request
        if not self._by_url:
            return not request.private
        return request.surface == "slash" or request.edits or self._replaces_click

    @property
    def _replaces_click(self) -> bool:
        action = self.request.action
        return bool(action and action.kind == "again" and self.request.ephemeral)

    @property
    def _by_url(self) -> bool:
        """Whether to use the response URL: for slash commands, and for clicks except in direct messages."""
        request = self.request
        in_dm = request.surface == "button" and request.channel.startswith("D") and not request.ephemeral
        return bool(request.response_url) and not in_dm and not request.below

    @property
    def _line(self) -> str:
        return f"{self.prefix} {self.request.line}"

    @property
    def _placed(self) -> SlackRequest:
        """The request, in the thread in which it is answered."""
        return replace(self.request, thread_ts=self.request.below or self.request.thread_ts)

    async def _deliver(self, message: Message, *, replace: bool) -> None:
        """Deliver one message by the first of `_ways` that works; if none does, count it as lost."""
        ways = list(self._ways(replace=replace))
        delivery = Delivery(self.api, message, unfinished=self._lost_progress)
        for way in ways:
            try:
                await delivery.by(way, last=way is ways[-1])
                return
            except AgentpodError as error:
                reason = error
                level = logging.INFO if isinstance(error, UrlSpent) else logging.WARNING
                logger.log(level, "answer not delivered this way: %s", error.message)
        self.lost(reason.message)

    def lost(self, why: str) -> None:
        """Count and log an answer that could not be delivered."""
        self.observer.delivery_failed("lost")
        logger.error("answer lost: %s", why, extra={"user": self.request.user, "channel": self.request.channel})

    def _ways(self, *, replace: bool) -> Iterator[Way]:
        """Yield the ways to send an answer, best first."""
        request = self.request
        if self._by_url:
            edit = replace and self._can_edit()
            yield Way(partial(self._respond, edit=edit), repeatable=edit, by_url=True)
        elif replace and self._ts:
            yield Way(self._update, repeatable=True)
        if not self._by_url and not request.private:
            direct = request.channel if request.channel.startswith("D") else ""
            yield Way(self._post, look_in=direct, thread=self._placed.thread_ts)
        if request.below:  # the bot may not be in the channel, and a response URL needs no membership
            yield Way(partial(self._respond, edit=False), by_url=True)
        thread: dict[str, Any] = {"thread_ts": request.thread_ts} if request.private and request.in_thread else {}
        yield Way(partial(self._call, "chat.postEphemeral", channel=request.channel, user=request.user, **thread))
        yield Way(partial(self._call, "chat.postMessage", channel=request.user))

    async def _respond(self, message: Message, *, edit: bool, deadline: float = 10.0) -> None:
        payload = _payload(self._alone(message)) | {"response_type": "ephemeral", "replace_original": edit}
        if self.request.thread_ts and not edit:
            payload["thread_ts"] = self.request.thread_ts
        self._uses += 1
        await self.api.respond(self.request.response_url, payload, deadline)
        self._replaced |= edit

    async def _update(self, message: Message) -> None:
        """Edit the partial answer. Text that is too long for chat.update raises Permanent, to be posted below."""
        long = len(message.text) > MAX_UPDATE_TEXT
        payload = {"text": "Done: the answer follows.", "blocks": []} if long else _payload(message)
        await self.api.call("chat.update", 10, **payload, channel=self._posted_channel, ts=self._ts)
        if long:
            raise Permanent("The answer is too long for an edit.")

    async def _post(self, message: Message, key: str = "") -> None:
        arguments = _payload(message) | {"channel": self.request.channel, "unfurl_links": False}
        if thread := self._placed.thread_ts:
            arguments["thread_ts"] = thread
        if key:
            arguments["metadata"] = mark(key)
        async with self.precedence.turn(self.request.channel):
            done = await self.api.call("chat.postMessage", 10, **arguments)
        self._ts, self._posted_channel = str(done.get("ts")), str(done.get("channel") or self.request.channel)

    async def _call(self, method: str, message: Message, **where: Any) -> None:
        async with self.precedence.turn(str(where.get("channel"))):
            await self.api.call(method, 10, **_payload(self._alone(message)), **where)

    def _alone(self, message: Message) -> Message:
        """The message as it is shown to who asked alone; where it was meant for all, it begins with that."""
        by = _credit("Asked by", self.request.user, self._line)
        if self.request.below and not message.blocks:
            return Message(f"{ALONE}\n{message.text}", [])
        if not self.request.below or message.blocks[0] != by:
            return message
        alone = {"type": "context", "elements": [{"type": "plain_text", "text": ALONE}]}
        return Message(message.text, [alone, *message.blocks[1:]])


def _payload(message: Message) -> dict[str, Any]:
    return {"text": message.text, "blocks": message.blocks}


def _credited(message: Message, did: str, user: str, line: str) -> Message:
    """Say above a message who brought it here, and by which command line."""
    return Message(message.text, [_credit(did, user, line), *message.blocks])


def _credit(did: str, user: str, line: str) -> dict[str, Any]:
    text = f"{did} <@{user}>: {escape(line.strip()[:500])}"
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


async def share(api: Api, request: SlackRequest, rendered: Rendered, text: str) -> None:
    """Post an answer to the clicked message's channel, with the user's name. Raises AgentpodError."""
    for number, message in enumerate(rendered.messages):
        content = message if number else _credited(message, "Shared by", request.user, text)
        payload = _payload(content)
        try:
            await _publish(api, request, payload)
        except SlackRefused as error:
            if error.word not in BAD_BLOCKS:
                raise
            plain = f"Shared by <@{request.user}>:\n{blocks.plain(message)}"
            await _publish(api, request, payload | {"text": plain, "blocks": []})
    if request.ephemeral:
        with contextlib.suppress(AgentpodError):  # it is public already: a private copy does no harm
            await api.respond(request.response_url, {"delete_original": True})


async def _publish(api: Api, request: SlackRequest, payload: dict[str, Any]) -> None:
    """Post by the response URL, which needs no membership in the channel; else as an ordinary message.

    Raises Uncertain or TimedOut if it may have been posted: a public message is not posted again.
    """
    public = payload | {"response_type": "in_channel", "replace_original": False}
    try:
        await patiently(api, partial(api.respond, request.response_url, public))
    except UrlSpent:
        await patiently(api, partial(api.call, "chat.postMessage", channel=request.channel, **payload))
