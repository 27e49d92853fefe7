"""Describes the messages that could not be delivered."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core.registry import Registry
from bot.domain.core.reply import Line
from bot.domain.outbox import undelivered
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.services.outbox.kind import MessageKind


async def lines(messages: Sequence[OutboxMessage], kinds: Registry[MessageKind]) -> list[Line]:
    """One line per place and reason. Raises as the ledger does."""
    groups = undelivered.groups(messages)
    return [undelivered.line(group, await name(group[0].key, kinds)) for group in groups]


async def name(key: MessageKey, kinds: Registry[MessageKind]) -> str:
    """Describe a message by its kind, or by its key where the kind is unknown."""
    kind = kinds.get(key.kind)
    return f"the message {key[:60]}" if kind is None else await kind.describe(key)
