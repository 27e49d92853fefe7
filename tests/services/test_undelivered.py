"""Descriptions of messages that could not be delivered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Request, Snapshot
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Mention, parts, plain
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger
from bot.services.outbox.undelivered import lines
from bot.settings.model import Settings
from bot.wiring.outbox import Outbox

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
CASE = RepairRequest(Request("r-7k2m9xwq", "U1", NOW, NOW, Snapshot("d", 1)), "pod", RESTART)


class Book:
    """A ledger with one request."""

    async def request(self, id_: str) -> RepairRequest | None:
        return CASE if id_ == CASE.id else None


class Noon:
    def now(self) -> datetime:
        return NOW


KINDS = Outbox(Settings(), cast("Ledger", Book()), cast("Clock", Noon()), Outside()).kinds


ROWS = [
    ("card:r-7k2m9xwq", "C1", "The approval card of restart (r-7k2m9xwq), for channel C1: why"),
    ("progress:r-7k2m9xwq", "C1", "The progress of restart (r-7k2m9xwq), for channel C1: why"),
    ("reminder:r-7k2m9xwq", "C1", "The reminder of restart (r-7k2m9xwq), for channel C1: why"),
    ("approver:r-7k2m9xwq:U2", "U2", "An approver's direct message about restart (r-7k2m9xwq), for @U2: why"),
    ("welcome:C1", "C1", "The welcome of a channel, for channel C1: why"),
    ("direct:i-1:U2", "U2", "The direct message about i-1, for @U2: why"),
    ("summary:U2", "U2", "The summary after the quiet hours of U2, for @U2: why"),
    ("receipt:r-7k2m9xwq:U2", "U2", "The update of the receipt for r-7k2m9xwq, for @U2: why"),
    ("value:r-7k2m9xwq", "U1", "The form for the value of restart (r-7k2m9xwq), for @U1: why"),
    ("unposted:r-7k2m9xwq", "U1", "That the card could not be posted, of restart (r-7k2m9xwq), for @U1: why"),
    ("outcome:r-7k2m9xwq:U2", "U2", "The outcome of restart (r-7k2m9xwq), for @U2: why"),
    ("outcome:r-22222222", "U2", "The outcome of the request r-22222222, for @U2: why"),
    ("incident:i-1", "C1", "The alert i-1, for channel C1: why"),
    ("notice:i-1:3", "C1", "An update of the alert i-1, for channel C1: why"),
    ("group:g-1", "C1", "The alert about several problems g-1, for channel C1: why"),
    ("over:g-1", "C1", "The end of the alert about several problems g-1, for channel C1: why"),
    ("digest:2026-11-23", "C1", "The digest of Mon 23 Nov, for channel C1: why"),
    ("digest:nonsense", "C1", "The digest of nonsense, for channel C1: why"),
    ("deaf:2026-11-23T09:00:00+00:00|x", "C1", "The notice of when I was offline, for channel C1: why"),
    ("bridge:o/r#1", "", "The state of o/r#1 for the health-bridge: why"),
    ("anchor-file:2026-11-23", "", "The audit trail's anchor of 2026-11-23 for its file: why"),
    ("anchor-url:2026-11-23", "", "The audit trail's anchor of 2026-11-23 for its URL: why"),
    ("other:x", "C1", "The message other:x, for channel C1: why"),
    ("", "", "The message : why"),
]


@pytest.mark.parametrize(("key", "place", "says"), ROWS)
async def test_each_message_kind_has_a_description(key: str, place: str, says: str) -> None:
    [line] = await lines([OutboxMessage(MessageKey(key), place, error="why")], KINDS)
    assert plain(line) == says
    assert (Mention(place) in parts(line)) is place.startswith("U")


async def test_many_for_one_reason_are_one_line() -> None:
    dead = [OutboxMessage(MessageKey(f"card:r-{n}"), "C1", error="why") for n in range(3)]
    assert [plain(line) for line in await lines(dead, KINDS)] == [
        "The approval card of the request r-0 and 2 more, for channel C1: why"
    ]


def test_every_kind_has_a_row() -> None:
    assert {MessageKey(key).kind for key, _, _ in ROWS} >= set(KINDS.names)
