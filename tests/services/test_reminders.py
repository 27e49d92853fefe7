"""Reminders of requests that expire soon: once each, across restarts and replicas, never after a decision."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.domain.approvals import message_keys
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.core.reply import Mention
from bot.services.approvals.recovery import RequestRecovery
from bot.services.approvals.reminders import remind
from tests.services.workbench import JONAS, MAYA, ONCALL, PRIYA, TARGET, Bench, bench, opened


async def look(one: Bench) -> None:
    await remind(one.approval_service, await one.ledger.requests(states=[RequestState.OPEN]))
    await one.deliver()


def reminders(one: Bench) -> list[str]:
    return [reply.headline for _, thread, reply in one.chat.said if thread]


async def test_a_request_is_brought_up_once_in_its_thread(one: Bench) -> None:
    await one.ask()
    for minutes in (20, 5, 1, 1):
        one.clock.pass_(minutes=minutes)
        await look(one)
    [(_, thread, said)] = [m for m in one.chat.said if m[1]]
    assert (thread, said.notify) == ("1.0", (Mention(JONAS), Mention(PRIYA), Mention(ONCALL)))
    assert said.headline.startswith(f"⏰ Restart of {TARGET.name}: expires in 4 min")


async def test_the_recovery_task_brings_it_up_without_another_timer(one: Bench) -> None:
    await one.ask()
    one.clock.pass_(minutes=26)
    task = asyncio.create_task(RequestRecovery(one.approval_service, one.executor).run())
    worker = asyncio.create_task(one.outbox_worker.run())
    await one.so(lambda: bool(reminders(one)))
    for each in (task, worker):
        each.cancel()
    await asyncio.gather(task, worker, return_exceptions=True)


async def test_a_decided_request_is_not_brought_up(one: Bench) -> None:
    repair = await one.ask()
    found = await one.ledger.requests(states=[RequestState.OPEN])
    one.clock.pass_(minutes=26)
    await one.say(repair, Choice.DENY, JONAS, "no")
    await remind(one.approval_service, found)  # read before the decision
    await one.deliver()
    assert reminders(one) == []


async def test_a_reminder_whose_request_was_decided_before_it_was_sent_is_dropped(one: Bench) -> None:
    repair = await one.ask()
    await one.deliver()
    one.clock.pass_(minutes=26)
    await remind(one.approval_service, await one.ledger.requests(states=[RequestState.OPEN]))
    await one.say(repair, Choice.WITHDRAW, MAYA)
    await one.deliver()
    assert reminders(one) == []


async def test_a_posted_reminder_shows_the_decision(one: Bench) -> None:
    repair = await one.ask()
    one.clock.pass_(minutes=25)
    await look(one)
    await one.say(repair, Choice.DENY, JONAS, "no")
    await one.deliver()
    [shown] = [r for ts, r in one.chat.shown.items() if float(ts) == 2]
    assert (shown.headline, shown.notify) == (f"⛔ Restart of {TARGET.name}: denied", ())


async def test_two_replicas_and_a_restart_remind_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        two = bench(ledger, name="two", like=one)
        await one.ask()
        await one.deliver()
        one.clock.pass_(minutes=26)
        found = await ledger.requests(states=[RequestState.OPEN])
        await asyncio.gather(*(remind(each.approval_service, found) for each in (one, two, one)))
        message = await ledger.delivery(message_keys.reminder(found[0].id))
        assert message is not None
        assert message.wanted == 1  # enqueued once
        await two.deliver()
        assert len(reminders(one)) == 1
    async with opened(tmp_path) as ledger:
        three = bench(ledger, name="three", like=one)
        one.clock.pass_(minutes=1)
        await look(three)
        assert len(reminders(one)) == 1


@pytest.mark.parametrize("minutes", [5, 35])
async def test_nothing_is_due_early_or_after_the_expiry(one: Bench, minutes: int) -> None:
    await one.ask()
    one.clock.pass_(minutes=minutes)
    await look(one)
    assert reminders(one) == []


async def test_switched_off_there_is_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy.model_validate({"remind_before": "0"}))
        await one.ask()
        one.clock.pass_(minutes=29)
        await look(one)
        assert reminders(one) == []
