# ruff: noqa: PT012 - a transaction raises at its end, so the whole block is under test
"""The ledger on both databases: one suite, SQLite and Debian's PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from bot.adapters.ledger import database, migrations
from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.adapters.ledger.outbox import STUCK
from bot.adapters.ledger.schema import to_micros
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import Request, RequestState, Snapshot
from bot.domain.approvals.repair import RepairRequest, from_json, new_id, to_json
from bot.domain.core.audit import Record, verify
from bot.domain.core.history import BEAT, HistoryEvent
from bot.domain.core.outside import Outside
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Problem
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import MessageRef
from bot.domain.outbox.preferences import Preferences
from bot.errors import AgentpodError, Conflict, NotAllowed, Permanent, Transient
from commands.admin.audit import line
from tests.postgres import Postgres

pytestmark = pytest.mark.xdist_group("ledger")
NOW = datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC)
HOLD = timedelta(seconds=30)
numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a separate database for this test."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.create(f"test_{next(numbers)}")


@pytest_asyncio.fixture
async def ledger(url: str) -> AsyncIterator[SqlLedger]:
    made = await open_ledger(url)
    yield made
    await made.close()


def repair(**changes: Any) -> RepairRequest:
    request = Request(new_id(), "U1", NOW, NOW + timedelta(minutes=30), Snapshot("uid", 1, (("kali", "i:1"),)))
    return RepairRequest(request, changes.pop("target", "pod"), RESTART, **changes)


async def records(ledger: SqlLedger, **how: Any) -> list[Record]:
    return [r async for r in ledger.records(**how)]


async def test_a_transaction_is_kept_whole_or_not_at_all(ledger: SqlLedger) -> None:
    kept, lost = repair(), repair()
    async with ledger.writing() as tx:
        await tx.add(kept)
        await tx.record(NOW, "request", "U1", kept.id, {"reason": "ünïcode 漢", "n": [1, 2.5, None, True]})
        await tx.enqueue(f"card:{kept.id}", "C1")
    with pytest.raises(ZeroDivisionError):
        async with ledger.writing() as tx:
            await tx.add(lost)
            await tx.record(NOW, "request", "U1", lost.id)
            1 / 0  # noqa: B018
    assert await ledger.request(kept.id) == kept
    assert await ledger.request(lost.id) is None
    assert [r.subject for r in await records(ledger)] == [kept.id]
    assert verify(await records(ledger)) is None
    assert await ledger.waiting() == 1


async def test_a_read_sees_earlier_writes(ledger: SqlLedger) -> None:
    one = repair(origin="slash:1")
    async with ledger.writing() as tx:
        await tx.add(one)
        assert await tx.request(one.id) == one
        assert await tx.from_origin("slash:1") == one
        assert await tx.open_requests("pod") == [one]
        assert await tx.open_requests("other") == []


async def test_of_two_writers_with_the_same_version_one_saves(ledger: SqlLedger) -> None:
    one = repair()
    async with ledger.writing() as tx:
        await tx.add(one)
    async with ledger.writing() as tx:
        assert (await tx.save(one.in_state(RequestState.EXECUTING))).version == 1
    with pytest.raises(Conflict):
        async with ledger.writing() as tx:
            await tx.save(one.in_state(RequestState.DENIED))
            await tx.record(NOW, "decision", "U2", one.id)
    found = await ledger.request(one.id)
    assert found is not None
    assert (found.state, found.version) == (RequestState.EXECUTING, 1)
    assert await records(ledger) == []


async def test_one_origin_makes_one_request(ledger: SqlLedger) -> None:
    async with ledger.writing() as tx:
        await tx.add(repair(origin="slash:1"))
        await tx.add(repair())
        await tx.add(repair())
    with pytest.raises(Conflict):
        async with ledger.writing() as tx:
            await tx.add(repair(origin="slash:1"))


async def test_requests_are_found_by_state_target_and_time(ledger: SqlLedger) -> None:
    first, other = repair(), repair(target="other")
    async with ledger.writing() as tx:
        for one in (first, other):
            await tx.add(one)
    assert {c.id for c in await ledger.requests()} == {first.id, other.id}
    assert [c.id for c in await ledger.requests(target="other", states={RequestState.OPEN})] == [other.id]
    assert [c.id for c in await ledger.requests(targets=["other", "gone"], limit=1)] == [other.id]
    assert await ledger.requests(targets=[]) == []
    assert {c.id for c in await ledger.requests(requester=first.request.requester, limit=None)} == {
        first.id,
        other.id,
    }
    assert await ledger.requests(requester="U0") == []
    assert await ledger.requests(states={RequestState.FAILED}) == []
    assert await ledger.requests(since=NOW + timedelta(seconds=1)) == []
    assert await ledger.overdue(NOW + timedelta(minutes=29)) == []
    assert len(await ledger.overdue(NOW + timedelta(minutes=30))) == 2
    async with ledger.writing() as tx:
        await tx.save(first.in_state(RequestState.EXECUTING).taken("me", NOW, HOLD))
    assert await ledger.without_lease(NOW) == []
    assert [c.id for c in await ledger.without_lease(NOW + HOLD)] == [first.id]


async def test_a_message_is_leased_to_one_process_until_the_lease_expires(ledger: SqlLedger) -> None:
    async with ledger.writing() as tx:
        await tx.enqueue("card:1", "C1")
        await tx.enqueue("progress:1", "C1", under="card:1")
    [card] = await ledger.take(NOW, HOLD)
    assert (card.key, card.attempts, card.unsure) == ("card:1", 1, False)
    assert await ledger.take(NOW, HOLD) == ()
    [again] = await ledger.take(NOW + HOLD, HOLD)
    assert (again.attempts, again.unsure) == (2, True)
    await ledger.delivered(again, MessageRef("C1", "1.0"))
    [progress] = await ledger.take(NOW, HOLD)
    assert (progress.key, progress.thread) == ("progress:1", MessageRef("C1", "1.0"))


async def test_newer_versions_of_a_message_stay_due_and_are_merged(ledger: SqlLedger) -> None:
    async with ledger.writing() as tx:
        await tx.enqueue("card:1", "C1")
    [card] = await ledger.take(NOW, HOLD)
    async with ledger.writing() as tx:
        for _ in range(5):
            await tx.enqueue("card:1", "elsewhere")
    await ledger.delivered(card, MessageRef("C1", "1.0"))
    [again] = await ledger.take(NOW, HOLD)
    assert (again.place, again.posted, again.wanted, again.shown) == ("elsewhere", MessageRef("C1", "1.0"), 6, 1)
    async with ledger.writing() as tx:
        await tx.enqueue("card:1", "C1")
    [there] = await ledger.take(NOW + HOLD + HOLD, HOLD)
    assert (there.place, there.posted) == ("elsewhere", MessageRef("C1", "1.0")), (
        "what is posted stays where it is"
    )
    await ledger.delivered(there, MessageRef("C1", "1.0"))
    assert await ledger.waiting() == 0


async def test_a_failed_message_waits_for_its_retry_and_a_dead_letter_for_a_new_version(ledger: SqlLedger) -> None:
    async with ledger.writing() as tx:
        await tx.enqueue("card:1", "C1")
    [card] = await ledger.take(NOW, HOLD)
    await ledger.failed(card, "429", NOW + timedelta(seconds=5), unsure=False)
    assert await ledger.take(NOW + timedelta(seconds=4), HOLD) == ()
    [again] = await ledger.take(NOW + timedelta(seconds=5), HOLD)
    await ledger.failed(again, "gone", NOW, dead=True, unsure=True)
    assert await ledger.take(NOW + timedelta(days=9), HOLD) == ()
    found = await ledger.delivery("card:1")
    assert found is not None
    assert (found.error, found.unsure) == ("gone", True)
    async with ledger.writing() as tx:
        await tx.enqueue("card:1", "C1")
    assert len(await ledger.take(NOW, HOLD)) == 1


async def test_only_dead_letters_leave_the_list_of_undelivered_messages(ledger: SqlLedger) -> None:
    async with ledger.writing() as tx:
        await tx.enqueue("card:1", "C1")
        await tx.enqueue("card:2", "C1")
    for day in range(1, STUCK + 1):
        for card in await ledger.take(NOW + timedelta(days=day), HOLD):
            dead = card.key == "card:2" and day == STUCK
            await ledger.failed(card, "not_in_channel", NOW + timedelta(days=day), dead=dead, unsure=False)
    given_up = NOW + timedelta(days=STUCK)
    assert {d.key for d in await ledger.dead(given_up)} == {"card:1", "card:2"}
    assert {d.key for d in await ledger.dead(given_up + timedelta(seconds=1))} == {"card:1"}


async def test_a_refused_message_is_retried_and_listed_until_delivered_or_obsolete(
    ledger: SqlLedger,
) -> None:
    async with ledger.writing() as tx:
        for key in ("card:1", "card:2"):
            await tx.enqueue(key, "C1")
    for delivery in await ledger.take(NOW, HOLD):
        await ledger.failed(delivery, "Invite it.", NOW + timedelta(minutes=1), unsure=False, refused=True)
    assert {(d.key, d.error) for d in await ledger.dead(NOW)} == {
        ("card:1", "Invite it."),
        ("card:2", "Invite it."),
    }
    assert await ledger.take(NOW + timedelta(seconds=59), HOLD) == ()
    arrived, unwanted = await ledger.take(NOW + timedelta(minutes=1), HOLD)
    await ledger.delivered(arrived, MessageRef("C1", "1.0"))
    await ledger.dropped(unwanted)
    assert await ledger.dead(NOW) == []


async def test_a_pending_message_never_posted_goes_to_the_current_channel(ledger: SqlLedger) -> None:
    async with ledger.writing() as tx:
        for key in ("incident:i-1", "incident:i-2", "incident:i-3", "digest:2026-11-24", "card:r-1"):
            await tx.enqueue(key, "C1")
    taken = {d.key: d for d in await ledger.take(NOW, HOLD)}
    for key in ("incident:i-1", "digest:2026-11-24", "card:r-1"):
        await ledger.failed(taken[key], "channel_not_found", NOW, dead=True, unsure=False)
    await ledger.delivered(taken["incident:i-2"], MessageRef("C1", "1.0"))
    await ledger.failed(taken["incident:i-3"], "not_in_channel", NOW + timedelta(days=1), unsure=False)
    long_ago, later = NOW - timedelta(days=900), NOW + timedelta(days=90_000)
    assert await ledger.reroute_pending({"incident": "C2", "digest": "C3"}, later) == 0, "too old"
    assert await ledger.reroute_pending({"incident": "C2", "digest": "C3"}, long_ago) == 3
    due = {d.key: (d.place, d.attempts, d.error) for d in await ledger.take(NOW + HOLD, HOLD)}
    moved = {"incident:i-1": ("C2", 1, ""), "incident:i-3": ("C2", 1, ""), "digest:2026-11-24": ("C3", 1, "")}
    assert due == moved
    assert await ledger.reroute_pending({"incident": "C2", "digest": "C3"}, long_ago) == 0, (
        "all is where it belongs"
    )


async def test_of_two_posts_of_a_message_the_first_recorded_counts(ledger: SqlLedger) -> None:
    async with ledger.writing() as tx:
        await tx.enqueue("card:1", "C1")
    [slow] = await ledger.take(NOW, HOLD)
    [fast] = await ledger.take(NOW + HOLD, HOLD)
    await ledger.delivered(fast, MessageRef("C1", "2.0"))
    await ledger.delivered(slow, MessageRef("C1", "1.0"))
    found = await ledger.delivery("card:1")
    assert found is not None
    assert (found.posted, found.unsure) == (MessageRef("C1", "2.0"), True)


async def test_a_paused_channel_does_not_hold_up_others(ledger: SqlLedger) -> None:
    async with ledger.writing() as tx:
        await tx.enqueue("card:1", "C1")
        await tx.enqueue("outcome:1", "U1")
    assert [d.key for d in await ledger.take(NOW, HOLD, without={"C1"})] == ["outcome:1"]


async def test_the_trail_is_read_in_pages_in_both_directions(ledger: SqlLedger) -> None:
    for start in range(0, 1100, 100):
        async with ledger.writing() as tx:
            for number in range(start, start + 100):
                await tx.record(NOW + timedelta(seconds=number), "k", "a", str(number))
    whole = await records(ledger)
    assert [r.number for r in whole] == list(range(1, 1101))
    assert verify(whole) is None
    assert [r.number for r in await records(ledger, newest=True, limit=3)] == [1100, 1099, 1098]
    assert len(await records(ledger, newest=True)) == 1100
    assert [r.number for r in await records(ledger, after=1098)] == [1099, 1100]
    assert len(await records(ledger, since=NOW + timedelta(seconds=1000), limit=50)) == 50


async def test_two_replicas_write_one_chain(url: str) -> None:
    one, two = await open_ledger(url, exclusive=False), await open_ledger(url, exclusive=False)

    async def write(ledger: SqlLedger, name: str) -> None:
        for _ in range(15):
            async with ledger.writing() as tx:
                await tx.record(NOW, "k", name, "s")

    await asyncio.gather(write(one, "one"), write(two, "two"), write(one, "three"))
    found = await records(one)
    assert len(found) == 45
    assert verify(found) is None
    await one.close()
    await two.close()


async def test_audit_data_is_kept_without_known_values_and_a_request_as_it_is(url: str) -> None:
    outside = Outside()
    made = await open_ledger(url, audited=outside)
    try:
        outside.learn("a Secret", {"ghcr.io/a", "Plainvalue7x"})
        one = replace(repair(), subject="ghcr.io/a/kali")
        async with made.writing() as tx:
            await tx.add(one)
            await tx.record(
                NOW, "read", "U1", "logs", {"line": "logs --grep Plainvalue7x", "dry_run": ["ghcr.io/a"]}
            )
        [found] = [record async for record in made.records()]
        assert found.data == {"line": "logs --grep [redacted]", "dry_run": ["[redacted]"]}
        assert verify([found]) is None
        kept = await made.request(one.id)
        assert kept is not None
        assert kept.subject == "ghcr.io/a/kali"
    finally:
        await made.close()


async def test_the_database_itself_protects_the_audit_trail(url: str, ledger: SqlLedger, request: Any) -> None:
    async with ledger.writing() as tx:
        await tx.record(NOW, "k", "a", "s")
    statements = ["UPDATE audit SET actor = 'b'", "DELETE FROM audit"]
    if url.startswith("sqlite"):
        statements.append("INSERT OR REPLACE INTO audit SELECT * FROM audit")
    for statement in statements:
        if url.startswith("sqlite"):
            with (
                closing(sqlite3.connect(url.partition(":///")[2])) as raw,
                pytest.raises(sqlite3.IntegrityError, match="only grow"),
            ):
                raw.execute(statement)
        else:
            server: Postgres = request.getfixturevalue("postgres")
            with pytest.raises(subprocess.CalledProcessError) as refused:
                server.sql(statement, url.rpartition("/")[2])
            assert "only grow" in refused.value.stderr


def by_hand(url: str, request: Any, change: str) -> None:
    """Change the audit trail, bypassing its triggers."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.partition(":///")[2])) as raw:
            raw.executescript(f"DROP TRIGGER audit_no_update; {change}")
    else:
        server: Postgres = request.getfixturevalue("postgres")
        server.sql(f"ALTER TABLE audit DISABLE TRIGGER audit_only_grows; {change}", url.rpartition("/")[2])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("data = '{broken'", "its data can't be read"),
        ("data = '[1]'", "its data can't be read"),
        ("""data = '{"n": NaN}'""", "its data can't be read"),
        ("at = 9223372036854775807", "its time can't be read"),
        ("at = 'x'", "its time can't be read"),
    ],
)
@pytest.mark.parametrize("number", [2, 3])
async def test_a_damaged_record_is_named_and_later_records_are_still_written(
    url: str, ledger: SqlLedger, request: Any, change: str, why: str, number: int
) -> None:
    async with ledger.writing() as tx:
        for count in range(3):
            await tx.record(NOW, "k", "a", "s", {"n": count})
    statement = f"UPDATE audit SET {change} WHERE number = {number}"  # noqa: S608 - a test's constants
    if change == "at = 'x'" and not url.startswith("sqlite"):
        with pytest.raises(subprocess.CalledProcessError):  # PostgreSQL accepts no text for numbers
            by_hand(url, request, statement)
        return
    by_hand(url, request, statement)
    async with ledger.writing() as tx:
        await tx.record(NOW, "k", "a", "next")
    found = await records(ledger)
    assert [r.number for r in found] == [1, 2, 3, 4]
    assert found[3].previous == found[2].digest
    broken = verify(found)
    assert broken is not None
    assert broken.number == number
    assert why in broken.why
    assert [json.loads(line(r))["number"] for r in found] == [1, 2, 3, 4]


