"""The app's Home tab: the dashboard, as each user may see it, and its buttons."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.views import View
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("home")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    rules = [
        {"role": "viewer", "users": [seed.MAYA]},
        {"role": "operator", "users": [seed.MAYA]},
        {"role": "approver", "users": [seed.PRIYA]},
        {"role": "viewer", "channels": [seed.OPS], "users": [seed.JONAS]},
        {"role": "viewer", "channels": [seed.GENERAL]},
    ]
    settings = {
        "access": {"rules": rules, "contact": "Priya"},
        "probes": {"timeout": "5s"},
        "log": {"format": "console", "level": "info"},
    }
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def shown(world: World, user: str) -> str:
    """All text of the user's Home tab."""
    view = world.workspace.home_of(user)
    return json.dumps(view.body["blocks"], ensure_ascii=False) if view is not None else ""


async def opens(world: World, user: str, text: str) -> None:
    """Open the user's Home tab until it contains ``text``."""
    world.workspace.open_home(user)
    await until(lambda: text in shown(world, user), lambda: f"{shown(world, user)}\n{world.bot.output()[-2000:]}")


def modal(world: World, user: str) -> str:
    """All text of the modal that is open above the user's Home tab."""
    view = world.workspace.view_of(user)
    return json.dumps(view.body["blocks"], ensure_ascii=False) if view is not None else ""


async def answers(world: World, user: str, text: str) -> View:
    """The user's open modal, once it contains ``text``."""
    await until(lambda: text in modal(world, user), lambda: f"{modal(world, user)}\n{world.bot.output()[-2000:]}")
    view = world.workspace.view_of(user)
    assert view is not None
    return view


def button(view: View, label: str) -> str:
    """The action id of the last button with that label."""
    elements = [one for block in view.body["blocks"] for one in block.get("elements", ())]
    return str([one for one in elements if one.get("text", {}) and _label(one) == label][-1]["action_id"])


def _label(element: dict[str, Any]) -> object:
    text = element.get("text")
    return text.get("text") if isinstance(text, dict) else None


async def test_the_log_goes_on_after_the_first_event(world: World) -> None:
    """At each event Bolt sets the level of the logger that its app is named after, which must not be the bot's."""
    await opens(world, seed.MAYA, "Heartbeats:")  # the bot's first request: a slash command bypasses Bolt
    await world.ask("whoami")
    for name in ("dashboard", "whoami"):
        line = re.compile(rf"INFO +agentpod\.commands: command +command={name} ")
        await until(lambda line=line: bool(line.search(world.bot.output())), world.bot.output)  # type: ignore[misc]


async def test_home_shows_the_verdict_and_the_heartbeats(world: World) -> None:
    await opens(world, seed.MAYA, "Heartbeats:")
    assert "✅ session-manager: up" in shown(world, seed.MAYA)
    assert "Waiting for" not in shown(world, seed.MAYA)


async def test_a_user_without_a_role_is_told_whom_to_ask(world: World) -> None:
    await opens(world, seed.SAM, "You may not see this")
    assert "Ask Priya" in shown(world, seed.SAM)
    assert f'"channel_id": "{seed.GENERAL}"' in shown(world, seed.SAM), "there everybody may"


async def test_a_role_in_one_channel_shows_home_and_names_the_channel_for_commands(world: World) -> None:
    await opens(world, seed.JONAS, "Heartbeats:")
    here = shown(world, seed.JONAS)
    assert "You may run commands in " in here
    assert f'"channel_id": "{seed.OPS}"' in here
    assert "agentpod:run" not in here, "no button that would be refused"


async def test_open_requests_are_offered_only_to_users_who_may_decide(world: World) -> None:
    repair = await asked(world, 'restart --reason "from home"')
    await opens(world, seed.MAYA, "Waiting for somebody else")
    assert f"approve {repair.id}" not in shown(world, seed.MAYA)
    await opens(world, seed.PRIYA, "Waiting for your decision")
    assert f"approve {repair.id}" in shown(world, seed.PRIYA)
    assert re.search(rf'"text": "Card"}}, "url": "[^"]*/archives/{seed.OPS}/p\d+', shown(world, seed.PRIYA))
    view = world.workspace.home_of(seed.PRIYA)
    assert view is not None
    await world.workspace.click_view(seed.PRIYA, view, "agentpod:run:card0-0")
    await repair.shows("✅ Restarted")
    here = world.workspace.messages
    await answers(world, seed.PRIYA, "Restart of secure-agent-pod: approved, carried out now")
    assert "carried out now" not in words(here(seed.DMS[seed.PRIYA], seed.PRIYA)), (
        "said once, where it was clicked"
    )
    await until(lambda: "from home" not in shown(world, seed.PRIYA), lambda: shown(world, seed.PRIYA))
    dm = seed.DMS[seed.MAYA]  # the outcome, which must not come during the tests after this one
    await until(lambda: repair.id in words(here(dm, seed.MAYA)), lambda: words(here(dm, seed.MAYA)))


