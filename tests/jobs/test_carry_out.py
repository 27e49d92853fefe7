"""Carrying out: once, whatever the API server and the process do, and followed to an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approval import ApprovalPolicy, Choice, State
from bot.errors import Conflict, Denied, NotAllowed, Permanent, Transient, Uncertain
from tests.jobs.workbench import JONAS, Bench, bench, opened, pod


async def approved(one: Bench, **more: Any) -> Any:
    case = await one.ask(**more)
    await one.say(case, Choice.APPROVE, JONAS)
    return case


async def test_a_conflict_is_looked_at_again_and_sent_again(one: Bench) -> None:
    one.cluster.before = [Conflict("changed"), Conflict("changed"), None]
    case = await approved(one)
    assert (await one.ended(case)).state is State.SUCCEEDED
    assert one.cluster.rollouts == [case.id]


@pytest.mark.parametrize("force", [False, True])
async def test_a_lost_answer_is_looked_at_and_never_made_twice(one: Bench, force: bool) -> None:
    one.cluster.after = [Uncertain("no answer")]
    case = await approved(one, force=force)
    assert (await one.ended(case)).state is State.SUCCEEDED
    assert len(one.cluster.rollouts) == 1
    assert one.cluster.sent == 1


async def test_a_lost_question_is_sent_again(one: Bench) -> None:
    one.cluster.before = [Uncertain("no answer"), Transient("away"), None]
    case = await approved(one)
    assert (await one.ended(case)).state is State.SUCCEEDED
    assert one.cluster.rollouts == [case.id]


@pytest.mark.parametrize("error", [Denied("a quota"), NotAllowed("no right"), Permanent("paused")])
async def test_a_refusal_is_a_failure_that_says_nothing_was_changed(one: Bench, error: Exception) -> None:
    one.cluster.before = [error]
    ended = await one.ended(await approved(one))
    assert ended.state is State.FAILED
    assert ended.outcome is not None
    assert ended.outcome.text.startswith("nothing was changed: ")
    assert one.cluster.rollouts == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": {"kali": "image:2"}}, "the image of kali is image:2, and was image:1"),
        ({"uid": "another"}, "deleted and made anew"),
        ({"paused": False}, "the Deployment was changed (generation 1, now 2)"),
    ],
)
async def test_what_changed_since_the_request_makes_it_void(one: Bench, changes: Any, words: str) -> None:
    case = await one.ask()
    one.cluster.change(**changes)
    await one.say(case, Choice.APPROVE, JONAS)
    ended = await one.ended(case)
    assert ended.state is State.VOID
    assert ended.outcome is not None
    assert words in ended.outcome.text
    assert one.cluster.sent == 0


@pytest.mark.parametrize("force", [False, True])
async def test_another_pod_makes_it_void(one: Bench, force: bool) -> None:
    case = await one.ask(force=force)
    one.cluster.pods_ = [pod(7)]
    await one.say(case, Choice.APPROVE, JONAS)
    ended = await one.ended(case)
    assert ended.state is State.VOID
    assert ended.outcome is not None
    assert "the pod is pod-7, and was pod-1" in ended.outcome.text


async def test_an_api_server_that_stays_away_ends_it_with_nothing_done(one: Bench) -> None:
    one.cluster.reads = [Transient("away")] * 10_000
    case = await approved(one)
    await asyncio.sleep(0.05)
    one.clock.pass_(minutes=6)
    ended = await one.ended(case)
    assert ended.state is State.FAILED
    assert "nothing was changed" in (ended.outcome.text if ended.outcome else "")


async def test_a_pod_that_never_gets_ready_fails_at_the_deadline(one: Bench) -> None:
    one.cluster.stuck = True
    case = await approved(one)
    await one.until(case, lambda c: c.sent_at is not None)
    one.clock.pass_(minutes=11)
    ended = await one.ended(case)
    assert ended.state is State.FAILED
    assert "not ready" in (ended.outcome.text if ended.outcome else "")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("sent", [False, True])
async def test_what_a_dead_process_began_is_ended_once(tmp_path: Path, force: bool, sent: bool) -> None:
    """The first process stops dead around its call; the second one starts on the same file."""
    async with opened(tmp_path) as ledger:
        one = bench(ledger, name="one")
        stop = asyncio.Event()

        async def dies(*_: object) -> Any:
            if sent:
                one.cluster._replace_pod("deleted") if force else await plain(*_)  # type: ignore[arg-type]
            stop.set()
            await asyncio.Event().wait()

        plain = one.cluster.restart
        setattr(one.cluster, "delete_pod" if force else "restart", dies)
        case = await approved(one, force=force)
        await stop.wait()
        dead = one.workshop._tasks.pop(case.id)
        del one.cluster.__dict__["delete_pod" if force else "restart"]
        two = bench(ledger, name="two", like=one)
        assert await two.workshop.take_over(at_start=True) == 1
        assert (await two.ended(case)).state is State.SUCCEEDED
        assert len(one.cluster.rollouts) == 1
        dead.cancel()
        await asyncio.gather(dead, return_exceptions=True)
        assert len(one.cluster.rollouts) == 1


async def test_a_case_is_taken_over_only_when_its_holder_was_silent_for_long(tmp_path: Path) -> None:
    async with opened(tmp_path, exclusive=False) as ledger:
        one = bench(ledger, name="one")
        one.cluster.stuck = True
        case = await approved(one)
        two = bench(ledger, name="two", like=one)
        assert await two.workshop.take_over(at_start=True) == 0
        dead = one.workshop._tasks.pop(case.id)
        dead.cancel()
        await asyncio.gather(dead, return_exceptions=True)
        one.clock.pass_(seconds=30)
        assert await two.workshop.take_over() == 1
        assert (await two.now(case)).held.by == "two"  # type: ignore[union-attr]
        await two.workshop.stop(1)
        found = (await two.now(case)).held
        assert found is not None
        assert found.until <= one.clock.now()  # let go, so that the next one need not wait


async def test_a_ledger_that_is_away_loses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        case = await one.ask()
        plain, away = ledger.writing, {"times": 0}

        @asynccontextmanager
        async def writing() -> AsyncIterator[Any]:
            if away["times"]:
                away["times"] -= 1
                raise Transient("the database is away")
            async with plain() as tx:
                yield tx

        ledger.writing = writing  # type: ignore[method-assign]
        away["times"] = 1
        with pytest.raises(Transient):
            await one.say(case, Choice.APPROVE, JONAS)
        assert (await one.now(case)).state is State.OPEN
        await one.say(case, Choice.APPROVE, JONAS)
        away["times"] = 5
        assert (await one.ended(case)).state is State.SUCCEEDED
        assert one.cluster.rollouts == [case.id]
        await one.workshop.stop(1)


async def test_an_approval_that_nobody_began_in_time_is_void_of_effect(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy())
        one.cluster.reads = [Transient("away")] * 10_000
        case = await approved(one)
        one.workshop._tasks.pop(case.id).cancel()
        one.clock.pass_(hours=1)
        one.cluster.reads = []
        two = bench(ledger, name="two", like=one)
        await two.workshop.take_over(at_start=True)
        ended = await two.ended(case)
        assert ended.state is State.FAILED
        assert "not begun within" in (ended.outcome.text if ended.outcome else "")
        assert one.cluster.sent == 0
