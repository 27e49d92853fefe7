"""Make the pictures in docs/images anew: the sandbox's page after `/agentpod status`, healthy and broken.

The real bot answers; nothing in the pictures is drawn by hand. Needs Chromium.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, async_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sandbox.house import Sandbox  # noqa: E402 - the repository's root has to be on the path first
from sandbox.slack import seed  # noqa: E402 - likewise
from tests.scenarios.talk import World  # noqa: E402 - likewise

PHONE = {"width": 390, "height": 900}
DESKTOP = {"width": 1280, "height": 800}


@dataclass(frozen=True)
class Shot:
    """One picture: a name, what is broken, what is asked, and how it is looked at."""

    name: str
    faults: tuple[tuple[str, bool | str], ...]
    lines: tuple[str, ...]
    theme: str = "light"
    size: tuple[tuple[str, int], ...] = tuple(PHONE.items())
    panel: str = "closed"


BROKEN = (("pod-kill-process", "vibe-kanban"), ("kanban-down", True), ("pod-disk-full", True))
WIDE = tuple(DESKTOP.items())
SHOTS = (
    Shot("status-healthy-phone", (), ("status",), size=(("width", 390), ("height", 640))),
    Shot("status-broken-phone", BROKEN, ("status",), theme="dark"),
    Shot("status-healthy", (), ("status",), size=WIDE, panel="open"),
    Shot("status-broken", BROKEN, ("status",), theme="dark", size=WIDE, panel="open"),
)


async def _take(browser: Browser, folder: Path, shot: Shot) -> None:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        for fault, value in shot.faults:
            await world.break_(fault, value)
        for line in shot.lines:
            await world.ask(line)
        page = await browser.new_page(viewport=dict(shot.size), device_scale_factor=2)  # type: ignore[arg-type]
        query = f"?user={seed.MAYA}&channel={seed.OPS}&theme={shot.theme}&panel={shot.panel}"
        await page.goto(sandbox.workspace.base_url + "/" + query)
        await page.get_by_text("Run again").last.wait_for()
        await page.wait_for_timeout(400)  # fonts and the scroll to the end settle
        await page.screenshot(path=folder / f"{shot.name}.png")
        await page.close()


async def _main(folder: Path, shots: list[Shot]) -> None:
    chromium = shutil.which("chromium") or "chromium"
    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--disable-sync",
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        for shot in shots:
            await _take(browser, folder, shot)
            print(folder / f"{shot.name}.png")
        await browser.close()


if __name__ == "__main__":
    chosen = [shot for shot in SHOTS if len(sys.argv) < 2 or shot.name in sys.argv[1:]]
    (ROOT / "docs" / "images").mkdir(parents=True, exist_ok=True)
    asyncio.run(_main(ROOT / "docs" / "images", chosen))
