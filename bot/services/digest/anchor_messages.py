"""Renders the messages that take the audit trail's anchors out of the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.core import anchors
from bot.domain.core.anchors import Anchor
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.errors import NotFound
from bot.ports.ledger import Ledger
from bot.services.digest.post_digest import ANCHORS
from bot.services.outbox.kind import MessageKind

FILE, URL = "anchor-file", "anchor-url"


async def _described(key: MessageKey) -> str:
    where = "file" if key.kind == FILE else "URL"
    return f"the audit trail's anchor of {key.id[:20]} for its {where}"


@dataclass
class AnchorMessages:
    """Renders anchors as they were taken. The day of their digest is their message's key."""

    ledger: Ledger

    def kinds(self) -> tuple[MessageKind, ...]:
        """The message kind of each sink of anchors."""
        return (
            MessageKind(FILE, self._anchor, _described, sink="anchor_file"),
            MessageKind(URL, self._anchor, _described, sink="anchor_url"),
        )

    async def _anchor(self, message: OutboxMessage) -> Anchor:
        day = message.key.id
        anchor = anchors.of_key(await self.ledger.mark(ANCHORS) or "", day)
        if anchor is None:
            raise NotFound(f"The ledger has no anchor of {day[:40]!r} any more.")
        return anchor
