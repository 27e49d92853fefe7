"""Scenes of alerts: a job falls silent and comes back; and digests of a good and of a bad day."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.async_api import Page

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from scripts.pictures.camera import Act, Camera
from scripts.pictures.scene import Scene, ask
from tests.scenarios.lives import becomes, says, wait_for_poll
from tests.scenarios.talk import World, until, words
from tests.scenarios.yesterday import BEATS, JOB, good, put

FIRST_BUTTON = "agentpod:run:0"
BERLIN = ZoneInfo("Europe/Berlin")
"""The digest's zone, and Maya's."""
STALE = f"🔴 CRITICAL {JOB}: no heartbeat since"
TO_ALERT = "Alert"
"""The label of the link from a direct message to the alert's own, which is posted first."""
AGAIN = f"✅ {JOB} sends heartbeats again after"


async def alerts(world: World, camera: Camera) -> None:
    """A job falls silent; the alert is acknowledged, snoozed, over."""
    await wait_for_poll(world)
    await ask(world, "preferences --dm all", seed.JONAS)
    alert = await _silent(world)
    await camera.messages("alert-firing", alert)
    await camera.messages("message-menu", alert, act=_menu(alert), also=".popover")
    await camera.messages("alert-message", await _direct(world, seed.JONAS, STALE, TO_ALERT))
    await camera.messages("heartbeats-stale", *await ask(world, "heartbeats"))
    await camera.messages("incidents", *await ask(world, "incidents"))
    await _home(camera, JOB)
    await _answered(world, camera, alert)
    await _over(world, camera, alert)


async def _silent(world: World) -> Message:
    await world.break_(f"heartbeat-{JOB}-stopped")
    await world.break_("time-1h", None)
    return await says(world, STALE)


async def _recovers(world: World) -> Message:
    await world.break_(f"heartbeat-{JOB}-stopped", False)
    await world.break_("time-10m", None)
    return await says(world, AGAIN)


def _menu(message: Message) -> Act:
    async def opened(page: Page) -> None:
        await page.locator(f'.message[data-message-ts="{message.ts}"]').hover()
        await page.locator(f'[data-message-menu="{message.ts}"]').click()
        await page.locator(".popover").wait_for()

    return opened


async def _home(camera: Camera, text: str) -> None:
    async def shown(page: Page) -> None:
        await page.locator(".home-view").get_by_text(text).first.wait_for()

    await camera.page("home-broken", ".home-view", f"?user={seed.MAYA}&home", margin=16, act=shown)


async def _answered(world: World, camera: Camera, alert: Message) -> None:
    """Somebody acknowledges it, then snoozes it."""
    await world.workspace.click(seed.MAYA, alert, FIRST_BUTTON)
    await camera.messages("alert-acknowledged", await becomes(world, alert, "👀"))
    await ask(world, f"snooze {_incident(alert)} 2h")
    await until(lambda: "nooze" in words([alert]), lambda: words([alert]))
    await camera.messages("alert-snoozed", alert)


def _incident(alert: Message) -> str:
    found = re.search(r"i-[a-z0-9]{7}", alert.all_text())
    if found is None:
        raise LookupError(alert.all_text())
    return found[0]


async def _over(world: World, camera: Camera, alert: Message) -> None:
    gateway = world.sandbox.pushgateway
    await world.break_(f"heartbeat-{JOB}-stopped", False)

    def over() -> bool:
        gateway.push({"job": JOB.replace("-", "_")}, gateway.clock())
        return AGAIN in words([alert])

    await until(over, lambda: words([alert]))
    await camera.messages("alert-resolved", alert)
    await camera.messages("report", *await ask(world, f"report {_incident(alert)}"))


async def quiet(world: World, camera: Camera) -> None:
    """Two alerts come in Maya's quiet hours, and are over before they end."""
    await wait_for_poll(world)
    now = world.sandbox.time.now().astimezone(BERLIN)
    first, last = now - timedelta(hours=1), now + timedelta(hours=3)
    await ask(world, f"preferences --dm all --quiet {first:%H:%M}-{last:%H:%M}")
    await camera.messages("preferences", *await ask(world, "preferences"))
    await world.break_("heartbeat-agent-pulse-stopped")
    await _silent(world)
    await says(world, "🔴 CRITICAL agent-pulse: no heartbeat since")
    await world.break_("heartbeat-agent-pulse-stopped", False)
    await _recovers(world)
    await says(world, "✅ agent-pulse sends heartbeats again")
    await world.break_("time-6h", None)
    await camera.messages("quiet-hours", await _direct(world, seed.MAYA, "quiet hours held back"))


async def _direct(world: World, user: str, *texts: str) -> Message:
    def found() -> list[Message]:
        here = world.workspace.messages(seed.DMS[user], user)
        return [m for m in here if m.user == seed.BOT_USER and all(text in m.all_text() for text in texts)]

    await until(lambda: bool(found()), world.bot.output)
    return found()[-1]


async def _bad_day(sandbox: Sandbox) -> None:
    await put(_ledger(sandbox), _yesterday())


async def _good_day(sandbox: Sandbox) -> None:
    await put(_ledger(sandbox), _yesterday(), events=good(_yesterday()))


def _ledger(sandbox: Sandbox) -> str:
    return f"sqlite+aiosqlite:///{sandbox.folder / 'agentpod.db'}"


def _yesterday() -> date:
    return datetime.now(BERLIN).date() - timedelta(days=1)


def _digest(name: str) -> Callable[[World, Camera], Awaitable[None]]:
    async def play(world: World, camera: Camera) -> None:
        for beat in BEATS:
            world.sandbox.pushgateway.push({"job": str(beat["job"])}, world.sandbox.pushgateway.clock())
        await camera.messages(name, *await ask(world, "digest"))

    return play


QUICK = {"alerts": {"poll": "1s", "keep_firing": "1s", "pod_for": "30s"}}
DAY = {
    "target": {"heartbeats": [{**beat, "stale_after": "10m"} if beat["job"] == JOB else beat for beat in BEATS]}
}
ZONE = {"digest": {"timezone": "Europe/Berlin"}}
SCENES = (
    Scene("alerts", alerts, QUICK, {"lively": True}, behind=timedelta(hours=1)),
    Scene("quiet hours", quiet, QUICK, {"lively": True}, behind=timedelta(hours=7, minutes=10)),
    Scene("good day", _digest("digest-good"), ZONE, DAY, before=_good_day),
    Scene("bad day", _digest("digest-bad"), ZONE, DAY, before=_bad_day),
)