async def test_concurrent_opens_of_an_empty_database_create_it_once(url: str) -> None:
    made = await asyncio.gather(*(open_ledger(url, exclusive=False) for _ in range(4)))
    async with made[0].writing() as tx:
        await tx.record(NOW, "k", "a", "s")
    assert len(await records(made[3])) == 1
    for one in made:
        await one.close()


async def test_a_database_of_a_newer_version_is_left_unchanged(url: str, request: Any) -> None:
    await (await open_ledger(url)).close()
    newer = "UPDATE ledger_version SET number = 99"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.partition(":///")[2])) as raw:
            raw.execute(newer)
            raw.commit()
    else:
        request.getfixturevalue("postgres").sql(newer, url.rpartition("/")[2])
    with pytest.raises(Permanent, match="schema version 99") as refused:
        await open_ledger(url)
    assert "Nothing was touched" in str(refused.value.remedy)


# SQLite only


async def test_an_empty_file_being_written_by_another_process_is_waited_for(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "one.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = asyncio.create_task(open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'one.db'}"))
        done, _ = await asyncio.wait({opening}, timeout=0.3)
        assert not done, "SQLite itself gives up at once"
        other.execute("COMMIT")
        await (await opening).close()


async def as_written_by(url: str, number: int, *more: tuple[str, Mapping[str, Any]]) -> None:
    """Create a database with version ``number`` of the schema, containing ``more``."""

    def make(connection: Connection) -> None:
        migrations.advance(connection, 0, number)
        for statement, values in more:
            connection.execute(text(statement), values)
        connection.commit()

    made = database.connect(url)
    async with made.transaction(writes=True) as run:
        await run(make)
    await made.close()


