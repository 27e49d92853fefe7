"""Incidents, what the watcher remembers, and what happened when: the second half of the ledger's two ports."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    literal,
    or_,
    select,
    update,
)

from bot.adapters.ledger import aside
from bot.adapters.ledger.schema import deliveries, from_micros, history, incidents, jobs, marks, to_micros
from bot.domain.core.history import BEAT, HistoryEvent
from bot.domain.incidents import alerting, job_state
from bot.domain.incidents.alerting import Incident, State
from bot.domain.incidents.job_state import JobState
from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.message import OutboxMessage

T = TypeVar("T")
WATCHED = "watched"
"""The mark that changes with every incident and every memory: who keeps a copy knows by it that it is stale."""


class WatchWriting:
    """The part of a transaction that the watchers use. Many rows are one statement."""

    _dialect: str
    _now: datetime
    _writes: list[Callable[[Connection], None]]
    _touched = False

    async def _read(self, wanted: Select[Any], **values: str) -> Sequence[Row[Any]]:
        raise NotImplementedError

    def _write(self, statement: Any, rows: Any) -> None:
        self._writes.append(lambda connection: _done(connection.execute(statement, rows)))

    async def mark(self, name: str) -> str | None:
        """See the port."""
        rows = await self._read(_MARK, this=name)
        return str(rows[0].value) if rows else None

    async def set_mark(self, name: str, value: str) -> None:
        """See the port."""
        self._write(_put(self._dialect)["mark"], {"name": name, "value": value})

    async def watched(self) -> str:
        """See the port."""
        return await self.mark(WATCHED) or "0"

    def _touch(self) -> None:
        if not self._touched:
            self._touched = True
            self._write(_put(self._dialect)["touch"], {"name": WATCHED})

    async def incident(self, id_: str) -> Incident | None:
        """See the port."""
        found = await self._incidents(await self._read(_INCIDENT, this=id_))
        return found[0] if found else None

    async def _incidents(self, rows: Sequence[Row[Any]]) -> list[Incident]:
        return await self._sorted_out("incident", rows, load_incident)

    async def _sorted_out(self, kind: str, rows: Sequence[Row[Any]], load: Callable[[Row[Any]], T]) -> list[T]:
        """What can be read; the rest is set aside where it is in the way."""
        good, bad = aside.sort_out(kind, rows, load)
        in_the_way = [one for one in bad if one.live]
        if in_the_way:
            self._writes.append(lambda connection: aside.put(connection, in_the_way))
        return good

    async def newest_incidents(self, since: datetime) -> Mapping[str, Incident]:
        """See the port."""
        return {i.key: i for i in await self._incidents(await self._read(_recent(since)))}

    async def save_incidents(self, changed: Sequence[Incident]) -> None:
        """See the port."""
        if changed:
            self._touch()
            over = [_columns(i) for i in changed if not i.open]
            live = [_columns(i) for i in changed if i.open]
            for rows in (over, live):  # of one key the old one ends before the new one begins
                if rows:
                    self._write(_put(self._dialect)["incident"], rows)

    async def job_states(self) -> Mapping[str, JobState]:
        """See the port. What can't be read is begun anew."""
        return dict(await self._sorted_out("job", await self._read(select(jobs)), load_memory))

    async def remember(self, target: str, changed: Sequence[JobState]) -> None:
        """See the port."""
        if changed:
            self._touch()
            rows = [{"key": f"{target}/{m.job}", "target": target, "body": job_state.to_json(m)} for m in changed]
            self._write(_put(self._dialect)["job"], rows)

    async def forget(self, keys: Sequence[str]) -> None:
        """See the port."""
        if keys:
            self._touch()
            self._writes.append(lambda connection: _done(connection.execute(_FORGET, {"these": list(keys)})))

    async def add_history(self, things: Sequence[HistoryEvent]) -> None:
        """See the port."""
        if things:
            rows = [
                {"target": t.target, "subject": t.subject, "at": to_micros(t.at), "what": t.what} for t in things
            ]
            self._write(_put(self._dialect)["history"], rows)

    async def enqueue_all(self, pending: Sequence[tuple[MessageKey, str, str]]) -> None:
        """See the port."""
        if pending:
            rows = [
                {"key": k, "place": p, "under": u, "wanted": 1, "created_at": to_micros(self._now)}
                for k, p, u in pending
            ]
            self._write(_put(self._dialect)["enqueue"], rows)

    async def refresh(self, key: MessageKey) -> None:
        """See the port."""
        self._write(_REFRESH, {"this": key})

    async def unposted(self, keys: Sequence[MessageKey]) -> frozenset[MessageKey]:
        """See the port."""
        if not keys:
            return frozenset()
        wanted = select(deliveries.c.key).where(deliveries.c.key.in_(keys), deliveries.c.ts.is_(None))
        return frozenset(MessageKey(row.key) for row in await self._read(wanted))


def load_incident(row: Row[Any]) -> Incident:
    """The incident of a row. Raises ValueError for one that can't be read."""
    found = alerting.from_json(row.body)
    if (found.id, found.key) != (row.id, row.key):
        raise ValueError("it is about another incident")
    return found


def load_memory(row: Row[Any]) -> tuple[str, JobState]:
    """The memory of a row by its ``target/job``. Raises ValueError for one that can't be read."""
    return str(row.key), job_state.from_json(row.body)


def happenings(rows: Iterable[Row[Any]]) -> list[HistoryEvent]:
    """What happened, from rows; one whose time is no time is left out."""
    found = []
    for row in rows:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            found.append(HistoryEvent(str(row.target), str(row.subject), from_micros(row.at), str(row.what)))
    return found


