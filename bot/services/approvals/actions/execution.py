"""How a repair is carried out: look → compare → call → note that it was sent → follow, each step an action's own.

The call is idempotent by what it says: it carries the approval's id, has the same content whoever sends it, and is
bound to what was looked at. So a process that takes over from one that died may look and, where nothing has
changed since the request, send it again: it changes nothing twice.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import SecretStr

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.approval import Snapshot, State, may_start, start_by
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.health.rollout import ChangeMarker
from bot.errors import AgentpodError, Conflict, Transient, Uncertain
from bot.services.approvals import request_log
from bot.services.approvals.early_refusals import Doubt
from bot.services.approvals.lease_holder import LeaseHolder

logger = logging.getLogger("agentpod.repairs")

S = TypeVar("S")
_NOBODY_KNOWS = "it may have been sent, and nobody knows whether it was done"


class Execution(ABC):
    """How one action is carried out by the process that holds the case. It keeps nothing of a case itself."""

    action: ClassVar[RepairAction]

    @property
    def name(self) -> str:
        """The action's."""
        return self.action.name

    @abstractmethod
    async def carry_out(
        self, case: RepairRequest, holder: LeaseHolder, look: Awaitable[Any] | None, *, sent: bool
    ) -> None:
        """Bring a claimed case to its end. Raises `Lost` where another process has it by now.

        ``look``: what `look_ahead` began. ``sent``: another process may have sent the call already.
        """

    def look_ahead(self, case: RepairRequest, holder: LeaseHolder) -> Awaitable[Any] | None:  # noqa: ARG002
        """What can be read while the last approval is written down; None where nothing is."""
        return None

    async def store(self, case: RepairRequest, value: SecretStr, holder: LeaseHolder) -> RepairRequest:
        """Bring a case to its end with the value that its requester gave: only where the action needs one."""
        raise NotImplementedError


class Stepwise(Execution, Generic[S]):
    """One that sends one call and follows it. ``S`` is what a look gives; each step raises as the cluster does."""

    check: ClassVar[str] = "Look before you ask again."
    """What to do where nobody knows whether it was done."""

    @abstractmethod
    async def look(self, case: RepairRequest, holder: LeaseHolder) -> S:
        """Read what the change is bound to."""

    @abstractmethod
    def snapshot(self, seen: S) -> Snapshot:
        """What of a look is compared with what was approved."""

    @abstractmethod
    def is_made(self, case: RepairRequest, seen: S, *, tried: bool) -> bool:
        """Whether a look shows that the change is there. ``tried``: a call may have gone out."""

    @abstractmethod
    async def call(self, case: RepairRequest, seen: S, holder: LeaseHolder) -> S:
        """Make the change, with one call that takes effect at most once; gives what is there after it."""

    @abstractmethod
    async def follow(self, case: RepairRequest, holder: LeaseHolder) -> None:
        """Watch what was sent, also after a crash, and end the case with what came of it."""

    def marked(self, case: RepairRequest, seen: S) -> ChangeMarker | None:  # noqa: ARG002 - most need no more
        """What a rollout that it caused will be recognised by."""
        return case.mark

    def look_ahead(self, case: RepairRequest, holder: LeaseHolder) -> Awaitable[Any] | None:
        """See `Execution`."""
        return self.look(case, holder)

    async def carry_out(
        self, case: RepairRequest, holder: LeaseHolder, look: Awaitable[Any] | None, *, sent: bool
    ) -> None:
        """See `Execution`."""
        made = case if case.sent_at else await self._change(case, holder, look, sent)
        if not made.state.final:
            await self.follow(made, holder)

    async def _change(
        self, case: RepairRequest, holder: LeaseHolder, look: Awaitable[Any] | None, sent: bool
    ) -> RepairRequest:
        """Make the change, or find it made, or end the case where neither can be.

        ``sent``: a call may have gone out whose answer nobody has.
        """
        doubt = Doubt(holder.settling)
        while True:
            try:
                seen = await (look or self.look(case, holder))
                made, against = self.is_made(case, seen, tried=sent), self._against(case, seen, holder, sent)
                if not made and against is None:
                    case = await holder.renewed(case)  # the last thing before the call: it is ours still
                    try:
                        seen = await holder.ours_meanwhile(case, self.call(case, seen, holder))
                    finally:
                        holder.answered(case)
            except (Conflict, Uncertain) as error:  # look again: that says whether it was done
                sent = sent or isinstance(error, Uncertain)
                _look_again(case, error)
            except AgentpodError as error:
                passing = isinstance(error, Transient) or doubt.of(error)
                if not passing or _given_up(case, holder, sent):
                    return await holder.end(case, State.FAILED, *self._unmade(error, sent))
                case = await _rest(case, holder, error, sent)
            else:
                if against is not None and not made:
                    return await holder.end(case, *against)
                return await holder.sent(replace(case, mark=self.marked(case, seen)))
            look, case = None, await holder.renewed(case)

    def _against(self, case: RepairRequest, seen: S, holder: LeaseHolder, sent: bool) -> tuple[State, str] | None:
        """What a look shows to be in the way of a change that is not there; None where it may be made."""
        if changes := self.action.changes(case.request.snapshot, self.snapshot(seen)):
            text = "; ".join(changes)
            return (State.FAILED, f"{_NOBODY_KNOWS}: {text}") if sent else (State.VOID, text)
        if may_start(case.request, holder.policy, holder.clock.now()):
            return None
        return State.FAILED, _late(holder.policy.start_within, sent)

    def _unmade(self, error: AgentpodError, sent: bool) -> tuple[str, str | None]:
        """What is said of a change that failed, and what to do."""
        if sent:
            return f"{_NOBODY_KNOWS}: {inner(error)}", self.check
        return f"nothing was changed: {inner(error)}", error.remedy


async def _rest(case: RepairRequest, holder: LeaseHolder, error: AgentpodError, sent: bool) -> RepairRequest:
    """Wait before the next try, not past the moment at which it is given up; the case stays ours meanwhile."""
    wanted = getattr(error, "retry_after", None) or holder.retry
    left = (_last_try(case, holder, sent) - holder.clock.now()).total_seconds()
    pause = min(wanted, max(left, 0.0) + holder.retry)
    if pause > holder.retry:
        return await holder.pause(case, pause, error.message)
    return await holder.sleep(case, pause)


def _look_again(case: RepairRequest, error: AgentpodError) -> None:
    """A look says whether it was done."""
    if isinstance(error, Uncertain):
        request_log.unsure(case, error.message)
    else:
        logger.debug("look again: %s", error.message, extra={"repair": case.id})


def _given_up(case: RepairRequest, holder: LeaseHolder, sent: bool) -> bool:
    """Whether it is not tried any more."""
    more = holder.policy.follow_for if sent else timedelta()
    return not may_start(case.request, holder.policy, holder.clock.now() - more)


def _last_try(case: RepairRequest, holder: LeaseHolder, sent: bool) -> datetime:
    """Until when it is tried. What may be done is looked for as long as it would be followed."""
    more = holder.policy.follow_for if sent else timedelta()
    return start_by(case.request, holder.policy) + more


def _late(within: timedelta, sent: bool) -> str:
    minutes = round(within.total_seconds() / 60)
    if sent:
        return (
            f"it may have been sent, and has done nothing {minutes} min after the approval: it is not sent again"
        )
    return f"it was not begun within {minutes} min of the approval: nothing was changed"


def inner(error: AgentpodError) -> str:
    """An error's sentence within another one."""
    return words.lower_first(error.message).rstrip(".")
