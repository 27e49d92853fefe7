"""Opens and closes the ledger: all features' stores on one database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from bot.adapters.ledger import database, migrations, retention, version
from bot.adapters.ledger.audit_trail import AuditStore
from bot.adapters.ledger.database import Database
from bot.adapters.ledger.errors import translate
from bot.adapters.ledger.evidence import EvidenceStore
from bot.adapters.ledger.file import FileLock, unwritable
from bot.adapters.ledger.history import HistoryStore
from bot.adapters.ledger.incidents import IncidentStore
from bot.adapters.ledger.job_states import JobStateStore
from bot.adapters.ledger.marks import MarkStore
from bot.adapters.ledger.outbox import OutboxStore, free_held
from bot.adapters.ledger.preferences import PreferenceStore
from bot.adapters.ledger.recorded_changes import ChangeStore
from bot.adapters.ledger.requests import RequestStore
from bot.adapters.ledger.schema import to_micros
from bot.adapters.ledger.session import OUTSIDE
from bot.adapters.ledger.writing import SqlWriting
from bot.domain.core.outside import Outside

logger = logging.getLogger("agentpod.ledger")


async def open_ledger(
    url: str, *, exclusive: bool = True, lock: FileLock | None = None, audited: Outside = OUTSIDE
) -> SqlLedger:
    """Open the database and migrate its schema to this version. Raises `bot.errors` only.

    ``exclusive``: lock a SQLite file against other bots; terminal commands that run beside the bot pass False.
    ``lock``: a lock that is held already; it is released when the ledger closes or can't be opened.
    ``audited``: redacts audit data.
    """
    where = database.name(url)
    # The driver is slow to import: in a thread, so that the event loop keeps serving Slack.
    try:
        made = await asyncio.to_thread(database.connect, url)
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    try:
        if made.dialect == "sqlite":
            path = Path(where)
            lock = lock or (FileLock(path) if exclusive else None)
            _create_private_file(path)
        ledger = SqlLedger(made, where, lock, audited)
        await ledger.prepare()
        return ledger
    except BaseException as error:
        with contextlib.suppress(Exception):
            await made.close()
        if lock is not None:
            lock.release()
        if isinstance(error, Exception):
            raise translate(error, where) from error
        raise


def _create_private_file(path: Path) -> None:
    """Create the file if it is missing, readable by its owner only."""
    try:
        if not path.exists():
            path.touch(0o600)
    except OSError as error:
        raise unwritable(path, error) from error


class SqlLedger(
    RequestStore,
    AuditStore,
    OutboxStore,
    IncidentStore,
    JobStateStore,
    MarkStore,
    HistoryStore,
    ChangeStore,
    EvidenceStore,
    PreferenceStore,
):
    """The Ledger port on one database."""

    def __init__(self, made: Database, where: str, lock: FileLock | None, audited: Outside = OUTSIDE) -> None:
        """Call :func:`open_ledger` instead. ``where`` names the database in messages."""
        super().__init__(made, where)
        self._lock, self._audited = lock, audited

    @property
    def exclusive(self) -> bool:
        """Whether this process holds the file's lock, so that no other bot can use the ledger."""
        return self._lock is not None

    async def prepare(self) -> None:
        """Migrate the schema. If the ledger is exclusive, free the messages that a previous process held."""

        def free(connection: Connection) -> int:
            before = migrations.migrate(connection)
            if self.exclusive:
                free_held(connection)
            return before

        before = await self._change(free)
        if before < version.LATEST:
            logger.info("ledger migrated", extra={"from": before, "to": version.LATEST})

    async def close(self) -> None:
        """Close all connections and release the file's lock."""
        await self._database.close()
        if self._lock is not None:
            self._lock.release()

    def writing(self) -> AbstractAsyncContextManager[SqlWriting]:
        """See the port."""
        dialect, audited = self._database.dialect, self._audited
        return self._transaction(lambda run: SqlWriting(run, dialect, datetime.now(UTC), audited))

    async def drop_closed(self, before: datetime, limit: int = 500) -> int:
        """See the port."""
        return await self._change(partial(retention.drop_closed, before=to_micros(before), limit=limit))
