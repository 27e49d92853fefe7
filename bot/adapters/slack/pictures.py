"""Pictures of replies: brought to Slack before the message that shows them. Without them it is sent as well."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from bot.adapters.slack.api import Api
from bot.adapters.slack.blocks import Message
from bot.adapters.slack.errors import SlackRefused
from bot.domain.reply import Image, Reply
from bot.errors import AgentpodError

logger = logging.getLogger("agentpod.slack")
T = TypeVar("T")

REFUSED = frozenset({"invalid_blocks", "invalid_blocks_format"})
PAUSES = (0.3, 0.6, 1.2, 1.2)
"""Seconds until it is tried again: Slack refuses a picture that it has not looked at yet.

To ask whether it has would take the scope to read files.
"""


async def hosted(api: Api, reply: Reply) -> Reply:
    """The reply with its pictures in Slack; where they can't be, it says why. Never raises."""
    if not any(image.png and not image.file for image in reply.images):
        return reply
    shown: list[Image] = []
    notes = list(reply.notes)
    for image in reply.images:
        try:
            shown.append(replace(image, file=await api.picture(image.filename, image.png, image.alt)))
        except AgentpodError as error:
            logger.warning("picture not attached: %s", error.message)
            notes.append(f"Without its picture: {error.message} {error.remedy or ''}".strip())
    return replace(reply, images=tuple(shown), notes=tuple(notes))


async def sent(send: Callable[[Message], Awaitable[T]], message: Message) -> T:
    """Send a message until Slack takes its pictures; then without them. Raises what ``send`` does otherwise."""
    if not _has_picture(message):
        return await send(message)
    for pause in PAUSES:
        try:
            return await send(message)
        except SlackRefused as error:
            if error.word not in REFUSED:
                raise
        await asyncio.sleep(pause)
    logger.warning("sent without its picture: Slack did not take it")
    return await send(Message(message.text, [b for b in message.blocks if b["type"] != "image"]))


def _has_picture(message: Message) -> bool:
    return any(block["type"] == "image" for block in message.blocks)
