"""Reading on the page: what is new is announced, and nothing covers the text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import expect

from sandbox.slack import seed

pytestmark = pytest.mark.asyncio(loop_scope="session")
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}
COVERED = """tools => {
  const at = tools.getBoundingClientRect();
  const texts = [];
  const walker = document.createTreeWalker(document.querySelector(".main .log"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    for (const box of range.getClientRects())
      if (box.left < at.right && box.right > at.left && box.top < at.bottom && box.bottom > at.top)
        texts.push(walker.currentNode.textContent);
  }
  return texts;
}"""


async def test_what_comes_while_a_thread_covers_the_channel_is_announced_there(
    open_page: Any, client: Any
) -> None:
    page = await open_page(viewport=PHONE)
    for n in range(30):
        first = (await client.chat_postMessage(channel=seed.OPS, text=f"line {n}\nmore\nmore"))["ts"]
    await client.chat_postMessage(channel=seed.OPS, text="answer", thread_ts=first)
    link = page.locator(f'[data-thread="{first}"]')
    await expect(link).to_be_in_viewport()
    await page.locator(".main .scroller").evaluate("node => { node.scrollTop = 200 }")
    await client.chat_postMessage(channel=seed.OPS, text="one")
    pill = page.locator(".main [data-new-messages]")
    await expect(pill).to_contain_text("1 new message")
    await link.dispatch_event("click")
    await expect(page.locator("[data-thread-pane]")).to_be_visible()
    await client.chat_postMessage(channel=seed.OPS, text="two")
    await page.go_back()
    await expect(pill).to_contain_text("2 new messages")
    assert await page.locator(".main .scroller").evaluate("node => node.scrollTop") == 200


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_a_message_s_toolbar_covers_no_text_and_moves_nothing(
    open_page: Any, ws: Any, viewport: dict[str, int]
) -> None:
    long = "a line that is so long that it reaches the right edge of the window " * 4
    ws.say(seed.JONAS, seed.OPS, long)
    compact = ws.say(seed.JONAS, seed.OPS, long)
    headed = ws.say(seed.SAM, seed.OPS, long)
    page = await open_page(viewport=viewport)
    for message in (compact, headed):
        row = page.locator(f'[data-message-ts="{message.ts}"]')
        before = await row.bounding_box()
        await row.hover()
        await expect(row.locator(".tools")).to_have_css("opacity", "1")
        assert await row.locator(".tools").evaluate(COVERED) == []
        assert await row.bounding_box() == before


async def test_the_time_beside_a_compact_message_does_not_reach_its_text(open_page: Any, ws: Any) -> None:
    ws.say(seed.JONAS, seed.OPS, "one")
    compact = ws.say(seed.JONAS, seed.OPS, "two")
    page = await open_page(viewport=PHONE, locale="en-US")
    row = page.locator(f'[data-message-ts="{compact.ts}"]')
    await row.hover()
    time = row.locator(".time-short")
    await expect(time).to_have_text(re.compile(r"^\d{1,2}:\d\d$"))
    assert await time.evaluate("node => node.scrollWidth <= node.closest('.gutter').clientWidth")
