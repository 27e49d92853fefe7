"""What changed between two looks is recorded once, also by two replicas and after the bot was away."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.adapters.ledger.ledger import open_ledger
from bot.domain.core.change import IMAGE, SETTINGS, Change, pairs
from bot.domain.core.look import Fingerprints, Look
from bot.errors import Transient
from bot.ports.ledger import Ledger
from bot.services.change_log import MOST, ChangeLog
from tests.postgres import Postgres
from tests.services.workbench import START, Clock, opened

pytestmark = pytest.mark.xdist_group("ledger")
DAY = timedelta(days=1)


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def logs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[ChangeLog, ChangeLog]]:
    """Two replicas on one database."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.create(f"log_{id(request)}")
    async with AsyncExitStack() as stack:
        made = [await open_ledger(url, exclusive=False) for _ in range(2)]
        for ledger in made:
            stack.push_async_callback(ledger.close)
        one, two = map(ChangeLog, made)
        yield one, two


def look(minutes: float, order: str = "", **state: str) -> Look:
    return Look("pod", IMAGE, state, START + timedelta(minutes=minutes), order)


async def recorded(log: ChangeLog) -> Sequence[Change]:
    return (await log.ledger.changes(START - DAY, START + DAY))[::-1]


async def test_the_first_look_records_nothing_and_the_next_what_changed(logs: tuple[ChangeLog, ChangeLog]) -> None:
    log, _ = logs
    assert not await log.note(look(0, kali="i:1"), pairs)
    assert not await log.note(look(1, kali="i:1"), pairs)
    assert await log.note(look(2, kali="i:2", proxy="p:1"), pairs)
    assert await recorded(log) == [
        Change("pod", IMAGE, "kali", "i:1", "i:2", START + 2 * MINUTE, START + MINUTE, 1),
        Change("pod", IMAGE, "proxy", "", "p:1", START + 2 * MINUTE, START + MINUTE, 2),
    ]


MINUTE = timedelta(minutes=1)


async def test_of_one_look_with_too_many_changes_the_others_are_counted(
    logs: tuple[ChangeLog, ChangeLog],
) -> None:
    log, _ = logs
    await log.note(look(0), pairs)
    await log.note(look(1, **{f"c{n:02}": "i:1" for n in range(MOST + 1)}), pairs)
    found = await recorded(log)
    assert len(found) == MOST
    assert found[-1].text == "image: 2 more changed, which are not recorded singly"


async def test_two_replicas_record_a_change_once(logs: tuple[ChangeLog, ChangeLog]) -> None:
    one, two = logs
    for n, image in enumerate(["i:1", "i:2", "i:2", "i:3"]):
        await asyncio.gather(one.note(look(n, kali=image), pairs), two.note(look(n, kali=image), pairs))
    assert [(c.before, c.after) for c in await recorded(one)] == [("i:1", "i:2"), ("i:2", "i:3")]


async def test_a_replica_that_lags_behind_reverts_nothing(logs: tuple[ChangeLog, ChangeLog]) -> None:
    one, two = logs
    await two.note(look(0, "1", kali="i:1"), pairs)
    await one.note(look(1, "2", kali="i:2"), pairs)
    assert not await two.note(look(1.5, "1", kali="i:1"), pairs)
    assert not await two.note(look(1.6, "2", kali="i:2"), pairs)
    assert [c.after for c in await recorded(one)] == ["i:2"]
    assert await two.note(look(9, "1", kali="i:1"), pairs), (
        "the newer pod is gone, and the older one is still there"
    )


async def test_a_look_that_was_read_earlier_counts_not(logs: tuple[ChangeLog, ChangeLog]) -> None:
    one, two = logs
    await one.note(look(2, kali="i:2"), pairs)
    assert not await two.note(look(1, kali="i:1"), pairs)
    assert await recorded(one) == []


async def test_a_change_while_the_bot_was_away_lies_between_two_looks(logs: tuple[ChangeLog, ChangeLog]) -> None:
    one, again = logs
    await one.note(look(0, kali="i:1"), pairs)
    await one.note(look(6, kali="i:1"), pairs)
    await again.note(look(60, kali="i:2"), pairs)
    [change] = await recorded(one)
    assert (change.not_before, change.at) == (START + 6 * MINUTE, START + 60 * MINUTE)


async def test_the_time_of_another_mark_is_the_last_look_where_that_keeps_it(
    logs: tuple[ChangeLog, ChangeLog],
) -> None:
    one, again = logs
    await one.note(replace(look(0, kali="i:1"), seen_by="looked"), pairs)
    async with one.ledger.writing() as tx:
        await tx.set_mark("looked", (START + 50 * MINUTE).isoformat())
    await again.note(replace(look(60, kali="i:2"), seen_by="looked"), pairs)
    [change] = await recorded(one)
    assert change.not_before == START + 50 * MINUTE


async def test_a_value_that_is_a_secret_is_redacted_before_it_is_recorded(
    logs: tuple[ChangeLog, ChangeLog],
) -> None:
    log, _ = logs
    log.outside.learn("secrets", ["plain-word-2"])
    await log.note(look(0, kali="r/plain-word-1"), pairs)
    await log.note(look(1, kali="r/plain-word-2"), pairs)
    [change] = await recorded(log)
    assert "plain-word-1" in change.before
    assert "plain-word-2" not in change.after


