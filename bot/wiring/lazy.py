"""Stand-ins for what is connected later, or could not be: every use waits, connects, or says why not."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast

from bot.domain.approvals.approval import State
from bot.domain.approvals.repair import (
    RepairRequest,
)
from bot.domain.core.aside import Aside
from bot.domain.core.audit import Record
from bot.domain.core.history import HistoryEvent
from bot.domain.core.workload import Pod
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.job_state import JobState
from bot.domain.outbox.message import (
    MessageRef,
    OutboxMessage,
)
from bot.errors import AgentpodError
from bot.ports.cluster import (
    Cluster,
)
from bot.ports.ledger import (
    Ledger,
    Writing,
)

AWAY = 5.0
"""Seconds until a database that is away is looked for again."""


class Unavailable:
    """Stands in for a cluster that could not be connected: every call says why."""

    def __init__(self, error: AgentpodError) -> None:
        """Keep the reason."""
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., Awaitable[NoReturn]]:
        """Any of the port's methods."""

        async def refuse(*_: object, **__: object) -> NoReturn:
            raise self._error

        return refuse

    async def follow(self, *_: object, **__: object) -> AsyncGenerator[NoReturn, None]:
        """As the port's method, which is a generator."""
        for _ in ():
            yield _
        raise self._error


class Connecting:
    """Stands in for a cluster until the first attempt to connect is over: every call waits for it."""

    def __init__(self, attempted: asyncio.Event, find: Callable[[], Cluster]) -> None:
        """``find`` gives the cluster once it was ``attempted``."""
        self._attempted, self._find = attempted, find

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Any of the port's methods."""

        async def later(*positional: object, **named: object) -> Any:
            await self._attempted.wait()
            return await getattr(self._find(), name)(*positional, **named)

        return later

    async def follow(self, selector: str, *, patience: float = 60.0) -> AsyncGenerator[Sequence[Pod], None]:
        """As the port's method, which is a generator."""
        await self._attempted.wait()
        async with aclosing(self._find().follow(selector, patience=patience)) as lists:
            async for pods in lists:
                yield pods


def _absent(url: str) -> bool:
    """Whether the address is of a file that is not there."""
    file = url.partition(":///")[2] if url.startswith("sqlite") else ""
    return bool(file) and not Path(file.partition("?")[0]).exists()


class OpenLedger(Ledger, Protocol):
    """A ledger that has to be closed."""

    async def close(self) -> None:
        """Let go of the database."""


class Releasable(Protocol):
    """A lock."""

    def release(self) -> None:
        """Let go."""


