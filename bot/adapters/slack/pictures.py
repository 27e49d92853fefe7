"""Uploads a message's pictures, and sends the message without pictures or blocks if Slack refuses them.

Pictures are uploaded before the message that shows them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from bot.adapters.slack import blocks
from bot.adapters.slack.api import Api
from bot.adapters.slack.blocks import Message
from bot.adapters.slack.errors import SlackRefused, way
from bot.domain.core.reply import Image, Reply
from bot.errors import AgentpodError, TimedOut

logger = logging.getLogger("agentpod.slack")
T = TypeVar("T")

BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_attachments"})
PATIENCE = 6.0
"""Seconds for uploading all pictures of a message: an urgent message must not wait longer."""
PAUSES = (0.3, 0.6, 1.2, 1.2)
"""Seconds before each retry: Slack refuses a picture that it has not processed yet.

Asking whether it has would need the scope ``files:read``.
"""


async def hosted(api: Api, reply: Reply) -> Reply:
    """Upload a reply's pictures; one that fails becomes a note with the reason. Never raises; see `PATIENCE`."""
    if not any(image.png and not image.file for image in reply.images):
        return reply
    shown: list[Image] = []
    notes = list(reply.notes)
    until = asyncio.get_running_loop().time() + PATIENCE
    for image in reply.images:
        try:
            shown.append(replace(image, file=await _file(api, image, until)))
        except AgentpodError as error:
            logger.warning("picture not attached: %s", error.message)
            notes.append(f"Without its picture: {error.message} {error.remedy or ''}".strip())
    return replace(reply, images=tuple(shown), notes=tuple(dict.fromkeys(notes)))  # the same reason only once


async def _file(api: Api, image: Image, until: float) -> str:
    try:
        async with asyncio.timeout_at(until):
            return await api.picture(image.filename, image.png, image.alt)
    except TimeoutError:
        raise TimedOut(f"Slack did not take it in time{way(api.base_url).through}.") from None


async def sent(send: Callable[[Message], Awaitable[T]], message: Message) -> T:
    """Send a message; if Slack refuses its blocks, without pictures, then as text. Raises what ``send`` raises."""
    try:
        return await _with_pictures(send, message)
    except SlackRefused as error:
        if error.word not in BAD_BLOCKS:
            raise
        logger.warning("blocks refused, sent as text", extra={"word": error.word, "details": error.details})
    return await send(Message(blocks.plain(message), []))


async def _with_pictures(send: Callable[[Message], Awaitable[T]], message: Message) -> T:
    if not _has_picture(message):
        return await send(message)
    for pause in PAUSES:
        try:
            return await send(message)
        except SlackRefused as error:
            if error.word not in BAD_BLOCKS:
                raise
        await asyncio.sleep(pause)
    logger.warning("sent without its picture: Slack did not take it")
    return await send(Message(message.text, [b for b in message.blocks if b["type"] != "image"]))


def _has_picture(message: Message) -> bool:
    return any(block["type"] == "image" for block in message.blocks)
