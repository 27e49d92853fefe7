"""Old rows are deleted on both databases; open, pending and referenced rows stay, and so does the audit trail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.adapters.ledger.schema import to_micros
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.audit import verify
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Problem
from bot.domain.outbox.message import MessageRef
from bot.services import ledger_retention
from bot.services.ledger_retention import LedgerRetention
from tests.adapters.test_ledger import HOLD, NOW, numbers, repair
from tests.adapters.test_ledger import records as trail
from tests.postgres import Postgres
from tests.services.workbench import Clock

pytestmark = pytest.mark.xdist_group("ledger")
OLD, KEEP = NOW - timedelta(days=500), timedelta(days=400)
BEFORE = NOW - KEEP


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlLedger]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.create(f"kept_{next(numbers)}")
    made = await open_ledger(url)
    yield made
    await made.close()


def request_of(state: RequestState, *, days: int = 500) -> RepairRequest:
    made = repair()
    at = NOW - timedelta(days=days)
    return replace(made, request=replace(made.request, created_at=at, expires_at=at, state=state))


def incident(name: str, *, days: int | None = 500, group: str = "") -> Incident:
    problem = Problem(f"k:{name}", "heartbeat", "pod", name, "stale", "warning", OLD)
    if days is None:
        return Incident(f"i-{name}", problem, alerting.IncidentState.FIRING, OLD, fired_at=OLD, group=group)
    end = NOW - timedelta(days=days)
    return Incident(
        f"i-{name}", problem, alerting.IncidentState.RESOLVED, OLD, fired_at=OLD, resolved_at=end, group=group
    )


async def put(ledger: SqlLedger, *things: RepairRequest | Incident) -> None:
    async with ledger.writing() as tx:
        await tx.save_incidents([t for t in things if isinstance(t, Incident)])
        for thing in things:
            if isinstance(thing, RepairRequest):
                await tx.add(thing)
            await tx.record(OLD, "request", "U1", thing.id)


async def post(ledger: SqlLedger, *keys: str, under: str = "", days: int = 500, sent: bool = True) -> None:
    """Enqueue messages with that time."""
    async with ledger.writing() as tx:
        for key in keys:
            await tx.enqueue(key, "C1", under)
    if sent:
        for message in await ledger.take(NOW + HOLD, HOLD, limit=1000):
            await ledger.delivered(message, MessageRef("C1", message.key))
    await in_sql(ledger, keys, to_micros(NOW - timedelta(days=days)))


async def in_sql(ledger: SqlLedger, keys: tuple[str, ...], at: int) -> None:
    def change(connection: Any) -> None:
        for key in keys:
            connection.execute(text("UPDATE deliveries SET created_at = :at WHERE key = :k"), {"at": at, "k": key})

    await ledger._change(change)


async def messages(ledger: SqlLedger) -> set[str]:
    return {row.key for row in await ledger._rows(text("SELECT key FROM deliveries"))}  # type: ignore[arg-type]


async def left(ledger: SqlLedger) -> set[str]:
    incidents = await ledger.incidents(limit=None)
    return {c.id for c in await ledger.requests()} | {i.id for i in incidents}


async def everything_dropped(ledger: SqlLedger, limit: int = 500) -> int:
    gone = 0
    while dropped := await ledger.drop_closed(BEFORE, limit):
        gone += dropped
    return gone


async def test_old_closed_rows_are_deleted_and_open_or_recent_ones_stay(ledger: SqlLedger) -> None:
    over = [request_of(s) for s in (RequestState.DENIED, RequestState.SUCCEEDED, RequestState.EXPIRED)]
    stays = [
        request_of(RequestState.OPEN),
        request_of(RequestState.EXECUTING),
        request_of(RequestState.FAILED, days=399),
    ]
    await put(ledger, *over, *stays, incident("old"), incident("young", days=399), incident("live", days=None))
    for thing in [*over, *stays]:
        await post(ledger, f"card:{thing.id}")
        await post(ledger, f"progress:{thing.id}", under=f"card:{thing.id}")
    await post(ledger, "incident:i-old", "incident:i-young", "incident:i-live", "digest:2025-06-01")
    await post(ledger, "digest:2026-06-01", days=100)
    before = await trail(ledger)
    assert await everything_dropped(ledger) == 3 + 1 + 3 * 2 + 2
    assert await left(ledger) == {c.id for c in stays} | {"i-young", "i-live"}
    kept = {f"{kind}:{c.id}" for c in stays for kind in ("card", "progress")}
    assert await messages(ledger) == kept | {"incident:i-young", "incident:i-live", "digest:2026-06-01"}
    assert await trail(ledger) == before
    assert verify(before) is None


async def test_rows_with_a_pending_message_stay_until_it_is_sent_or_given_up(ledger: SqlLedger) -> None:
    denied = request_of(RequestState.DENIED)
    await put(ledger, denied, incident("a"), incident("b", group="g-1"))
    owed = (f"card:{denied.id}", "incident:i-a", "group:g-1")
    await post(ledger, *owed, sent=False)
    assert await everything_dropped(ledger) == 0
    sent, *others = await ledger.take(OLD, HOLD)
    await ledger.delivered(sent, MessageRef("C1", "1.0"))
    for other in others:
        await ledger.failed(other, "gone", OLD, dead=True, unsure=False)
    assert await everything_dropped(ledger) == 6
    assert await messages(ledger) == set()


async def test_incidents_of_one_message_are_kept_or_deleted_together(ledger: SqlLedger) -> None:
    await put(
        ledger, incident("a", group="g-1"), incident("b", days=None, group="g-1"), incident("c", group="g-2")
    )
    await post(ledger, "group:g-1", "group:g-2")
    assert await everything_dropped(ledger) == 2
    assert await left(ledger) == {"i-a", "i-b"}
    assert await messages(ledger) == {"group:g-1"}


async def test_a_message_stays_while_its_thread_has_another(ledger: SqlLedger) -> None:
    await post(ledger, "offline:a")
    await post(ledger, "offline:b", under="offline:a", days=10)
    assert await everything_dropped(ledger) == 0


def small_batches(ledger: SqlLedger) -> Any:
    """The same ledger with batches of two rows per table."""

    class Small:
        now = ledger.now

        async def drop_closed(self, before: Any) -> int:
            return await ledger.drop_closed(before, 2)

    return Small()


async def test_a_retention_run_is_bounded_and_skips_rows_that_must_stay(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays = [request_of(RequestState.OPEN) for _ in range(5)]
    await put(
        ledger, *stays, *(request_of(RequestState.DENIED) for _ in range(7)), *(incident(str(n)) for n in range(7))
    )
    await post(ledger, *(f"card:{one.id}" for one in stays), *(f"incident:i-{n}" for n in range(7)))
    assert await ledger.drop_closed(BEFORE, 2) == 6, "two requests, two incidents and the messages of those two"
    monkeypatch.setattr(ledger_retention, "BATCHES", 2)
    clock = Clock()
    clock.time = NOW
    retention = LedgerRetention(small_batches(ledger), clock, KEEP)
    assert await retention.drop() == 12
    assert await retention.drop() == 3
    assert await retention.drop() == 0
    assert await left(ledger) == {c.id for c in stays}
    assert await messages(ledger) == {f"card:{c.id}" for c in stays}