async def test_pending_messages_of_an_older_version_are_sent_after_the_migration(url: str) -> None:
    owed = "INSERT INTO deliveries (key, place, under, wanted, created_at) VALUES ('card:1', 'C1', '', 1, 0)"
    await as_written_by(url, 3, (owed, {}))
    made = await open_ledger(url)
    assert [d.key for d in await made.take(NOW, HOLD)] == ["card:1"]
    await made.close()


OLD_INCIDENT = """
INSERT INTO incidents (id, key, target, state, live, told, opened_at, resolved_at, version, body)
VALUES (:id, :key, :target, :state, :live, :told, :opened_at, :resolved_at, :version, :body)"""


def shared_incident(name: str, *, group: str = "", issue: str = "") -> Incident:
    problem = Problem(f"k:{name}", "heartbeat", "pod", name, "stale", "warning", NOW, issue=issue)
    return Incident(f"i-{name}", problem, alerting.IncidentState.FIRING, NOW, fired_at=NOW, group=group)


def old_row(incident: Incident, body: str | None = None) -> tuple[str, Mapping[str, Any]]:
    """An incident as stored by version 5 of the schema."""
    values = {
        "id": incident.id,
        "key": incident.key,
        "target": "pod",
        "state": "firing",
        "live": True,
        "told": True,
        "opened_at": to_micros(NOW),
        "resolved_at": None,
        "version": 0,
        "body": alerting.to_json(incident) if body is None else body,
    }
    return OLD_INCIDENT, values


