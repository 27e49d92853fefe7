"""Answers while Slack fails: none is lost, none is needlessly repeated, and copies are marked as such."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from bot.adapters.slack.connection import SocketConnection
from bot.adapters.slack.hearing import Hearing, moment
from bot.adapters.slack.mailbox import Mailbox
from sandbox.slack import Message, seed
from sandbox.slack.faults import LOST_AS
from tests.adapters.slack_bench import Counts, Rig, rig, until
from tests.adapters.test_slack_edges import api_of

OPS, MAYA, JONAS = seed.OPS, seed.MAYA, seed.JONAS
STATUS = "1 of 2 checks failed"
COPY = "A copy of this answer may be above"
HOWS = ["", *LOST_AS]


@pytest.fixture
async def bot() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


def answers(bot: Rig, channel: str, text: str = STATUS) -> list[Message]:
    """The answer's messages in the channel, threads included."""
    return [m for m in bot.ws.store.everything(channel) if text in m.all_text()]


def calls(bot: Rig, method: str) -> int:
    return len(bot.ws.record.of(method))


async def settled(bot: Rig) -> None:
    """Wait until no answer is in flight."""
    await bot.slack.drain(20)


@pytest.mark.parametrize("how", HOWS)
async def test_an_answer_that_was_posted_without_a_word_has_one_copy_and_that_says_so(bot: Rig, how: str) -> None:
    bot.ws.core.faults.answer_lost, bot.ws.core.faults.lost_as = True, how
    bot.ws.mention(MAYA, OPS, "status")
    await until(lambda: len(answers(bot, OPS)) == 2)
    await settled(bot)
    first, copy = answers(bot, OPS)
    assert COPY not in first.all_text()
    assert COPY in copy.all_text()


@pytest.mark.parametrize("how", ["", "reset"])
async def test_in_a_direct_message_the_bot_looks_and_posts_no_copy(bot: Rig, how: str) -> None:
    bot.ws.core.faults.answer_lost, bot.ws.core.faults.lost_as = True, how
    bot.ws.dm(MAYA, "status")
    await until(lambda: calls(bot, "conversations.history") > 0)
    await settled(bot)
    assert [COPY in m.all_text() for m in answers(bot, seed.DM_MAYA)] == [False]


@pytest.mark.parametrize("how", ["", "reset"])
async def test_a_slash_commands_answer_is_edited_in_again_and_has_no_copy(bot: Rig, how: str) -> None:
    bot.ws.core.faults.answer_lost, bot.ws.core.faults.lost_as = True, how
    done = await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    await until(lambda: done.url is not None and done.url.uses > 1)
    bot.ws.core.faults.url_spent = True  # as it is after five
    await settled(bot)
    assert [COPY in m.all_text() for m in answers(bot, OPS)] == [False]
    assert bot.counts.lost == []


async def test_an_answer_lost_once_in_a_slash_command_has_no_copy(bot: Rig) -> None:
    bot.ws.core.faults.answer_lost = True
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    await until(lambda: calls(bot, "response_url") > 0)
    bot.ws.core.faults.answer_lost = False
    await settled(bot)
    assert len(answers(bot, OPS)) == 1


async def test_what_everybody_sees_is_not_shared_again_without_knowing(bot: Rig) -> None:
    await bot.ws.slash(MAYA, OPS, "/agentpod", "status")
    private = await bot.answer(OPS, MAYA, STATUS)
    bot.ws.core.faults.answer_lost = True
    await bot.ws.click(MAYA, private, "agentpod:share")
    await bot.answer(OPS, MAYA, "look in the channel before you share it again")
    assert len([m for m in answers(bot, OPS) if m.ephemeral_for is None]) == 1


async def test_a_form_that_may_have_opened_is_not_called_too_late(bot: Rig) -> None:
    bot.ws.core.faults.answer_lost = True
    await bot.ws.slash(MAYA, OPS, "/agentpod", "ask")
    await bot.answer(OPS, MAYA, "If no form has opened, open it from here")
    assert bot.ws.view_of(MAYA) is not None
    assert calls(bot, "views.open") == 1


@pytest.mark.parametrize("surface", ["slash", "mention", "dm", "click"])
@pytest.mark.parametrize("fault", ["server_error", "rate_limited"])
async def test_no_answer_is_lost_while_slack_fails_for_longer_than_a_few_tries(
    bot: Rig, surface: str, fault: str
) -> None:
    public = None
    if surface == "click":
        bot.ws.mention(JONAS, OPS, "status")
        public = await bot.answer(OPS, JONAS, STATUS)
    fails(bot, fault, True)
    channel = seed.DM_MAYA if surface == "dm" else OPS
    if surface == "slash":
        await bot.ws.slash(MAYA, OPS, "/agentpod", "fix")
    elif surface == "mention":
        bot.ws.mention(MAYA, OPS, "fix")
    elif public is not None:
        await bot.ws.click(MAYA, public, "agentpod:run:0")
    else:
        bot.ws.dm(MAYA, "fix")
    await until(lambda: failed(bot) >= (3 if fault == "server_error" else 1), 20)
    assert answers(bot, channel, "fixed") == []
    fails(bot, fault, False)
    await until(lambda: len(answers(bot, channel, "fixed")) == 1, 20)
    await settled(bot)
    assert bot.counts.lost == []
    assert len(answers(bot, channel, "fixed")) == 1


