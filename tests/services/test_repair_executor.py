"""The executor carries out each repair once, whatever the API server and the process do, and follows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.health.rollout import RESTARTED_ANNOTATION
from bot.errors import Conflict, Denied, NotAllowed, Permanent, Transient, Uncertain
from tests.services.workbench import JONAS, TARGET, Bench, bench, opened, pod


async def approved(one: Bench, **more: Any) -> Any:
    repair = await one.ask(**more)
    await one.say(repair, Choice.APPROVE, JONAS)
    return repair


async def test_conflict_is_read_again_and_sent_again(one: Bench) -> None:
    one.cluster.before = [Conflict("changed"), Conflict("changed"), None]
    repair = await approved(one)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    assert one.cluster.rollouts == [repair.id]


@pytest.mark.parametrize("force", [False, True])
async def test_lost_answer_is_checked_and_never_repeated(one: Bench, force: bool) -> None:
    one.cluster.after = [Uncertain("no answer")]
    repair = await approved(one, force=force)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    assert len(one.cluster.rollouts) == 1
    assert one.cluster.sent == 1


async def test_change_is_sent_before_its_messages(one: Bench) -> None:
    sent: list[int] = []
    one.approval_service.changed = lambda: sent.append(one.cluster.sent)
    await approved(one)
    assert sent == [0, 1]  # the request's own messages, and those of the approval


async def test_unanswered_change_delays_the_messages_only_briefly(one: Bench) -> None:
    one.cluster.reads = [Transient("It is away.", retry_after=1000)]
    repair = await approved(one)
    assert (await one.now(repair)).state is RequestState.EXECUTING
    assert one.cluster.sent == 0


async def test_lost_call_is_sent_again(one: Bench) -> None:
    one.cluster.before = [Uncertain("no answer"), Transient("away"), None]
    repair = await approved(one)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    assert one.cluster.rollouts == [repair.id]


@pytest.mark.parametrize("error", [Denied("a quota"), NotAllowed("no right"), Permanent("paused")])
async def test_refusal_fails_and_says_that_nothing_was_changed(one: Bench, error: Exception) -> None:
    one.cluster.before = [error] * 10_000
    ended = await one.ended(await approved(one))
    assert ended.state is RequestState.FAILED
    assert ended.outcome is not None
    assert ended.outcome.text.startswith("nothing was changed: ")
    assert one.cluster.rollouts == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": {"kali": "image:2"}}, "the image of kali was changed (1 → 2)"),
        ({"uid": "another"}, "deleted and created again"),
        ({"paused": False}, "the Deployment was changed (generation 1, now 2)"),
    ],
)
async def test_change_since_the_request_makes_it_void(one: Bench, changes: Any, words: str) -> None:
    repair = await one.ask()
    one.cluster.change(**changes)
    await one.say(repair, Choice.APPROVE, JONAS)
    ended = await one.ended(repair)
    assert ended.state is RequestState.VOID
    assert ended.outcome is not None
    assert words in ended.outcome.text
    assert one.cluster.sent == 0


@pytest.mark.parametrize("force", [False, True])
async def test_replaced_pod_makes_it_void(one: Bench, force: bool) -> None:
    repair = await one.ask(force=force)
    one.cluster.pods_ = [pod(7)]
    await one.say(repair, Choice.APPROVE, JONAS)
    ended = await one.ended(repair)
    assert ended.state is RequestState.VOID
    assert ended.outcome is not None
    assert "the pod was replaced (pod-1 → pod-7)" in ended.outcome.text


NOBODY_KNOWS = "it may have been sent, and nobody knows whether it was done"


@pytest.mark.parametrize("force", [False, True])
async def test_lost_call_is_searched_for_and_never_called_undone(one: Bench, force: bool) -> None:
    one.cluster.after = [Uncertain("no answer")]
    one.cluster.reads = [None, *[Transient("The API server is away.")] * 10_000]
    repair = await approved(one, force=force)
    await one.until_sent(1)
    one.clock.pass_(minutes=6)
    await asyncio.sleep(0.05)
    assert (await one.now(repair)).state is RequestState.EXECUTING  # it goes on checking
    one.clock.pass_(minutes=10)
    ended = await one.ended(repair)
    assert ended.state is RequestState.FAILED
    assert ended.outcome is not None
    assert ended.outcome.text == f"{NOBODY_KNOWS}: the API server is away"
    assert "Look before you ask again" in str(ended.outcome.evidence)
    assert len(one.cluster.rollouts) == 1


async def test_outage_after_a_lost_answer_is_waited_out(one: Bench) -> None:
    one.cluster.after = [Uncertain("no answer")]
    one.cluster.reads = [None, *[Transient("away")] * 10_000]
    repair = await approved(one)
    await one.until_sent(1)
    one.clock.pass_(minutes=6)
    await asyncio.sleep(0.05)
    one.cluster.reads = []
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    assert one.cluster.rollouts == [repair.id]


async def test_an_outage_before_the_change_is_no_downtime(one: Bench) -> None:
    one.cluster.reads = [Transient("away")] * 10_000
    repair = await approved(one)
    one.clock.pass_(seconds=18)
    one.cluster.reads = []
    ended = await one.ended(repair)
    assert ended.outcome is not None
    assert ended.outcome.seconds is not None
    assert 0 < ended.outcome.seconds < 1


async def test_a_late_call_is_timed_before_it_is_sent(one: Bench) -> None:
    claimed_at, at_call = one.clock.now(), []
    one.cluster.reads = [Transient("away")] * 10_000
    repair = await approved(one)
    one.clock.pass_(seconds=18)
    restart = one.cluster.restart

    async def noting(*args: Any) -> Any:
        stored = await one.now(repair)
        at_call.append(stored.mark.started_at if stored.mark else claimed_at)
        return await restart(*args)

    one.cluster.restart = noting  # type: ignore[method-assign]
    one.cluster.reads = []
    await one.ended(repair)
    assert at_call[0] - claimed_at >= timedelta(seconds=18)


@pytest.mark.parametrize("error", [NotAllowed("No right."), Transient("Away.")])
async def test_takeover_that_can_not_read_makes_no_claim(tmp_path: Path, error: Exception) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        one.cluster.reads = [Transient("away")] * 10_000
        repair = await approved(one)
        one.executor._tasks.pop(repair.id).cancel()
        one.clock.pass_(hours=1)
        two = bench(ledger, name="two", like=one)
        one.cluster.reads = [error] * 10_000
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert ended.outcome is not None
        assert ended.outcome.text.startswith(NOBODY_KNOWS)


async def test_other_change_after_a_lost_answer_is_not_void(one: Bench) -> None:
    one.cluster.after = [Uncertain("no answer")]
    repair = await one.ask()
    plain = one.cluster.restart

    async def rolled_back_meanwhile(*given: Any) -> Any:
        try:
            return await plain(*given)
        finally:
            one.cluster.change(template_annotations={})

    one.cluster.restart = rolled_back_meanwhile  # type: ignore[method-assign]
    await one.say(repair, Choice.APPROVE, JONAS)
    ended = await one.ended(repair)
    assert (ended.state, one.cluster.rollouts) == (
        RequestState.FAILED,
        [repair.id],
    )  # VOID would mean that nothing was done
    assert ended.outcome is not None
    assert ended.outcome.text.startswith(f"{NOBODY_KNOWS}: the pod was replaced (pod-1 → pod-2)")


async def test_one_of_two_pods_deleted_is_reported(one: Bench) -> None:
    one.cluster.pods_ = [pod(1), pod(2)]
    repair = await one.ask(force=True)
    one.cluster.before = [None, Denied("A webhook.")]
    one.cluster.keeps_others = True
    await one.say(repair, Choice.APPROVE, JONAS)
    ended = await one.ended(repair)
    assert one.cluster.deleted == ["uid-1"]
    assert ended.state is RequestState.FAILED
    assert NOBODY_KNOWS in (ended.outcome.text if ended.outcome else "")


async def test_failing_ledger_after_the_change_does_not_repeat_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        repair = await one.ask()
        plain, broken = ledger.writing, {"now": False}

        @asynccontextmanager
        async def writing() -> AsyncIterator[Any]:
            if broken["now"]:
                broken["now"] = False
                raise Permanent("The ledger can't be written.")
            async with plain() as tx:
                yield tx

        restart = one.cluster.restart

        async def then_it_breaks(*given: Any) -> Any:
            made = await restart(*given)
            broken["now"] = True
            return made

        ledger.writing = writing  # type: ignore[method-assign]
        one.cluster.restart = then_it_breaks  # type: ignore[method-assign]
        await one.say(repair, Choice.APPROVE, JONAS)
        await one.until_sent(1)
        await one.idle(repair)
        assert (await one.now(repair)).state is RequestState.EXECUTING
        one.clock.pass_(seconds=11)
        assert await one.executor.take_over() == 1  # resumed, it finds the change made
        assert (await one.ended(repair)).state is RequestState.SUCCEEDED
        assert one.cluster.rollouts == [repair.id]
        await one.executor.stop(1)


async def test_process_that_lost_its_lease_makes_no_call(tmp_path: Path) -> None:
    """The process hangs for long between its read and its call."""
    async with opened(tmp_path, exclusive=False) as ledger:
        one = bench(ledger)
        repair = await one.ask()
        plain, asleep, awake = one.cluster.deployment, asyncio.Event(), asyncio.Event()

        async def stands_still(name: str) -> Any:
            seen = await plain(name)
            asleep.set()
            await awake.wait()
            return seen

        one.cluster.deployment = stands_still  # type: ignore[method-assign]
        await one.say(repair, Choice.APPROVE, JONAS)
        await asleep.wait()
        one.cluster.deployment = plain  # type: ignore[method-assign]
        one.clock.pass_(seconds=11)
        two = bench(ledger, name="two", like=one)
        one.cluster.stuck = True
        one.cluster.reads = [Transient("away")] * 10_000
        assert await two.executor.take_over() == 1
        awake.set()
        await one.idle(repair)
        assert one.cluster.sent == 0
        await two.executor.stop(1)


async def test_restart_without_a_pod_is_void_once_there_is_one(one: Bench) -> None:
    """The approvers never saw the new pod, healthy as it may be."""
    one.cluster.pods_ = [replace(pod(1), deleting=True)]
    repair = await one.ask()
    one.cluster.pods_ = [pod(7)]
    one.clock.pass_(minutes=20)
    await one.say(repair, Choice.APPROVE, JONAS)
    ended = await one.ended(repair)
    assert (ended.state, one.cluster.sent) == (RequestState.VOID, 0)
    assert (ended.outcome.text if ended.outcome else "") == "there was no pod then, and now there is pod-7"


async def test_forced_restart_ignores_a_restart_from_a_fast_clock(one: Bench) -> None:
    ahead = (one.clock.now() + timedelta(minutes=5)).isoformat()
    one.cluster.change(template_annotations={RESTARTED_ANNOTATION: ahead})
    repair = await approved(one, force=True)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED


async def test_forced_restart_is_superseded_by_another_restart(one: Bench) -> None:
    one.cluster.stuck = True
    repair = await approved(one, force=True)
    await one.until(repair, lambda c: c.sent_at is not None)
    one.cluster.change(template_annotations={RESTARTED_ANNOTATION: "2020-01-01T00:00:00Z"})
    ended = await one.ended(repair)
    assert "restarted again" in (ended.outcome.text if ended.outcome else "")


async def test_stopped_process_does_not_take_back_a_released_request(one: Bench) -> None:
    one.cluster.stuck = True
    repair = await approved(one)
    await one.until(repair, lambda c: c.sent_at is not None)
    await one.executor.stop(1)
    assert await one.executor.take_over() == 0  # the process's recovery task runs on for a moment
    assert not one.executor.busy(repair.id)
    assert await bench(one.ledger, name="two", like=one).executor.take_over() == 1


async def test_request_for_a_removed_target_is_ended_at_takeover(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        one.cluster.reads = [Transient("away")] * 10_000
        repair = await approved(one)
        one.executor._tasks.pop(repair.id).cancel()
        two = bench(ledger, name="two", like=one)
        two.executor.targets = {}
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert "no longer in the settings: look yourself" in (ended.outcome.text if ended.outcome else "")


async def test_unreachable_api_server_fails_it_with_nothing_done(one: Bench) -> None:
    one.cluster.reads = [Transient("away")] * 10_000
    repair = await approved(one)
    await asyncio.sleep(0.05)
    one.clock.pass_(minutes=6)
    ended = await one.ended(repair)
    assert ended.state is RequestState.FAILED
    assert "nothing was changed" in (ended.outcome.text if ended.outcome else "")


async def test_pod_that_never_gets_ready_fails_at_the_deadline(one: Bench) -> None:
    one.cluster.stuck = True
    repair = await approved(one)
    await one.until(repair, lambda c: c.sent_at is not None)
    one.clock.pass_(minutes=11)
    ended = await one.ended(repair)
    assert ended.state is RequestState.FAILED
    assert "not ready" in (ended.outcome.text if ended.outcome else "")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("sent", [False, True])
async def test_work_of_a_dead_process_is_finished_once(tmp_path: Path, force: bool, sent: bool) -> None:
    """The first process dies around its call; the second one starts on the same file."""
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
        repair = await approved(one, force=force)
        await stop.wait()
        dead = one.executor._tasks.pop(repair.id)
        del one.cluster.__dict__["delete_pod" if force else "restart"]
        two = bench(ledger, name="two", like=one)
        assert await two.executor.take_over(at_start=True) == 1
        assert (await two.ended(repair)).state is RequestState.SUCCEEDED
        assert len(one.cluster.rollouts) == 1
        dead.cancel()
        await asyncio.gather(dead, return_exceptions=True)
        assert len(one.cluster.rollouts) == 1


async def test_request_is_taken_over_only_after_its_lease_ended(tmp_path: Path) -> None:
    async with opened(tmp_path, exclusive=False) as ledger:
        one = bench(ledger, name="one")
        one.cluster.stuck = True
        repair = await approved(one)
        two = bench(ledger, name="two", like=one)
        assert await two.executor.take_over(at_start=True) == 0
        dead = one.executor._tasks.pop(repair.id)
        dead.cancel()
        await asyncio.gather(dead, return_exceptions=True)
        one.clock.pass_(seconds=30)
        assert await two.executor.take_over() == 1
        assert (await two.now(repair)).held.by == "two"  # type: ignore[union-attr]
        await two.executor.stop(1)
        found = (await two.now(repair)).held
        assert found is not None
        assert found.until <= one.clock.now()  # released, so that the next process needn't wait


async def test_unavailable_ledger_loses_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        repair = await one.ask()
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
            await one.say(repair, Choice.APPROVE, JONAS)
        assert (await one.now(repair)).state is RequestState.OPEN
        await one.say(repair, Choice.APPROVE, JONAS)
        away["times"] = 5
        assert (await one.ended(repair)).state is RequestState.SUCCEEDED
        assert one.cluster.rollouts == [repair.id]
        await one.executor.stop(1)


async def test_approval_that_was_not_begun_in_time_fails(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy())
        one.cluster.reads = [Transient("away")] * 10_000
        repair = await approved(one)
        one.executor._tasks.pop(repair.id).cancel()
        one.clock.pass_(hours=1)
        one.cluster.reads = []
        two = bench(ledger, name="two", like=one)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert ended.state is RequestState.FAILED
        # The second process can't know that the first one didn't send it.
        assert "may have been sent, and has done nothing 5 min after" in (
            ended.outcome.text if ended.outcome else ""
        )
        assert one.cluster.sent == 0


@pytest.mark.parametrize("where", ["reads", "before"])
async def test_early_refusal_is_retried(one: Bench, where: str) -> None:
    one.executor.settling = 30.0
    repair = await one.ask()
    setattr(one.cluster, where, [NotAllowed("The bot may not patch deployments.")] * 2)
    await one.say(repair, Choice.APPROVE, JONAS)
    ended = await one.ended(repair)
    assert ended.state is RequestState.SUCCEEDED
    assert one.cluster.rollouts == [repair.id], "once, whatever was refused before"


async def test_long_pause_ends_with_the_time_to_begin(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(start_within=timedelta(minutes=1)))
        one.cluster.reads = [Transient("Away.")] * 10_000
        repair = await approved(one)
        one.clock.pass_(seconds=59.8)
        one.cluster.reads = [Transient("Throttled.", retry_after=86_400.0)] * 10_000
        await asyncio.sleep(0.05)
        one.clock.pass_(seconds=1)
        ended = await one.ended(repair)
        assert ended.state is RequestState.FAILED
        assert ended.outcome is not None
        assert ended.outcome.text == "nothing was changed: Throttled"
        assert one.cluster.sent == 0


ASKED = "the API server asked for a pause"


async def shows(one: Bench, headline: str) -> None:
    """Wait until a message has this first line."""

    async with asyncio.timeout(10):
        while headline not in one.chat.headlines():
            await one.deliver()
            await asyncio.sleep(0.005)


def throttled(seconds: float) -> Transient:
    return Transient("The API server is throttling the bot.", retry_after=seconds)


@pytest.mark.parametrize("where", ["reads", "before"])
async def test_retry_after_is_on_the_card_until_it_ends(one: Bench, where: str) -> None:
    setattr(one.cluster, where, [throttled(0.5)])
    repair = await approved(one)
    waiting = await one.until(repair, lambda c: c.wait is not None)
    await shows(one, f"⏳ Restart of {TARGET.name}: waiting 0 s, {ASKED}")
    assert waiting.state is RequestState.EXECUTING
    ended = await one.ended(repair)
    assert (ended.state, ended.wait) == (RequestState.SUCCEEDED, None)
    await one.deliver()
    assert not [line for line in one.chat.headlines() if ASKED in line]


async def test_takeover_waits_for_the_rest_of_a_pause(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        one.cluster.reads = [throttled(120)]
        repair = await approved(one)
        await one.until(repair, lambda c: c.wait is not None)
        await one.executor.stop(1)
        two = bench(ledger, name="two", like=one)
        assert await two.executor.take_over(at_start=True) == 1
        await shows(two, f"⏳ Restart of {TARGET.name}: waiting 2 min, {ASKED}")
        assert two.cluster.sent == 0
        await two.executor.stop(1)
        two.clock.pass_(minutes=3)
        three = bench(ledger, name="three", like=two)
        assert await three.executor.take_over(at_start=True) == 1
        assert (await three.ended(repair)).state is RequestState.SUCCEEDED
        await three.deliver()
        assert not [line for line in three.chat.headlines() if ASKED in line]


async def test_pause_beyond_the_time_to_begin_leaves_the_card(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        one.cluster.reads = [throttled(120)] * 10_000
        repair = await approved(one)
        await one.until(repair, lambda c: c.wait is not None)
        await one.executor.stop(1)
        one.clock.pass_(hours=1)
        two = bench(ledger, name="two", like=one)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert (ended.state, ended.wait) == (RequestState.FAILED, None)
        await two.deliver()
        assert not [line for line in two.chat.headlines() if ASKED in line]