async def test_a_ledger_of_the_previous_version_is_migrated(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "BATCH", 2)
    old = [shared_incident("a", group="g-one", issue="o/r#1"), shared_incident("b", group="g-one")]
    old += [shared_incident(f"n{n}") for n in range(3)]
    unversioned = json.loads(alerting.to_json(shared_incident("c", issue="o/r#1")))
    del unversioned["v"]
    rows = [old_row(i) for i in old]
    rows += [old_row(shared_incident("c"), json.dumps(unversioned)), old_row(shared_incident("bad"), "{no json")]
    await as_written_by(url, 5, *rows)
    made = await open_ledger(url)
    assert {i.id for i in await made.incidents(group="g-one", limit=None)} == {"i-a", "i-b"}
    assert {i.id for i in await made.incidents(issue="o/r#1", limit=None)} == {"i-a", "i-c"}
    async with made.writing() as tx:
        await tx.save_incidents([replace(old[1], group="", version=1)])
    assert {i.id for i in await made.incidents(group="g-one", limit=None)} == {"i-a"}
    assert len(await made.incidents(limit=None)) == 6
    assert [a.id for a in await made.set_aside(NOW - timedelta(days=9))] == ["i-bad"]
    await made.close()


async def test_a_ledger_without_preferences_is_migrated_with_its_pending_messages(url: str) -> None:
    owed = "INSERT INTO deliveries (key, place, under, wanted, created_at) VALUES ('card:1', 'C1', '', 1, 0)"
    await as_written_by(url, 7, (owed, {}))
    made = await open_ledger(url)
    assert await made.preferences() == []
    assert [d.key for d in await made.take(NOW, HOLD)] == ["card:1"]
    await made.close()


