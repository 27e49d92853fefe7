"""The schema's versions, and how a database gets from one to the next: plain SQL that both databases take.

(Alembic would do the same for 40 MiB of memory; with one list of steps there is nothing to generate or branch.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, inspect, text

from bot.adapters.ledger import version

_FIRST = (
    """CREATE TABLE cases (
        id TEXT PRIMARY KEY, target TEXT NOT NULL, state TEXT NOT NULL, live BOOLEAN NOT NULL,
        requester TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, held_until BIGINT,
        origin TEXT UNIQUE, version INTEGER NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX cases_live ON cases (target, created_at) WHERE live",
    "CREATE INDEX cases_by_time ON cases (created_at)",
    "CREATE INDEX cases_by_state ON cases (state, expires_at)",
    """CREATE TABLE deliveries (
        key TEXT PRIMARY KEY, place TEXT NOT NULL, under TEXT NOT NULL, wanted INTEGER NOT NULL,
        shown INTEGER NOT NULL DEFAULT 0, channel TEXT, ts TEXT, attempts INTEGER NOT NULL DEFAULT 0,
        unsure BOOLEAN NOT NULL DEFAULT FALSE, error TEXT NOT NULL DEFAULT '', retry_at BIGINT, held_until BIGINT,
        dead BOOLEAN NOT NULL DEFAULT FALSE, created_at BIGINT NOT NULL)""",
    "CREATE INDEX deliveries_due ON deliveries (created_at) WHERE wanted > shown AND NOT dead",
    """CREATE TABLE audit (
        number BIGINT PRIMARY KEY, at BIGINT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
        subject TEXT NOT NULL, data TEXT NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL)""",
    "CREATE INDEX audit_by_time ON audit (at)",
)
_GROWS = {
    "sqlite": tuple(
        f"""CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail can only grow'); END"""
        for verb in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        """CREATE FUNCTION agentpod_audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit trail can only grow'; END $$""",
        """CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION agentpod_audit_only_grows()""",
    ),
}


def _first(dialect: str) -> Sequence[str]:
    """Cases, deliveries and the audit trail, which the database itself lets only grow."""
    return (*_FIRST, *_GROWS[dialect])


