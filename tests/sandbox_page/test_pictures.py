"""What `scripts/pictures` finds wrong with a picture, tried on small pages."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page

from scripts.pictures.camera import FAULTS, TALL, missing
from scripts.pictures.shot import PHONE_DARK, Shot

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("page-pictures")]
CLIP = {"x": 0, "y": 0, "width": 390, "height": 200}
CASES = {
    "cut: ": '<p style="width: 60px; overflow: hidden; white-space: nowrap">a line that does not fit</p>',
    "outside the picture: ": '<p style="position: absolute; left: 380px; white-space: nowrap">beyond the edge</p>',
    "still busy: ": '<i class="spinner">…</i>',
    "no picture: ": '<img src="data:image/png;base64,AAAA" alt="">',
    "a raw id: U07MAYA0001": "<p>U07MAYA0001 asked for it</p>",
    "a time in UTC only: 13:41:22 UTC": "<p>Ended: 13:41:22 UTC</p>",
    "the messages are wider": '<p style="width: 500px">wide</p>',
}
SOUND = "<p>Maya asked for it at 13:41</p><p><code>U07MAYA0001</code></p>"


async def _page(browser: Browser, body: str) -> Page:
    page = await browser.new_page(viewport={"width": 390, "height": TALL})
    await page.set_content(f'<div class="scroller" style="overflow: hidden"><div id="root">{body}</div></div>')
    return page


@pytest.mark.parametrize("fault", CASES)
async def test_a_fault_is_found(browser: Browser, fault: str) -> None:
    page = await _page(browser, CASES[fault])
    found = await page.locator("#root").evaluate_all(FAULTS, CLIP)
    await page.close()
    assert any(one.startswith(fault) for one in found), found


async def test_a_sound_picture_has_none(browser: Browser) -> None:
    page = await _page(browser, SOUND)
    assert await page.locator("#root").evaluate_all(FAULTS, CLIP) == []
    await page.close()


def _shot(says: str, *shows: str) -> Shot:
    return Shot("one", "scene", PHONE_DARK, "caption", "alt", says, shows)


async def test_the_cause_has_to_be_in_the_first_line(browser: Browser) -> None:
    page = await _page(browser, '<div class="body"><p>Not healthy</p><p>sshd is not running</p></div>')
    root = page.locator("#root")
    assert await missing(root, _shot("Not healthy", "sshd")) == []
    assert await missing(root, _shot("sshd")) == ["not in the first line: 'sshd'; that is 'Not healthy'"]
    assert await missing(root, _shot("Not healthy", "cron")) == ["not shown: 'cron'"]
    await page.close()
