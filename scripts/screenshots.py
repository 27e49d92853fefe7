"""Regenerate the screenshots in docs/images: the sandbox's page after `/agentpod status`, healthy and broken,
and where an admission policy refuses a restart.

The answers are the real bot's. Needs Chromium.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sandbox.environment import Sandbox  # noqa: E402 - the repository's root has to be on the path first
from sandbox.slack import seed  # noqa: E402 - likewise
from scripts.browser import FOLDER, PHONE, chromium, page_at, settled  # noqa: E402 - likewise
from tests.healthy import HEALTHY  # noqa: E402 - likewise
from tests.scenarios.talk import World  # noqa: E402 - likewise


@dataclass(frozen=True)
class Shot:
    """One screenshot: its name, the faults, the commands, and the view."""

    name: str
    faults: tuple[tuple[str, bool | str], ...]
    lines: tuple[str, ...]
    says: str
    """The first line that each answer must have: on a busy machine, checks may time out as unknown."""
    theme: str = "light"
    height: int = PHONE["height"]


BROKEN = (("pod-kill-process", "vibe-kanban"), ("kanban-down", True), ("pod-disk-full", True))
GONE = "🔴 Not healthy: 2 problems, first: vibe-kanban is not running"
ASKED = 'restart --reason "The new SSH key has to be picked up"'
REFUSED = (
    "Nobody is asked, since it would fail: the bot's own admission policy agentpod.secure-agent-pod.deployments "
    "refused it: agentpod changes nothing of a Deployment but annotations of its targets' pod templates "
    '(patch deployments.apps "secure-agent-pod" in secure-agent-pod)'
)
SHOTS = (
    Shot("status-healthy-phone", (), ("status",), f"✅ {HEALTHY}", height=640),
    Shot("status-broken-phone", BROKEN, ("status",), GONE, theme="dark", height=960),
    Shot("refused-by-policy", (("kube-admission", "changes"),), (ASKED,), REFUSED, theme="dark", height=640),
)


async def _take(browser: Browser, shot: Shot) -> None:
    async with Sandbox(rate_limits=False, pod_seconds=0.0, settings={"probes": {"timeout": "10s"}}) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        for fault, value in shot.faults:
            await world.break_(fault, value)
        for line in shot.lines:
            answer = await world.ask(line)
            if answer.first_line != shot.says:
                raise SystemExit(f"{shot.name}: {answer.first_line}")
        query = f"?user={seed.MAYA}&channel={seed.OPS}&theme={shot.theme}&panel=closed"
        url = f"{sandbox.workspace.base_url}/{query}"
        async with page_at(browser, url, {**PHONE, "height": shot.height}) as page:
            await page.get_by_text("Run again").last.wait_for()
            await settled(page)
            await page.screenshot(path=FOLDER / f"{shot.name}.png")


async def _main(shots: list[Shot]) -> None:
    async with chromium() as browser:
        for shot in shots:
            await _take(browser, shot)
            print(FOLDER / f"{shot.name}.png")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    asyncio.run(_main([shot for shot in SHOTS if len(sys.argv) < 2 or shot.name in sys.argv[1:]]))
