"""How one message gets to Slack for certain, and there no more often than it must.

Slack has no key by which it would know a message that it has. So what may have been posted though no answer
says so is not simply posted again. Edits are: they come to the same. In a direct message with the bot one can look
whether it is there. Elsewhere it is posted once more when Slack is well again, marked as what may be a copy, and
never after that.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from bot.adapters.slack.api import Api
from bot.adapters.slack.blocks import Message, escape
from bot.adapters.slack.errors import UrlSpent, may_have_worked
from bot.adapters.slack.pictures import sent
from bot.domain.core import words
from bot.errors import AgentpodError, NotAllowed, Transient

logger = logging.getLogger("agentpod.slack")
T = TypeVar("T")

TRIES = 3
"""Tries of one way while Slack is well; while it is not, the same way is tried to the end."""
MAX_USES = 5
"""As often as a response URL can be used: tries after which nothing was said of it don't go on for ever."""
FIRST_PAUSE, LONGEST_PAUSE = 0.4, 15.0
LATE = 60.0
"""Seconds after which an answer says of when it is."""
COPY = "A copy of this answer may be above: Slack did not confirm the first one."
UNFINISHED = "An unfinished copy of this answer may be above: Slack did not confirm it."
EVENT = "agentpod_answer"
"""The type of the metadata by which a message of ours is found again."""
CLOCKS = 120
"""Seconds by which Slack's clock may be behind ours."""


@dataclass(frozen=True)
class Way:
    """One way for a message."""

    send: Callable[..., Awaitable[None]]
    repeatable: bool = False
    """Whether doing it twice comes to the same."""
    look_in: str = ""
    """The conversation in which the bot may read whether it is there; then ``send`` takes a key as well."""
    thread: str | None = None
    by_url: bool = False
    """Whether it is a response URL, which can fail for good while the Web API works."""


@dataclass
class Delivery:
    """One message on its way."""

    api: Api
    message: Message
    unfinished: bool = False
    """Whether a partial answer may be there that can't be edited any more."""
    copies: int = 0
    """How often it may have been posted."""
    failures: int = 0
    made: float = field(default_factory=time.monotonic)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    key: str = field(default_factory=lambda: secrets.token_hex(8))

    async def by(self, way: Way, *, last: bool) -> None:
        """Deliver it that way, however long Slack is away. Raises AgentpodError where another way is due."""
        failures, unsure = 0, False
        try:
            while True:
                try:
                    await sent(lambda content: self._send(way, content), self._marked())
                    return
                except Transient as error:
                    failures += 1
                    unsure |= way.repeatable and may_have_worked(error)
                    if await self._over(way, error):
                        return
                    if not last and await self._fails_for_good(way, failures, error):
                        raise
                except NotAllowed as error:  # no other way would do: all need the token
                    if not self.api.refused:
                        raise
                    logger.warning("an answer waits until Slack accepts the token: %s", error.message)
                    while self.api.refused:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(_jittered(FIRST_PAUSE))
                except UrlSpent:  # by the tries of which no answer came: then those were taken
                    if not unsure:
                        raise
                    logger.info("an answer counts as delivered: its attempts have used up the response URL")
                    return
        finally:
            self.copies = max(self.copies, int(unsure))

    async def _send(self, way: Way, content: Message) -> None:
        await (way.send(content, self.key) if way.look_in else way.send(content))

    async def _over(self, way: Way, error: Transient) -> bool:
        """Whether nothing more is to be done after a failure: it is there, or a copy might be. Else waits."""
        unsure = may_have_worked(error) and not way.repeatable
        self.copies += unsure
        if self.copies > 1:
            logger.warning("an answer was delivered once, twice or not at all: %s", error.message)
            return True
        self.failures += 1
        await pause(self.failures, error)
        if unsure and way.look_in:
            found = await look(self.api, way, self.key, self.at)
            self.copies = 1 if found is None else 0
            if found:
                return True
        if may_have_worked(error) and (not way.repeatable or self.failures > 1):
            await self._recovery()
        return False

    async def _recovery(self) -> None:
        """Until Slack is well: what may be done twice is not tried before, but for an edit's second try."""
        while not await self.api.well():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_jittered(FIRST_PAUSE * 2))

    async def _fails_for_good(self, way: Way, failures: int, error: Transient) -> bool:
        """Whether it is the way that fails, and not Slack as such, so that another one may work."""
        tries = MAX_USES if may_have_worked(error) else TRIES
        if failures <= tries or error.retry_after is not None or not (way.by_url or way.repeatable):
            return False
        return await self.api.well()

    def _marked(self) -> Message:
        """The message with what has to be said of how it comes."""
        notes = [UNFINISHED] if self.unfinished and not self.copies else []
        notes += [COPY] if self.copies else []
        if (waited := time.monotonic() - self.made) > LATE:
            when = f"{self.at:%H:%M} UTC"
            notes.append(
                f"Slack did not take this answer for {words.age(timedelta(seconds=waited))}: it is as of {when}."
            )
        if not notes:
            return self.message
        return noted(self.message, " ".join(notes))


async def look(api: Api, way: Way, key: str, since: datetime) -> bool | None:
    """Whether a message with that key is in a conversation; None where that can't be known."""
    where: dict[str, Any] = {"channel": way.look_in, "limit": 100, "include_all_metadata": True}
    where["oldest"] = f"{since.timestamp() - CLOCKS:.0f}"
    method = "conversations.replies" if way.thread else "conversations.history"
    if way.thread:
        where["ts"] = way.thread
    failures = 0
    while True:
        try:
            answer = await api.call(method, 10, **where)
        except Transient as error:
            failures += 1
            await pause(failures, error)
        except AgentpodError as error:
            logger.info("could not look up whether an answer was posted: %s", error.message)
            return None
        else:
            return any(_is_ours(message, key) for message in answer.get("messages") or ())


def mark(key: str) -> dict[str, Any]:
    """The metadata by which a message is found again."""
    return {"event_type": EVENT, "event_payload": {"key": key}}


def _is_ours(message: object, key: str) -> bool:
    metadata = message.get("metadata") if isinstance(message, dict) else None
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return isinstance(payload, dict) and payload.get("key") == key


def noted(message: Message, note: str) -> Message:
    """The message with a note at its end, before its buttons."""
    if not message.blocks:
        return Message(f"{message.text}\n{escape(note)}", [])
    line = {"type": "context", "elements": [{"type": "plain_text", "text": note[:600], "emoji": False}]}
    at = len(message.blocks) - (message.blocks[-1:] != [] and message.blocks[-1]["type"] == "actions")
    return Message(message.text, [*message.blocks[:at], line, *message.blocks[at:]])


async def patiently(api: Api, step: Callable[[], Awaitable[T]]) -> T:
    """Do something until it works, `TRIES` times while Slack is well. Raises AgentpodError; if unsure, at once."""
    failures = 0
    while True:
        try:
            return await step()
        except Transient as error:
            failures += 1
            if may_have_worked(error) or (failures >= TRIES and await api.well()):
                raise
            await pause(failures, error)


async def pause(failures: int, error: Transient) -> None:
    """Wait before the next try: as long as Slack wants, and longer with each failure."""
    wait = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 8))
    await asyncio.sleep(_jittered(max(wait, error.retry_after or 0.0)))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1.0, 1.3)  # noqa: S311 - not all at the same moment
