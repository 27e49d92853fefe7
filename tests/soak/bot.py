"""The unchanged bot, killed at a named point: ``SOAK_KILL=after-commit:3`` is after its third commit.

The points are around the ports, so that nothing in the bot knows of them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bot import logs
from bot.app import Bot
from bot.domain.repair import Posted
from bot.domain.reply import Reply
from bot.domain.workload import Deployment, Pod
from bot.ports import Chat, Cluster, Writing
from bot.settings import load

VARIABLE = "SOAK_KILL"
POINTS = (
    "before-commit",
    "after-commit",
    "before-change",
    "after-change",
    "before-post",
    "after-post",
    "before-edit",
    "after-edit",
)


class Fault:
    """Counts how often a point is passed, and kills at the wanted time."""

    def __init__(self, wanted: str) -> None:
        point, _, number = wanted.partition(":")
        self._point, self._left = point, int(number or 0)

    def at(self, point: str) -> None:
        """A point is passed."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class DeadlyCluster:
    """The cluster's calls that change something, with a fault before and after."""

    def __init__(self, cluster: Cluster, fault: Fault) -> None:
        self._cluster, self._fault = cluster, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    async def restart(self, seen: Deployment, annotations: Mapping[str, str]) -> Deployment:
        self._fault.at("before-change")
        done = await self._cluster.restart(seen, annotations)
        self._fault.at("after-change")
        return done

    async def delete_pod(self, pod: Pod) -> None:
        self._fault.at("before-change")
        await self._cluster.delete_pod(pod)
        self._fault.at("after-change")


class DeadlyChat:
    """Messages, with a fault before and after."""

    def __init__(self, chat: Chat, fault: Fault) -> None:
        self._chat, self._fault = chat, fault

    async def post(self, place: str, reply: Reply, *, thread: str | None = None) -> Posted:
        self._fault.at("before-post")
        posted = await self._chat.post(place, reply, thread=thread)
        self._fault.at("after-post")
        return posted

    async def edit(self, at: Posted, reply: Reply) -> None:
        self._fault.at("before-edit")
        await self._chat.edit(at, reply)
        self._fault.at("after-edit")


def armed(bot: Bot, fault: Fault) -> Bot:
    """The bot, its ports wrapped."""
    ledger, repairs = bot.parts.ledger, bot.repairs
    plain_writing, plain_tasks, plain_cluster = ledger.writing, repairs.tasks, repairs.workshop.cluster_of

    @asynccontextmanager
    async def writing() -> AsyncIterator[Writing]:
        async with plain_writing() as tx:
            yield tx
            fault.at("before-commit")
        fault.at("after-commit")

    def cluster_of(target: str) -> Any:
        return DeadlyCluster(plain_cluster(target), fault)

    def tasks(chat: Chat, *others: Any) -> Any:
        return plain_tasks(DeadlyChat(chat, fault), *others)

    ledger.writing = writing  # type: ignore[method-assign]  # the port's method, wrapped
    repairs.tasks = tasks  # type: ignore[method-assign]
    repairs.workshop.cluster_of = cluster_of
    return bot


async def _run() -> None:
    settings = load().settings
    logs.configure(settings.log.level, settings.log.format, ())
    await armed(Bot(settings), Fault(os.environ.get(VARIABLE, ""))).run()


if __name__ == "__main__":
    asyncio.run(_run())
