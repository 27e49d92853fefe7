"""A bot that stops in the middle of a command: nobody is left with an answer that never comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from bot.adapters.slack import adapter
from bot.adapters.slack.request import SlackRequest, StepRun
from bot.adapters.slack.request_handler import RequestHandler
from bot.adapters.slack.unfinished import CUT_SHORT, IF_NOTHING_FOLLOWS
from bot.adapters.slack.work import EACH
from sandbox.slack import seed
from tests.adapters.slack_bench import Rig, rig, until
from tests.adapters.test_slack_modals import DM, MAYA, click, modal

OPS = seed.OPS


@pytest.fixture
async def bot(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(adapter, "LAST_WORDS", 1.0)
    async with rig() as made:
        yield made


async def stop(bot: Rig) -> None:
    await bot.slack.drain(1.2)


def answers(bot: Rig, channel: str = OPS, thread: str | None = None) -> list[str]:
    """The texts of the bot's messages."""
    return [m.text for m in bot.ws.messages(channel, MAYA, thread) if m.user != MAYA]


async def test_a_command_that_is_cut_short_says_so_in_its_answer(bot: Rig) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "slow")
    await until(lambda: bot.runs_of("slow") == 1)
    assert answers(bot) == [f"⏳ Checking… {IF_NOTHING_FOLLOWS}"], "what a killed bot leaves"
    await stop(bot)
    assert answers(bot) == [CUT_SHORT]


async def test_commands_that_wait_for_their_turn_are_told_as_well(bot: Rig) -> None:
    for _ in range(EACH + 3):
        await bot.ws.slash(MAYA, OPS, "/agentpod", "slow")
    await until(lambda: bot.runs_of("slow") == EACH)
    await stop(bot)
    assert answers(bot) == [CUT_SHORT] * (EACH + 3)
    assert bot.runs_of("slow") == EACH


async def test_a_window_that_waits_says_so(bot: Rig) -> None:
    await click(bot, "slow")
    await until(lambda: IF_NOTHING_FOLLOWS in modal(bot))
    await stop(bot)
    assert CUT_SHORT in modal(bot)
    assert answers(bot, DM) == []


async def test_a_partial_answer_is_replaced(bot: Rig) -> None:
    bot.ws.mention(MAYA, OPS, "steps")
    partial = await bot.answer(OPS, MAYA, "waiting for: a")
    assert IF_NOTHING_FOLLOWS in partial.all_text()
    await stop(bot)
    assert answers(bot, thread=partial.thread_ts) == [CUT_SHORT]


async def test_an_answer_that_was_given_stays(bot: Rig) -> None:
    bot.gate.set()
    await bot.ws.slash(MAYA, OPS, "/agentpod", "slow")
    await bot.answer(OPS, MAYA, "slow is done")
    await stop(bot)
    assert ["slow is done" in text for text in answers(bot)] == [True]


async def test_a_workflow_does_not_wait_for_ever() -> None:
    calls: list[tuple[str, dict[str, str]]] = []

    class Recorded:
        async def call(self, method: str, **how: str) -> None:
            calls.append((method, how))

    none: Any = None
    handler = RequestHandler(cast("Any", Recorded()), none, Named(), none, none, none, none, none)  # type: ignore[arg-type]
    handler.stopping = True
    await handler.handle(SlackRequest("workflow", MAYA, MAYA, "status", "d", step=StepRun("Fx1", "run_check")))
    assert calls == [("functions.completeError", {"function_execution_id": "Fx1", "error": CUT_SHORT})]


class Named:
    prefix = "/agentpod"
