"""The browser that makes the screenshots in docs/images."""

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
    """Debian's Chromium, headless."""
    async with async_playwright() as playwright:
        path = shutil.which("chromium") or "chromium"
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_at(browser: Browser, url: str, size: dict[str, int] | None = None) -> AsyncIterator[Page]:
    """A page of the sandbox, at a phone's resolution."""
    page = await browser.new_page(viewport=size or PHONE, device_scale_factor=2)  # type: ignore[arg-type]
    await page.goto(url)
    try:
        yield page
    finally:
        await page.close()


async def settled(page: Page) -> None:
    """Wait until fonts are loaded and the page has scrolled to its end."""
    await page.wait_for_timeout(400)
