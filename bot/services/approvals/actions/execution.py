"""The steps that carry out a repair: read → compare → call → record that it was sent → follow.

A process may die between any two steps, so a step must be safe to repeat. The call is idempotent: it carries the
approval's id, has the same content whichever process sends it, and is bound to the state that was read (a resource
version or a uid). So the process that takes over reads the target and, if nothing has changed since the request,
sends the call again: the change is still made once.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import SecretStr

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.approval import RequestState, Snapshot, may_start, start_by
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.health.rollout import ChangeMarker
from bot.errors import AgentpodError, Conflict, Permanent, Transient, Uncertain
from bot.services.approvals import request_log
from bot.services.approvals.early_refusals import EarlyRefusals
from bot.services.approvals.lease_holder import RENEW, LeaseHolder, LeaseLost, NotApproved

logger = logging.getLogger("agentpod.repairs")

S = TypeVar("S")
_NOBODY_KNOWS = "it may have been sent, and nobody knows whether it was done"


class _BrokenCallError(Uncertain):
    """An unexpected exception ended the call: it may have been sent, and is not sent again."""


class Execution(ABC):
    """How one action is carried out by the process that has the request's lease. Keeps no state per request."""

    action: ClassVar[RepairAction]
    check: ClassVar[str] = "Look before you ask again."
    """The remedy where it isn't known whether the change was made."""

    @property
    def name(self) -> str:
        """The action's name."""
        return self.action.name

    @abstractmethod
    async def carry_out(
        self, repair: RepairRequest, holder: LeaseHolder, look: Awaitable[Any] | None, *, sent: bool
    ) -> None:
        """Carry out a claimed request and end it. Raises `LeaseLost` where another process has taken it over.

        ``look`` is the read that `look_ahead` began. ``sent``: another process may have sent the call already.
        """

    def look_ahead(self, repair: RepairRequest, holder: LeaseHolder) -> Awaitable[Any] | None:  # noqa: ARG002
        """Begin to read the target while the last approval is recorded; None where nothing can be read ahead."""
        return None

    @abstractmethod
    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """Make the calls in order, for a dry run: the holder's clusters only record them. Saves nothing."""

    async def preview(self, repair: RepairRequest, holder: LeaseHolder, seen: Any = None) -> bool:  # noqa: ARG002
        """Make the calls that change API objects, for a server-side dry run: the holder's clusters store nothing.

        ``seen`` is the target's state, where it was read for the request; None: it is read.
        Returns whether there are any; raises what the calls would raise.
        """
        return False

    def broken_off(self, repair: RepairRequest, why: str) -> str:
        """What is said of a request that can't be carried on, by what the ledger has of it."""
        if repair.sent_at is not None:
            return f"it was sent, and could not be followed: {why}"
        return f"{_NOBODY_KNOWS}: {why}"

    async def store(self, repair: RepairRequest, value: SecretStr, holder: LeaseHolder) -> RepairRequest:
        """Store the value that the requester gave, and end the request. Only for actions that need a value."""
        raise NotImplementedError


