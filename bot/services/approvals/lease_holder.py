"""A process as the holder of approved requests: it writes down how far each has come, and that it is still at it.

Whatever is written is conditional on the lease: a process that has lost one is told so and leaves the case alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bot.domain.approvals import message_keys
from bot.domain.approvals.approval import ApprovalPolicy, State
from bot.domain.approvals.repair import ExecutionResult, RepairRequest, Wait
from bot.domain.core.target import Target
from bot.errors import Conflict, Transient
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.services.approvals import request_log
from bot.services.approvals.changes import BOT, HOLD, owe_news, owe_progress
from bot.services.approvals.early_refusals import SETTLING
from bot.services.approvals.secret_writer import Holder, SecretWriter

logger = logging.getLogger("agentpod.repairs")

T = TypeVar("T")
TICK = 2.0
"""Seconds between two looks while nothing changes."""
RENEW = HOLD / 3
RETRY = 1.0
"""Seconds before something that may pass is tried again."""


class Lost(Exception):
    """Another process has taken the case over: leave it alone."""


@dataclass
class LeaseHolder:
    """What the execution of an action is given: the world, and the case's place in the ledger."""

    name: str
    """This process, as the ledger names it."""
    ledger: Ledger
    clock: Clock
    policy: ApprovalPolicy
    targets: Mapping[str, Target]
    cluster_of: Callable[[str], Cluster]
    secret_writer: SecretWriter
    changed: Callable[[], None]
    observe: Callable[[RepairRequest], None] = lambda _: None
    """Told of each case that ended."""
    tick: float = TICK
    retry: float = RETRY
    renew: float = RENEW.total_seconds()
    settling: float = SETTLING
    """Seconds for which a refusal of the API server is not believed."""
    _calls: set[asyncio.Task[Any]] = field(default_factory=set)
    _called: dict[str, asyncio.Event] = field(default_factory=dict)
    _renewed: dict[str, float] = field(default_factory=dict)
    """When this process said last that it is at a case, by its own monotonic clock."""
    _waits: dict[str, Wait] = field(default_factory=dict)
    """Which cases wait, because the API server asked for it."""

    # -- what becomes of a case

    async def end(self, case: RepairRequest, state: State, text: str, remedy: str | None = None) -> RepairRequest:
        """End a case that came to nothing, with why, and what to do about it."""
        evidence = (remedy,) if remedy else ()
        return await self.conclude(case, state, ExecutionResult(text, self.clock.now(), evidence, "status"))

    async def conclude(self, case: RepairRequest, state: State, outcome: ExecutionResult) -> RepairRequest:
        """End a case: write down how, with the messages that it makes necessary."""
        data = {"state": state.value, "text": outcome.text, "seconds": outcome.seconds}
        ended = await self.save(case.ended(state, outcome), "outcome", data, progress=case.progress is not None)
        self.observe(ended)
        request_log.over(ended)
        return ended

    async def sent(self, case: RepairRequest) -> RepairRequest:
        """Note that the change is made: from here on it is only followed."""
        noted = replace(case, sent_at=self.clock.now())
        saved = await self.save(noted, "execution", {"sent": True}, progress=True)
        request_log.sent(saved)
        return saved

    async def kept(
        self, case: RepairRequest, work: Callable[[Holder], Coroutine[Any, Any, tuple[State, ExecutionResult]]]
    ) -> RepairRequest:
        """End a case with what comes of some work; it is ours for as long as that takes."""
        state, outcome = await self.ours_meanwhile(case, work(_Ours(self, case)))
        return await self.conclude(case, state, outcome)

    # -- time passes

    async def ours_meanwhile(self, case: RepairRequest, work: Coroutine[Any, Any, T]) -> T:
        """Some work, however long it takes: the lease is renewed until it is done. A stop waits for it."""
        holding = asyncio.create_task(self._hold(case), name=f"hold-{case.id}")
        try:
            return await self._undisturbed(work)
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)

    async def _hold(self, case: RepairRequest) -> None:
        """Say again and again that this process is at it, until it is not."""
        while True:
            await asyncio.sleep(self.renew)
            await self.save(case)

    async def _undisturbed(self, call: Coroutine[Any, Any, T]) -> T:
        """A call that a stop waits for before it ends it."""
        task = asyncio.create_task(call, name="the change")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return await task

    def answered(self, case: RepairRequest) -> None:
        """The first call is answered, whatever it said: who approved can be told."""
        self._called[case.id].set()

    async def pause(self, case: RepairRequest, seconds: float, why: str) -> RepairRequest:
        """Wait because the API server asked for it."""
        request_log.waits(case, seconds, why)
        now = self.clock.now()
        return await self.wait(case, Wait(now, now + timedelta(seconds=seconds)))

    async def wait(self, case: RepairRequest, wait: Wait) -> RepairRequest:
        """Wait until the end of a pause; the card says so until then."""
        self._waits[case.id] = wait
        left = min(wait.until - self.clock.now(), wait.until - wait.since).total_seconds()
        if left > 0:
            case = await self.sleep(await self.save(case), left)
        self._waits.pop(case.id)
        return await self.save(case)

    async def sleep(self, case: RepairRequest, seconds: float) -> RepairRequest:
        """Let some time pass; the case stays ours meanwhile."""
        until = _seconds() + seconds
        while (still := until - _seconds()) > 0:
            await asyncio.sleep(min(still, self.renew))
            case = await self.renewed(case)
        return case

    async def renewed(self, case: RepairRequest) -> RepairRequest:
        """Say that this process is still at it, well before the hold ends, whatever the clocks say.

        Raises `Lost` where it is not.
        """
        since = self.clock.monotonic() - self._renewed.get(case.id, float("-inf"))
        if case.held is None or 0 <= since < RENEW.total_seconds():
            return case
        return await self.save(case)

    # -- the ledger

    async def save(
        self, case: RepairRequest, kind: str = "", data: Mapping[str, Any] | None = None, *, progress: bool = False
    ) -> RepairRequest:
        """Write it down, however long the ledger is away. Raises `Lost` when another process has the case.

        ``kind`` and ``data`` are its audit record; ``progress`` is shown in the card's thread.
        """

        async def once() -> RepairRequest:
            async with self.ledger.writing() as tx:
                current = self._ours(await tx.case(case.id))
                held = self._held(case, await tx.now(self.clock.now()))
                wait = None if case.state.final else self._waits.get(case.id)
                saved = await tx.save(replace(held, version=current.version, wait=wait))
                if saved.wait != current.wait:
                    await tx.enqueue(message_keys.card(case.id), case.channel)
                if kind:
                    await tx.record(self.clock.now(), kind, BOT, case.id, data)
                if kind == "outcome":
                    await owe_news(tx, saved)
                if progress:
                    await owe_progress(tx, saved)
            self.changed()
            return saved

        began = self.clock.monotonic()
        saved = await self._persist(once)
        if case.id in self._renewed:
            self._renewed[case.id] = began
        return saved

    def _held(self, case: RepairRequest, now: datetime) -> RepairRequest:
        return case if case.state.final else case.taken(self.name, now, HOLD)

    def _ours(self, current: RepairRequest | None) -> RepairRequest:
        mine = current is not None and current.held is not None and current.held.by == self.name
        if current is None or not mine or current.state is not State.EXECUTING:
            raise Lost
        return current

    async def _persist(self, once: Callable[[], Coroutine[Any, Any, RepairRequest]]) -> RepairRequest:
        """Nothing else is done while the ledger is away: what is not written down did not happen for others."""
        while True:
            try:
                return await once()
            except (Transient, Conflict) as error:
                logger.warning("the ledger: %s", error.message)
                await asyncio.sleep(getattr(error, "retry_after", None) or self.retry)

    async def let_go(self, id_: str) -> None:
        """Leave a case to whoever comes next."""
        async with self.ledger.writing() as tx:
            case = self._ours(await tx.case(id_))
            if case.held is not None:
                until = await tx.now(self.clock.now())
                await tx.save(replace(case, held=replace(case.held, until=until)))

    async def take(self, id_: str, horizon: datetime) -> RepairRequest | None:
        """Take a case that nobody holds at that time; None where somebody does, or it is over."""
        async with self.ledger.writing() as tx:
            case = await tx.case(id_)
            if case is None or case.state is not State.EXECUTING or (case.held and case.held.until > horizon):
                return None
            now = self.clock.now()
            before = case.held.by if case.held else ""
            await tx.record(now, "execution", BOT, id_, {"by": self.name, "taken_over_from": before})
            taken = await tx.save(case.taken(self.name, await tx.now(now), HOLD))
        request_log.taken_over(taken, self.name, before)
        return taken


@dataclass(frozen=True)
class _Ours:
    """This process as the holder of a case."""

    holder: LeaseHolder
    case: RepairRequest

    async def still(self) -> object:
        return await self.holder.renewed(self.case)

    async def wait(self, seconds: float, why: str) -> object:
        return await self.holder.pause(self.case, seconds, why)


def _seconds() -> float:
    """The time by which the event loop's deadlines go."""
    return asyncio.get_running_loop().time()