async def test_preferences_are_saved_replaced_and_deleted(ledger: SqlLedger) -> None:
    mine, yours = Preferences("U1", ("critical",), "22:00-07:00", "Europe/Berlin", wake=True), Preferences("U2")
    async with ledger.writing() as tx:
        for one in (yours, Preferences("U1"), mine):
            await tx.save_preferences(one)
        assert await tx.preferences() == [mine, yours]
    async with ledger.writing() as tx:
        await tx.drop_preferences("U2")
        await tx.drop_preferences("U9")
    assert await ledger.preferences() == [mine]


@pytest.mark.parametrize("body", ["{no json", "[]", '{"v":1,"user":"U1","quiet":"always"}', '{"v":9,"user":"U1"}'])
async def test_preferences_that_can_not_be_read_are_those_of_nobody(ledger: SqlLedger, body: str) -> None:
    insert = "INSERT INTO preferences (person, body) VALUES ('U1', :body)"
    await ledger._change(lambda connection: connection.execute(text(insert), {"body": body}))
    assert await ledger.preferences() == []
    async with ledger.writing() as tx:
        await tx.save_preferences(Preferences("U1", ("warning",)))
    assert await ledger.preferences() == [Preferences("U1", ("warning",))]


async def test_a_message_for_later_is_due_then_whatever_happens_before(ledger: SqlLedger) -> None:
    later = NOW + timedelta(hours=9)
    async with ledger.writing() as tx:
        await tx.enqueue("summary:U1:x", "U1", not_before=later)
    async with ledger.writing() as tx:
        await tx.enqueue("summary:U1:x", "U1", not_before=later)
        await tx.refresh("summary:U1:x")
    assert list(await ledger.take(later - timedelta(seconds=1), HOLD)) == []
    assert await ledger.next_due(NOW) == later
    [due] = await ledger.take(later, HOLD)
    await ledger.delivered(due, MessageRef("D1", "1.0"))
    async with ledger.writing() as tx:
        await tx.refresh("summary:U1:x")
    assert [d.key for d in await ledger.take(later, HOLD)] == ["summary:U1:x"]


