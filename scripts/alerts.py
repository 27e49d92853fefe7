"""Make the pictures of an alert's life, the digest and the Home tab anew: the real bot, on a phone.

The day that the digest shows is put into the ledger before the bot starts, and read and drawn as any other.
Needs Chromium. `make screenshots` calls it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bot.adapters.ledger import open_ledger  # noqa: E402 - the repository's root has to be on the path first
from bot.domain.alerting import AlertRules  # noqa: E402 - likewise
from bot.domain.history import BEAT, SOURCE, Happening, pod_source  # noqa: E402 - likewise
from bot.jobs.looks import heartbeat_looks, pod_looks  # noqa: E402 - likewise
from sandbox.house import Sandbox  # noqa: E402 - likewise
from sandbox.slack import seed  # noqa: E402 - likewise
from sandbox.slack.message import Message  # noqa: E402 - likewise
from scripts.browser import FOLDER, chromium, page_at, settled  # noqa: E402 - likewise
from tests.scenarios.talk import World, until, words  # noqa: E402 - likewise

JOB, TARGET = "session-manager", "secure-agent-pod"
SOURCES = (SOURCE, pod_source(TARGET))
BEATS = [
    {"job": JOB, "severity": "critical", "stale_after": "5s"},
    {"job": "exercise-reminder", "severity": "critical", "stale_after": "3h"},
    {"job": "audit-digest", "schedule": "0 21 * * *", "timezone": "UTC", "grace": "15m"},
]
RULES = {"poll": "1s", "keep_firing": "3s", "flaps": 50}


def _yesterday() -> list[Happening]:
    """A day as days are: a job that stood still for a while, a late one, a restart, and a bot that was off."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)

    def at(hours: float) -> datetime:
        return start + timedelta(hours=hours)

    beats = [Happening(TARGET, JOB, at(n / 2), BEAT) for n in range(48) if not 27 <= n <= 30]
    beats += [Happening(TARGET, "exercise-reminder", at(n), BEAT) for n in (7, 9.5, 12, 14.5, 17)]
    beats.append(Happening(TARGET, "audit-digest", at(21.2), BEAT))
    states = [
        Happening(TARGET, JOB, at(13.2), "stale"),
        Happening(TARGET, JOB, at(15.5), "up"),
        Happening(TARGET, "audit-digest", at(21), "late"),
        Happening(TARGET, "audit-digest", at(21.2), "up"),
        Happening(TARGET, "pod", at(15.3), "down"),
        Happening(TARGET, "pod", at(15.4), "ready"),
        *(Happening("", source, at(h), what) for source in SOURCES for h, what in ((3, "off"), (4, "ok"))),
    ]
    return beats + states


@asynccontextmanager
async def _world() -> AsyncIterator[World]:
    settings = {"alerts": RULES, "digest": {"timezone": "UTC"}, "probes": {"timeout": "5s"}}
    async with Sandbox(rate_limits=False, settings=settings, target={"heartbeats": BEATS}) as sandbox:
        ledger = await open_ledger(f"sqlite+aiosqlite:///{sandbox.folder / 'agentpod.db'}", exclusive=False)
        async with ledger.writing() as tx:
            await tx.happened(_yesterday())
            for looks in (heartbeat_looks(AlertRules()), pod_looks(TARGET)):
                await tx.set_mark(looks.first, (datetime.now(UTC) - timedelta(days=9)).isoformat())
                await tx.set_mark(looks.last, datetime.now(UTC).isoformat())
        await ledger.close()
        for beat in BEATS:
            sandbox.pushgateway.push({"job": str(beat["job"])}, sandbox.pushgateway.clock())
        yield World(sandbox, await sandbox.start_bot())


def _alerts(world: World, text: str) -> list[Message]:
    """The bot's own messages in the channel that say that."""
    here = [m for m in world.workspace.messages(seed.OPS) if m.ephemeral_for is None]
    return [m for m in here if text in words([m])]


async def _shoot(browser: Browser, world: World, name: str, text: str, theme: str = "light") -> None:
    """One message, as somebody sees it."""
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
        await page.screenshot(path=FOLDER / "home.png")
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
        await world.ask("digest")
        await _shoot(browser, world, "digest", "pod up")


if __name__ == "__main__":
    asyncio.run(_main())
