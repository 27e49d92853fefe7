"""Carries out approved and claimed requests, each in an asyncio task of its own.

This module decides which process works on which request, and takes requests over after a crash; how an action is
carried out is defined by its `Execution`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from bot.domain.approvals.approval import RequestState, start_by
from bot.domain.approvals.forecast import WARNED, WORSE, newly_warned, worse
from bot.domain.approvals.kept_form import is_incomplete
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.registry import Registry
from bot.domain.core.target import Target
from bot.errors import AgentpodError
from bot.ports.cluster import Cluster
from bot.services.approvals.actions.execution import Execution, defect, inner
from bot.services.approvals.lease_holder import LeaseHolder, LeaseLost, NotApproved

if TYPE_CHECKING:
    from bot.services.health.reads import CheckContext

logger = logging.getLogger("agentpod.repairs")

T = TypeVar("T")
AHEAD = 3.0
"""Seconds that the answer to an approval waits at most for the target to be read and the call to be answered."""


@dataclass(frozen=True)
class Ahead:
    """Reads that were begun while the last approval is recorded, since carrying the repair out needs both."""

    look: asyncio.Task[Any] | None
    """The target's state; None where the execution doesn't begin with that."""
    worse: asyncio.Task[tuple[str, tuple[str, ...]]] | None
    """Why nobody approved it as it is now, and what is new, a line each; None where nothing is judged again."""

    def cancel(self) -> None:
        """End the reads: the approval does not count."""
        for task in (self.look, self.worse):
            if task is not None:
                task.cancel()


@dataclass
class RepairExecutor(LeaseHolder):
    """Carries out claimed requests in background tasks."""

    patience: float = AHEAD
    known: Registry[Execution] | None = None
    """The executions; None for the built-in ones."""
    _tasks: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    _stopped: bool = False

    @property
    def executions(self) -> Registry[Execution]:
        """The executions by the name of their action. The built-in ones are loaded at their first use."""
        if self.known is None:
            from bot.services.approvals.actions.registry import BUILTIN

            self.known = BUILTIN
        return self.known

    def on(
        self,
        cluster_of: Callable[[str], Cluster],
        check_context: Callable[[Target], CheckContext] | None = None,
    ) -> RepairExecutor:
        """One with the same settings and without any work, for dry runs on other clusters."""
        idle: dict[str, Any] = {"_tasks": {}, "_calls": set(), "_called": {}, "_renewed": {}, "_waits": {}}
        context = check_context or self.check_context
        return replace(self, cluster_of=cluster_of, check_context=context, **idle)

    async def preview(self, repair: RepairRequest, seen: Any = None) -> bool:
        """Make the request's calls that change API objects, on clusters that store nothing; see `Execution`."""
        return await self._execution(repair).preview(repair, self, seen)

    def knows(self, repair: RepairRequest) -> bool:
        """Whether the request's target is in the settings: they may have changed since it was made."""
        return repair.target in self.targets

    def look_ahead(self, repair: RepairRequest) -> Ahead:
        """Start reading the request's target, if its execution begins with that, and what the repair ends."""
        look = _task(self._execution(repair).look_ahead(repair, self), f"look-{repair.id}")
        # Reading the crontab takes longer than all the rest: no change that can be made at once waits for it.
        again = self._worse(repair, look, crontab=False) if self._may_be_worse(repair) else None
        return Ahead(look, _task(again, f"worse-{repair.id}"))

    async def judge_again(self, repair: RepairRequest, seen: object) -> None:
        """See `LeaseHolder`."""
        if not self._may_be_worse(repair):
            return
        why, new = await self._worse(repair, _known(seen), crontab=True)
        if new:
            raise NotApproved(repair, why, new)

    def _may_be_worse(self, repair: RepairRequest) -> bool:
        """Whether it ends something, or might warn of something that it did not warn of."""
        return bool(repair.forecast.losses) or (repair.action.restarts and self.check_context is not None)

    async def _worse(
        self, repair: RepairRequest, look: Awaitable[Any] | None, *, crontab: bool
    ) -> tuple[str, tuple[str, ...]]:
        """What it would end or warn of now and would not have when it was asked for, and why that voids it."""
        lost, warned = await asyncio.gather(self._lost(repair), self._warned(repair, look, crontab))
        return (WORSE, (*lost, *warned)) if lost else (WARNED, warned)

    async def _lost(self, repair: RepairRequest) -> tuple[str, ...]:
        if not (names := [loss.name for loss in repair.forecast.losses]):
            return ()
        from bot.services.runbook import impact  # the engine is loaded at its first use

        return worse(repair.forecast, await impact.read(self.context_of(repair.target), names))

    async def _warned(self, repair: RepairRequest, look: Awaitable[Any] | None, crontab: bool) -> tuple[str, ...]:
        if not repair.action.restarts or self.check_context is None:
            return ()
        from bot.services.approvals import start_warnings  # only a restart's approval needs it

        context = self.context_of(repair.target)
        return newly_warned(repair.forecast, await start_warnings.read(context, repair, look, crontab=crontab))

    def _execution(self, repair: RepairRequest) -> Execution:
        return self.executions[repair.action.name]

    def start(self, repair: RepairRequest, ahead: Ahead | None = None, *, sent: bool = False) -> None:
        """Carry out a request whose lease this process has; a no-op while it is being carried out already.

        ``sent``: another process may have sent the call already.
        """
        if repair.id not in self._tasks and not self._stopped:
            self._begin(repair, self._guarded(repair, ahead, sent))

    async def store(self, repair: RepairRequest, value: SecretStr) -> RepairRequest:
        """Store the value for a request that this process has claimed, and end the request with the result.

        Raises `LeaseLost` where another process has taken it over, or this one works on it already or is stopping.
        """
        if repair.id in self._tasks or self._stopped:
            raise LeaseLost
        work = partial(self._execution(repair).store, repair, value, self)
        return await self._begin(repair, self._releasing(repair, work))

    def _begin(self, repair: RepairRequest, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run ``work`` as this process's only task for the request."""
        task = asyncio.create_task(work, name=f"carry-out-{repair.id}")
        self._tasks[repair.id], self._called[repair.id] = task, asyncio.Event()
        self._renewed[repair.id] = self.clock.monotonic()  # it was claimed or taken a moment ago
        task.add_done_callback(lambda _: self._over(repair.id))
        return task

    def _over(self, id_: str) -> None:
        self._tasks.pop(id_, None)
        self._renewed.pop(id_, None)
        self._waits.pop(id_, None)
        self._called.pop(id_).set()

    async def ahead(self, repair: RepairRequest) -> bool:
        """Wait until a started request's first call is answered or the request has ended, at most ``patience``.

        Returns whether that came. Before it, it isn't known whether the repair will be carried out at all: the
        target may have changed since the request.
        """
        if called := self._called.get(repair.id):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.patience):
                    await called.wait()
            return called.is_set()
        return True

    def busy(self, id_: str) -> bool:
        """Whether this process is working on the request."""
        return id_ in self._tasks

    async def stop(self, seconds: float) -> None:
        """Start nothing more, wait up to ``seconds`` for calls in flight, then release the leases."""
        self._stopped = True
        if self._calls:
            await asyncio.wait(tuple(self._calls), timeout=seconds)
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, repair: RepairRequest, ahead: Ahead | None, sent: bool) -> None:
        try:
            await self._releasing(repair, partial(self._as_approved, repair, ahead, sent))
        except LeaseLost:
            logger.info("another process has taken the repair over", extra={"repair": repair.id})
        except Exception as error:
            logger.exception("carrying out a repair failed", extra={"repair": repair.id})
            await self._break_off(repair.id, error)

    async def _break_off(self, id_: str, error: Exception) -> None:
        """End a request that an unexpected exception broke off, once the time for resuming it is over.

        Until then it is resumed when its lease has ended, since the exception may not come again.
        """
        try:
            repair = await self.ledger.request(id_)
            if repair is None or repair.state.final or not self._is_late(repair):
                return
            execution = self._execution(repair)
            why = inner(error) if isinstance(error, AgentpodError) else defect(error)
            await self.end(repair, RequestState.FAILED, execution.broken_off(repair, why), execution.check)
        except LeaseLost:
            logger.info("another process has taken the repair over", extra={"repair": id_})
        except Exception:
            logger.exception("a repair could not be ended; it will be resumed", extra={"repair": id_})

    def _is_late(self, repair: RepairRequest) -> bool:
        """Whether a request is not resumed any more: the time to begin and to follow is over."""
        return self.clock.now() > start_by(repair.request, self.policy) + self.policy.follow_for

    async def _releasing(self, repair: RepairRequest, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run ``work``; release the lease when it is cancelled."""
        try:
            return await work()
        except asyncio.CancelledError:
            with contextlib.suppress(AgentpodError, LeaseLost, TimeoutError):
                async with asyncio.timeout(3):
                    await self.release(repair.id)
            raise

    async def _as_approved(self, repair: RepairRequest, ahead: Ahead | None, sent: bool) -> None:
        """Carry out a request; end it where it is no longer what was approved."""
        try:
            await self._carry_out(repair, ahead, sent)
        except NotApproved as found:
            if ahead is not None:
                ahead.cancel()
            result = ExecutionResult(found.why, self.clock.now(), found.new, "status")
            await self.conclude(found.repair, RequestState.VOID, result)

    async def _carry_out(self, repair: RepairRequest, ahead: Ahead | None, sent: bool) -> None:
        if repair.wait is not None:  # the API server asked the previous process to wait
            repair = await self.wait(repair, repair.wait)
        why, new = await ahead.worse if ahead is not None and ahead.worse is not None else ("", ())
        if new:
            raise NotApproved(repair, why, new)
        if not self.knows(repair):
            text = f"target {repair.target} is no longer in the settings: look yourself whether it was done"
            await self.end(repair, RequestState.FAILED, text)
        elif (unfit := self._unfit(repair, sent)) is not None:
            if ahead is not None:
                ahead.cancel()
            await self.end(repair, *unfit)
        else:
            look = ahead.look if ahead is not None else None
            await self._execution(repair).carry_out(repair, self, look, sent=sent)

    def _unfit(self, repair: RepairRequest, sent: bool) -> tuple[RequestState, str, str | None] | None:
        """Why it must not be carried out, whatever the target's state: state, text and remedy to end with."""
        if repair.sent_at is not None:
            return None
        if is_incomplete(repair):
            why = "the ledger kept the request without something that looks like a secret"
            text = self._execution(repair).broken_off(repair, why) if sent else f"nothing was changed: {why}"
            return RequestState.FAILED, text, "Ask again, or do it by hand."
        off = [] if sent else self.off(repair)
        return (RequestState.VOID, off[0], None) if off else None

    async def take_over(self, *, at_start: bool = False) -> int:
        """Take over and resume requests whose lease has ended or was released; returns how many.

        ``at_start`` of the only process on a ledger every lease is a dead process's, so all are taken over.
        """
        now = await self.ledger.now(self.clock.now())
        horizon = now + timedelta(days=36500) if at_start and self.ledger.exclusive else now
        count = 0
        for found in await self.ledger.without_lease(horizon):
            if self.busy(found.id) or self._stopped:
                continue
            repair = await self.take(found.id, now if _is_by(found, self.name) else horizon)
            if repair is not None:
                count += 1
                self.start(repair, sent=True)
        return count


def _task(read: Awaitable[T] | None, name: str) -> asyncio.Task[T] | None:
    if read is None:
        return None
    task = asyncio.create_task(_awaited(read), name=name)
    task.add_done_callback(_retrieve)
    return task


def _known(seen: T) -> asyncio.Future[T]:
    """What was read already, as a read."""
    known: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    known.set_result(seen)
    return known


async def _awaited(read: Awaitable[T]) -> T:
    return await read


def _is_by(repair: RepairRequest, name: str) -> bool:
    """Whether that process has the lease, or had the last one."""
    return repair.held is not None and repair.held.by == name


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Retrieve a task's exception, so that asyncio doesn't log it as never retrieved."""
    if not task.cancelled():
        task.exception()