async def test_when_an_unposted_message_is_due_can_be_changed(ledger: SqlLedger) -> None:
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=9)
    async with ledger.writing() as tx:
        for name, place, at in (
            ("a:1", "U1", later),
            ("a:2", "U1", soon),
            ("a:3", "U2", later),
            ("a:4", "U1", None),
        ):
            await tx.enqueue(MessageKey(name), place, not_before=at)
        assert await tx.delayed("U1", NOW) == ["a:1", "a:2"]
        assert await tx.delayed("U1", soon) == ["a:1"]
        await tx.delay(MessageKey("a:1"), None)
        await tx.delay(MessageKey("a:2"), later)
    assert {d.key for d in await ledger.take(soon, HOLD)} == {"a:1", "a:4"}
    async with ledger.writing() as tx:
        assert await tx.delayed("U1", NOW) == ["a:2"]


@pytest.mark.parametrize("name", ["message_group", "issue"])
async def test_incidents_are_looked_up_by_index(tmp_path: Path, name: str) -> None:
    await (await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as raw:
        query = f"EXPLAIN QUERY PLAN SELECT * FROM incidents WHERE {name} = ?"  # noqa: S608 - a test's constants
        plan = raw.execute(query, ("x",)).fetchall()
    assert "USING INDEX incidents_by_" in str(plan)


async def test_a_file_belongs_to_one_bot(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'one.db'}"
    first = await open_ledger(url)
    with pytest.raises(Permanent, match=rf"process {os.getpid()} on .*\) uses the ledger"):
        await open_ledger(url)
    beside = await open_ledger(url, exclusive=False)
    assert (first.exclusive, beside.exclusive) == (True, False)
    await beside.close()
    await first.close()
    await (await open_ledger(url)).close()
    assert (tmp_path / "one.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("place", "words"),
    [("missing/one.db", "does not exist"), ("", "needs a file"), ("text.db", "is not a SQLite database")],
)
async def test_a_file_that_can_not_be_a_ledger_is_reported(tmp_path: Path, place: str, words: str) -> None:
    (tmp_path / "text.db").write_text("no database " * 500)
    with pytest.raises(Permanent, match=words) as refused:
        await open_ledger(f"sqlite+aiosqlite:///{tmp_path / place}" if place else "sqlite+aiosqlite://")
    assert refused.value.remedy


async def test_a_foreign_database_is_left_unchanged(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as raw:
        raw.execute("CREATE TABLE cases (x)")
    with pytest.raises(Permanent, match="not agentpod's"):
        await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")


async def test_a_full_disk_rolls_back_and_is_reported(tmp_path: Path) -> None:
    """A page limit stands in for a full disk: SQLite answers both with SQLITE_FULL."""
    ledger = await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'one.db'}")

    def limit(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    await ledger._change(limit)  # the writer's connection only
    with pytest.raises(Transient, match=r"disk of the ledger .* is full"):
        async with ledger.writing() as tx:
            for number in range(400):
                await tx.record(NOW, "k", "a", str(number), {"x": "y" * 1000})
    assert await records(ledger) == []
    await ledger.close()


async def test_a_read_only_file_is_reported(tmp_path: Path) -> None:
    """Root can write any file, so the connection itself is made read-only, as on a read-only volume."""
    ledger = await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'one.db'}")

    def read_only(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")

    await ledger._change(read_only)
    with pytest.raises(Permanent, match="read-only"):
        async with ledger.writing() as tx:
            await tx.record(NOW, "k", "a", "s")
    await ledger.close()


async def test_a_damaged_row_is_named_and_does_not_break_lists(tmp_path: Path) -> None:
    ledger = await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'one.db'}")
    good, bad = repair(), repair()
    async with ledger.writing() as tx:
        await tx.add(good)
        await tx.add(bad)
    with closing(sqlite3.connect(tmp_path / "one.db")) as raw:
        raw.execute("UPDATE cases SET body = '{}' WHERE id = ?", (bad.id,))
        raw.commit()
    with pytest.raises(Permanent, match=bad.id):
        await ledger.request(bad.id)
    assert [c.id for c in await ledger.requests()] == [good.id]
    await ledger.close()


async def test_old_history_is_deleted_except_the_last_state_of_each_source(ledger: SqlLedger) -> None:
    states = [
        ("job", -30, "up"),
        ("job", -20, "paused"),
        ("job", 30, "up"),
        ("pod", -40, "down"),
        ("pod", -9, "ready"),
    ]
    beats = [("job", hours, BEAT) for hours in (-41, -1, 1)]
    async with ledger.writing() as tx:
        await tx.add_history(
            [HistoryEvent("t", s, NOW + timedelta(hours=h), what) for s, h, what in states + beats]
        )
    for _ in range(2):
        await ledger.drop_history(NOW)
    left = await ledger.history(datetime.fromtimestamp(0, UTC), NOW + timedelta(days=9))
    assert [(h.subject, h.what) for h in left] == [
        ("job", "paused"),
        ("pod", "ready"),
        ("job", BEAT),
        ("job", "up"),
    ]


DIES = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from bot.adapters.ledger.ledger import open_ledger
async def main():
    ledger = await open_ledger(sys.argv[1])
    async with ledger.writing() as tx:
        await tx.record(datetime.now(UTC), "k", "a", "kept")
    async with ledger.writing() as tx:
        await tx.record(datetime.now(UTC), "k", "a", "lost")
        await tx.request("r-22222222")
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_a_transaction_of_a_killed_process_is_rolled_back(url: str) -> None:
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIES, url, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    )
    assert await done.wait() == -signal.SIGKILL
    ledger = await open_ledger(url)
    assert [r.subject for r in await records(ledger)] == ["kept"]
    await ledger.close()


