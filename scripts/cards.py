"""Regenerate the screenshots of the approval card, one per state, from the real bot at a phone's size.

Needs Chromium. `make screenshots` calls it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sandbox.cluster import kinds  # noqa: E402 - the repository's root has to be on the path first
from sandbox.environment import Sandbox  # noqa: E402 - likewise
from sandbox.slack import seed  # noqa: E402 - likewise
from scripts.browser import FOLDER, PHONE, chromium, page_at, settled  # noqa: E402 - likewise
from tests.scenarios.repairs import DENY, WITHDRAW, Repair, asked  # noqa: E402 - likewise
from tests.scenarios.talk import World  # noqa: E402 - likewise

TALL = {**PHONE, "height": 1500}
"""A window that the longest card fits into."""
REASON = "The new SSH key has to be picked up"


async def _open(world: World) -> Repair:
    return await asked(world, f'restart --reason "{REASON}"')


async def _open_again(world: World) -> Repair:
    """After a restart, from which the next one's time is predicted."""
    world.sandbox.cluster.simulation.speed = 3.0
    first = await _open(world)
    await first.click(seed.JONAS)
    await first.shows("✅")
    return await _open(world)


async def _under_way(world: World) -> Repair:
    world.sandbox.cluster.simulation.speed = 60.0
    repair = await _open(world)
    await repair.click(seed.JONAS)
    await repair.shows("under way")
    return repair


async def _succeeded(world: World) -> Repair:
    repair = await _open_again(world)
    await repair.click(seed.JONAS)
    await repair.shows("✅")
    return repair


async def _failed(world: World) -> Repair:
    repair = await _open(world)
    rules = world.sandbox.cluster.server.authorizer.rules
    rules[:] = [r for r in rules if "patch" not in r.verbs]
    await repair.click(seed.JONAS)
    await repair.shows("🔴")
    return repair


async def _denied(world: World) -> Repair:
    repair = await _open(world)
    await world.workspace.click(seed.PRIYA, repair.card, DENY)
    view = await world.workspace.wait_view(seed.PRIYA)
    await world.workspace.submit_view(
        seed.PRIYA, view, {"reason": "The nightly job still runs: after 10:00, please"}
    )
    await repair.shows("⛔")
    return repair


async def _withdrawn(world: World) -> Repair:
    repair = await _open(world)
    await repair.click(seed.MAYA, WITHDRAW)
    await repair.shows("↩️")
    return repair


async def _expired(world: World) -> Repair:
    repair = await _open(world)
    await repair.shows("⌛", patience=90.0)  # the shortest time that the settings allow
    return repair


async def _void(world: World) -> Repair:
    repair = await _open(world)
    store = world.sandbox.cluster.store
    changed = json.loads(json.dumps(store.list(kinds.DEPLOYMENT)[0]))
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "ghcr.io/derio-net/secure-agent-kali:v2"
    changed["metadata"]["generation"] += 1
    store.put(kinds.DEPLOYMENT, changed)
    await repair.click(seed.JONAS)
    await repair.shows("🚫")
    return repair


async def _alone(world: World) -> Repair:
    repair = await _open(world)
    await world.ask(f'break-glass {repair.id} --reason "The site is down, and nobody else is awake"', seed.PRIYA)
    await repair.shows("✅")
    return repair


STATES: dict[str, Callable[[World], Awaitable[Repair]]] = {
    "open": _open_again,
    "under-way": _under_way,
    "succeeded": _succeeded,
    "failed": _failed,
    "denied": _denied,
    "withdrawn": _withdrawn,
    "expired": _expired,
    "void": _void,
    "break-glass": _alone,
}


@asynccontextmanager
async def _world(state: str) -> AsyncIterator[World]:
    short = {"expires_after": "1m"} if state == "expired" else {}
    settings = {"approvals": {"break_glass": [seed.PRIYA]} | short, "probes": {"timeout": "5s"}}
    async with Sandbox(rate_limits=False, pod_seconds=0.0, settings=settings) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


async def _take(browser: Browser, state: str, make: Callable[[World], Awaitable[Repair]]) -> None:
    async with _world(state) as world:
        repair = await make(world)
        theme = "dark" if state in ("under-way", "failed", "break-glass") else "light"
        query = f"?user={seed.SAM}&channel={seed.OPS}&theme={theme}&panel=closed"
        async with page_at(browser, f"{world.workspace.base_url}/{query}", TALL) as page:
            card = page.locator(".message", has_text=f"{repair.id} · asked").last
            await card.wait_for()
            await settled(page)
            await card.screenshot(path=FOLDER / f"card-{state}.png")


async def _main(states: list[str]) -> None:
    async with chromium() as browser:
        for state in states:
            await _take(browser, state, STATES[state])
            print(FOLDER / f"card-{state}.png")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:] or list(STATES)))
