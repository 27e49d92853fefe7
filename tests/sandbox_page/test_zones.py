"""Dates in messages: each user of the page sees them in their own zone, with every format that the bot uses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from bot.adapters.slack import blocks
from bot.domain.core import words
from bot.domain.core.reply import Fact, Reply, Table
from sandbox.slack import seed
from tests.sandbox_page.conftest import here

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOW = datetime(2026, 11, 30, 22, 41, 7, tzinfo=UTC)
EARLIER = NOW - timedelta(days=150)
REPLY = Reply(
    f"Down since {words.moment(NOW)}",
    facts=(Fact("Began", words.moment(EARLIER)), Fact("Exactly", words.clock(NOW))),
    tables=(Table(("A", "B"), (("cell", words.moment(NOW)),)),),
    notes=(f"r-1 · asked {words.clock(NOW)}",),
)
BERLIN = ["23:41", "4 July, 00:41", "23:41:07", "23:41", "23:41:07"]
KOLKATA = ["04:11", "4 July, 04:11", "04:11:07", "04:11", "04:11:07"]
BRITISH = {"locale": "en-GB"}


async def times(page: Page) -> list[str]:
    """The dates in the last message, as they are read."""
    found = page.locator(".main .message").last.locator("time:not(.time)")
    await expect(found).to_have_count(len(BERLIN))
    return list(await found.all_text_contents())


async def test_two_users_see_the_same_dates_in_their_zones(open_page: Any, client: Any) -> None:
    [message] = blocks.render(REPLY, now=NOW).messages
    await client.chat_postMessage(channel=seed.OPS, text=message.text, blocks=message.blocks)
    assert await times(await open_page(here(), **BRITISH)) == BERLIN
    page = await open_page(here(seed.PRIYA), **BRITISH)
    assert await times(page) == KOLKATA
    assert "UTC" not in await page.locator(".main .message .text").last.inner_text()


async def test_switching_the_user_switches_the_zone(open_page: Any, client: Any) -> None:
    [message] = blocks.render(REPLY, now=NOW).messages
    await client.chat_postMessage(channel=seed.OPS, text=message.text, blocks=message.blocks)
    page = await open_page(here(), **BRITISH)
    assert await times(page) == BERLIN
    await page.get_by_role("button", name="Switch user").click()
    await page.get_by_text("Asia/Kolkata").click()
    await expect(page.locator(".main time:not(.time)").first).to_have_text(KOLKATA[0])
    assert await times(page) == KOLKATA