def wanted_incidents(live: bool | None, since: datetime | None, told: bool = True) -> Select[Any]:
    """Incidents that somebody was told of, or nobody was, newest first."""
    wanted = select(incidents).where(incidents.c.told.is_(told)).order_by(incidents.c.opened_at.desc())
    if live is not None:
        wanted = wanted.where(incidents.c.live.is_(live))
    if since is not None:
        at = to_micros(since)
        wanted = wanted.where(or_(incidents.c.live.is_(True), incidents.c.resolved_at >= at))
    return wanted


def wanted_history(since: datetime, until: datetime, *, beats: bool) -> Select[Any]:
    """What happened from ``since`` on and before ``until``, in order."""
    within = [history.c.at >= to_micros(since), history.c.at < to_micros(until)]
    if not beats:
        within.append(history.c.what != BEAT)
    return select(history).where(*within).order_by(history.c.at)


def old_history(before: datetime) -> Any:
    """The statement that throws away what happened before, but the state that each subject was in then."""
    newer = history.alias("newer")
    same = and_(newer.c.target == history.c.target, newer.c.subject == history.c.subject)
    replaced = exists().where(
        same, newer.c.at > history.c.at, newer.c.at < to_micros(before), newer.c.what != BEAT
    )
    return delete(history).where(history.c.at < to_micros(before), or_(history.c.what == BEAT, replaced))


def dropped(delivery: OutboxMessage) -> Any:
    """The statement that marks a message, and those in its thread, as not wanted any more.

    What was wanted of the message itself meanwhile stays wanted.
    """
    mine = deliveries.c.key == delivery.key
    these = or_(mine, deliveries.c.under == delivery.key)
    shown = case((mine, delivery.wanted), else_=deliveries.c.wanted)
    never = {"shown": shown, "held_until": None, "error": "", "dead": False, "refused": False}
    return update(deliveries).where(these, deliveries.c.ts.is_(None)).values(never)


def readdressed(kind: str, place: str, since: datetime) -> Any:
    """The statement that sends elsewhere what is pending of a kind and was never posted."""
    pending = [deliveries.c.wanted > deliveries.c.shown, deliveries.c.ts.is_(None)]
    these = [deliveries.c.key.startswith(MessageKey.prefix(kind)), deliveries.c.place != place]
    anew = {"place": place, **_TRIED_ANEW, "error": ""}
    return update(deliveries).where(*these, *pending, deliveries.c.created_at >= to_micros(since)).values(anew)


def _recent(since: datetime) -> Select[Any]:
    at = to_micros(since)
    live = incidents.c.live.is_(True)
    # A newer one of the same key comes later, and an open one last.
    return (
        select(incidents)
        .where(or_(live, incidents.c.resolved_at >= at))
        .order_by(incidents.c.live, incidents.c.opened_at)
    )


def _done(_: object) -> None:
    """A statement without a result."""


def _columns(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "key": incident.key,
        "target": incident.problem.target,
        "state": incident.state.value,
        "live": incident.state is not State.RESOLVED,
        "told": incident.told,
        "opened_at": to_micros(incident.opened_at),
        "resolved_at": to_micros(incident.resolved_at) if incident.resolved_at else None,
        "version": incident.version,
        "message_group": incident.group or None,
        "issue": incident.problem.issue or None,
        "body": alerting.to_json(incident),
    }


_MARK = select(marks).where(marks.c.name == bindparam("this"))
_INCIDENT = select(incidents).where(incidents.c.id == bindparam("this"))
_FORGET = delete(jobs).where(jobs.c.key.in_(bindparam("these", expanding=True)))


def _upserts(dialect: Any) -> dict[str, Any]:
    """Made once a database: to build a statement costs SQLAlchemy more than to run it."""

    def put(table: Any, keys: Sequence[str]) -> Any:
        columns = [c.name for c in table.c]
        made = dialect.insert(table).values({n: bindparam(n) for n in columns})
        changed = {n: made.excluded[n] for n in columns if n not in keys}
        return made.on_conflict_do_update(index_elements=keys, set_=changed)

    touch = dialect.insert(marks).values({"name": bindparam("name"), "value": literal("1")})
    count = cast(cast(marks.c.value, Integer) + 1, Text)
    happening = dialect.insert(history).values({c.name: bindparam(c.name) for c in history.c})
    return {
        "mark": put(marks, ["name"]),
        "touch": touch.on_conflict_do_update(index_elements=["name"], set_={"value": count}),
        "incident": put(incidents, ["id"]),
        "job": put(jobs, ["key"]),
        "history": happening.on_conflict_do_nothing(),
    }


_TRIED_ANEW = {"dead": False, "refused": False, "retry_at": None, "attempts": 0}
_AGAIN: dict[str, Any] = {"wanted": deliveries.c.wanted + 1, **_TRIED_ANEW}
"""A new state deserves a new try, whatever became of the last."""
_REFRESH = update(deliveries).where(deliveries.c.key == bindparam("this")).values(_AGAIN)


def _enqueue(dialect: Any) -> Any:
    made = dialect.insert(deliveries).values(
        {n: bindparam(n) for n in ("key", "place", "under", "wanted", "created_at")}
    )
    again = {
        **_AGAIN,
        # A message that is nowhere yet may still go elsewhere: into a group's thread, to a channel set right.
        **{
            name: case((deliveries.c.ts.is_(None), made.excluded[name]), else_=deliveries.c[name])
            for name in ("place", "under")
        },
    }
    return made.on_conflict_do_update(index_elements=["key"], set_=again)


@cache
def _put(dialect: str) -> Mapping[str, Any]:
    """What is written in a database's own words; those of the other one would cost 2 MiB to load."""
    words = importlib.import_module(f"sqlalchemy.dialects.{dialect}")
    return {**_upserts(words), "enqueue": _enqueue(words)}