_SECOND = (
    """CREATE TABLE incidents (
        id TEXT PRIMARY KEY, key TEXT NOT NULL, target TEXT NOT NULL, state TEXT NOT NULL, live BOOLEAN NOT NULL,
        told BOOLEAN NOT NULL, opened_at BIGINT NOT NULL, resolved_at BIGINT, version INTEGER NOT NULL,
        body TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX incidents_live ON incidents (key) WHERE live",
    "CREATE INDEX incidents_by_time ON incidents (opened_at)",
    "CREATE INDEX incidents_by_end ON incidents (resolved_at)",
    "CREATE TABLE jobs (key TEXT PRIMARY KEY, target TEXT NOT NULL, body TEXT NOT NULL)",
    """CREATE TABLE history (
        target TEXT NOT NULL, subject TEXT NOT NULL, at BIGINT NOT NULL, what TEXT NOT NULL,
        PRIMARY KEY (target, subject, at, what))""",
    "CREATE INDEX history_by_time ON history (at)",
    "CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)


def _second(_: str) -> Sequence[str]:
    """Incidents, what the watcher remembers, what happened when, and single values such as who did what last."""
    return _SECOND


def _third(dialect: str) -> Sequence[str]:
    """SQLite's REPLACE deletes without a trigger for it: it is stopped before."""
    if dialect != "sqlite":
        return ()
    return (
        """CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)
        BEGIN SELECT RAISE(ABORT, 'the audit trail can only grow'); END""",
    )


def _fourth(_: str) -> Sequence[str]:
    """What waits until somebody mends something is known apart; and an index that SQLite uses for what is due."""
    return (
        "ALTER TABLE deliveries ADD COLUMN refused BOOLEAN NOT NULL DEFAULT FALSE",
        "DROP INDEX deliveries_due",
        "CREATE INDEX deliveries_due ON deliveries (created_at) WHERE wanted > shown",
    )


def _fifth(_: str) -> Sequence[str]:
    """What this or another version could not read, kept out of the way of the rest."""
    return (
        """CREATE TABLE set_aside (
            kind TEXT NOT NULL, id TEXT NOT NULL, at BIGINT NOT NULL, why TEXT NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (kind, id))""",
    )


Step = str | Callable[[Connection], None]
"""A statement, or what takes more than one language has."""
BATCH = 1000
"""Rows that a step holds in memory at once."""


def _sixth(_: str) -> Sequence[Step]:
    """Columns for what an incident shares with others, and indexes for that and for what is old."""
    return (
        "ALTER TABLE incidents ADD COLUMN message_group TEXT",
        "ALTER TABLE incidents ADD COLUMN issue TEXT",
        _fill_shared,
        "CREATE INDEX incidents_by_group ON incidents (message_group) WHERE message_group IS NOT NULL",
        "CREATE INDEX incidents_by_issue ON incidents (issue) WHERE issue IS NOT NULL",
        "CREATE INDEX deliveries_by_time ON deliveries (created_at)",
        "CREATE INDEX deliveries_by_thread ON deliveries (under)",
    )


def _fill_shared(connection: Connection) -> None:
    """Both from the bodies of form 1, which is the only one that was written before."""
    fill = text("UPDATE incidents SET message_group = :message_group, issue = :issue WHERE id = :id")
    for rows in _pages(connection, "SELECT id, body FROM incidents WHERE id > :after ORDER BY id LIMIT :count"):
        found = [{"id": id_, **_shared(body)} for id_, body in rows]
        if found := [values for values in found if values["message_group"] or values["issue"]]:
            connection.execute(fill, found)


def _pages(connection: Connection, query: str) -> Iterator[Sequence[tuple[str, object]]]:
    """Rows by their id, some at a time."""
    after = ""
    while rows := [tuple(row) for row in connection.execute(text(query), {"after": after, "count": BATCH})]:
        yield rows
        after = rows[-1][0]


def _shared(body: object) -> dict[str, str | None]:
    """What a body says; nothing where it can't be read, which is set aside once somebody asks for it."""
    try:
        fields = json.loads(str(body))
        found = {"message_group": fields.get("group"), "issue": fields["problem"].get("issue")}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        found = {}
    return {n: v if isinstance(v := found.get(n), str) and v else None for n in ("message_group", "issue")}


MIGRATIONS: tuple[Callable[[str], Sequence[Step]], ...] = (_first, _second, _third, _fourth, _fifth, _sixth)
"""Number 1 is the first; each is run once, in order. Those that were shipped are never changed."""


def current(connection: Connection) -> int:
    """The version of the database; 0 for an empty one. Raises Permanent for one that can't be used."""
    tables = inspect(connection).get_table_names()
    known = version.TABLE in tables
    numbers = connection.execute(text(version.NUMBERS)).scalars().all() if known else []
    return version.judge(tables, numbers)


def migrate(connection: Connection) -> int:
    """Bring the database to this version, in the caller's transaction; gives the version it had.

    Raises Permanent for a newer one, with nothing touched.
    """
    found = current(connection)
    advance(connection, found, version.LATEST)
    return found


def advance(connection: Connection, found: int, wanted: int) -> None:
    """Bring a database of version ``found`` to the version ``wanted``."""
    for migration in MIGRATIONS[found:wanted]:
        for step in migration(connection.dialect.name):
            if isinstance(step, str):
                connection.execute(text(step))
            else:
                step(connection)
    if found == 0:
        connection.execute(text(f"CREATE TABLE {version.TABLE} (number INTEGER NOT NULL)"))
        connection.execute(text(f"INSERT INTO {version.TABLE} VALUES ({wanted})"))  # noqa: S608 - numbers
    elif found < wanted:
        connection.execute(text(f"UPDATE {version.TABLE} SET number = {wanted}"))  # noqa: S608 - numbers
