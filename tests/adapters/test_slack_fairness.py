"""Fairness: one user's flood delays nobody else, and alerts go before answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from bot.adapters.slack.precedence import Precedence
from bot.adapters.slack.work import AT_ONCE, EACH, MOST_WAITING, QUICK_AT_ONCE, Workers
from bot.errors import Transient
from sandbox.slack import seed
from tests.adapters.slack_bench import Rig, rig, until

OPS, MAYA, SAM, JONAS = seed.OPS, seed.MAYA, seed.SAM, seed.JONAS


@pytest.fixture
async def bot() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


async def test_a_flood_of_one_person_holds_nobody_else_up_and_is_told_so_in_the_acknowledgement(bot: Rig) -> None:
    taken = EACH + MOST_WAITING
    flood = [await bot.ws.slash(MAYA, OPS, "/agentpod", "slow") for _ in range(taken + 5)]
    told = [done for done in flood if any("waiting already" in m.all_text() for m in done.messages)]
    assert told == flood[taken:]
    await bot.ws.slash(JONAS, OPS, "/agentpod", "status")
    await bot.answer(OPS, JONAS, "1 of 2 checks failed")
    await until(lambda: bot.runs_of("slow") == EACH)
    bot.gate.set()
    await until(lambda: bot.runs_of("slow") == taken)
    assert (await bot.ws.slash(MAYA, OPS, "/agentpod", "status")).ok
    await bot.answer(OPS, MAYA, "1 of 2 checks failed")


async def test_a_flood_of_messages_is_told_once_and_privately(bot: Rig) -> None:
    for _ in range(EACH + MOST_WAITING + 30):
        bot.ws.mention(MAYA, OPS, "slow")
    told = lambda: [m for m in bot.ws.store.everything(OPS) if "waiting already" in m.all_text()]  # noqa: E731
    await until(lambda: bool(told()))
    await bot.ws.slash(JONAS, OPS, "/agentpod", "status")
    await bot.answer(OPS, JONAS, "1 of 2 checks failed")
    assert [m.ephemeral_for for m in told()] == [MAYA]
    bot.gate.set()


async def test_what_asks_nothing_of_another_server_waits_for_nobody_s_hanging_command() -> None:
    workers, gate, done = Workers(hold=0), asyncio.Event(), list[str]()

    async def hang() -> None:
        await gate.wait()

    async def say(word: str) -> None:
        done.append(word)

    for number in range(40):
        assert workers.start(hang, "slow", f"U{number}")
    workers.start(lambda: say("quick"), "quick", "U0", quick=True)
    workers.start(lambda: say("slow"), "slow", "U99")
    await until(lambda: done == ["quick"])
    gate.set()
    await until(lambda: done == ["quick", "slow"])
    assert await workers.drain(1) == 0
    assert QUICK_AT_ONCE > AT_ONCE > EACH


async def test_work_waits_while_one_acknowledgement_follows_on_another() -> None:
    def acknowledged(times: int) -> tuple[Workers, asyncio.Event]:
        workers, begun = Workers(hold=3600, calm=3600), asyncio.Event()

        async def begin() -> None:
            begun.set()

        for _ in range(times):
            with workers.acknowledging():
                pass
        assert workers.start(begin, "work", "U1")
        return workers, begun

    alone, begun_alone = acknowledged(1)
    burst, begun_in_burst = acknowledged(2)
    await begun_alone.wait()
    assert await alone.drain(1) == 0
    assert not begun_in_burst.is_set()
    await burst.cancel()


async def test_work_that_has_waited_long_does_not_start_all_at_once_while_requests_come_in() -> None:
    spaced, begun = Workers(hold=0, spacing=3600), list[str]()
    unspaced = Workers(hold=0, spacing=0)

    async def begin(who: str) -> None:
        begun.append(who)

    with spaced.acknowledging(), unspaced.acknowledging():
        for who in ("U1", "U2", "U3"):
            spaced.start(partial(begin, f"spaced {who}"), "work", who)
            unspaced.start(partial(begin, who), "work", who)
        await until(lambda: begun == ["U1", "U2", "U3"])
    await spaced.cancel()


async def test_people_take_turns_however_much_each_has_waiting() -> None:
    workers, order = Workers(at_once=1, hold=0), list[str]()

    async def note(who: str) -> None:
        order.append(who)

    for who, count in (("a", 5), ("b", 2), ("c", 1)):
        for _ in range(count):
            workers.start(lambda who=who: note(who), "x", who)  # type: ignore[misc]  # bound at once
    await workers.drain(5)
    assert order == [*"aabcabaa"]


async def test_a_stop_waits_for_what_waits_and_says_how_much_is_left() -> None:
    workers, gate = Workers(hold=0), asyncio.Event()
    for _ in range(EACH + 3):
        workers.start(gate.wait, "x", "U1")  # type: ignore[arg-type]  # what it gives matters not
    assert await workers.drain(0.05) == EACH + 3
    await workers.cancel()
    assert await workers.drain(0) == 0


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


async def _turn(precedence: Precedence, channel: str, said: list[str], word: str) -> None:
    async with precedence.turn(channel):
        said.append(word)


async def test_answers_to_a_channel_wait_for_an_alert_that_slack_has_put_off() -> None:
    clock, said = Clock(), list[str]()
    precedence = Precedence(clock)
    with pytest.raises(Transient), precedence.first("C1"):
        raise Transient("429", retry_after=3.0)
    answer = asyncio.create_task(_turn(precedence, "C1", said, "answer"))
    await _turn(precedence, "C2", said, "elsewhere")
    await asyncio.sleep(0.1)
    assert said == ["elsewhere"]
    with precedence.first("C1"):
        said.append("alert")
    await answer
    assert said == ["elsewhere", "alert", "answer"]


async def test_an_alert_that_never_comes_does_not_hold_answers_up_for_ever() -> None:
    clock, said = Clock(), list[str]()
    precedence = Precedence(clock)
    with pytest.raises(Transient), precedence.first("C1"):
        raise Transient("429", retry_after=86_400.0)
    answer = asyncio.create_task(_turn(precedence, "C1", said, "answer"))
    await asyncio.sleep(0)
    clock.seconds += 61
    await answer
    assert said == ["answer"]
