"""Lazy proxies of ports: the adapter is opened at the first call, and each call raises if that fails.

A proxy lists each method of its port as ``on_open(Port.method)``. The signature is taken from the port, so mypy
finds a method that is missing or has changed.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from bot.adapters.ledger.file import FileLock, sqlite_file
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.outside import Outside
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.job_state import JobState
from bot.errors import AgentpodError
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger, Writing
from bot.ports.registry import ImageRegistry
from bot.wiring import seals

AWAY = 5.0
"""Seconds until a database that can't be reached is tried again."""

P = ParamSpec("P")
T = TypeVar("T")
Port = TypeVar("Port")
Port_co = TypeVar("Port_co", covariant=True)


class Opens(Protocol[Port_co]):
    """A proxy that can open its adapter."""

    place: str
    """Where errors say that they happened; empty for nowhere."""

    async def open(self) -> Port_co:
        """The adapter. Raises as the port's methods do."""


def on_open(
    method: Callable[Concatenate[Port, P], Awaitable[T]],
) -> Callable[Concatenate[Opens[Port], P], Coroutine[Any, Any, T]]:
    """Make a method that opens the adapter and calls the port's ``method`` on it."""
    name = method.__name__

    async def call(self: Opens[Port], /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            found: T = await getattr(await self.open(), name)(*args, **kwargs)
        except AgentpodError as error:
            error.within(self.place)
            raise
        return found

    return call


def stream_on_open(
    method: Callable[Concatenate[Port, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[Opens[Port], P], AsyncGenerator[T, None]]:
    """The same for an async generator, which is closed when the caller's is closed."""
    name = method.__name__

    async def stream(self: Opens[Port], /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        try:
            async with aclosing(getattr(await self.open(), name)(*args, **kwargs)) as items:
                async for item in items:
                    yield item
        except AgentpodError as error:
            error.within(self.place)
            raise

    return stream


class LazyCluster:
    """A cluster that may not be connected yet: calls wait for that, or raise the reason why it failed."""

    def __init__(self, open_: Callable[[], Awaitable[Cluster]], place: str = "") -> None:
        """``open_`` returns the cluster, or raises why there is none; errors name the ``place``."""
        self._open, self.place = open_, place

    async def open(self) -> Cluster:
        """The connected cluster."""
        return await self._open()

    info = on_open(Cluster.info)
    pods = on_open(Cluster.pods)
    follow = stream_on_open(Cluster.follow)
    deployment = on_open(Cluster.deployment)
    events = on_open(Cluster.events)
    services = on_open(Cluster.services)
    endpoints = on_open(Cluster.endpoints)
    claims = on_open(Cluster.claims)
    objects = on_open(Cluster.objects)
    application = on_open(Cluster.application)
    logs = on_open(Cluster.logs)
    follow_log = stream_on_open(Cluster.follow_log)
    exec = on_open(Cluster.exec)
    run_once = on_open(Cluster.run_once)
    restart = on_open(Cluster.restart)
    set_image = on_open(Cluster.set_image)
    delete_pod = on_open(Cluster.delete_pod)
    delete_object = on_open(Cluster.delete_object)
    create_object = on_open(Cluster.create_object)
    secret = on_open(Cluster.secret)
    authorized_keys = on_open(Cluster.authorized_keys)
    set_secret_key = on_open(Cluster.set_secret_key)
    compare_secret = on_open(Cluster.compare_secret)
    set_secret_data = on_open(Cluster.set_secret_data)
    external_secrets = on_open(Cluster.external_secrets)
    secret_values = on_open(Cluster.secret_values)
    can_i = on_open(Cluster.can_i)
    account_can = on_open(Cluster.account_can)
    rules = on_open(Cluster.rules)
    trial = on_open(Cluster.trial)


class LazyRegistry:
    """The registries of images, of which nothing is loaded until one is asked."""

    place = ""

    def __init__(self, open_: Callable[[], ImageRegistry]) -> None:
        """``open_`` makes the adapter; it opens no connection."""
        self._open = open_

    async def open(self) -> ImageRegistry:
        """The adapter."""
        return self._open()

    digest = on_open(ImageRegistry.digest)
    resolve = on_open(ImageRegistry.resolve)
    built = on_open(ImageRegistry.built)


class OpenLedger(Ledger, Protocol):
    """A ledger that has to be closed."""

    async def close(self) -> None:
        """Close the connections to the database."""


class LazyLedger:
    """A ledger that is opened at the first call; a failed attempt is repeated at the next one.

    So commands that need no ledger work without a database, and create no file.
    """

    place = ""

    def __init__(self, url: str, *, exclusive: bool = True, outside: Outside | None = None) -> None:
        """``exclusive``: whether this process is the bot, which must be the only user of a file.

        ``outside`` redacts audit data.
        """
        self._url, self._wanted, self._outside = url, exclusive, outside or Outside()
        self._real: OpenLedger | None = None
        self._lock = asyncio.Lock()
        self._failed: AgentpodError | None = None
        self._file: FileLock | None = None
        self._calls: list[Callable[[], None]] = []

    @property
    def exclusive(self) -> bool:
        """Whether no other process can use it; False until it is open."""
        return self._real is not None and self._real.exclusive

    def held(self, lock: FileLock | None) -> None:
        """Take over a lock on its file that this process has already; `close` releases it."""
        self._file = lock

    async def open(self) -> OpenLedger:
        """The opened ledger. Raises as the port's methods do.

        One attempt serves all waiting callers: a locked file takes seconds, which would add up.
        """
        before = self._failed
        async with self._lock:
            if self._real is None:
                if self._failed is not None and self._failed is not before:
                    raise self._failed
                try:
                    self._real = await self._opened()
                except AgentpodError as error:
                    self._failed = error
                    raise
                self._real.on_change(self._committed)
                self._committed()
            return self._real

    async def _opened(self) -> OpenLedger:
        # SQLAlchemy takes a fifth of a second to import: in a thread, so that the event loop can serve Slack.
        await asyncio.to_thread(importlib.import_module, "bot.adapters.ledger.ledger")
        from bot.adapters.ledger.ledger import open_ledger

        lock, self._file = self._file, None  # released where this fails, and acquired again by the next attempt
        ledger = await open_ledger(self._url, exclusive=self._wanted, lock=lock, audited=self._outside)
        await seals.share(ledger, own=self._wanted)
        return ledger

    async def close(self) -> None:
        """Close the ledger if it was opened, and release the lock on its file."""
        if self._real is not None:
            await self._real.close()
        if self._file is not None:
            self._file.release()

    def on_change(self, call: Callable[[], None]) -> None:
        """See the port."""
        self._calls.append(call)

    def _committed(self) -> None:
        for call in self._calls:
            call()

    async def watch(self) -> None:
        """See the port. Retries while the database can't be reached."""
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

    async def job_states(self) -> Mapping[str, JobState]:
        """See the port. Empty where the file doesn't exist yet; reading doesn't create it."""
        return {} if self._is_absent else await (await self.open()).job_states()

    async def requests(
        self,
        *,
        states: Collection[RequestState] | None = None,
        target: str | None = None,
        targets: Collection[str] | None = None,
        requester: str | None = None,
        since: datetime | None = None,
        limit: int | None = 100,
    ) -> Sequence[RepairRequest]:
        """See the port. Empty where the file doesn't exist yet; reading doesn't create it."""
        if self._is_absent:
            return ()
        return await self._requests(
            states=states, target=target, targets=targets, requester=requester, since=since, limit=limit
        )

    async def mark(self, name: str) -> str | None:
        """See the port. None where the file doesn't exist yet; reading doesn't create it."""
        return None if self._is_absent else await self._mark(name)

    async def incidents(
        self,
        *,
        live: bool | None = None,
        since: datetime | None = None,
        notified: bool = True,
        group: str = "",
        issue: str = "",
        key: str = "",
        limit: int | None = 100,
    ) -> Sequence[Incident]:
        """See the port. Empty where the file doesn't exist yet; reading doesn't create it."""
        if self._is_absent:
            return ()
        return await self._incidents(
            live=live, since=since, notified=notified, group=group, issue=issue, key=key, limit=limit
        )

    @property
    def _is_absent(self) -> bool:
        """Whether the ledger is a file that doesn't exist yet."""
        file = sqlite_file(self._url)
        return self._real is None and file is not None and not file.exists()

    _requests = on_open(Ledger.requests)
    _mark = on_open(Ledger.mark)
    _incidents = on_open(Ledger.incidents)

    now = on_open(Ledger.now)
    request = on_open(Ledger.request)
    overdue = on_open(Ledger.overdue)
    without_lease = on_open(Ledger.without_lease)
    records = stream_on_open(Ledger.records)
    take = on_open(Ledger.take)
    next_due = on_open(Ledger.next_due)
    next_deadline = on_open(Ledger.next_deadline)
    delivered = on_open(Ledger.delivered)
    failed = on_open(Ledger.failed)
    reroute_pending = on_open(Ledger.reroute_pending)
    delivery = on_open(Ledger.delivery)
    posted_at = on_open(Ledger.posted_at)
    dropped = on_open(Ledger.dropped)
    dead = on_open(Ledger.dead)
    set_aside = on_open(Ledger.set_aside)
    waiting = on_open(Ledger.waiting)
    incident = on_open(Ledger.incident)
    history = on_open(Ledger.history)
    changes = on_open(Ledger.changes)
    evidence = on_open(Ledger.evidence)
    preferences = on_open(Ledger.preferences)
    drop_history = on_open(Ledger.drop_history)
    drop_closed = on_open(Ledger.drop_closed)
