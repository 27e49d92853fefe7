"""The outbox worker: Slack ends up showing what the ledger says, whatever fails on the way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.core.reply import Reply
from bot.domain.outbox.message import MessageRef, OutboxMessage
from bot.errors import NotAllowed, Permanent, TimedOut, Transient, Uncertain
from bot.ports.ledger import Ledger
from bot.services.outbox.worker import LONGEST_PAUSE
from tests.services.workbench import JONAS, MAYA, OPS, START, TARGET, Bench, bench, opened, rendered, sending


async def test_card_goes_to_the_channel_and_progress_into_its_thread(one: Bench) -> None:
    repair = await one.ask()
    await one.deliver()
    [(place, thread, card)] = one.chat.said
    assert (place, thread) == (OPS, None)
    assert {m.id for m in card.notify} == {JONAS, "U07PRIYA003", "S07ONCALL01"}
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.ended(repair)
    await one.deliver()
    assert one.chat.headlines()[0].startswith("✅ Restarted secure-agent-pod")
    assert {(p, t) for p, t, _ in one.chat.said[1:]} == {(OPS, "1.0"), (MAYA, None)}
    assert await one.ledger.waiting() == 0


async def test_card_is_right_after_an_outage_of_slack_during_the_decision(one: Bench) -> None:
    repair = await one.ask()
    await one.deliver()
    one.chat.errors = [Transient("500")] * 3
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.ended(repair)
    await one.deliver()
    assert "needs approval" in one.chat.headlines()[0]
    one.clock.pass_(minutes=5)
    await one.deliver()
    assert one.chat.headlines()[0].startswith("✅")


async def test_many_changes_are_one_edit(one: Bench) -> None:
    repair = await one.ask()
    await one.deliver()
    before = len(one.chat.said)
    await one.say(repair, Choice.DENY, JONAS, "no")
    for _ in range(5):
        async with one.ledger.writing() as tx:
            await tx.enqueue(f"card:{repair.id}", OPS)
    [*due] = [d.key for d in await one.ledger.take(one.clock.now(), one.policy.start_within)]
    assert sorted(due) == [f"card:{repair.id}", f"outcome:{repair.id}"]
    assert len(one.chat.said) == before


async def test_refused_card_is_reported_to_the_requester_and_retried(one: Bench) -> None:
    one.chat.errors = [Permanent("not_in_channel", remedy="/invite @agentpod")]
    repair = await one.ask()
    await one.deliver()
    [(place, _, told)] = one.chat.said
    assert place == MAYA
    assert "nobody sees your request yet" in told.headline
    assert "/invite @agentpod" in str(told.body)
    one.clock.pass_(minutes=2)
    await one.deliver()
    assert one.chat.said[-1][0] == OPS
    assert (await one.now(repair)).state is RequestState.OPEN


async def test_refused_message_is_listed_with_its_remedy_until_fixed(
    one: Bench,
) -> None:
    refused = NotAllowed("Slack does not know the token (invalid_auth).", remedy="Copy it again.")
    one.chat.errors = [refused] * 3
    repair = await one.ask()
    await one.deliver()
    [dead] = [d for d in await one.ledger.dead(START) if d.key == f"card:{repair.id}"]
    assert dead.error == "Slack does not know the token (invalid_auth). Copy it again."
    one.clock.pass_(seconds=59)
    assert f"card:{repair.id}" not in {d.key for d in await one.ledger.take(one.clock.now(), timedelta())}
    one.chat.errors.clear()
    one.clock.pass_(seconds=2)
    await one.deliver()
    assert OPS in [place for place, _, _ in one.chat.said]
    assert await one.ledger.dead(START) == []


async def test_requester_is_notified_again_only_for_another_reason(one: Bench) -> None:
    one.chat.errors = [Permanent("not_in_channel")]
    repair = await one.ask()
    await one.deliver()
    for _ in range(3):
        one.clock.pass_(minutes=2)
        one.chat.errors = [Permanent("not_in_channel")]
        await one.deliver()
    assert one.chat.edits == 0
    one.clock.pass_(minutes=2)
    one.chat.errors = [Permanent("is_archived")]
    await one.deliver()
    [told] = one.chat.shown.values()
    assert (one.chat.edits, "is_archived" in str(told.body)) == (1, True)
    assert (await one.now(repair)).state is RequestState.OPEN


async def test_requester_is_notified_though_the_process_died_first(
    one: Bench,
) -> None:
    repair = await one.ask()
    [card] = await one.ledger.take(one.clock.now(), timedelta())
    await one.ledger.failed(card, "not_in_channel", one.clock.now(), unsure=False, refused=True)
    one.chat.errors = [Permanent("not_in_channel")]
    await one.deliver()
    assert one.chat.headlines() == [f"⚠️ Restart of {TARGET.name}: nobody sees your request yet"]
    assert (await one.now(repair)).state is RequestState.OPEN


async def test_message_is_given_up_by_the_ledger_s_clock(one: Bench) -> None:
    one.clock.pass_(days=9_000)
    async with one.ledger.writing() as tx:
        await tx.enqueue("card:r-nobody", OPS)
    await one.deliver()
    now = one.clock.now()
    assert [d.key for d in await one.ledger.dead(now - timedelta(minutes=1))] == ["card:r-nobody"]
    assert await one.ledger.dead(now) == []


async def test_requester_is_notified_once_the_card_is_posted(one: Bench) -> None:
    one.chat.errors = [Permanent("not_in_channel")]
    repair = await one.ask()
    await one.deliver()
    one.clock.pass_(minutes=2)
    await one.deliver()
    assert one.chat.headlines() == [
        f"📌 Restart of {TARGET.name}: your request was posted late",
        f"✋ Restart of {TARGET.name}: needs approval",
    ]
    await one.say(repair, Choice.DENY, JONAS, "no")
    await one.deliver()
    assert not any("nobody sees" in line for line in one.chat.headlines())


@pytest.mark.parametrize("posts", [False, True])
async def test_unposted_card_notice_ends_with_the_request(one: Bench, posts: bool) -> None:
    one.chat.refuses = OPS
    repair = await one.ask()
    await one.deliver()
    assert "nobody sees" in one.chat.headlines()[0]
    await one.say(repair, Choice.DENY, JONAS, "no")  # by its id
    one.chat.refuses = "" if posts else OPS
    await one.deliver()
    expected = "your request was posted late" if posts else f"⛔ Restart of {TARGET.name}: denied"
    assert expected in one.chat.headlines()[0]
    assert not any("nobody sees" in line for line in one.chat.headlines())


async def test_late_card_notifies_nobody(one: Bench) -> None:
    one.chat.errors = [Transient("500")]
    await one.ask()
    await one.deliver()
    one.clock.pass_(minutes=2)
    await one.deliver()
    assert [place for place, _, _ in one.chat.said] == [OPS]


async def test_possible_copy_is_mentioned_on_the_next_attempt(one: Bench) -> None:
    one.chat.errors = [TimedOut("no answer")]
    await one.ask()
    await one.deliver()
    one.clock.pass_(minutes=1)
    await one.deliver()
    assert "A copy of this message may be above" in str(one.chat.said[-1][2].body)


async def test_crash_between_posting_and_recording_mentions_a_copy(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        one.chat.lost_after = 1
        await one.ask()
        dying = asyncio.create_task(one.outbox_worker.deliver())
        await one.chat.posted.wait()
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    async with opened(tmp_path) as ledger:
        two = bench(ledger, like=one)
        await two.deliver()
        assert "A copy of this message may be above" in str(two.chat.said[-1][2].body)
        await two.executor.stop(1)


async def test_deleted_card_is_posted_again(one: Bench) -> None:
    repair = await one.ask()
    await one.deliver()
    one.chat.shown.clear()
    await one.say(repair, Choice.DENY, JONAS, "no")
    await one.deliver()
    assert any(h.startswith("⛔") for h in one.chat.headlines())
    found = await one.ledger.delivery(f"card:{repair.id}")
    assert found is not None
    assert found.posted is not None
    assert found.posted.channel == OPS
    assert one.chat.shown[found.posted.ts].headline.startswith("⛔")


async def test_two_workers_send_each_message_once(tmp_path: Path) -> None:
    async with opened(tmp_path, exclusive=False) as first, opened(tmp_path, exclusive=False) as second:
        one = bench(first, name="one")
        two = bench(second, name="two", like=one)
        await one.ask()
        await asyncio.gather(*(b.outbox_worker.deliver() for b in (one, two, one, two)))
        assert len(one.chat.said) == 1


@pytest.mark.parametrize("attempts", [1, 2, 3, 10])
async def test_retries_back_off(one: Bench, attempts: int) -> None:
    await one.ask()
    one.chat.errors = [Transient("500", retry_after=None)] * attempts
    for _ in range(attempts):
        await one.deliver()
        one.clock.pass_(minutes=2)
    await one.deliver()
    assert len(one.chat.said) == 1


async def test_retry_after_pauses_the_whole_channel(one: Bench) -> None:
    one.chat.errors = [Transient("429", retry_after=30)]
    repair = await one.ask()
    await one.deliver()
    await one.say(repair, Choice.DENY, JONAS, "no")  # enqueues its card again, and a direct message
    one.clock.pass_(seconds=29)
    await one.deliver()
    assert [place for place, _, _ in one.chat.said] == [MAYA]
    one.clock.pass_(seconds=2)
    await one.deliver()
    assert [place for place, _, _ in one.chat.said] == [MAYA, OPS]
    assert "A copy of this message" not in str(one.chat.said[-1][2].body)


async def test_copy_is_mentioned_as_long_as_there_may_be_one(one: Bench) -> None:
    one.chat.errors = [Uncertain("reset")]
    repair = await one.ask()
    await one.deliver()
    one.clock.pass_(minutes=1)
    await one.deliver()
    await one.say(repair, Choice.DENY, JONAS, "no")
    await one.deliver()
    [card] = [reply for reply in one.chat.shown.values() if reply.headline.startswith("⛔")][:1]
    assert "A copy of this message may be above" in str(card.body)


async def says(_: OutboxMessage) -> Reply:
    """Render every message as one sentence."""
    return Reply("x")


async def test_while_copies_are_possible_one_message_is_tried_per_channel(one: Bench) -> None:
    outbox_worker = sending(one.ledger, one.chat, one.clock, [rendered("note", says)], dice=lambda: 0.0)
    async with one.ledger.writing() as tx:
        await tx.enqueue_all([(f"note:{n}", OPS, "") for n in range(10)])
    one.chat.errors = [Uncertain("500")] * 100
    for _ in range(600):
        await outbox_worker.deliver()
        one.clock.pass_(seconds=1)
    assert 100 - len(one.chat.errors) <= 5 + 600 / LONGEST_PAUSE
    one.chat.errors.clear()
    for _ in range(70):
        while await outbox_worker.deliver():
            pass
        one.clock.pass_(seconds=1)
    assert len(one.chat.said) == 10


async def test_deferred_messages_are_sent_in_order_after_the_pause(one: Bench) -> None:
    outbox_worker = sending(one.ledger, one.chat, one.clock, [rendered("note", says)], dice=lambda: 1.0)
    async with one.ledger.writing() as tx:
        await tx.enqueue_all([(f"note:{n}", OPS, "") for n in range(5)])
    for _ in range(8):
        one.chat.errors = [Transient("429", retry_after=30)]
        await outbox_worker.deliver()
        assert one.chat.errors == []
        one.clock.pass_(seconds=90)
    one.chat.errors = [Transient("429", retry_after=30)]
    await outbox_worker.deliver()
    one.clock.pass_(seconds=31)
    await outbox_worker.deliver()
    assert len(one.chat.said) == 4, "all but the one that was refused"


class Forgetful:
    """The real ledger, except that recording deliveries fails."""

    def __init__(self, ledger: object, times: int) -> None:
        self._ledger, self._times = ledger, times

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    async def delivered(self, delivery: OutboxMessage, posted: MessageRef) -> None:
        if self._times:
            self._times -= 1
            raise Transient("The ledger is away.")
        await self._ledger.delivered(delivery, posted)  # type: ignore[attr-defined]


async def test_message_posted_while_the_ledger_fails_is_recorded_later(one: Bench) -> None:
    one.outbox_worker.ledger = cast("Ledger", Forgetful(one.ledger, 2))
    repair = await one.ask()
    for _ in range(2):
        with pytest.raises(Transient):
            await one.outbox_worker.deliver()
        one.clock.pass_(minutes=1)
    await one.deliver()
    assert len(one.chat.said) == 1
    found = await one.ledger.delivery(f"card:{repair.id}")
    assert found is not None
    assert found.posted == MessageRef(OPS, "1.0")


async def slow(_: OutboxMessage) -> Reply:
    """A renderer that never returns."""
    await asyncio.Event().wait()
    raise AssertionError


async def test_slow_rendering_is_not_sent_and_leaves_no_doubt(one: Bench) -> None:
    repair = await one.ask()
    lease = timedelta(seconds=0.3)
    kinds = [rendered("card", slow)]
    worker = sending(one.ledger, one.chat, one.clock, kinds, sending=0.2, lease=lease)
    await worker.deliver()
    found = await one.ledger.delivery(f"card:{repair.id}")
    assert found is not None
    assert (found.unsure, found.attempts) == (False, 1)
    assert "nothing was sent" in found.error
    assert one.chat.said == []


class Bridge:
    """A sink that accepts everything."""

    name = "bridge"

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def deliver(self, message: OutboxMessage, content: Any) -> MessageRef:
        self.taken.append(message.key)
        return MessageRef(message.place, "1.0")

    async def close(self) -> None:
        pass


async def test_nothing_is_sent_that_might_outlast_the_lease(one: Bench) -> None:
    """For instance because the ledger was slow to lease the message."""
    repair, bridge = await one.ask(), Bridge()
    kinds, lease = [rendered("card", says, sink=bridge.name)], timedelta(seconds=0.1)
    outbox_worker = sending(one.ledger, one.chat, one.clock, kinds, bridge, sending=0.2, lease=lease)
    await outbox_worker.deliver()
    found = await one.ledger.delivery(f"card:{repair.id}")
    assert found is not None
    assert (found.posted, found.unsure, found.attempts, bridge.taken) == (None, False, 1, [])


@pytest.mark.parametrize(("dice", "seconds"), [(0.0, 30.0), (1.0, 45.0)])
async def test_retry_is_never_before_the_pause_and_has_jitter(one: Bench, dice: float, seconds: float) -> None:
    await one.ask()
    one.chat.errors = [Transient("429", retry_after=30)]
    one.outbox_worker.dice = lambda: dice
    await one.deliver()
    one.clock.pass_(seconds=seconds - 0.1)
    await one.deliver()
    assert one.chat.said == []
    one.clock.pass_(seconds=0.2)
    await one.deliver()
    assert len(one.chat.said) == 1