def fails(bot: Rig, fault: str, on: bool) -> None:
    faults = bot.ws.core.faults
    if fault == "server_error":
        faults.server_error = on
    else:
        faults.rate_limited = int(on)


def failed(bot: Rig) -> int:
    return sum(outcome in ("Transient", "Uncertain") for _, outcome in bot.counts.calls)


async def test_an_answer_waits_while_slack_does_not_take_the_token(bot: Rig) -> None:
    bot.ws.core.faults.token_revoked = True
    bot.ws.mention(JONAS, OPS, "fix")
    bot.ws.dm(MAYA, "status")
    await until(lambda: ("auth.test", "NotAllowed") in bot.counts.calls)  # every other route was tried by then
    bot.ws.core.faults.token_revoked = False
    await settled(bot)
    assert len(answers(bot, seed.DMS[MAYA])) == 1
    assert len(answers(bot, OPS, "fixed")) == 1
    assert bot.counts.lost == []


async def test_answers_that_wait_hold_up_no_other_command(bot: Rig) -> None:
    bot.ws.core.faults.rate_limited = 60
    for _ in range(20):
        bot.ws.mention(MAYA, OPS, "status")
    await until(lambda: bot.runs_of("status") == 20)
    await bot.ws.slash(MAYA, OPS, "/agentpod", "fix")
    await until(lambda: bot.runs_of("fix") == 1)


async def test_the_oldest_of_too_many_waiting_answers_is_given_up_and_counted() -> None:
    lost: list[str] = []
    mailbox = Mailbox(lost.append, most=2, most_bytes=100)
    never = asyncio.Event()

    async def waits() -> None:
        await never.wait()

    async def done() -> None:
        """At once."""

    for _ in range(3):
        task = asyncio.create_task(mailbox.deliver(waits, 10))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    assert lost == ["too many answers wait for Slack"]
    await mailbox.deliver(done, 95)
    assert lost == ["too many answers wait for Slack"] * 2 or len(lost) == 3
    assert await mailbox.finish(0) >= 0


async def test_a_cut_is_news_at_once_and_not_at_the_next_look(bot: Rig) -> None:
    async def nothing(*_: object) -> None:
        """Nobody talks."""

    ws = bot.ws
    async with api_of(ws.base_url) as api:
        connection = SocketConnection(api, ws.app_token, nothing, Counts(), watch=3600)
        task = asyncio.create_task(connection.run())
        await ws.wait_connected(2)
        await ws.panel.apply("slack-cut-socket", None)
        await ws.wait_connected(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()


@pytest.mark.parametrize("step", ["address", "bytes", "too-large", "completion"])
async def test_a_long_file_that_slack_does_not_take_is_said_so_and_what_shows_it(bot: Rig, step: str) -> None:
    bot.ws.core.faults.upload = step
    await bot.ws.slash(MAYA, OPS, "/agentpod", "logs")
    text = (await bot.answer(OPS, MAYA, "line 1999 of the log")).all_text()
    assert "agent.log could not be attached" in text
    assert "in a terminal, agentpod logs shows all of it" in text
    assert "all of it is in agent.log" not in text
    direct = [m.all_text() for m in bot.ws.store.everything(seed.DM_MAYA)]
    assert all("could not be attached" in said for said in direct)


@pytest.mark.parametrize("step", ["address", "bytes", "too-large", "completion", "files:write"])
async def test_a_short_file_that_slack_does_not_take_comes_as_text(bot: Rig, step: str) -> None:
    faults = bot.ws.core.faults
    faults.upload, faults.missing_scope = (step, "") if step != "files:write" else ("", step)
    await bot.ws.slash(MAYA, OPS, "/agentpod", "export")
    text = (await bot.answer(OPS, MAYA, "120 records")).all_text()
    assert "audit.jsonl could not be attached" in text
    assert "Its text is in your direct messages with me" in text
    direct = "\n".join(m.all_text() for m in bot.ws.store.everything(seed.DM_MAYA))
    assert "record 0 " in direct
    assert "record 119 " in direct


async def test_a_file_that_may_be_there_is_called_that(bot: Rig) -> None:
    bot.ws.mention(MAYA, OPS, "logs")
    await bot.answer(OPS, MAYA, "line 1999 of the log")
    bot.ws.core.faults.answer_lost = True
    bot.ws.dm(MAYA, "export")
    answer = await bot.answer(seed.DM_MAYA, MAYA, "120 records")
    assert "audit.jsonl may be attached here: Slack did not confirm it" in answer.all_text()


def test_a_process_that_stood_still_was_offline_from_the_last_sign_of_life_on() -> None:
    known = Hearing()
    known.regained("connection")
    known.lost("connection", since=moment() - 600)
    known.lost("token")
    known.regained("connection")
    known.regained("token")
    first, gap = known.gaps
    assert first.start is None
    assert gap.start is not None
    assert 600 <= gap.end - gap.start < 610
    assert abs(gap.end - time.monotonic()) < 10
