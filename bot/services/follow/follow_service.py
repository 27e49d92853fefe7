"""Follows logs in Slack: a bounded number at a time, each in a task, until somebody stops it or it ends."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from bot.domain.core import ids
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply
from bot.domain.follow import messages
from bot.domain.follow.messages import Follow
from bot.domain.follow.request import End, FollowRequest
from bot.domain.rbac.access import Identity
from bot.errors import AgentpodError, Refused, TimedOut, Transient, Uncertain
from bot.ports.chat import Chat
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.runbook.context import Caller, Sees
from bot.services.follow.pace import USUAL, FollowPace
from bot.services.follow.stop_requests import StopRequests

if TYPE_CHECKING:
    from bot.services.follow.thread_follow import ThreadFollow

logger = logging.getLogger("agentpod.follow")

MOST = 4
"""Maximum logs that are followed at a time."""
MOST_PER_TARGET = 2
REMEMBERED = 500
"""Slack requests that have started one, so that a redelivery starts no second one."""
STOPPING = End("stopped: the bot is stopping. Ask again once it is back.")


class FollowService:
    """Starts, lists and stops followed logs. ``chat`` is set once Slack is connected."""

    def __init__(
        self,
        clock: Clock,
        cluster_of: Callable[[str], Cluster],
        outside: Outside,
        ledger: Ledger | None = None,
        pace: FollowPace = USUAL,
    ) -> None:
        """``cluster_of`` finds the cluster of a target; ``outside`` redacts; ``ledger``: of several replicas."""
        self._clock, self._cluster_of, self._outside, self._pace = clock, cluster_of, outside, pace
        self._stops = StopRequests(ledger)
        self._running: dict[str, ThreadFollow] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._origins: OrderedDict[str, Follow] = OrderedDict()
        self._closing = False
        self.chat: Chat | None = None
        self.may_read: Callable[[Identity, str], Awaitable[bool]] = _unchanged
        """Whether somebody may still read a target's logs; set once Slack is connected. Raises AgentpodError."""

    async def start(self, request: FollowRequest, caller: Caller, sees: Sees) -> Reply:
        """Begin to follow a log where the caller asked. Raises AgentpodError if nothing could be posted there."""
        if caller.origin in self._origins:
            return messages.started(self._origins[caller.origin])
        if self._closing or self.chat is None:
            raise Refused(
                "The bot is stopping or starting, so no log is followed.", remedy="Try again in a minute."
            )
        if (refusal := self._too_many(request.target.name, sees)) is not None:
            return refusal
        await _require_own(self.chat, caller.identity)
        one = self._made(request, caller, self.chat)
        follow = one.follow
        self._running[follow.id] = one
        self._remember(caller.origin, follow)
        try:
            await one.announce()
        except BaseException as error:
            del self._running[follow.id]
            self._origins.pop(caller.origin, None)
            if isinstance(error, TimedOut | Uncertain):
                raise _unsure(error) from error
            raise
        task = asyncio.create_task(one.run(), name=f"follow {follow.id}")
        self._tasks[follow.id] = task
        task.add_done_callback(lambda _: self._ended(follow.id))
        logger.info("following a log", extra={"follow": follow.id, "target": request.target.name})
        return messages.started(follow)

    def _made(self, request: FollowRequest, caller: Caller, chat: Chat) -> ThreadFollow:
        from bot.services.follow.log_tail import LogTail
        from bot.services.follow.thread_follow import ThreadFollow

        now: datetime = self._clock.now()
        identity = caller.identity
        follow = Follow(
            ids.short("f-", 4), request, identity.user, now, now + request.span, direct=identity.direct
        )
        tail = LogTail(self._cluster_of(request.target.name), request, self._clock, self._outside, self._pace)
        place = identity.channel or identity.user
        sharing = lambda: len(self._running)  # noqa: E731 - it is asked again and again
        may_read = lambda: self.may_read(identity, request.target.name)  # noqa: E731 - it is asked again and again
        asked = partial(self._stops.asked, follow.id, follow.user)
        return ThreadFollow(follow, tail, chat, place, self._clock, self._pace, sharing, asked, may_read)

    @property
    def running(self) -> Sequence[Follow]:
        """The logs that are followed now."""
        return [one.follow for one in self._running.values()]

    def _too_many(self, target: str, sees: Sees) -> Reply | None:
        running, seen = self.running, self._seen(sees)
        mine = [one for one in running if one.request.target.name == target]
        if len(mine) >= MOST_PER_TARGET:
            return messages.too_many(mine, f" of {target}", mine)
        return messages.too_many(running, "", seen) if len(running) >= MOST else None

    def _seen(self, sees: Sees) -> Sequence[Follow]:
        return [one for one in self.running if sees(one.request.target.name)]

    def _remember(self, origin: str, follow: Follow) -> None:
        if origin:
            self._origins[origin] = follow
        if len(self._origins) > REMEMBERED:
            self._origins.popitem(last=False)

    def _ended(self, id_: str) -> None:
        self._running.pop(id_, None)
        self._tasks.pop(id_, None)

    def target_of(self, id_: str | None) -> str | None:
        """The target of the one that `stop` would stop; None where it is not known here."""
        chosen = self._chosen(id_)
        return chosen.follow.request.target.name if chosen is not None else None

    def is_of(self, user: str, id_: str | None) -> bool:
        """Whether the user began the one that `stop` would stop; True as well where only another replica knows."""
        chosen = self._chosen(id_)
        if chosen is None:
            return id_ is not None and self._stops.shared
        return chosen.follow.user == user

    def _chosen(self, id_: str | None) -> ThreadFollow | None:
        if id_ is None and len(self._running) == 1:
            return next(iter(self._running.values()))
        return self._running.get(id_ or "")

    async def stop(self, id_: str | None, caller: Caller, sees: Sees, *, own: bool = False) -> Reply:
        """Stop one; without an id the only one that runs. ``own``: the caller may stop nobody else's (`is_of`)."""
        chosen = self._chosen(id_)
        if chosen is None and id_ is not None and self._stops.shared:
            await self._stops.ask(id_, caller.identity.user, own=own)
            return messages.passed_on(id_)
        if chosen is None:
            return messages.not_running(self._seen(sees), id_)
        chosen.stop(End("Stopped."), by=caller.identity.user)
        # The message that was clicked changes, which is the answer.
        return replace(messages.stopped(chosen.follow), posted=caller.surface == "button")

    async def finish(self) -> None:
        """Stop all and start no more; wait a moment for their last edits."""
        self._closing = True
        for one in self._running.values():
            one.stop(STOPPING, patience=self._pace.shutdown)
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._pace.shutdown + 1.0)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _require_own(chat: Chat, who: Identity) -> None:
    """Raise Refused where people of another company could read the log."""
    if who.direct or not who.channel:
        return
    try:
        shared = await chat.is_shared(who.channel)
    except AgentpodError as error:
        raise Refused(
            f"No log is followed here: it is not known whether people of another company are in this channel. "
            f"{error.message}",
            remedy=error.remedy or "Use `/agentpod logs` without --follow: only you see its answer.",
        ) from error
    if shared:
        raise Refused(
            "No log is followed here: this channel is shared with another company, whose people could read it.",
            remedy="Follow it in a channel of your own, or use `/agentpod logs` without --follow: "
            "only you see its answer.",
        )


async def _unchanged(_: Identity, __: str) -> bool:
    return True


def _unsure(error: AgentpodError) -> Transient:
    return Transient(
        f"No log is followed: {error.message} A message that says so may be there all the same.",
        remedy="Try again in a moment.",
    )
