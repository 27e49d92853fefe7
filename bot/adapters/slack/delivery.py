"""Delivers a message to Slack, waiting while Slack is down, with at most one duplicate.

Slack has no idempotency key, so a message that may have been posted without a confirmation is not simply posted
again. Edits are, as they are idempotent. In a direct message with the bot it can look up whether the message is
there. Elsewhere the message is posted once more when Slack answers again, marked as a possible copy, and never
after that.
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

from bot.adapters.slack import blocks
from bot.adapters.slack.api import Api
from bot.adapters.slack.blocks import Message
from bot.adapters.slack.errors import UrlSpent, may_have_worked
from bot.adapters.slack.fallbacks import escape
from bot.adapters.slack.pictures import sent
from bot.domain.core import moments, words
from bot.errors import AgentpodError, NotAllowed, Transient

logger = logging.getLogger("agentpod.slack")
T = TypeVar("T")

TRIES = 3
"""Attempts of one way while Slack answers; while it does not, the same way is tried until it does."""
MAX_USES = 5
"""How often a response URL can be used, and so the limit of unconfirmed attempts."""
FIRST_PAUSE, LONGEST_PAUSE = 0.4, 15.0
LATE = 60.0
"""Seconds after which an answer is marked with its time."""
COPY = "A copy of this answer may be above: Slack did not confirm the first one."
UNFINISHED = "An unfinished copy of this answer may be above: Slack did not confirm it."
EVENT = "agentpod_answer"
"""The type of the metadata by which the bot finds its message again."""
CLOCKS = 120
"""Seconds by which Slack's clock may be behind the bot's."""


@dataclass(frozen=True)
class Way:
    """One way to send a message."""

    send: Callable[..., Awaitable[None]]
    repeatable: bool = False
    """Whether it is idempotent."""
    look_in: str = ""
    """The conversation in which the bot can look the message up; ``send`` then takes a key as well."""
    thread: str | None = None
    by_url: bool = False
    """Whether it is a response URL, which can fail permanently while the Web API works."""


@dataclass
class Delivery:
    """The delivery of one message."""

    api: Api
    message: Message
    unfinished: bool = False
    """Whether a partial answer may have been posted that can't be edited."""
    copies: int = 0
    """How often the message may have been posted."""
    failures: int = 0
    made: float = field(default_factory=time.monotonic)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    key: str = field(default_factory=lambda: secrets.token_hex(8))

    async def by(self, way: Way, *, last: bool) -> None:
        """Deliver the message in one way, however long Slack is down. Raises AgentpodError to try another."""
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
                except NotAllowed as error:  # all ways need the token
                    if not self.api.refused:
                        raise
                    logger.warning("an answer waits until Slack accepts the token: %s", error.message)
                    while self.api.refused:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(_jittered(FIRST_PAUSE))
                except UrlSpent:  # used up by unconfirmed attempts, so these were delivered
                    if not unsure:
                        raise
                    logger.info("an answer counts as delivered: its attempts have used up the response URL")
                    return
        finally:
            self.copies = max(self.copies, int(unsure))

    async def _send(self, way: Way, content: Message) -> None:
        await (way.send(content, self.key) if way.look_in else way.send(content))

    async def _over(self, way: Way, error: Transient) -> bool:
        """Whether to stop after a failure: it is there, or a copy may be. Else waits for the next try."""
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
        """Wait until Slack answers again."""
        while not await self.api.well():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_jittered(FIRST_PAUSE * 2))

    async def _fails_for_good(self, way: Way, failures: int, error: Transient) -> bool:
        """Whether this way fails although Slack answers, so that another way may work."""
        tries = MAX_USES if may_have_worked(error) else TRIES
        if failures <= tries or error.retry_after is not None or not (way.by_url or way.repeatable):
            return False
        return await self.api.well()

    def _marked(self) -> Message:
        """Return the message with notes on copies and delay, if there are any."""
        notes = [UNFINISHED] if self.unfinished and not self.copies else []
        notes += [COPY] if self.copies else []
        if (waited := time.monotonic() - self.made) > LATE:
            when = words.moment(self.at)
            notes.append(
                f"Slack did not take this answer for {words.age(timedelta(seconds=waited))}: it is as of {when}."
            )
        if not notes:
            return self.message
        return noted(self.message, " ".join(notes))


async def look(api: Api, way: Way, key: str, since: datetime) -> bool | None:
    """Whether a message with that key is in a conversation; None if that can't be read."""
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
    """Return the metadata by which a message is found again."""
    return {"event_type": EVENT, "event_payload": {"key": key}}


def _is_ours(message: object, key: str) -> bool:
    metadata = message.get("metadata") if isinstance(message, dict) else None
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return isinstance(payload, dict) and payload.get("key") == key


def noted(message: Message, note: str) -> Message:
    """Add a note at the end of a message, before its buttons."""
    if not message.blocks:
        return Message(f"{message.text}\n{escape(moments.short(note, datetime.now(UTC)))}", [])
    line = {"type": "context", "elements": [blocks.note(note[:600], datetime.now(UTC))]}
    at = len(message.blocks) - (message.blocks[-1:] != [] and message.blocks[-1]["type"] == "actions")
    return Message(message.text, [*message.blocks[:at], line, *message.blocks[at:]])


async def patiently(api: Api, step: Callable[[], Awaitable[T]]) -> T:
    """Retry ``step`` until it succeeds, at most `TRIES` times while Slack answers.

    Raises AgentpodError: without a retry if the step may have succeeded.
    """
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
    """Wait before the next try, with exponential backoff and at least as long as Slack asks for."""
    wait = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 8))
    await asyncio.sleep(_jittered(max(wait, error.retry_after or 0.0)))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1.0, 1.3)  # noqa: S311 - jitter, no secret
