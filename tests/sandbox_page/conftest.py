"""The sandbox's page in headless Chromium, against a real local workspace with a real Bolt app connected to it."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.breaks import Break, Option, Value
from sandbox.slack import Workspace, seed

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
DESKTOP = {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path. It is required in CI; elsewhere these tests are skipped with a message."""
    if os.access(CHROMIUM, os.X_OK):
        return CHROMIUM
    if os.environ.get("CI") == "true":
        pytest.fail(f"{CHROMIUM} is missing: install the Debian package chromium; the page's tests need it")
    pytest.skip(f"{CHROMIUM} is missing: the page is not covered (install the Debian package chromium)")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        await launched.close()


class Faults:
    """Pretend faults for the panel, one of each kind that keeps a value."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {"pod.kill": False, "net.http": "", "pod.delete": None}
        self.pressed = 0

    def _set(self, name: str) -> Callable[[Value], None]:
        def apply(value: Value) -> None:
            self.pressed += value is None
            self.values[name] = value

        return apply

    def breaks(self) -> list[Break]:
        read = self.values.get
        answers = (Option("500", "500"), Option("hang", "Hangs"))
        return [
            Break("pod.kill", "Pod", "Kill it", "help", "toggle", lambda: read("pod.kill"), self._set("pod.kill")),
            Break("pod.delete", "Pod", "Delete it", "help", "button", lambda: None, self._set("pod.delete")),
            Break(
                "net.http",
                "Network",
                "HTTP",
                "help",
                "choice",
                lambda: read("net.http"),
                self._set("net.http"),
                answers,
            ),
        ]


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest_asyncio.fixture(loop_scope="session")
async def ws(faults: Faults) -> AsyncIterator[Workspace]:
    async with Workspace(
        ROOT / "deploy" / "slack-manifest-workflows.yaml",
        page_dir=ROOT / "sandbox" / "page",
        rate_limits=False,
        file_processing_s=0,
        redelivery_s=(),
    ) as started:
        started.add_breaks(faults.breaks())
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def client(ws: Workspace) -> AsyncIterator[AsyncWebClient]:
    """The Web API as the app uses it."""
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(ws.bot_token, base_url=ws.api_url, session=session)


@pytest_asyncio.fixture(loop_scope="session")
async def app(ws: Workspace, client: AsyncWebClient) -> AsyncIterator[AsyncApp]:
    """A connected Bolt app; tests add listeners."""
    bolt = AsyncApp(client=client)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # raised by the SDK when it creates its handler
        handler = AsyncSocketModeHandler(bolt, ws.app_token)
        await handler.connect_async()
    await ws.wait_connected()
    yield bolt
    with contextlib.suppress(ConnectionError):
        await handler.close_async()


Opener = Callable[..., Any]


class Screen:
    """A page and its problems: script errors, and violations of the content policy."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda m: self.problems.append(m.text) if "Content Security Policy" in m.text else None)


async def _screen(browser: Browser, **options: Any) -> Screen:
    context = await browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
    return Screen(await context.new_page())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def desktop(browser: Browser) -> Screen:
    """One browser context for all tests: each workspace's port makes an origin with separate state.

    A new context takes most of a second to create.
    """
    return await _screen(browser)


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, desktop: Screen, ws: Workspace) -> AsyncIterator[Opener]:
    """``await open_page(query, before=…, viewport=…)``; ``before(page)`` runs ahead of loading.

    Any script error or violation of the content policy fails the test.
    """
    others: list[Screen] = []

    async def opened(query: str | None = None, before: Any = None, **options: Any) -> Page:
        if before is None and not options:
            screen = desktop
        else:
            others.append(screen := await _screen(browser, **options))
        page = screen.page
        if before is not None:
            await before(page)
        await page.goto(f"{ws.base_url}/{here() if query is None else query}")
        await page.wait_for_selector('html[data-ready="true"]')
        await page.wait_for_selector('#app[data-live="open"]')
        return page

    yield opened
    problems = [problem for screen in (desktop, *others) for problem in screen.problems]
    desktop.problems.clear()
    await desktop.page.unroute_all()
    await desktop.page.goto("about:blank")
    for screen in others:
        await screen.page.context.close()
    assert problems == []


def here(user: str = seed.MAYA, channel: str = seed.OPS, **more: str) -> str:
    """The URL of a channel, seen as a user."""
    return "?" + "&".join(f"{k}={v}" for k, v in {"user": user, "channel": channel, **more}.items())


@pytest.fixture
def address() -> Callable[..., str]:
    return here