async def test_home_shows_problems_and_refresh_updates_it(world: World) -> None:
    await world.break_("pod-crash")
    await opens(world, seed.MAYA, "keeps crashing")
    view = world.workspace.home_of(seed.MAYA)
    assert view is not None
    before = len(world.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA))
    await world.workspace.panel.heal()
    await world.workspace.click_view(seed.MAYA, view, "agentpod:again")
    await until(lambda: "keeps crashing" not in shown(world, seed.MAYA), lambda: shown(world, seed.MAYA))
    assert len(world.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA)) == before, "it is the tab that changes"


async def test_a_button_is_answered_in_a_modal_and_so_are_the_buttons_in_it(world: World) -> None:
    before = len(world.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA))
    await opens(world, seed.MAYA, "Heartbeats:")
    home = world.workspace.home_of(seed.MAYA)
    assert home is not None
    await world.workspace.click_view(seed.MAYA, home, button(home, "Heartbeats"))
    view = await answers(world, seed.MAYA, "Run again")
    assert view.body["title"]["text"] == "Heartbeats"
    assert "session-manager" in modal(world, seed.MAYA), "a modal has no tables, but lines"
    await world.workspace.click_view(seed.MAYA, view, "agentpod:again")
    await until(lambda: world.bot.output().count("command=heartbeats ") >= 2, world.bot.output)
    assert await answers(world, seed.MAYA, "Run again") is view, "in the same modal"
    assert len(world.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA)) == before


async def test_a_form_opens_in_the_modal_and_is_answered_in_one(world: World) -> None:
    repair = await asked(world, 'restart --reason "a form"')
    await opens(world, seed.PRIYA, f"deny {repair.id}")
    home = world.workspace.home_of(seed.PRIYA)
    assert home is not None
    await world.workspace.click_view(seed.PRIYA, home, button(home, "Deny"))
    form = await answers(world, seed.PRIYA, '"type": "input"')
    await world.workspace.submit_view(seed.PRIYA, form, {"reason": "not now"})
    assert await answers(world, seed.PRIYA, "Restart of secure-agent-pod: denied") is not form
    await until(lambda: "a form" not in shown(world, seed.PRIYA), lambda: shown(world, seed.PRIYA))


async def test_an_answer_whose_modal_was_closed_or_came_too_late_is_a_direct_message(world: World) -> None:
    await opens(world, seed.MAYA, "Heartbeats:")
    home = world.workspace.home_of(seed.MAYA)
    assert home is not None
    said = lambda: words(world.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA))  # noqa: E731
    assert "on time" not in said()
    await world.break_("slack-late-triggers", True)
    await world.workspace.click_view(seed.MAYA, home, button(home, "Heartbeats"))
    await until(lambda: "on time" in said(), said)
    await world.workspace.panel.heal()


async def test_home_shows_every_target_and_undelivered_messages() -> None:
    settings = {
        "targets": [{"name": "blue", "heartbeats": []}, {"name": "green", "heartbeats": []}],
        "access": {"rules": [{"role": "viewer", "users": [seed.MAYA]}]},
        "slack": {"channel": seed.RANDOM},
        "alerts": {"poll": "1s", "pod_for": "0s"},
    }
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0) as sandbox:
        two = World(sandbox, await sandbox.start_bot())
        await two.break_("pod-crash")
        await until(lambda: "not delivered" in two.bot.output(), two.bot.output)
        await opens(two, seed.MAYA, "Not healthy: blue and green (2 of 2 targets)")
        here = shown(two, seed.MAYA)
        assert "🔴 blue: Not healthy" in here
        assert "🔴 green: Not healthy" in here
        assert "the app is not in the channel (not_in_channel). In the channel: /invite @agentpod" in here
