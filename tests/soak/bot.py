"""The unchanged bot, killed at a named point: ``after-commit:3`` is after its third commit from now on.

With ``away-after-change:1`` the bot survives, and the API server is unreachable for a while: that call's answer is
lost, and the following calls get none. A bot reads its fault from the file that ``SOAK_FAULT`` names. The points
are in wrappers around the ports, so nothing in the bot knows of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from bot import logs
from bot.app import Bot
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import Reply
from bot.domain.core.secret_data import SecretData, SecretDifference
from bot.domain.core.workload import Deployment, ExecResult, Pod, Right, SecretFacts
from bot.domain.heartbeats.heartbeat import MANUAL, HeartbeatPoll
from bot.domain.outbox.message import MessageRef
from bot.errors import Transient, Uncertain
from bot.ports.chat import Chat
from bot.ports.cluster import Cluster
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.ledger import Writing
from bot.runbook.context import Caller
from bot.services.outbox.worker import OutboxWorker
from bot.settings.loader import load

T = TypeVar("T")
VARIABLE = "SOAK_FAULT"
POINTS = (
    "before-commit",
    "after-commit",
    "before-post",
    "after-post",
    "before-edit",
    "after-edit",
)
CLUSTER_POINTS = ("before-look", "before-change", "after-change")
"""Points around the repair executor's calls to the cluster."""
CLAIM_POINTS = ("before-claim", "after-claim")
"""Points around the transaction that claims a request's value."""
AWAY = "away-"
AWAY_SECONDS = 2.0


class Fault:
    """Counts passes of a point; at the chosen one it kills the bot or makes the API server unreachable."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._point, self._left = "", 0
        self._lives, self._back = False, 0.0

    def _load_fault(self) -> None:
        """Read a new fault, which replaces the previous one; the file is read once."""
        with contextlib.suppress(FileNotFoundError):
            point, _, number = self._file.read_text("ascii").partition(":")
            self._file.unlink()
            self._point, self._left = point.removeprefix(AWAY), int(number or 0)
            self._lives = point.startswith(AWAY)

    def at(self, point: str) -> None:
        """Note that a point is passed."""
        self._load_fault()
        if point == self._point:
            self._left -= 1
            if self._left == 0 and self._lives:
                self._back = time.monotonic() + AWAY_SECONDS
            elif self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    @property
    def away(self) -> bool:
        """Whether the API server can't be reached now."""
        return time.monotonic() < self._back


class DeadlyCluster:
    """Wraps the repair executor's cluster, with fault points before and after each call."""

    def __init__(self, cluster: Cluster, fault: Fault) -> None:
        self._cluster, self._fault = cluster, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    async def deployment(self, name: str) -> Deployment:
        self._before_read()
        return await self._cluster.deployment(name)

    async def pods(self, selector: str) -> Sequence[Pod]:
        self._before_read()
        return await self._cluster.pods(selector)

    async def secret(self, name: str) -> SecretFacts:
        self._before_read()
        return await self._cluster.secret(name)

    async def authorized_keys(self, name: str, key: str) -> str:
        self._before_read()
        return await self._cluster.authorized_keys(name, key)

    async def run_once(
        self, pod: str, container: str, argv: Sequence[str], *, seconds: float, stdin: bytes | None = None
    ) -> ExecResult:
        self._before_change()
        return await self._answer(self._cluster.run_once(pod, container, argv, seconds=seconds, stdin=stdin))

    async def restart(self, seen: Deployment, annotations: Mapping[str, str]) -> Deployment:
        self._before_change()
        return await self._answer(self._cluster.restart(seen, annotations))

    async def set_image(
        self, seen: Deployment, container: str, image: str, annotations: Mapping[str, str]
    ) -> Deployment:
        self._before_change()
        return await self._answer(self._cluster.set_image(seen, container, image, annotations))

    async def objects(self, right: Right, version: str, selector: str | None = None) -> Mapping[str, Any]:
        self._before_read()
        return await self._cluster.objects(right, version, selector)

    async def delete_object(self, right: Right, version: str, uid: str, resource_version: str = "") -> None:
        self._before_change()
        await self._answer(self._cluster.delete_object(right, version, uid, resource_version))

    async def create_object(self, right: Right, version: str, manifest: Mapping[str, Any]) -> None:
        self._before_change()
        await self._answer(self._cluster.create_object(right, version, manifest))

    async def delete_pod(self, pod: Pod) -> None:
        self._before_change()
        await self._answer(self._cluster.delete_pod(pod))

    async def set_secret_key(
        self, seen: SecretFacts, key: str, value: bytes, annotations: Mapping[str, str]
    ) -> SecretFacts:
        self._before_change()
        return await self._answer(self._cluster.set_secret_key(seen, key, value, annotations))

    async def compare_secret(self, name: str, data: SecretData) -> tuple[SecretFacts, SecretDifference]:
        self._before_read()
        return await self._cluster.compare_secret(name, data)

    async def set_secret_data(
        self, seen: SecretFacts, values: Mapping[str, bytes | None], annotations: Mapping[str, str]
    ) -> SecretFacts:
        self._before_change()
        return await self._answer(self._cluster.set_secret_data(seen, values, annotations))

    def _before_read(self) -> None:
        self._fault.at("before-look")
        if self._fault.away:
            raise Transient("The API server is away.")

    def _before_change(self) -> None:
        """Pass the point before a change; a lost request looks the same as a lost answer."""
        if self._fault.away:
            raise Transient("The API server is away.")
        self._fault.at("before-change")
        if self._fault.away:
            raise Uncertain("The API server went away.")

    async def _answer(self, change: Awaitable[T]) -> T:
        done = await change
        self._fault.at("after-change")
        if self._fault.away:
            raise Uncertain("The API server went away.")
        return done