class Stepwise(Execution, Generic[S]):
    """Makes one call and follows it. ``S`` is the target's state as read; the steps raise as `Cluster` does."""

    @abstractmethod
    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> S:
        """Read the state that the change is bound to."""

    @abstractmethod
    def snapshot(self, seen: S) -> Snapshot:
        """The part of the state that is compared with what was approved."""

    @abstractmethod
    def is_made(self, repair: RepairRequest, seen: S, *, tried: bool) -> bool:
        """Whether the state shows that the change was made. ``tried``: a call may have been sent."""

    @abstractmethod
    async def call(self, repair: RepairRequest, seen: S, holder: LeaseHolder) -> S:
        """Make the change, with one call that takes effect at most once; returns the state after it."""

    @abstractmethod
    async def follow(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """Follow the change, also after a crash, and end the request with the result."""

    def changes(self, repair: RepairRequest, seen: S) -> Sequence[str]:
        """What has changed since the request, so that the approval is void."""
        return self.action.changes(repair.request.snapshot, self.snapshot(seen))

    def marked(self, repair: RepairRequest, seen: S) -> ChangeMarker | None:  # noqa: ARG002 - most need no more
        """The marker by which the rollout that the change caused is recognised."""
        return repair.mark

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        await self.call(repair, await self.look(repair, holder), holder)

    async def preview(self, repair: RepairRequest, holder: LeaseHolder, seen: Any = None) -> bool:
        """See `Execution`."""
        await self.call(repair, await self.look(repair, holder) if seen is None else seen, holder)
        return True

    def look_ahead(self, repair: RepairRequest, holder: LeaseHolder) -> Awaitable[Any] | None:
        """See `Execution`."""
        return self.look(repair, holder)

    async def carry_out(
        self, repair: RepairRequest, holder: LeaseHolder, look: Awaitable[Any] | None, *, sent: bool
    ) -> None:
        """See `Execution`."""
        made = repair if repair.sent_at else await self._change(repair, holder, look, sent)
        if not made.state.final:
            await self.follow(made, holder)

    async def _change(
        self, repair: RepairRequest, holder: LeaseHolder, look: Awaitable[Any] | None, sent: bool
    ) -> RepairRequest:
        """Make the change or find that it was made; end the request where neither is possible.

        ``sent``: a call may have been sent whose answer was lost.
        """
        refusals, broken = EarlyRefusals(holder.settling), None
        while True:
            try:
                seen = await read(look or self.look(repair, holder))
                made, against = self.is_made(repair, seen, tried=sent), self._against(repair, seen, holder, sent)
                if not made and against is None and look is None:  # not read at the approval, but later
                    against = await _not_approved(repair, seen, holder, sent)
                if not made and against is None and broken is not None:
                    return await holder.end(repair, RequestState.FAILED, *self._unmade(broken, sent))
                if not made and against is None:
                    repair = await _beginning(
                        repair, holder
                    )  # last before the call: raises where the lease is lost
                    try:
                        seen = await holder.leased_during(
                            repair, _called(partial(self.call, repair, seen, holder))
                        )
                    finally:
                        holder.answered(repair)
            except (Conflict, Uncertain) as error:  # the next read shows whether the change was made
                sent = sent or isinstance(error, Uncertain)
                broken = error if isinstance(error, _BrokenCallError) else broken
                _look_again(repair, error)
            except AgentpodError as error:
                passing = isinstance(error, Transient) or refusals.may_pass(error)
                if not passing or _given_up(repair, holder, sent):
                    return await holder.end(repair, RequestState.FAILED, *self._unmade(error, sent))
                repair = await _rest(repair, holder, error, sent)
            else:
                if against is not None and not made:
                    return await holder.end(repair, *against)
                return await holder.sent(replace(repair, mark=self.marked(repair, seen)))
            look, repair = None, await holder.renewed(repair)

    def _against(
        self, repair: RepairRequest, seen: S, holder: LeaseHolder, sent: bool
    ) -> tuple[RequestState, str] | None:
        """Why a change that isn't made yet must not be made, with the state to end in; None where it may."""
        if changes := [*holder.off(repair), *self.changes(repair, seen)]:
            text = "; ".join(changes)
            return (RequestState.FAILED, f"{_NOBODY_KNOWS}: {text}") if sent else (RequestState.VOID, text)
        if may_start(repair.request, holder.policy, holder.clock.now()):
            return None
        return RequestState.FAILED, _late(holder.policy.start_within, sent)

    def _unmade(self, error: AgentpodError, sent: bool) -> tuple[str, str | None]:
        """The text and remedy of a change that failed."""
        if sent:
            return f"{_NOBODY_KNOWS}: {inner(error)}", self.check
        return f"nothing was changed: {inner(error)}", error.remedy


async def _beginning(repair: RepairRequest, holder: LeaseHolder) -> RepairRequest:
    """The request with the time of its call, from which the downtime counts; the lease is renewed.

    Where the call comes late, that time is saved first: a process that takes over can't know it otherwise.
    """
    if repair.mark is None:
        return await holder.renewed(repair)
    now = holder.clock.now()
    begun = replace(repair, mark=replace(repair.mark, started_at=now))
    return await (holder.save(begun) if now - repair.mark.started_at > RENEW else holder.renewed(begun))


async def _not_approved(
    repair: RepairRequest, seen: object, holder: LeaseHolder, sent: bool
) -> tuple[RequestState, str] | None:
    """Why nobody approved it as it is now, where it may have been sent. Raises `NotApproved` where it was not."""
    try:
        await holder.judge_again(repair, seen)
    except NotApproved as found:
        if not sent:
            raise
        return RequestState.FAILED, f"{_NOBODY_KNOWS}: {found.why}: {'; '.join(found.new)}"
    return None


async def read(look: Awaitable[S]) -> S:
    """Await a read. Raises `Permanent` for an unexpected exception: nothing is sent by a read."""
    try:
        return await look
    except (AgentpodError, LeaseLost):
        raise
    except Exception as error:
        logger.exception("a read for a repair met an unexpected error")
        raise Permanent(f"{defect(error)}.") from error


async def _called(call: Callable[[], Awaitable[S]]) -> S:
    """Make a call, which a task that is cancelled before its start has not begun.

    Raises `_BrokenCallError` for an unexpected exception: it may have been sent.
    """
    try:
        return await call()
    except (AgentpodError, LeaseLost):
        raise
    except Exception as error:
        logger.exception("the call of a repair met an unexpected error")
        raise _BrokenCallError(f"{defect(error)}.") from error


def defect(error: Exception) -> str:
    """An unexpected exception in words, without its text, which may have a value in it."""
    return f"unexpected {type(error).__name__}, see the bot's log"


async def _rest(repair: RepairRequest, holder: LeaseHolder, error: AgentpodError, sent: bool) -> RepairRequest:
    """Wait before the next try, at most until the last one is due; the lease is renewed meanwhile."""
    wanted = getattr(error, "retry_after", None) or holder.retry
    left = (_last_try(repair, holder, sent) - holder.clock.now()).total_seconds()
    pause = min(wanted, max(left, 0.0) + holder.retry)
    if pause > holder.retry:
        return await holder.pause(repair, pause, error.message)
    return await holder.sleep(repair, pause)


def _look_again(repair: RepairRequest, error: AgentpodError) -> None:
    """Log why the target is read again before anything else is done."""
    if isinstance(error, Uncertain):
        request_log.unsure(repair, error.message)
    else:
        logger.debug("target is read again: %s", error.message, extra={"repair": repair.id})


def _given_up(repair: RepairRequest, holder: LeaseHolder, sent: bool) -> bool:
    """Whether the time for tries is over; see `_last_try`."""
    more = holder.policy.follow_for if sent else timedelta()
    return not may_start(repair.request, holder.policy, holder.clock.now() - more)


def _last_try(repair: RepairRequest, holder: LeaseHolder, sent: bool) -> datetime:
    """The time of the last try: `start_by`, plus ``follow_for`` where a call may have been sent."""
    more = holder.policy.follow_for if sent else timedelta()
    return start_by(repair.request, holder.policy) + more


def _late(within: timedelta, sent: bool) -> str:
    minutes = round(within.total_seconds() / 60)
    if sent:
        return (
            f"it may have been sent, and has done nothing {minutes} min after the approval: it is not sent again"
        )
    return f"it was not begun within {minutes} min of the approval: nothing was changed"


def inner(error: AgentpodError) -> str:
    """An error's message for use inside another sentence: lower-case, without its full stop."""
    return words.lower_first(error.message).rstrip(".")
