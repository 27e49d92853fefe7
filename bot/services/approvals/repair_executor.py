"""Carries out what is approved and claimed, once, and brings it to its end: each case in a task of its own.

How an action is carried out is its `Execution`'s. Here is who works at which case, and takes it up after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from pydantic import SecretStr

from bot.domain.approvals.approval import State
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.registry import Registry
from bot.errors import AgentpodError
from bot.services.approvals.actions.execution import Execution
from bot.services.approvals.actions.registry import BUILTIN
from bot.services.approvals.lease_holder import LeaseHolder, Lost

logger = logging.getLogger("agentpod.repairs")

T = TypeVar("T")
AHEAD = 3.0
"""Seconds for which what an approver is told waits at most for the look at the target, and the call after it."""


@dataclass
class RepairExecutor(LeaseHolder):
    """Carries out claimed cases in tasks of its own."""

    patience: float = AHEAD
    executions: Registry[Execution] = BUILTIN
    _tasks: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    _stopped: bool = False

    def knows(self, case: RepairRequest) -> bool:
        """Whether a case's target is in the settings: it may be older than they are."""
        return case.target in self.targets

    def look_ahead(self, case: RepairRequest) -> asyncio.Task[Any] | None:
        """Begin to look at a case's target, where its execution begins so."""
        look = self._execution(case).look_ahead(case, self)
        if look is None:
            return None
        task = asyncio.create_task(_awaited(look), name=f"look-{case.id}")
        task.add_done_callback(_heard)
        return task

    def _execution(self, case: RepairRequest) -> Execution:
        return self.executions[case.action.name]

    def start(self, case: RepairRequest, look: asyncio.Task[Any] | None = None, *, sent: bool = False) -> None:
        """Carry out a case that this process holds; a second call while it does so changes nothing.

        ``sent``: another process may have sent the call already.
        """
        if case.id not in self._tasks and not self._stopped:
            self._begin(case, self._guarded(case, look, sent))

    async def store(self, case: RepairRequest, value: SecretStr) -> RepairRequest:
        """Store the value of a case that this process has claimed, and end it with what came of it.

        Raises `Lost` where another process has the case by now.
        """
        if case.id in self._tasks or self._stopped:
            raise Lost
        work = partial(self._execution(case).store, case, value, self)
        return await self._begin(case, self._letting_go(case, work))

    def _begin(self, case: RepairRequest, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Work at a case, as the only one in this process."""
        task = asyncio.create_task(work, name=f"carry-out-{case.id}")
        self._tasks[case.id], self._called[case.id] = task, asyncio.Event()
        self._renewed[case.id] = self.clock.monotonic()  # it was claimed or taken a moment ago
        task.add_done_callback(lambda _: self._over(case.id))
        return task

    def _over(self, id_: str) -> None:
        self._tasks.pop(id_, None)
        self._renewed.pop(id_, None)
        self._waits.pop(id_, None)
        self._called.pop(id_).set()

    async def ahead(self, case: RepairRequest) -> bool:
        """Wait until the first call of a started case is answered, or the case is over; says whether that came.

        Before that nobody knows whether it is carried out: the target may have changed since the request.
        """
        if called := self._called.get(case.id):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.patience):
                    await called.wait()
            return called.is_set()
        return True

    def busy(self, id_: str) -> bool:
        """Whether this process is at it."""
        return id_ in self._tasks

    async def stop(self, seconds: float) -> None:
        """Let calls under way come to an end, then leave the rest to whoever comes next. Nothing begins."""
        self._stopped = True
        if self._calls:
            await asyncio.wait(tuple(self._calls), timeout=seconds)
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, case: RepairRequest, look: asyncio.Task[Any] | None, sent: bool) -> None:
        try:
            await self._letting_go(case, partial(self._carry_out, case, look, sent))
        except Lost:
            logger.info("another process has taken it over", extra={"repair": case.id})
        except Exception:
            logger.exception("carrying out failed; it is taken up again", extra={"repair": case.id})

    async def _letting_go(self, case: RepairRequest, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Work that, when it is stopped, leaves the case to whoever comes next."""
        try:
            return await work()
        except asyncio.CancelledError:
            with contextlib.suppress(AgentpodError, Lost, TimeoutError):
                async with asyncio.timeout(3):
                    await self.let_go(case.id)
            raise

    async def _carry_out(self, case: RepairRequest, look: asyncio.Task[Any] | None, sent: bool) -> None:
        if case.wait is not None:  # another process was asked to wait
            case = await self.wait(case, case.wait)
        if self.knows(case):
            await self._execution(case).carry_out(case, self, look, sent=sent)
        else:
            text = f"target {case.target} is no longer in the settings: look yourself whether it was done"
            await self.end(case, State.FAILED, text)

    async def take_over(self, *, at_start: bool = False) -> int:
        """Go on with what nobody holds: a process died, or gave it up. Gives how many were taken.

        ``at_start``, on a ledger that is ours alone, whatever is held is held by a process that is gone.
        """
        now = await self.ledger.now(self.clock.now())
        horizon = now + timedelta(days=36500) if at_start and self.ledger.exclusive else now
        count = 0
        for found in await self.ledger.unheld(horizon):
            if self.busy(found.id) or self._stopped:
                continue
            case = await self.take(found.id, now if _is_by(found, self.name) else horizon)
            if case is not None:
                count += 1
                self.start(case, sent=True)
        return count


async def _awaited(look: Awaitable[T]) -> T:
    return await look


def _is_by(case: RepairRequest, name: str) -> bool:
    """Whether that process holds it, or did last."""
    return case.held is not None and case.held.by == name


def _heard(task: asyncio.Task[Any]) -> None:
    """A look that nobody waited for may fail without being reported as forgotten."""
    if not task.cancelled():
        task.exception()
