"""Carries out `heartbeats push` where it needs approval: pushes once, and reads the Pushgateway to see it.

The push is recorded before it is sent, and never sent again: a second one would move the job's last success. Its
mark holds the time of the record, by which it is found at the Pushgateway, whichever process looks.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.domain.approvals.actions.heartbeat_push import HEARTBEAT_PUSH, labels_of, snapshot
from bot.domain.approvals.approval import RequestState, Snapshot, may_start
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.approvals.steps import StepLog, StepRun, log_of, with_log
from bot.domain.core import words
from bot.domain.core.stored import Unreadable
from bot.domain.heartbeats import by_hand
from bot.domain.heartbeats.heartbeat import MANUAL, PUSHED
from bot.errors import AgentpodError, Permanent
from bot.ports.heartbeats import HeartbeatSource
from bot.services.approvals import request_log
from bot.services.approvals.actions.execution import Execution, defect, inner, read
from bot.services.approvals.lease_holder import LeaseHolder, LeaseLost

logger = logging.getLogger("agentpod.repairs")
READ_BACK = timedelta(seconds=30)
"""How long the Pushgateway is read for a push of which no answer came."""
NOBODY_KNOWS = "unknown whether it was pushed; not repeated"


class PushHeartbeat(Execution):
    """See the module."""

    action = HEARTBEAT_PUSH

    def look_ahead(self, repair: RepairRequest, holder: LeaseHolder) -> Awaitable[Any] | None:
        """See `Execution`."""
        return _look(repair, holder)

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        await _look(repair, holder)
        await _push(repair, holder, holder.clock.now())
        await _look(repair, holder)

    async def carry_out(
        self,
        repair: RepairRequest,
        holder: LeaseHolder,
        look: Awaitable[Any] | None,
        *,
        sent: bool,  # noqa: ARG002 - the record says whether it may have been sent
    ) -> None:
        """See `Execution`."""
        try:
            log = log_of(repair.details)
        except Unreadable:
            await holder.end(repair, RequestState.FAILED, NOBODY_KNOWS)
            return
        if not log.runs:
            repair = await _begin(repair, holder, look)
        if not repair.state.final:
            await _read_back(repair, holder)


def _source(repair: RepairRequest, holder: LeaseHolder) -> HeartbeatSource:
    found = holder.context_of(repair.target).heartbeats
    if found is None:
        raise Permanent("There is no Pushgateway here.", remedy="Set AGENTPOD_PUSHGATEWAY__URL.")
    return found


async def _look(repair: RepairRequest, holder: LeaseHolder) -> Snapshot:
    """Read the job's group. Raises as `HeartbeatSource` does."""
    labels, poll = labels_of(repair), await _source(repair, holder).read((PUSHED, MANUAL))
    return snapshot(labels, by_hand.group_of(labels, poll.groups))


async def _push(repair: RepairRequest, holder: LeaseHolder, at: Any) -> None:
    labels, target = labels_of(repair), holder.targets[repair.target]
    await _source(repair, holder).push(labels, by_hand.gauges(target.heartbeats, labels["job"], at))


async def _begin(repair: RepairRequest, holder: LeaseHolder, look: Awaitable[Any] | None) -> RepairRequest:
    """Push once, or end the request where that may not be."""
    while True:
        in_time = may_start(repair.request, holder.policy, holder.clock.now())
        try:
            seen = await read(look or _look(repair, holder))
        except AgentpodError as error:
            if not in_time or isinstance(error, Permanent):
                text = f"nothing was pushed: {inner(error)}"
                return await holder.end(repair, RequestState.FAILED, text, error.remedy)
            look, repair = None, await holder.sleep(repair, holder.retry)
            continue
        if changes := HEARTBEAT_PUSH.changes(repair.request.snapshot, seen):
            return await holder.end(repair, RequestState.VOID, "; ".join(changes))
        if not in_time:
            minutes = round(holder.policy.start_within.total_seconds() / 60)
            late = f"it was not begun within {minutes} min of the approval: nothing was pushed"
            return await holder.end(repair, RequestState.FAILED, late)
        return await _send(repair, holder)


async def _send(repair: RepairRequest, holder: LeaseHolder) -> RepairRequest:
    """Record the push, send it, and record what came of it."""
    log = StepLog().began(holder.clock.now())
    labels, why = labels_of(repair), ""
    began = await holder.save(
        replace(repair, details=with_log(repair.details, log)), "execution", {"labels": labels, "by_hand": True}
    )
    try:
        await holder.leased_during(began, _push(repair, holder, log.runs[0].began))
    except AgentpodError as error:
        why = inner(error)
    except LeaseLost:
        raise
    except Exception as error:
        logger.exception("a push by hand met an unexpected error", extra={"repair": repair.id})
        why = defect(error)
    finally:
        holder.answered(repair)
    if why:
        request_log.unsure(began, why)
    log = log.ended(holder.clock.now(), None if why else 0, [holder.context_of(repair.target).outside.text(why)])
    return await holder.save(replace(began, details=with_log(began.details, log)))


async def _read_back(repair: RepairRequest, holder: LeaseHolder) -> None:
    """End the request by what the Pushgateway shows."""
    run, labels = log_of(repair.details).runs[0], labels_of(repair)
    until = run.began + READ_BACK
    while True:
        unread = ""
        try:
            groups = (await _source(repair, holder).read((PUSHED, MANUAL))).groups
        except AgentpodError as error:
            groups, unread = (), inner(error)
        now = holder.clock.now()
        if by_hand.shows(by_hand.group_of(labels, groups), run.began):
            repair = await holder.sent(repair)
            outcome = ExecutionResult(f"pushed at {words.clock(run.began)}", now)
            await holder.conclude(repair, RequestState.SUCCEEDED, outcome)
            return
        if now > until:
            await holder.end(repair, RequestState.FAILED, _unseen(run, unread), "Look before you ask again.")
            return
        repair = await holder.sleep(repair, holder.tick)


def _unseen(run: StepRun, unread: str) -> str:
    """What is known of a push that the Pushgateway doesn't show."""
    if run.exit_code == 0:
        rest = f"it can't be read back: {unread}" if unread else "the Pushgateway does not show it"
        return f"it was pushed, and {rest}"
    why = "the bot ended before it had the answer" if run.ended is None else " ".join(run.output)
    return f"{NOBODY_KNOWS}: {why}"


EXECUTION = PushHeartbeat()
