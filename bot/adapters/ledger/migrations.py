"""The schema's versions and the migrations between them, in SQL that both databases understand.

Not Alembic: it would take 40 MiB of memory, and one linear list of steps needs no generator and no branches.
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
    """Create requests, messages and the audit trail, which triggers make append-only."""
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
    """Create incidents, job states, the history and the marks."""
    return _SECOND


def _third(dialect: str) -> Sequence[str]:
    """Stop SQLite's REPLACE from overwriting audit records: it deletes without firing the DELETE trigger."""
    if dialect != "sqlite":
        return ()
    return (
        """CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)
        BEGIN SELECT RAISE(ABORT, 'the audit trail can only grow'); END""",
    )


def _fourth(_: str) -> Sequence[str]:
    """Add a flag for messages that wait until somebody fixes their cause, and an index that SQLite can use."""
    return (
        "ALTER TABLE deliveries ADD COLUMN refused BOOLEAN NOT NULL DEFAULT FALSE",
        "DROP INDEX deliveries_due",
        "CREATE INDEX deliveries_due ON deliveries (created_at) WHERE wanted > shown",
    )


def _fifth(_: str) -> Sequence[str]:
    """Create the table for rows that this or another version could not read."""
    return (
        """CREATE TABLE set_aside (
            kind TEXT NOT NULL, id TEXT NOT NULL, at BIGINT NOT NULL, why TEXT NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (kind, id))""",
    )


Step = str | Callable[[Connection], None]
"""An SQL statement, or a function for what plain SQL can't do in both databases."""
BATCH = 1000
"""Rows that a migration step holds in memory at once."""


def _sixth(_: str) -> Sequence[Step]:
    """Add columns for an incident's message group and issue, with indexes for them and for old messages."""
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
    """Fill both columns from the incidents' bodies, all of which have body version 1 before this migration."""
    fill = text("UPDATE incidents SET message_group = :message_group, issue = :issue WHERE id = :id")
    for rows in _pages(connection, "SELECT id, body FROM incidents WHERE id > :after ORDER BY id LIMIT :count"):
        found = [{"id": id_, **_shared(body)} for id_, body in rows]
        if found := [values for values in found if values["message_group"] or values["issue"]]:
            connection.execute(fill, found)


def _pages(connection: Connection, query: str) -> Iterator[Sequence[tuple[str, object]]]:
    """Yield the rows of a query in the order of their id, `BATCH` at a time."""
    after = ""
    while rows := [tuple(row) for row in connection.execute(text(query), {"after": after, "count": BATCH})]:
        yield rows
        after = rows[-1][0]


def _shared(body: object) -> dict[str, str | None]:
    """Return an incident body's group and issue; None for both if it can't be read."""
    try:
        fields = json.loads(str(body))
        found = {"message_group": fields.get("group"), "issue": fields["problem"].get("issue")}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        found = {}
    return {n: v if isinstance(v := found.get(n), str) and v else None for n in ("message_group", "issue")}


def _seventh(_: str) -> Sequence[Step]:
    """Create the record of changes and what is kept at an incident's time, and find incidents by their key."""
    return (
        """CREATE TABLE changes (
            id BIGINT PRIMARY KEY, target TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
            before TEXT NOT NULL, after TEXT NOT NULL, at BIGINT NOT NULL, not_before BIGINT NOT NULL)""",
        "CREATE INDEX changes_by_time ON changes (at)",
        """CREATE TABLE evidence (
            incident TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, at BIGINT NOT NULL,
            source TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (incident, number))""",
        "CREATE INDEX incidents_by_key ON incidents (key, opened_at)",
    )


def _eighth(_: str) -> Sequence[Step]:
    """Create people's preferences, and let messages be due at a later time."""
    return (
        "CREATE TABLE preferences (person TEXT PRIMARY KEY, body TEXT NOT NULL)",
        "ALTER TABLE deliveries ADD COLUMN not_before BIGINT",
    )


MIGRATIONS: tuple[Callable[[str], Sequence[Step]], ...] = (
    _first,
    _second,
    _third,
    _fourth,
    _fifth,
    _sixth,
    _seventh,
    _eighth,
)
"""Migration to version 1 first; each runs once, in order. A migration that was released never changes."""


def current(connection: Connection) -> int:
    """Return the database's schema version; 0 for an empty one. Raises Permanent for one that can't be used."""
    tables = inspect(connection).get_table_names()
    known = version.TABLE in tables
    numbers = connection.execute(text(version.NUMBERS)).scalars().all() if known else []
    return version.judge(tables, numbers)


def migrate(connection: Connection) -> int:
    """Migrate the database to `version.LATEST`, in the caller's transaction; return the version it had.

    Raises Permanent for a newer one, with nothing changed.
    """
    found = current(connection)
    advance(connection, found, version.LATEST)
    return found


def advance(connection: Connection, found: int, wanted: int) -> None:
    """Migrate a database from version ``found`` to version ``wanted``."""
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