# PostgreSQL only


async def test_a_server_is_used_again_after_an_outage(postgres: Postgres) -> None:
    ledger = await open_ledger(postgres.create("gone"))
    async with ledger.writing() as tx:
        await tx.record(NOW, "k", "a", "before")
    postgres.stop()
    for use in (ledger.request("r-22222222"), ledger.waiting(), ledger.take(NOW, HOLD)):
        with pytest.raises(Transient, match="can't be reached"):
            await use
    with pytest.raises(AgentpodError):
        async with ledger.writing() as tx:
            await tx.record(NOW, "k", "a", "lost")
    postgres.start()
    async with ledger.writing() as tx:
        await tx.record(NOW, "k", "a", "after")
    assert [r.subject for r in await records(ledger)] == ["before", "after"]
    await ledger.close()


async def test_no_error_contains_the_password(postgres: Postgres) -> None:
    with pytest.raises(NotAllowed) as refused:
        await open_ledger(postgres.url("postgres", password="a-wrong-one"))
    said = f"{refused.value} {refused.value.remedy}"
    assert "a-wrong-one" not in said
    assert "refused the user or the password" in said
    with pytest.raises(Permanent, match="no such database"):
        await open_ledger(postgres.url("nowhere"))


@given(
    reason=st.text(max_size=200),
    images=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=50)), max_size=3),
    state=st.sampled_from(RequestState),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_request_is_unchanged_after_storage(
    reason: str, images: list[tuple[str, str]], state: RequestState
) -> None:
    request = Request("r-22222222", "U1", NOW, NOW, Snapshot("u", 1, tuple(images)), state=state)
    made = RepairRequest(request, "pod", RESTART, reason=reason).taken("me", NOW, HOLD)
    assert from_json(to_json(made)) == made


