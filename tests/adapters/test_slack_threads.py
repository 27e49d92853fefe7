"""A click that is answered in the thread of its message, for all, if all can see that message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.adapters.slack_bench import Rig, rig, until
from tests.adapters.test_slack_adapter import press

OPS, MAYA, SAM, JONAS = seed.OPS, seed.MAYA, seed.SAM, seed.JONAS


@pytest.fixture
async def bot() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


async def public(bot: Rig) -> Message:
    """A message for all, in the thread of a mention."""
    bot.ws.mention(MAYA, OPS, "status")
    return await bot.answer(OPS, MAYA, "1 of 2 checks failed")


async def on_its_own(bot: Rig, after: str = "0") -> Message:
    """A message for all that is in no thread, as an alert is."""
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    private = await bot.answer(OPS, MAYA, "1 of 2 checks failed", after=after)
    await bot.ws.click(MAYA, private, press(private, "Share in channel"))
    return await bot.answer(OPS, JONAS, "1 of 2 checks failed", after=after)


async def test_the_answer_is_in_the_message_s_thread_for_all_with_who_asked(bot: Rig) -> None:
    bot.gate.set()
    message = await on_its_own(bot)
    assert message.thread_ts is None
    await bot.ws.click(JONAS, message, press(message, "Why"))
    answer = await bot.answer(OPS, MAYA, "the disk is full")
    assert (answer.thread_ts, answer.ephemeral_for) == (message.ts, None)
    assert f"Asked by <@{JONAS}>: /agentpod why" in answer.all_text()
    assert "Share in channel" not in answer.all_text()


async def test_the_answer_to_a_click_in_a_thread_stays_in_it(bot: Rig) -> None:
    bot.gate.set()
    message = await public(bot)
    await bot.ws.click(JONAS, message, press(message, "Why"))
    answer = await bot.answer(OPS, MAYA, "the disk is full")
    assert (answer.thread_ts, answer.ephemeral_for) == (message.thread_ts, None)
    await bot.ws.click(MAYA, answer, press(answer, "Run again"))
    again = await bot.answer(OPS, JONAS, "the disk is full", after=answer.ts)
    assert (again.thread_ts, again.ephemeral_for) == (message.thread_ts, None)


async def test_under_a_private_message_the_answer_is_private(bot: Rig) -> None:
    bot.gate.set()
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    private = await bot.answer(OPS, MAYA, "1 of 2 checks failed")
    await bot.ws.click(MAYA, private, press(private, "Why"))
    answer = await bot.answer(OPS, MAYA, "the disk is full")
    assert (answer.ephemeral_for, answer.thread_ts) == (MAYA, None)
    assert "Asked by" not in answer.all_text()


async def test_in_a_direct_message_the_answer_is_no_thread(bot: Rig) -> None:
    bot.gate.set()
    bot.ws.dm(MAYA, "status")
    message = await bot.answer(seed.DM_MAYA, MAYA, "1 of 2 checks failed")
    await bot.ws.click(MAYA, message, press(message, "Why"))
    assert (await bot.answer(seed.DM_MAYA, MAYA, "the disk is full")).thread_ts is None


async def test_a_second_click_while_the_first_one_runs_starts_nothing(bot: Rig) -> None:
    message = await on_its_own(bot)
    await bot.ws.click(JONAS, message, press(message, "Why"))
    await until(lambda: bot.runs_of("why") == 1)
    await bot.ws.click(MAYA, message, press(message, "Why"))
    told = await bot.answer(OPS, MAYA, "Somebody asked for this just now")
    assert told.ephemeral_for == MAYA
    bot.gate.set()
    await bot.answer(OPS, MAYA, "the disk is full")
    assert bot.runs_of("why") == 1
    await until(lambda: not [t for t in asyncio.all_tasks() if t.get_name() == "slack-button"])
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")  # so that the next click is no double tap
    await bot.ws.click(MAYA, message, press(message, "Why"))
    await until(lambda: bot.runs_of("why") == 2)


async def test_clicks_under_two_messages_are_two_requests(bot: Rig) -> None:
    first = await public(bot)
    second = await on_its_own(bot, after=first.ts)
    await bot.ws.click(JONAS, first, press(first, "Why"))
    await bot.ws.click(JONAS, second, press(second, "Why"))
    await until(lambda: bot.runs_of("why") == 2)


async def test_a_refusal_is_for_the_clicker_alone(bot: Rig) -> None:
    message = await on_its_own(bot)
    await bot.ws.click(SAM, message, press(message, "Why"))
    refusal = await bot.answer(OPS, SAM, "You may not run why")
    assert (refusal.ephemeral_for, bot.runs_of("why")) == (SAM, 0)


async def test_where_the_bot_may_not_post_the_clicker_gets_the_answer(bot: Rig) -> None:
    bot.gate.set()
    await bot.ws.slash(MAYA, seed.RANDOM, "/agentpod", "status")
    private = await bot.answer(seed.RANDOM, MAYA, "1 of 2 checks failed")
    await bot.ws.click(MAYA, private, press(private, "Share in channel"))
    message = await bot.answer(seed.RANDOM, JONAS, "1 of 2 checks failed")
    await bot.ws.click(JONAS, message, press(message, "Why"))
    assert (await bot.answer(seed.RANDOM, JONAS, "the disk is full")).ephemeral_for == JONAS


@pytest.mark.parametrize("label", ["Fix"])
async def test_other_commands_still_answer_the_clicker_alone(bot: Rig, label: str) -> None:
    message = await on_its_own(bot)
    await bot.ws.click(JONAS, message, press(message, label))
    assert (await bot.answer(OPS, JONAS, "fixed")).ephemeral_for == JONAS
