"""Holds the leases of the requests that this process carries out: renews them and records progress.

Several replicas may share a ledger, and a process may die at any step. So each request that is being carried out
is leased to one process, every write checks the lease first, and a process that has lost it gets `LeaseLost` and
stops working on the request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from bot.domain.approvals import message_keys
from bot.domain.approvals.approval import ApprovalPolicy, RequestState
from bot.domain.approvals.repair import ExecutionResult, RepairRequest, Wait
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target
from bot.errors import Conflict, Permanent, Transient
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.services.approvals import request_log
from bot.services.approvals.changes import BOT, HOLD, enqueue_messages, enqueue_progress
from bot.services.approvals.early_refusals import SETTLING
from bot.services.approvals.secret_writer import RequestLease, SecretWriter

if TYPE_CHECKING:
    from bot.services.health.reads import CheckContext

logger = logging.getLogger("agentpod.repairs")

T = TypeVar("T")
TICK = 2.0
"""Seconds between two reads of the target while nothing changes."""
RENEW = HOLD / 3
RETRY = 1.0
"""Seconds before a transient failure is tried again."""


class LeaseLost(Exception):
    """Another process has taken the request over, or it has ended: stop working on it."""


class NotApproved(Exception):
    """Nobody approved the repair as it is now. ``why`` it is not made, and what is ``new``, a line each."""

    def __init__(self, repair: RepairRequest, why: str, new: Sequence[str]) -> None:
        super().__init__(why)
        self.repair, self.why, self.new = repair, why, tuple(new)


@dataclass
class LeaseHolder:
    """What an action's execution works with: cluster, clock, policy, and the request's lease in the ledger."""

    name: str
    """This process's name in leases."""
    ledger: Ledger
    clock: Clock
    policy: ApprovalPolicy
    targets: Mapping[str, Target]
    cluster_of: Callable[[str], Cluster]
    secret_writer: SecretWriter
    changed: Callable[[], None]
    observe: Callable[[RepairRequest], None] = lambda _: None
    """Called with each request that ended."""
    check_context: Callable[[Target], CheckContext] | None = None
    """What a target's checks are made of; None where the runbook declares no repairs."""
    tick: float = TICK
    retry: float = RETRY
    renew: float = RENEW.total_seconds()
    settling: float = SETTLING
    """See `EarlyRefusals`."""
    _calls: set[asyncio.Task[Any]] = field(default_factory=set)
    _called: dict[str, asyncio.Event] = field(default_factory=dict)
    _renewed: dict[str, float] = field(default_factory=dict)
    """Request id → when this process last renewed its lease, by its own monotonic clock."""
    _waits: dict[str, Wait] = field(default_factory=dict)
    """Request id → the pause that the API server asked for (``Retry-After``)."""

    def context_of(self, target: str) -> CheckContext:
        """What the target's checks are made of. Raises `Permanent` where there is nothing."""
        if self.check_context is None:
            raise Permanent("There is no runbook here.")
        return self.check_context(self.targets[target])

    def off(self, repair: RepairRequest) -> list[str]:
        """What the settings have switched off since the request, in words; empty where nothing."""
        setting = repair.action.switched_off(repair, self.targets[repair.target])
        return [f"it was switched off in the settings meanwhile ({setting})"] if setting else []

    async def judge_again(self, repair: RepairRequest, seen: object) -> None:
        """Judge once more what the repair would end and warn of, since time has passed since its approval.

        ``seen`` is the target's state as it was just read. Raises `NotApproved`.
        """

    # -- how a request ends

    async def end(
        self, repair: RepairRequest, state: RequestState, text: str, remedy: str | None = None
    ) -> RepairRequest:
        """End a request without success, with the reason and the remedy."""
        evidence = (remedy,) if remedy else ()
        return await self.conclude(repair, state, ExecutionResult(text, self.clock.now(), evidence, "status"))

    async def conclude(
        self, repair: RepairRequest, state: RequestState, outcome: ExecutionResult
    ) -> RepairRequest:
        """End a request: record its outcome and enqueue the messages about it."""
        data = {"state": state.value, "text": outcome.in_full, "seconds": outcome.seconds}
        ended = await self.save(
            repair.ended(state, outcome), "outcome", data, progress=repair.progress is not None
        )
        self.observe(ended)
        request_log.over(ended)
        return ended

    async def sent(self, repair: RepairRequest) -> RepairRequest:
        """Record that the change was made: from here on it is only followed."""
        noted = replace(repair, sent_at=self.clock.now())
        saved = await self.save(noted, "execution", {"sent": True}, progress=repair.action.rolls_out)
        request_log.sent(saved)
        return saved

    async def conclude_with(
        self,
        repair: RepairRequest,
        work: Callable[[RequestLease], Coroutine[Any, Any, tuple[RequestState, ExecutionResult]]],
    ) -> RepairRequest:
        """End a request with the result of ``work``, renewing the lease until that is there."""
        state, outcome = await self.leased_during(repair, work(_Leased(self, repair)))
        return await self.conclude(repair, state, outcome)

    # -- the lease while time passes

    async def leased_during(self, repair: RepairRequest, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` to its end, renewing the lease meanwhile. A stopping bot waits for it."""
        renewing = asyncio.create_task(self._keep_renewing(repair), name=f"renew-{repair.id}")
        try:
            return await self._as_call(work)
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _keep_renewing(self, repair: RepairRequest) -> None:
        """Renew the lease until cancelled."""
        while True:
            await asyncio.sleep(self.renew)
            await self.save(repair)

    async def _as_call(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a call in a task that `stop` waits for before it cancels the request's own task."""
        task = asyncio.create_task(call, name="the change")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return await task

    def answered(self, repair: RepairRequest) -> None:
        """Note that the first call was answered, whatever it said: the approver's answer waits for that."""
        self._called[repair.id].set()

    async def pause(self, repair: RepairRequest, seconds: float, why: str) -> RepairRequest:
        """Wait for ``seconds`` as the API server asked for, and show it on the card."""
        request_log.waits(repair, seconds, why)
        now = self.clock.now()
        return await self.wait(repair, Wait(now, now + timedelta(seconds=seconds)))

    async def wait(self, repair: RepairRequest, wait: Wait) -> RepairRequest:
        """Wait until the end of a pause, which the card shows meanwhile."""
        self._waits[repair.id] = wait
        left = min(wait.until - self.clock.now(), wait.until - wait.since).total_seconds()
        if left > 0:
            repair = await self.sleep(await self.save(repair), left)
        self._waits.pop(repair.id)
        return await self.save(repair)

    async def sleep(self, repair: RepairRequest, seconds: float) -> RepairRequest:
        """Sleep, renewing the lease meanwhile."""
        until = _seconds() + seconds
        while (still := until - _seconds()) > 0:
            await asyncio.sleep(min(still, self.renew))
            repair = await self.renewed(repair)
        return repair

    async def renewed(self, repair: RepairRequest) -> RepairRequest:
        """Renew the lease if a third of it has passed, by the monotonic clock.

        Raises `LeaseLost` where another process has it.
        """
        since = self.clock.monotonic() - self._renewed.get(repair.id, float("-inf"))
        if repair.held is None or 0 <= since < RENEW.total_seconds():
            return repair
        return await self.save(repair)

    # -- the ledger

    async def save(
        self,
        repair: RepairRequest,
        kind: str = "",
        data: Mapping[str, Any] | None = None,
        *,
        progress: bool = False,
        card: bool = False,
    ) -> RepairRequest:
        """Save the request and renew its lease, retrying until the ledger takes it.

        ``kind`` and ``data`` make an audit record; ``progress`` updates the message in the card's thread, ``card``
        the card. Raises `LeaseLost` where another process has the lease.
        """

        async def once() -> RepairRequest:
            async with self.ledger.writing() as tx:
                current = self._leased(await tx.request(repair.id))
                renewed = self._with_lease(repair, await tx.now(self.clock.now()))
                wait = None if repair.state.final else self._waits.get(repair.id)
                saved = await tx.save(replace(renewed, version=current.version, wait=wait))
                if card or saved.wait != current.wait:
                    await tx.enqueue(message_keys.card(repair.id), repair.channel)
                if kind:
                    await tx.record(self.clock.now(), kind, BOT, repair.id, data)
                if kind == "outcome":
                    await enqueue_messages(tx, saved)
                if progress:
                    await enqueue_progress(tx, saved)
            self.changed()
            return saved

        began = self.clock.monotonic()
        saved = await self._retried(once)
        if repair.id in self._renewed:
            self._renewed[repair.id] = began
        return saved

    def _with_lease(self, repair: RepairRequest, now: datetime) -> RepairRequest:
        """The request with a new lease from ``now`` on; an ended one needs none."""
        return repair if repair.state.final else repair.taken(self.name, now, HOLD)

    def _leased(self, current: RepairRequest | None) -> RepairRequest:
        """The request, if this process has its lease. Raises `LeaseLost` otherwise."""
        mine = current is not None and current.held is not None and current.held.by == self.name
        if current is None or not mine or current.state is not RequestState.EXECUTING:
            raise LeaseLost
        return current

    async def _retried(self, once: Callable[[], Coroutine[Any, Any, RepairRequest]]) -> RepairRequest:
        """Repeat a transaction until it commits: no step may follow one that other processes can't see."""
        while True:
            try:
                return await once()
            except (Transient, Conflict) as error:
                logger.warning("progress of a repair not saved yet: %s", error.message)
                await asyncio.sleep(getattr(error, "retry_after", None) or self.retry)

    async def release(self, id_: str) -> None:
        """End the lease now, so that another process can take the request over at once."""
        async with self.ledger.writing() as tx:
            repair = self._leased(await tx.request(id_))
            if repair.held is not None:
                until = await tx.now(self.clock.now())
                await tx.save(replace(repair, held=replace(repair.held, until=until)))

    async def take(self, id_: str, horizon: datetime) -> RepairRequest | None:
        """Take over an executing request whose lease ends by ``horizon``; None where there is none to take."""
        async with self.ledger.writing() as tx:
            repair = await tx.request(id_)
            if (
                repair is None
                or repair.state is not RequestState.EXECUTING
                or (repair.held and repair.held.until > horizon)
            ):
                return None
            now = self.clock.now()
            before = repair.held.by if repair.held else ""
            await tx.record(now, "execution", BOT, id_, {"by": self.name, "taken_over_from": before})
            taken = await tx.save(repair.taken(self.name, await tx.now(now), HOLD))
        request_log.taken_over(taken, self.name, before)
        return taken


@dataclass(frozen=True)
class _Leased:
    """One request's lease, as `SecretWriter` sees it."""

    holder: LeaseHolder
    repair: RepairRequest

    async def confirm(self) -> object:
        return await self.holder.renewed(self.repair)

    async def wait(self, seconds: float, why: str) -> object:
        return await self.holder.pause(self.repair, seconds, why)


def _seconds() -> float:
    """The event loop's clock, in seconds."""
    return asyncio.get_running_loop().time()
