"""Links to the bot's messages: each address is asked for once, and one that can't be had holds nothing up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from bot.domain.core.reply import Link
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import Transient
from bot.services.outbox.message_links import MOST, PAUSE, MessageLinks
from tests.services.workbench import Clock

pytestmark = pytest.mark.asyncio
KEY = MessageKey.of("card", "r-1")


@dataclass
class Stage:
    """A ledger in which every message is posted, and a chat that knows its address."""

    calls: int = 0
    error: Exception | None = None
    gate: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    hangs: bool = False
    empty: bool = False
    posted: bool = True
    unreadable: bool = False
    clock: Clock = field(default_factory=Clock)

    async def delivery(self, key: MessageKey) -> OutboxMessage:
        if self.unreadable:
            raise Transient("The ledger is away.")
        return OutboxMessage(key, "C1", posted=MessageRef("C1", key.rest) if self.posted else None)

    async def permalink(self, at: MessageRef) -> str:
        self.calls += 1
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return "" if self.empty else f"https://chat.example.com/{at.channel}/{at.ts}"


def made(stage: Stage) -> MessageLinks:
    return MessageLinks(cast(Any, stage), stage.clock, cast(Any, stage))


async def test_an_address_is_asked_for_once() -> None:
    stage = Stage()
    links = made(stage)
    wanted = (Link("Card", "https://chat.example.com/C1/r-1"),)
    assert [await links.to("Card", KEY) for _ in range(3)] == [wanted] * 3
    assert stage.calls == 1


async def test_messages_that_are_linked_at_once_all_get_their_links() -> None:
    stage = Stage(gate=asyncio.Event())
    links = made(stage)
    keys = [KEY, KEY, MessageKey.of("card", "r-2")]
    asked = asyncio.gather(*(links.to("Card", key) for key in keys))
    await stage.begun.wait()
    stage.gate.set()
    assert [len(found) for found in await asked] == [1, 1, 1]
    assert stage.calls == 2, "the same address is asked for once"


async def test_who_waits_no_longer_takes_the_link_from_nobody_else() -> None:
    stage = Stage(gate=asyncio.Event())
    links = made(stage)
    first, second = (asyncio.ensure_future(links.to("Card", KEY)) for _ in range(2))
    await stage.begun.wait()
    first.cancel()
    stage.gate.set()
    assert await second != ()


async def test_a_message_without_an_address_is_not_asked_about_again() -> None:
    stage = Stage(empty=True)
    links = made(stage)
    assert [await links.to("Card", KEY) for _ in range(3)] == [()] * 3
    assert stage.calls == 1


@pytest.mark.parametrize("stage", [Stage(error=Transient("Slack is away.")), Stage(unreadable=True)])
async def test_a_failure_is_no_link_and_no_error(stage: Stage) -> None:
    assert await made(stage).to("Card", KEY) == ()


async def test_after_a_failure_slack_is_not_asked_for_a_while() -> None:
    stage = Stage(error=Transient("Slack is away."))
    links = made(stage)
    assert [await links.to("Card", KEY) for _ in range(3)] == [()] * 3
    assert stage.calls == 1
    stage.error = None
    stage.clock.pass_(seconds=PAUSE + 1)
    assert await links.to("Card", KEY) != ()


async def test_an_address_that_takes_too_long_is_left_out() -> None:
    stage = Stage(hangs=True)
    links = MessageLinks(cast(Any, stage), stage.clock, cast(Any, stage), patience=0.01)
    assert [await links.to("Card", KEY) for _ in range(2)] == [(), ()]
    assert stage.calls == 1


async def test_nothing_is_linked_before_it_is_posted_or_without_a_chat() -> None:
    assert await made(Stage(posted=False)).to("Card", KEY) == ()
    assert await made(Stage()).to("Card", "") == ()
    stage = Stage()
    assert await MessageLinks(cast(Any, stage), stage.clock).to("Card", KEY) == ()


async def test_few_addresses_are_kept() -> None:
    stage = Stage()
    links = made(stage)
    for number in range(MOST + 1):
        await links.to("Card", MessageKey.of("card", f"r-{number}"))
    await links.to("Card", MessageKey.of("card", "r-1"))
    assert stage.calls == MOST + 1
    await links.to("Card", MessageKey.of("card", "r-0"))
    assert stage.calls == MOST + 2
