"""A person's preferences with the real bot: alerts by direct message, and a summary after quiet hours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from sandbox.slack import seed
from sandbox.slack.message import Message
from sandbox.slack.views import View
from tests.scenarios.lives import lively, says, wait_for_poll
from tests.scenarios.repairs import APPROVE as FIRST_BUTTON
from tests.scenarios.talk import World, shell, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("preferences")]
STALE = "🔴 CRITICAL session-manager: no heartbeat since"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with lively() as world:
        yield world


def direct(world: World, user: str) -> list[Message]:
    """The bot's direct messages to a user, but for answers."""
    return [m for m in world.workspace.messages(seed.DMS[user], user) if m.user == seed.BOT_USER]


async def directly(world: World, user: str, text: str) -> Message:
    """Wait for a direct message that contains ``text``."""
    await until(
        lambda: text in words(direct(world, user)),
        lambda: f"{words(direct(world, user))}; {world.bot.output()[-2000:]}",
    )
    return next(m for m in direct(world, user) if text in m.all_text())


def chosen(view: View, field: str, value: str) -> dict[str, Any]:
    """A choice in a menu of a form."""
    [element] = [b["element"] for b in view.body["blocks"] if b.get("block_id") == field]
    [option] = [o for o in element["options"] if o["value"] == value]
    return {element["action_id"]: {"type": element["type"], "selected_option": option}}


async def stale(world: World) -> None:
    await world.break_("heartbeat-session-manager-stopped")
    await world.break_("time-1h", None)
    await says(world, STALE)


async def healthy(world: World) -> None:
    await world.break_("heartbeat-session-manager-stopped", False)
    await world.break_("time-10m", None)
    await says(world, "✅ session-manager sends heartbeats again after")


async def test_they_are_set_in_a_form_and_shown_and_recorded(module_world: World) -> None:
    world = module_world
    shown = await world.ask("preferences", seed.JONAS)
    assert shown.first_line == "Your preferences"
    done = await world.workspace.slash(seed.JONAS, seed.OPS, "/agentpod", "preferences edit")
    view = await world.workspace.wait_view(seed.JONAS)
    values = {"dm": chosen(view, "dm", "critical"), "requests": chosen(view, "requests", "awake")}
    values |= {"quiet": "2:00-4:00"}  # what is not touched stays
    wrong = await world.workspace.submit_view(seed.JONAS, view, {**values, "quiet": "at night"})
    assert wrong.ok
    await until(lambda: "Quiet hours are two times" in words(done.messages), lambda: words(done.messages))
    again = await world.workspace.slash(seed.JONAS, seed.OPS, "/agentpod", "preferences edit")
    view = await world.workspace.wait_view(seed.JONAS)
    await world.workspace.submit_view(seed.JONAS, view, values)
    await until(lambda: "Your preferences are saved" in words(again.messages), lambda: words(again.messages))
    assert "02:00 to 04:00 (Europe/Berlin)" in words(again.messages)
    trail = "\n".join(row[2] for row in (await world.ask("audit --tail 20")).rows())
    assert f"{seed.JONAS} changed their preferences" in trail
    assert (
        await world.ask("preferences reset", seed.JONAS)
    ).first_line == "Your preferences are the defaults again"


async def test_an_alert_comes_by_direct_message_and_ends_as_the_channels_does(module_world: World) -> None:
    world = module_world
    await world.ask("preferences --dm all", seed.JONAS)
    await world.ask("preferences --dm warning", seed.PRIYA)
    await stale(world)
    mine = await directly(world, seed.JONAS, STALE)
    alert = await says(world, STALE)
    leads = f"/archives/{alert.channel}/p{alert.ts.replace('.', '')}"
    await until(lambda: leads in str(mine.blocks), lambda: str(mine.blocks))
    await world.workspace.click(seed.JONAS, mine, FIRST_BUTTON)
    await directly(world, seed.JONAS, "👀 CRITICAL session-manager")
    await healthy(world)
    last = await directly(world, seed.JONAS, "✅ session-manager sends heartbeats again after")
    assert last.ts == mine.ts
    assert STALE not in words(direct(world, seed.PRIYA))
    assert STALE not in words(direct(world, seed.MAYA))


async def test_quiet_hours_hold_it_back_and_end_with_a_summary_across_a_restart(module_world: World) -> None:
    world = module_world
    now = world.sandbox.time.now().astimezone(ZoneInfo("Europe/Berlin"))
    first, last = now - timedelta(hours=1), now + timedelta(hours=3)
    await world.ask(f"preferences --dm all --quiet {first:%H:%M}-{last:%H:%M}", seed.MAYA)
    before = len(direct(world, seed.MAYA))
    await stale(world)
    await healthy(world)
    await world.bot.stop()
    world.bot = await world.sandbox.start_bot()
    await wait_for_poll(world)
    assert len(direct(world, seed.MAYA)) == before
    await world.break_("time-6h", None)
    said = await directly(world, seed.MAYA, "Your quiet hours held this alert back.")
    assert words([said]).startswith("✅ session-manager sends heartbeats again")
    assert len(direct(world, seed.MAYA)) == before + 1


async def test_a_shell_has_no_preferences(module_world: World) -> None:
    code, said = await shell(module_world.sandbox.env(), "preferences")
    assert code == 2
    assert "Preferences are those of a person in Slack" in said