async def test_fingerprints_of_another_key_are_not_compared(logs: tuple[ChangeLog, ChangeLog]) -> None:
    ledger = logs[0].ledger
    for key, value, count in ((b"a", "1", 0), (b"b", "1", 0), (b"b", "2", 1)):
        prints = Fingerprints(key)
        log = ChangeLog(ledger, prints)
        made = Look("", SETTINGS, {"alerts.for": prints.of(value)}, START, fingerprinted=True)
        await log.note(made, pairs)
        assert len(await recorded(log)) == count


async def test_a_ledger_that_does_not_answer_fails_nothing_and_the_next_look_makes_up_for_it(
    logs: tuple[ChangeLog, ChangeLog], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "agentpod.changes")
    log, _ = logs
    await log.note(look(0, kali="i:1"), pairs)
    working, log.ledger = log.ledger, cast("Ledger", Away())
    assert not await log.note(look(1, kali="i:2"), pairs)
    assert "what changed was not recorded" in caplog.text
    log.ledger = working
    assert await log.note(look(2, kali="i:2"), pairs)


class Away:
    """A ledger that can't be reached."""

    def writing(self) -> object:
        raise Transient("The ledger can't be reached.")


async def test_while_nothing_changes_the_ledger_is_left_alone(logs: tuple[ChangeLog, ChangeLog]) -> None:
    log, _ = logs
    await log.note(look(0, kali="i:1"), pairs)
    log.ledger = cast("Ledger", Away())
    for minutes in (1, 2, 4.9):
        assert not await log.note(look(minutes, kali="i:1"), pairs)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["i:1", "i:2", "i:3"]), st.booleans()), max_size=12))
async def test_the_record_says_every_change_exactly_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, str, bool]]
) -> None:
    """Whichever replica looks first, and whichever is restarted: the record is the sequence of states."""
    async with opened(tmp_path_factory.mktemp("ledger"), exclusive=False) as ledger:
        replicas = [ChangeLog(ledger), ChangeLog(ledger)]
        seen: list[str] = []
        for n, (second, image, restarted) in enumerate(steps):
            if restarted:
                replicas[second] = ChangeLog(ledger)
            for number in (second, not second):
                await replicas[number].note(look(n, kali=image), pairs)
            if seen[-1:] != [image]:
                seen.append(image)
        found = await recorded(replicas[0])
        assert [(c.before, c.after) for c in found] == list(itertools.pairwise(seen))
        assert all(c.not_before < c.at for c in found)
        times: list[datetime] = [c.at for c in found]
        assert times == sorted(times)


async def test_a_change_that_only_the_other_replica_saw_is_noticed_within_minutes(
    logs: tuple[ChangeLog, ChangeLog],
) -> None:
    one, two = logs
    await one.note(look(0, kali="i:1"), pairs)
    await two.note(look(1, kali="i:2"), pairs)  # and stops
    assert not await one.note(look(2, kali="i:1"), pairs)
    assert await one.note(look(6, kali="i:1"), pairs)
    assert [c.after for c in await recorded(one)] == ["i:2", "i:1"]


async def test_a_clock_that_was_ahead_once_neither_stops_the_record_nor_dates_it(
    logs: tuple[ChangeLog, ChangeLog],
) -> None:
    one, again = logs
    await one.note(look(0, kali="i:1"), pairs)
    await one.note(look(360, kali="i:2"), pairs)
    assert not await one.note(look(2, kali="i:2"), pairs)
    assert await one.note(look(3, kali="i:3"), pairs)
    assert await again.note(look(4, kali="i:4"), pairs)
    found = [c for c in await recorded(one) if c.after in ("i:3", "i:4")]
    assert [(c.not_before, c.at) for c in found] == [
        (START + 2 * MINUTE, START + 3 * MINUTE),
        (START + 3 * MINUTE, START + 4 * MINUTE),
    ]


async def test_a_change_after_a_look_by_a_clock_that_was_ahead_is_not_dated_by_it(
    logs: tuple[ChangeLog, ChangeLog],
) -> None:
    one, again = logs
    await one.note(look(360, kali="i:1"), pairs)
    assert await again.note(look(2, kali="i:2"), pairs)
    [change] = await recorded(one)
    assert not change.dated
    async with one.ledger.writing() as tx:
        await tx.set_mark("looked", (START + 4 * MINUTE).isoformat())
    await one.note(replace(look(360, kali="i:2"), seen_by="looked"), pairs)
    assert await again.note(replace(look(5, kali="i:3"), seen_by="looked"), pairs)
    assert (await recorded(one))[-1].not_before == START + 4 * MINUTE


async def test_an_old_look_that_waited_for_the_ledger_counts_not(logs: tuple[ChangeLog, ChangeLog]) -> None:
    one, two = logs
    clock = Clock()
    clock.pass_(minutes=90)
    two.clock = clock
    await one.note(look(60, kali="i:2"), pairs)
    assert not await two.note(look(0, kali="i:1"), pairs)
    assert await recorded(one) == []