class LedgerOnDemand:
    """A ledger that is opened when it is first needed, and tried again each time until that works.

    So a database that is away keeps nobody from looking at the pod, and commands that need no ledger make no file.
    """

    def __init__(self, url: str, *, exclusive: bool = True) -> None:
        """``exclusive``: whether this is the bot itself, which a file must belong to alone."""
        self._url, self._wanted = url, exclusive
        self._real: OpenLedger | None = None
        self._lock = asyncio.Lock()
        self._file: Releasable | None = None
        self._calls: list[Callable[[], None]] = []

    @property
    def exclusive(self) -> bool:
        """Whether no other process can use it; False until it is open."""
        return self._real is not None and self._real.exclusive

    def held(self, lock: Releasable | None) -> None:
        """Its file is locked for this process already; the ledger lets go of it when it is closed."""
        self._file = lock

    async def open(self) -> OpenLedger:
        """The ledger itself. Raises as the port's methods do."""
        async with self._lock:
            if self._real is None:
                # SQLAlchemy takes a fifth of a second to import: in a thread, so that Slack is heard meanwhile.
                module = await asyncio.to_thread(importlib.import_module, "bot.adapters.ledger.ledger")
                lock, self._file = (
                    self._file,
                    None,
                )  # it is let go where this fails, and taken again with the next try
                opened = await module.open_ledger(self._url, exclusive=self._wanted, lock=lock)
                self._real = cast("OpenLedger", opened)
                self._real.on_change(self._committed)
                self._committed()
            return self._real

    async def close(self) -> None:
        """Close what was opened, and let go of the file."""
        if self._real is not None:
            await self._real.close()
        if self._file is not None:
            self._file.release()

    async def now(self, here: datetime) -> datetime:
        """See the port."""
        return await (await self.open()).now(here)

    def on_change(self, call: Callable[[], None]) -> None:
        """See the port."""
        self._calls.append(call)

    def _committed(self) -> None:
        for call in self._calls:
            call()

    async def watch(self) -> None:
        """See the port. A database that is away is waited for."""
        while True:
            try:
                await (await self.open()).watch()
            except AgentpodError:
                await asyncio.sleep(AWAY)

    def writing(self) -> AbstractAsyncContextManager[Writing]:
        """See the port."""
        return self._writing()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Writing]:
        async with (await self.open()).writing() as tx:
            yield tx

    async def case(self, id_: str) -> RepairRequest | None:
        """See the port."""
        return await (await self.open()).case(id_)

    async def cases(
        self,
        *,
        states: Collection[State] | None = None,
        target: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Sequence[RepairRequest]:
        """See the port."""
        return await (await self.open()).cases(states=states, target=target, since=since, limit=limit)

    async def overdue(self, now: datetime) -> Sequence[RepairRequest]:
        """See the port."""
        return await (await self.open()).overdue(now)

    async def unheld(self, now: datetime) -> Sequence[RepairRequest]:
        """See the port."""
        return await (await self.open()).unheld(now)

    async def records(
        self, *, after: int = 0, since: datetime | None = None, limit: int | None = None, newest: bool = False
    ) -> AsyncGenerator[Record, None]:
        """See the port."""
        found = (await self.open()).records(after=after, since=since, limit=limit, newest=newest)
        async with aclosing(found) as records:
            async for record in records:
                yield record

    async def take(
        self, now: datetime, hold: timedelta, limit: int = 20, *, without: Collection[str] = ()
    ) -> Sequence[OutboxMessage]:
        """See the port."""
        return await (await self.open()).take(now, hold, limit, without=without)

    async def next_due(self, now: datetime) -> datetime | None:
        """See the port."""
        return await (await self.open()).next_due(now)

    async def next_deadline(self, now: datetime) -> datetime | None:
        """See the port."""
        return await (await self.open()).next_deadline(now)

    async def delivered(self, delivery: OutboxMessage, posted: MessageRef) -> None:
        """See the port."""
        await (await self.open()).delivered(delivery, posted)

    async def failed(
        self,
        delivery: OutboxMessage,
        error: str,
        at: datetime,
        *,
        dead: bool = False,
        unsure: bool,
        refused: bool = False,
    ) -> None:
        """See the port."""
        await (await self.open()).failed(delivery, error, at, dead=dead, unsure=unsure, refused=refused)

    async def reroute_pending(self, places: Mapping[str, str], since: datetime) -> int:
        """See the port."""
        return await (await self.open()).reroute_pending(places, since)

    async def delivery(self, key: str) -> OutboxMessage | None:
        """See the port."""
        return await (await self.open()).delivery(key)

    async def mark(self, name: str) -> str | None:
        """See the port."""
        return await (await self.open()).mark(name)

    async def dropped(self, delivery: OutboxMessage) -> None:
        """See the port."""
        await (await self.open()).dropped(delivery)

    async def dead(self, since: datetime, limit: int = 20) -> Sequence[OutboxMessage]:
        """See the port."""
        return await (await self.open()).dead(since, limit)

    async def incident(self, id_: str) -> Incident | None:
        """See the port."""
        return await (await self.open()).incident(id_)

    async def incidents(
        self,
        *,
        live: bool | None = None,
        since: datetime | None = None,
        told: bool = True,
        group: str = "",
        issue: str = "",
        limit: int | None = 100,
    ) -> Sequence[Incident]:
        """See the port."""
        ledger = await self.open()
        return await ledger.incidents(live=live, since=since, told=told, group=group, issue=issue, limit=limit)

    async def job_states(self) -> Mapping[str, JobState]:
        """See the port. Where there is no database yet nothing is remembered, and to ask makes none."""
        return {} if self._real is None and _absent(self._url) else await (await self.open()).job_states()

    async def history(self, since: datetime, until: datetime, *, beats: bool = True) -> Sequence[HistoryEvent]:
        """See the port."""
        return await (await self.open()).history(since, until, beats=beats)

    async def forget_history(self, before: datetime) -> None:
        """See the port."""
        await (await self.open()).forget_history(before)

    async def set_aside(self, since: datetime) -> Sequence[Aside]:
        """See the port."""
        return await (await self.open()).set_aside(since)

    async def waiting(self) -> int:
        """See the port."""
        return await (await self.open()).waiting()
