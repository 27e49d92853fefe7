"""Regenerate the screenshots of an alert, the digest and the Home tab, from the real bot at a phone's size.

The digest's day is written to the ledger before the bot starts; the bot reads and draws it like any other.
Needs Chromium. `make screenshots` calls it.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sandbox.environment import Sandbox  # noqa: E402 - the repository's root has to be on the path first
from sandbox.slack import seed  # noqa: E402 - likewise
from sandbox.slack.message import Message  # noqa: E402 - likewise
from scripts.browser import FOLDER, PHONE, chromium, page_at, settled  # noqa: E402 - likewise
from tests.scenarios.talk import World, until, words  # noqa: E402 - likewise
from tests.scenarios.yesterday import BEATS, JOB, put  # noqa: E402 - likewise

RULES = {"poll": "1s", "keep_firing": "3s", "flaps": 50}


@asynccontextmanager
async def _world() -> AsyncIterator[World]:
    settings = {"alerts": RULES, "digest": {"timezone": "UTC"}, "probes": {"timeout": "5s"}}
    async with Sandbox(rate_limits=False, settings=settings, target={"heartbeats": BEATS}) as sandbox:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        await put(f"sqlite+aiosqlite:///{sandbox.folder / 'agentpod.db'}", yesterday)
        for beat in BEATS:
            sandbox.pushgateway.push({"job": str(beat["job"])}, sandbox.pushgateway.clock())
        yield World(sandbox, await sandbox.start_bot())


def _alerts(world: World, text: str) -> list[Message]:
    """The bot's messages in the channel that contain ``text``."""
    here = [m for m in world.workspace.messages(seed.OPS) if m.ephemeral_for is None]
    return [m for m in here if text in words([m])]


async def _shoot(browser: Browser, world: World, name: str, text: str, theme: str = "light") -> None:
    """Take a screenshot of the latest message with ``text``."""
    query = f"?user={seed.MAYA}&channel={seed.OPS}&theme={theme}&panel=closed"
    async with page_at(browser, f"{world.workspace.base_url}/{query}") as page:
        message = page.locator(".message", has_text=text).last
        await message.wait_for()
        await page.wait_for_load_state("networkidle")
        await settled(page)
        await message.screenshot(path=FOLDER / f"{name}.png")
        print(FOLDER / f"{name}.png")


async def _home(browser: Browser, world: World) -> None:
    url = f"{world.workspace.base_url}/?user={seed.MAYA}&home&theme=dark&panel=closed"
    async with page_at(browser, url) as page:
        await page.get_by_text(JOB).first.wait_for()
        await settled(page)
        last = await page.get_by_role("button", name="Run again").bounding_box() or PHONE
        bottom = int(last.get("y", 0) + last["height"]) + 24
        await page.screenshot(path=FOLDER / "home.png", clip={"x": 0, "y": 0, **PHONE, "height": bottom})
        print(FOLDER / "home.png")


async def _main() -> None:
    async with chromium() as browser, _world() as world:
        await until(lambda: bool(_alerts(world, f"CRITICAL {JOB}")), world.bot.output)
        await _shoot(browser, world, "alert-firing", f"CRITICAL {JOB}", "dark")
        await _home(browser, world)
        done = await world.workspace.click(seed.MAYA, _alerts(world, f"CRITICAL {JOB}")[-1], "agentpod:run:0")
        await world.final(lambda: done.messages)

        def over() -> bool:
            world.sandbox.pushgateway.push({"job": JOB}, world.sandbox.pushgateway.clock())
            return bool(_alerts(world, f"{JOB} sends heartbeats again after"))

        await until(over, lambda: words(_alerts(world, JOB)))
        await _shoot(browser, world, "alert-resolved", f"{JOB} sends heartbeats again after")
        found = re.search(r"i-[a-z0-9]{7}", words(_alerts(world, "heartbeats again after")[-1:]))
        await world.ask(f"report {found[0] if found else ''}")
        await _shoot(browser, world, "report", f"CRITICAL {JOB}: ")
        await world.ask("digest")
        await _shoot(browser, world, "digest", "pod up")


if __name__ == "__main__":
    asyncio.run(_main())
