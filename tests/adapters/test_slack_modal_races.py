"""Two clicks in one modal, and calls that are refused or lost: no form is lost, no window waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bot.adapters.slack.api import Api
from bot.adapters.slack.errors import SlackRefused
from bot.errors import AgentpodError, TimedOut
from sandbox.slack.views import View
from tests.adapters.slack_bench import Rig, rig, until
from tests.adapters.test_slack_modals import DM, MAYA, click, modal

Failure = Callable[[str, dict[str, Any]], AgentpodError | None]


@pytest.fixture
async def bot() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


def window(bot: Rig) -> View:
    view = bot.ws.view_of(MAYA)
    assert view is not None
    return view


async def menu(bot: Rig) -> None:
    await click(bot, "menu")
    await until(lambda: "the menu" in modal(bot))


async def two_clicks(bot: Rig, *labels: str) -> None:
    """Click two buttons before the first click changes the window."""
    view = window(bot)
    elements = [e for b in view.body["blocks"] if b["type"] == "actions" for e in b["elements"]]
    found = {e["text"]["text"]: e["action_id"] for e in elements}
    await asyncio.gather(*(bot.ws.click_view(MAYA, view, found[label]) for label in labels))


def failing(monkeypatch: pytest.MonkeyPatch, after: Failure, before: Failure = lambda *_: None) -> None:
    """Have calls fail before or after Slack has carried them out."""
    call = Api.call

    async def fails(self: Api, method: str, *args: Any, **kwargs: Any) -> Any:
        if error := before(method, kwargs):
            raise error
        done = await call(self, method, *args, **kwargs)
        if error := after(method, kwargs):
            raise error
        return done

    monkeypatch.setattr(Api, "call", fails)


def once(method: str, word: str) -> Failure:
    """A lost response to the first such call whose view has the word."""
    left = [TimedOut("Slack did not answer in time.")]
    return lambda called, kwargs: left.pop() if called == method and word in str(kwargs) and left else None


async def test_a_late_answer_leaves_the_form_that_is_being_filled_in(bot: Rig) -> None:
    await menu(bot)
    await two_clicks(bot, "Form", "Slow")
    await until(lambda: window(bot).body["callback_id"] == "agentpod:form")
    bot.gate.set()
    await bot.answer(DM, MAYA, "slow is done")
    assert window(bot).body["callback_id"] == "agentpod:form"


async def test_the_second_of_two_forms_has_a_button_in_a_direct_message(bot: Rig) -> None:
    await menu(bot)
    await two_clicks(bot, "Form", "Glass")
    message = await bot.answer(DM, MAYA, "The form could not open: open it from here")
    assert "Open the form" in message.all_text()
    [typed] = window(bot).values["reason"].values()
    typed["value"] = "needed until noon"
    [action] = [b["elements"][0]["action_id"] for b in message.blocks if b["type"] == "actions"]
    await bot.ws.click(MAYA, message, action)
    await until(lambda: window(bot).body["title"]["text"] == "Break glass")
    assert "needed until noon" not in str(window(bot).values)


async def test_of_two_answers_neither_replaces_the_other(bot: Rig) -> None:
    await menu(bot)
    await two_clicks(bot, "Slow", "Fix")
    await bot.answer(DM, MAYA, "fixed")
    bot.gate.set()
    await until(lambda: "slow is done" in modal(bot))


async def test_a_window_that_can_t_show_the_answer_says_where_it_is(
    bot: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(method: str, kwargs: dict[str, Any]) -> AgentpodError | None:
        too_large = method == "views.update" and "slow is done" in str(kwargs)
        return SlackRefused("Slack refused views.update: view_too_large.", "view_too_large") if too_large else None

    failing(monkeypatch, lambda *_: None, refused)
    bot.gate.set()
    await click(bot, "slow")
    await until(lambda: "The whole answer is in Messages" in modal(bot))
    await bot.answer(DM, MAYA, "slow is done")


@pytest.mark.parametrize("line", ["slow", "ask"])
async def test_a_window_whose_opening_slack_did_not_confirm_shows_the_answer(
    bot: Rig, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    failing(monkeypatch, once("views.open", "Working on it"))
    bot.gate.set()
    await click(bot, line)
    await until(lambda: ("slow is done" if line == "slow" else "Reason") in modal(bot))
    assert bot.ws.messages(DM, MAYA) == []


async def test_a_window_whose_update_slack_did_not_confirm_shows_the_answer(
    bot: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await menu(bot)
    failing(monkeypatch, once("views.update", "Working on it"))
    bot.gate.set()
    await two_clicks(bot, "Slow")
    await until(lambda: "slow is done" in modal(bot))
    assert bot.ws.messages(DM, MAYA) == []


async def test_an_answer_with_too_many_blocks_for_a_window_is_a_direct_message(bot: Rig) -> None:
    await click(bot, "long")
    await until(lambda: "The whole answer is in Messages" in modal(bot))
    await bot.answer(DM, MAYA, "the very end")


async def test_a_double_tap_is_answered_once_in_the_window(bot: Rig) -> None:
    await menu(bot)
    before = len(bot.ws.messages(DM, MAYA))
    await two_clicks(bot, "Slow", "Slow")
    await until(lambda: "Working on it" in modal(bot))
    bot.gate.set()
    await until(lambda: "slow is done" in modal(bot))
    await bot.slack.drain(5)
    assert "slow is done" in modal(bot)
    assert len(bot.ws.messages(DM, MAYA)) == before, "nothing is said in a direct message"


async def test_a_double_tap_in_home_opens_one_window(bot: Rig) -> None:
    bot.gate.set()
    await asyncio.gather(click(bot, "slow"), click(bot, "slow"))
    await until(lambda: "slow is done" in modal(bot))
    await bot.slack.drain(5)
    assert bot.runs_of("slow") == 1