async def test_all_incidents_of_a_message_or_issue_are_found_among_many(ledger: SqlLedger) -> None:
    def told(name: str, minutes: int, **of: Any) -> Incident:
        at = NOW + timedelta(minutes=minutes)
        problem = Problem(f"k:{name}", "heartbeat", "pod", name, "stale", "warning", at, issue=of.pop("issue", ""))
        return Incident(f"i-{name}", problem, alerting.IncidentState.FIRING, at, fired_at=at, **of)

    old = [told("a", 0, group="g-one", issue="o/r_x#1"), told("b", 1, group="g-one", issue="o/r%x#1")]
    others = [told(f"n{n}", 2 + n, group="g-one2", issue="o/rax#12") for n in range(1100)]
    async with ledger.writing() as tx:
        await tx.save_incidents([*old, *others])
    assert {i.id for i in await ledger.incidents(group="g-one", limit=None)} == {"i-a", "i-b"}
    assert len(await ledger.incidents(group="g-one2", limit=None)) == 1100
    assert [i.id for i in await ledger.incidents(issue="o/r_x#1", limit=None)] == ["i-a"]


async def test_unreported_incidents_are_listed_separately(ledger: SqlLedger) -> None:
    problem = Problem("k:held", "heartbeat", "pod", "held", "stale", "warning", NOW, muted="maintenance a")
    held = Incident("i-held", problem, alerting.IncidentState.PENDING, NOW)
    async with ledger.writing() as tx:
        await tx.save_incidents([held])
    assert [i.id for i in await ledger.incidents(live=True, notified=False)] == ["i-held"]
    assert await ledger.incidents(live=True) == []


async def test_marks_read_ahead_are_as_this_transaction_has_set_them(ledger: SqlLedger) -> None:
    async with ledger.writing() as tx:
        await tx.set_mark("one", "1")
    async with ledger.writing() as tx:
        await tx.read_marks(["one", "two"])
        before = await tx.watched()
        assert (await tx.mark("one"), await tx.mark("two")) == ("1", None)
        await tx.set_mark("two", "2")
        assert (await tx.mark("one"), await tx.mark("two")) == ("1", "2")
        problem = Problem("k:new", "heartbeat", "pod", "new", "stale", "warning", NOW)
        await tx.save_incidents([Incident("i-new", problem, alerting.IncidentState.PENDING, NOW)])
        assert await tx.watched() != before, "what this transaction has saved counts"
    assert (await ledger.mark("one"), await ledger.mark("two")) == ("1", "2")


LOADS = """
import asyncio, sys
from bot.adapters.ledger.ledger import open_ledger

async def main():
    ledger = await open_ledger(sys.argv[1])
    async with ledger.writing() as tx:
        await tx.set_mark("m", "1")
        await tx.enqueue("card:x", "C1")
    await ledger.close()

asyncio.run(main())
print(*sorted(m for m in sys.modules if "postgresql" in m or m == "asyncpg"))
"""


def test_sqlite_needs_no_postgresql_driver(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    done = subprocess.run([sys.executable, "-c", LOADS, url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "", "2 MiB that the bot would hold for ever"


MEANWHILE = """
import asyncio, sys, threading
from contextlib import suppress
from bot.adapters.ledger.ledger import open_ledger
from bot.errors import Transient

class Seen:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread() and name.startswith(("asyncpg", "sqlalchemy")):
            print(name)

async def main():
    sys.meta_path.insert(0, Seen())
    with suppress(Transient):
        await (await open_ledger(sys.argv[1])).close()

asyncio.run(main())
"""


@pytest.mark.parametrize("scheme", ["sqlite+aiosqlite:///", "postgresql+asyncpg://agentpod@127.0.0.1:1"])
def test_loading_the_database_driver_does_not_block_slack(scheme: str, tmp_path: Path) -> None:
    url = f"{scheme}{tmp_path / 'ledger.db'}"
    done = subprocess.run([sys.executable, "-c", MEANWHILE, url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "", "loaded by the event loop's thread"