class DeadlyChat:
    """Wraps the chat port, with fault points before and after each message."""

    def __init__(self, chat: Chat, fault: Fault) -> None:
        self._chat, self._fault = chat, fault

    async def post(self, place: str, reply: Reply, *, thread: str | None = None) -> MessageRef:
        self._fault.at("before-post")
        posted = await self._chat.post(place, reply, thread=thread)
        self._fault.at("after-post")
        return posted

    async def is_shared(self, place: str) -> bool:
        return await self._chat.is_shared(place)

    async def permalink(self, at: MessageRef) -> str:
        return await self._chat.permalink(at)

    async def edit(self, at: MessageRef, reply: Reply) -> None:
        self._fault.at("before-edit")
        await self._chat.edit(at, reply)
        self._fault.at("after-edit")


class DeadlyGateway:
    """Wraps the Pushgateway, with fault points before and after a push."""

    def __init__(self, source: HeartbeatSource, fault: Fault) -> None:
        self._source, self._fault = source, fault

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        return await self._source.read(metrics)

    async def push(self, labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        by_hand = MANUAL in gauges
        if by_hand:
            self._fault.at("before-change")
            if self._fault.away:
                raise Transient("The Pushgateway is away.")
        await self._source.push(labels, gauges)
        if by_hand:
            self._fault.at("after-change")
            if self._fault.away:
                raise Transient("The Pushgateway went away.")


def armed(bot: Bot, fault: Fault) -> Bot:
    """Wrap the bot's ports."""
    ledger, repairs, approval_service = (
        bot.parts.ledger,
        bot.repairs,
        bot.repairs.approval_service,
    )
    outbox = bot.parts.outbox
    plain_writing, plain_worker, plain_cluster = ledger.writing, outbox.worker, repairs.executor.cluster_of
    plain_claim = approval_service.values.claim

    @asynccontextmanager
    async def writing() -> AsyncIterator[Writing]:
        async with plain_writing() as tx:
            yield tx
            fault.at("before-commit")
        fault.at("after-commit")

    async def claim(id_: str, caller: Caller) -> RepairRequest:
        fault.at("before-claim")
        repair = await plain_claim(id_, caller)
        fault.at("after-claim")
        return repair

    def cluster_of(target: str) -> Any:
        return DeadlyCluster(plain_cluster(target), fault)

    if bot.parts.heartbeats is not None:
        bot.parts.heartbeats = DeadlyGateway(bot.parts.heartbeats, fault)

    def worker(chat: Chat, observe: Callable[[str, str], None]) -> OutboxWorker:
        return plain_worker(DeadlyChat(chat, fault), observe)

    ledger.writing = writing  # type: ignore[method-assign]  # the port's method, wrapped
    outbox.worker = worker  # type: ignore[method-assign]
    approval_service.values.claim = claim  # type: ignore[method-assign]
    repairs.executor.cluster_of = repairs.executor.secret_writer.cluster_of = cluster_of
    return bot


async def _run() -> None:
    settings = load().settings
    logs.configure(settings.log.level, settings.log.format, ())
    await armed(Bot(settings), Fault(Path(os.environ[VARIABLE]))).run()


if __name__ == "__main__":
    asyncio.run(_run())
