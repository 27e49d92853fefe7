"""Follows pods: list, then watch, and list again whenever the watch ends, for whatever reason.

A new list is cheap for one workload and always right: no resource version is kept that could be too old, so a 410,
a restarted API server and a lost connection need no handling of their own. Source: Kubernetes, "API Concepts",
"Efficient detection of changes".
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

import aiohttp
import msgspec
from msgspec import Raw

from bot.adapters.kubernetes import decode, errors, facts, shapes
from bot.adapters.kubernetes.client import ApiResponse, Call, Connection
from bot.domain.core.workload import Pod
from bot.errors import NotAllowed, Transient

T = TypeVar("T")

MAX_LINE = 16 * 1024 * 1024
"""Maximum bytes of one event: far more than etcd stores of an object (1.5 MiB)."""


@dataclass(frozen=True)
class WatchPace:
    """The timeouts and pauses of following pods, in seconds."""

    stretch: float = 300.0
    """After which the API server ends a watch (``timeoutSeconds``)."""
    idle: float = 150.0
    """Time without data after which a watch counts as dead: bookmarks come about once a minute."""
    first_pause: float = 0.5
    """The pause before the first retry; each further one is twice as long."""
    longest_pause: float = 10.0
    steady: float = 5.0
    """A watch that lasted this long, or sent an event, is followed by a new one without a pause."""
    settling: float = 15.0
    """How long a refusal of something that was granted before is retried: an API server that has just started
    refuses everybody (403, or 401 for a token) until it has loaded accounts and roles."""


USUAL = WatchPace()


class WatchOutage:
    """Tracks failures of following: how long they have lasted, and how long to pause before the next try."""

    def __init__(self, patience: float, pace: WatchPace) -> None:
        """``patience`` is how many seconds failures may last before they are raised."""
        self._patience, self._pace = patience, pace
        self._since: float | None = None
        self._refused: float | None = None
        self._tried = ""
        self._worked: set[str] = set()
        self._pause = pace.first_pause

    def tries(self, what: str) -> None:
        """Note that ``what`` (list or watch) is about to be called."""
        self._tried = what

    def answered(self) -> None:
        """Note that the call was granted, so that a later refusal of it is retried for a while."""
        self._worked.add(self._tried)

    def over(self) -> None:
        """End the outage: both list and watch work."""
        self._since, self._refused = None, None

    def steady(self) -> None:
        """Reset the pause: the watch keeps working."""
        self._pause = self._pace.first_pause

    async def wait(self, error: Transient | NotAllowed) -> None:
        """Pause before the next try, or raise ``error`` if failures have lasted too long."""
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        left = self._since + self._patience - now
        if isinstance(error, NotAllowed):
            self._refused = now if self._refused is None else self._refused
            doubt = min(self._pace.settling, self._patience) if self._tried in self._worked else 0.0
            left = self._refused + doubt - now
        if left <= 0:
            raise error
        await self.pause(left, getattr(error, "retry_after", None) or 0.0)

    async def pause(self, most: float, least: float = 0.0) -> None:
        """Sleep at most ``most`` seconds, with backoff and jitter, so that several bots don't retry in step."""
        wanted = max(self._pause * random.uniform(0.75, 1.25), least)  # noqa: S311 - no secret
        self._pause = min(self._pause * 2, self._pace.longest_pause)
        await asyncio.sleep(min(wanted, most, 2 * self._pace.longest_pause))


async def follow(
    connection: Connection, listing: Call, patience: float, pace: WatchPace
) -> AsyncGenerator[list[Pod], None]:
    """Yield the pods of ``listing`` now and whenever they change. Raises `bot.errors` only; see the port."""
    outage = WatchOutage(patience, pace)
    shown: list[Pod] | None = None
    while True:
        try:
            async with aclosing(_list_and_watch(connection, listing, outage, pace)) as stretch:
                async for pods in stretch:
                    if pods != shown:
                        shown = pods
                        yield pods
        except (Transient, NotAllowed) as error:
            await outage.wait(error)


async def _list_and_watch(
    connection: Connection, listing: Call, outage: WatchOutage, pace: WatchPace
) -> AsyncGenerator[list[Pod], None]:
    """Yield the pods of one list and of the watch that continues it, until the API server ends the watch."""
    outage.tries("list")
    found = await connection.read(listing, shapes.Items[Raw])
    outage.answered()
    pods = {pod.uid: pod for pod in (decode.pod(bytes(raw)) for raw in found.items or ())}
    yield facts.oldest_first(pods.values())
    version = found.metadata.resource_version if found.metadata else ""
    began = asyncio.get_running_loop().time()
    watching = _watching(listing, version, pace)
    async with aclosing(_events(connection, watching, outage, pace)) as events:
        async for event in events:
            outage.steady()
            if event.type != "BOOKMARK":
                _apply(event.type, decode.pod(bytes(event.object)), pods)
                yield facts.oldest_first(pods.values())
    if asyncio.get_running_loop().time() - began >= pace.steady:
        outage.steady()
    else:
        await outage.pause(pace.longest_pause)


def _watching(listing: Call, version: str, pace: WatchPace) -> Call:
    query = [
        *listing.query,
        ("watch", "true"),
        ("resourceVersion", version),
        ("allowWatchBookmarks", "true"),
        ("timeoutSeconds", str(max(1, round(pace.stretch)))),
    ]
    return replace(listing, right=replace(listing.right, verb="watch"), query=query)


def _apply(change: str, pod: Pod, pods: dict[str, Pod]) -> None:
    if change == "DELETED":
        pods.pop(pod.uid, None)
    else:
        pods[pod.uid] = pod


async def _events(
    connection: Connection, call: Call, outage: WatchOutage, pace: WatchPace
) -> AsyncGenerator[shapes.WatchEvent, None]:
    """Yield the events of one watch. An ``ERROR`` event is raised as the same HTTP status would be."""
    outage.tries("watch")
    with errors.edge(connection.server, pace.idle, connection.route):
        async with connection.stream(call, pace.idle, pace.stretch + pace.idle) as response:
            outage.answered()
            outage.over()
            async for line in _lines(response.content):
                event = _decoded(line, shapes.WatchEvent, connection, call)
                if event.type == "ERROR":
                    said = bytes(event.object)
                    raise connection.refused(ApiResponse(errors.status_of(said).code or 500, {}, said, ""), call)
                yield event


def _decoded(raw: bytes, type_: type[T], connection: Connection, call: Call) -> T:
    try:
        return msgspec.json.decode(raw, type=type_)
    except decode.WRONG as error:
        start = " ".join(raw[:60].decode("utf-8", "replace").split())
        raise errors.unexpected(connection.server, f"no event of `{call.right}`, but “{start}”") from error


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield whole lines, without a last unfinished one.

    Not aiohttp's own lines, which end at its buffer's size. Raises Transient beyond `MAX_LINE` bytes.
    """
    held: list[bytes] = []
    size = 0
    async for chunk in content.iter_any():
        first, *others = chunk.split(b"\n")
        held.append(first)
        size += len(first)
        if size > MAX_LINE:
            raise Transient(f"The API server sent an event of more than {MAX_LINE:,} bytes.")
        for following in others:
            if line := b"".join(held).strip():
                yield line
            held, size = [following], len(following)
