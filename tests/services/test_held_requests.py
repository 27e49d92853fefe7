"""Approvers' direct messages and reminders obey quiet hours only where the person says so."""

from __future__ import annotations

import pytest

from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.outbox.preferences import Preferences
from bot.services.approvals.reminders import remind
from bot.services.outbox.preferences import save
from tests.services.test_approver_messages import OPEN, direct, send
from tests.services.workbench import JONAS, PRIYA, Bench

SHORT, LONG = "08:00-09:10", "08:00-17:00"
"""Quiet hours in which the bench's nine o'clock (UTC) is, and that end before and after a request's half hour."""


async def prefer(one: Bench, requests: str, quiet: str) -> None:
    await save(one.ledger, one.clock, Preferences(JONAS, quiet=quiet, requests=requests))  # type: ignore[arg-type]


@pytest.mark.parametrize(("requests", "gets"), [("always", [OPEN]), ("awake", []), ("never", [])])
async def test_in_quiet_hours_a_message_comes_as_the_person_says(
    one: Bench, requests: str, gets: list[str]
) -> None:
    await prefer(one, requests, SHORT)
    await one.ask()
    await send(one)
    assert direct(one).get(JONAS, []) == gets
    assert direct(one)[PRIYA] == [OPEN]


async def test_a_held_message_comes_after_quiet_hours_while_the_request_is_open(one: Bench) -> None:
    await prefer(one, "awake", SHORT)
    await one.ask()
    await send(one)
    one.clock.pass_(minutes=11)
    await one.deliver()
    assert direct(one)[JONAS] == [OPEN]


async def test_a_join_does_not_send_a_held_message_early(one: Bench) -> None:
    await prefer(one, "awake", SHORT)
    await one.ask()
    await send(one)
    await one.ask(PRIYA)
    await one.deliver()
    assert JONAS not in direct(one)


@pytest.mark.parametrize("quiet", [SHORT, LONG])
async def test_a_held_message_is_dropped_once_the_request_is_decided(one: Bench, quiet: str) -> None:
    await prefer(one, "awake", quiet)
    repair = await one.ask()
    await send(one)
    await one.say(repair, Choice.DENY, PRIYA, "no")
    one.clock.pass_(hours=9)
    await one.deliver()
    assert JONAS not in direct(one)
    assert await one.ledger.waiting() == 0


async def test_who_wants_none_is_not_in_the_request(one: Bench) -> None:
    await prefer(one, "never", "")
    repair = await one.ask()
    await send(one)
    assert (await one.now(repair)).messaged == (PRIYA,)


@pytest.mark.parametrize(("requests", "called"), [("awake", False), ("always", True), ("never", True)])
async def test_a_reminder_mentions_nobody_who_sleeps_and_said_so(one: Bench, requests: str, called: bool) -> None:
    await prefer(one, requests, LONG)
    await one.ask()
    one.clock.pass_(minutes=26)
    await remind(one.approval_service, await one.ledger.requests(states=[RequestState.OPEN]))
    await one.deliver()
    [said] = [reply for _, thread, reply in one.chat.said if thread]
    assert (JONAS in {m.id for m in said.notify}) == called
    assert PRIYA in {m.id for m in said.notify}


async def test_a_held_message_comes_at_once_where_quiet_hours_are_switched_off(one: Bench) -> None:
    await prefer(one, "awake", SHORT)
    await one.ask()
    await send(one)
    await prefer(one, "awake", "")
    await one.deliver()
    assert direct(one)[JONAS] == [OPEN]


async def test_a_held_message_waits_for_the_end_of_longer_quiet_hours(one: Bench) -> None:
    await prefer(one, "awake", SHORT)
    await one.ask()
    await send(one)
    await prefer(one, "awake", "08:00-09:20")
    one.clock.pass_(minutes=15)
    await one.deliver()
    assert JONAS not in direct(one)
    one.clock.pass_(minutes=6)
    await one.deliver()
    assert direct(one)[JONAS] == [OPEN]


async def test_who_wants_none_any_more_does_not_get_the_held_one(one: Bench) -> None:
    await prefer(one, "awake", SHORT)
    await one.ask()
    await send(one)
    await prefer(one, "never", SHORT)
    one.clock.pass_(minutes=12)
    await one.deliver()
    assert JONAS not in direct(one)
