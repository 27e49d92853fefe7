"""Answers in modals: where a click in the Home tab is answered, and what happens where a modal can't show it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.adapters.slack import inbound
from bot.adapters.slack.blocks import render
from bot.domain.core.reply import Reply, Table
from sandbox.slack import seed
from tests.adapters.slack_bench import Rig, rig, until

MAYA, DM = seed.MAYA, seed.DM_MAYA


@pytest.fixture
async def bot() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


async def click(bot: Rig, line: str) -> None:
    """Click a button for a command line in Maya's Home tab."""
    text = {"type": "plain_text", "text": "Do it"}
    button = {"type": "button", "action_id": inbound.RUN, "text": text, "value": inbound.value(line)}
    home = {"type": "home", "blocks": [{"type": "actions", "elements": [button]}]}
    await bot.ws.click_view(MAYA, bot.ws.core.views.publish(MAYA, home), inbound.RUN)


def modal(bot: Rig) -> str:
    view = bot.ws.view_of(MAYA)
    return str(view.body["blocks"]) if view is not None else ""


async def test_the_modal_opens_at_once_and_then_shows_the_answer(bot: Rig) -> None:
    await click(bot, "slow")
    await until(lambda: "Working on it" in modal(bot))
    opened = bot.ws.view_of(MAYA)
    bot.gate.set()
    await until(lambda: "slow is done" in modal(bot))
    assert bot.ws.view_of(MAYA) is opened
    assert bot.ws.messages(DM, MAYA) == []


async def test_an_answer_with_a_file_is_a_direct_message_and_the_modal_says_so(bot: Rig) -> None:
    await click(bot, "logs")
    await until(lambda: "The whole answer is in Messages" in modal(bot))
    assert "2,000 lines" in modal(bot)
    await bot.answer(DM, MAYA, "2,000 lines")


async def test_where_the_modal_was_closed_the_answer_is_a_direct_message(bot: Rig) -> None:
    await click(bot, "slow")
    await until(lambda: "Working on it" in modal(bot))
    opened = bot.ws.view_of(MAYA)
    assert opened is not None
    await bot.ws.close_view(MAYA, opened)
    bot.gate.set()
    await bot.answer(DM, MAYA, "slow is done")


async def test_where_no_modal_opens_the_answer_and_a_form_s_button_are_direct_messages(bot: Rig) -> None:
    bot.ws.core.faults.late_triggers = True
    await click(bot, "fix")
    await bot.answer(DM, MAYA, "fixed")
    await click(bot, "ask")
    await bot.answer(DM, MAYA, "The form could not open: open it from here")


def test_tables_are_lines_where_there_can_be_none() -> None:
    table = Table(("Name", "State"), (("one", "up"), ("two", "down")))
    [message] = render(Reply("h", tables=(table,)), tables=False).messages
    assert {block["type"] for block in message.blocks} == {"rich_text"}
    wide = Table(("Name",), tuple((f"row {n}",) for n in range(50)))
    [message] = render(Reply("h", tables=(wide,)), tables=False).messages
    assert {block["type"] for block in message.blocks} == {"rich_text"}
