"""Links between a repair request's messages, and to the alert at which it was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from bot.domain.approvals import message_keys
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import Link
from bot.domain.outbox.key import MessageKey

CARD, ALERT, EARLIER = "Card", "Alert", "Earlier card"
MOST = 2
"""Most requests that are linked from one message, the newest."""


class Linking(Protocol):
    """Makes links to messages; see `bot.services.outbox.message_links`."""

    async def to(self, label: str, key: MessageKey | str) -> tuple[Link, ...]:
        """A link to the message of that key; none where there is none."""


async def of(links: Linking, repair: RepairRequest, *, to_card: bool = True) -> tuple[Link, ...]:
    """The links to a request's card, and to the message at which it was asked for."""
    to = await links.to(CARD, message_keys.card(repair.id)) if to_card else ()
    beside = MessageKey(repair.beside)
    return (*to, *await links.to(EARLIER if beside.kind == message_keys.CARD else ALERT, beside))


async def asked_at(links: Linking, key: str, repairs: Iterable[RepairRequest]) -> tuple[Link, ...]:
    """The links to the cards of those requests that were asked for at a message, the newest first."""
    mine = [repair for repair in repairs if repair.beside == key][:MOST]
    found: list[Link] = []
    for repair in mine:
        label = CARD if len(mine) == 1 else f"{CARD} of {repair.id}"
        found += await links.to(label, message_keys.card(repair.id))
    return tuple(found)
