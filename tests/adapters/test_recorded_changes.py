"""The record of changes on both databases: numbered, bounded, redacted, deleted when old."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.adapters.ledger import retention
from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.domain.core.change import IMAGE, LONGEST, NODE, RESTART, Change
from bot.domain.incidents.alerting import Incident
from tests.adapters.test_ledger import NOW, as_written_by, numbers, shared_incident
from tests.postgres import Postgres

pytestmark = pytest.mark.xdist_group("ledger")
SPAN = (NOW - timedelta(days=400), NOW)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create(f"changes_{next(numbers)}")


@pytest_asyncio.fixture
async def ledger(url: str) -> AsyncIterator[SqlLedger]:
    made = await open_ledger(url)
    yield made
    await made.close()


def change(minutes: float = 0, target: str = "pod", **other: str) -> Change:
    at = NOW - timedelta(minutes=minutes)
    return Change(
        target, other.get("kind", NODE), "", "node-1", other.get("after", "node-2"), at, at - timedelta(seconds=10)
    )


async def add(ledger: SqlLedger, *found: Change) -> None:
    async with ledger.writing() as tx:
        await tx.add_changes(found)


async def test_changes_come_back_newest_first_with_their_numbers(ledger: SqlLedger) -> None:
    await add(ledger, change(5), change(1, target="east"))
    await add(ledger, change(3))
    assert [c.number for c in await ledger.changes(*SPAN)] == [2, 3, 1]
    assert [c.number for c in await ledger.changes(*SPAN, targets=("pod",))] == [3, 1]
    assert [c.number for c in await ledger.changes(*SPAN, limit=1)] == [2]
    assert await ledger.changes(NOW - timedelta(minutes=4), NOW, targets=("pod",)) == [
        replace(change(3), number=3)
    ]
    assert [c.number for c in await ledger.changes(NOW - timedelta(minutes=9), NOW - timedelta(minutes=5))] == [1]


async def test_restarts_are_read_alone_or_left_out(ledger: SqlLedger) -> None:
    await add(ledger, change(5), change(3, kind=RESTART))
    assert [c.number for c in await ledger.changes(*SPAN)] == [2, 1]
    assert [c.number for c in await ledger.changes(*SPAN, restarts=True)] == [2]
    assert [c.number for c in await ledger.changes(*SPAN, restarts=False)] == [1]


async def test_writers_at_the_same_time_get_different_numbers(ledger: SqlLedger) -> None:
    await asyncio.gather(*(add(ledger, change(n), change(n)) for n in range(5)))
    assert sorted(c.number for c in await ledger.changes(*SPAN)) == list(range(1, 11))


async def test_a_rolled_back_change_is_not_recorded(ledger: SqlLedger) -> None:
    async def fail() -> None:
        async with ledger.writing() as tx:
            await tx.add_changes([change()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await ledger.changes(*SPAN) == []


async def test_what_looks_like_a_secret_is_redacted_and_long_texts_are_cut(ledger: SqlLedger) -> None:
    await add(ledger, change(after="ghp_" + "a1B2" * 9), change(kind=IMAGE, after="x" * 9999))
    long, secret = await ledger.changes(*SPAN)
    assert "ghp_" not in secret.after
    assert len(long.after) == LONGEST


async def test_old_changes_are_deleted_a_few_at_a_time_and_the_newest_stays(ledger: SqlLedger) -> None:
    await add(ledger, *(change(60 * 24 * 300) for _ in range(5)))
    assert await ledger.drop_closed(NOW - timedelta(days=200), limit=3) == 3
    assert await ledger.drop_closed(NOW - timedelta(days=200), limit=3) == 1
    assert [c.number for c in await ledger.changes(*SPAN)] == [5]
    await add(ledger, change())
    assert [c.number for c in await ledger.changes(*SPAN)] == [6, 5]


async def test_there_are_never_many_more_than_the_most(ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MOST_CHANGES", 3)
    await add(ledger, *(change() for _ in range(8)))
    await ledger.drop_closed(NOW - timedelta(days=200))
    assert [c.number for c in await ledger.changes(*SPAN)] == [8, 7, 6]


async def test_incidents_are_found_by_their_key_also_those_of_the_version_before(url: str) -> None:
    def one(name: str, key: str) -> Incident:
        made = shared_incident(name)
        return replace(made, problem=replace(made.problem, key=key))

    await as_written_by(url, 6)
    made = await open_ledger(url)
    async with made.writing() as tx:
        await tx.save_incidents([one("a", "k:1"), one("b", "k:2")])
    assert [i.id for i in await made.incidents(key="k:2")] == ["i-b"]
    await made.close()


async def test_incidents_of_a_key_are_looked_up_by_index(tmp_path: Path) -> None:
    await (await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as raw:
        query = "EXPLAIN QUERY PLAN SELECT * FROM incidents WHERE key = ? ORDER BY opened_at DESC"
        plan = raw.execute(query, ("x",)).fetchall()
    assert "USING INDEX incidents_by_key" in str(plan)
