"""The browser that the pictures in docs/images are made with."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

PHONE = {"width": 390, "height": 900}
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync")
FOLDER = Path(__file__).parents[1] / "docs" / "images"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    async with async_playwright() as playwright:
        path = shutil.which("chromium") or "chromium"
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_at(browser: Browser, url: str, size: dict[str, int] | None = None) -> AsyncIterator[Page]:
    """A page of the sandbox, as sharp as a phone shows it."""
    page = await browser.new_page(viewport=size or PHONE, device_scale_factor=2)  # type: ignore[arg-type]
    await page.goto(url)
    try:
        yield page
    finally:
        await page.close()


async def settled(page: Page) -> None:
    """Fonts are there, and the scroll to the end is over."""
    await page.wait_for_timeout(400)
