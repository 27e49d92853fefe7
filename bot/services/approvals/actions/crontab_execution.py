"""Carries out both changes of the crontab: a new file is renamed over it, and read back.

The state is the digest of the file, and the one call is the rename. What comes before it may be repeated.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from bot.domain.approvals.actions.crontab_action import CrontabAction
from bot.domain.approvals.approval import RequestState, Snapshot
from bot.domain.approvals.crontab_change import CrontabChange, change_of, snapshot
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core.cron.supercronic_log import CrontabReads, crontab_reads
from bot.domain.core.workload import Pod
from bot.domain.health import judge_pod
from bot.errors import AgentpodError, Permanent, Transient
from bot.services.approvals.actions.execution import Stepwise, inner
from bot.services.approvals.crontab_file import CrontabFiles
from bot.services.approvals.lease_holder import LeaseHolder

LOG_WITHIN = timedelta(seconds=8)
"""How long supercronic's log is waited for: with -inotify it reads the crontab within a second."""
SLACK = timedelta(seconds=2)
LOG_LINES = 2_000
READ_WITHIN = timedelta(minutes=2)
"""How long reading the file back is tried."""
REMEDY = "`/agentpod cron undo` restores the previous version."


@dataclass(frozen=True)
class _Seen:
    """The pod and its crontab as they are now."""

    pod: Pod | None
    state: Snapshot


class ChangeCrontab(Stepwise[_Seen]):
    """See the module."""

    action: ClassVar[CrontabAction]
    check = "Look before you ask again: `/agentpod cron` shows the crontab as it is."

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        change, cluster = _change(repair), holder.cluster_of(repair.target)
        await cluster.pods(holder.targets[repair.target].selector)
        pod = repair.request.snapshot.pods[0][0]
        await CrontabFiles(cluster, pod, change.container).plan(change)
        if holder.targets[repair.target].cron == "supercronic":
            await cluster.logs(pod, change.container, since=SLACK, tail=LOG_LINES)

    async def preview(
        self,
        repair: RepairRequest,  # noqa: ARG002 - nothing is tried
        holder: LeaseHolder,  # noqa: ARG002
        seen: Any = None,  # noqa: ARG002
    ) -> bool:
        """See `Execution`: it changes no API object, and a command in a container can't be tried."""
        return False

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> _Seen:
        """See `Stepwise`. Of another pod than the approved one nothing is read."""
        change, cluster = _change(repair), holder.cluster_of(repair.target)
        pod = judge_pod.current(await cluster.pods(holder.targets[repair.target].selector))
        if pod is None or pod.uid != repair.request.snapshot.uid:
            return _Seen(pod, snapshot(pod, ""))
        files = CrontabFiles(cluster, pod.name, change.container)
        found = await files.digests(change.path, *([change.previous] if change.edit is None else []))
        previous = found.get(change.previous, "absent") if change.edit is None else ""
        return _Seen(pod, snapshot(pod, found.get(change.path, ""), previous))

    def snapshot(self, seen: _Seen) -> Snapshot:
        """See `Stepwise`."""
        return seen.state

    def is_made(self, repair: RepairRequest, seen: _Seen, *, tried: bool) -> bool:
        """See `Stepwise`. The same file counts only where a call may have been sent."""
        same = seen.state.uid == repair.request.snapshot.uid
        return tried and same and seen.state.version == _change(repair).after

    async def call(self, repair: RepairRequest, seen: _Seen, holder: LeaseHolder) -> _Seen:
        """See `Stepwise`."""
        change = _change(repair)
        files = _files(repair, holder, change)
        await files.prepare(change)
        await files.replace(change)
        return seen

    async def follow(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """Keep the version before, read the file back, and see whether supercronic took it."""
        change = _change(repair)
        files, until = _files(repair, holder, change), holder.clock.now() + READ_WITHIN
        while True:
            try:
                await files.keep_previous(change)
                found = (await files.digests(change.path)).get(change.path)
                break
            except AgentpodError as error:
                if not isinstance(error, Transient) or holder.clock.now() >= until:
                    text = f"the new crontab was stored, and can't be read back: {inner(error)}"
                    await holder.end(repair, RequestState.FAILED, text, self.check)
                    return
                repair = await holder.sleep(repair, holder.retry)
        if found != change.after:
            text = "the new crontab was stored, and somebody has changed the file since"
            await holder.end(repair, RequestState.FAILED, text, self.check)
            return
        if holder.targets[repair.target].cron != "supercronic":
            done = ExecutionResult(
                "the file has the new content; cron reads it within a minute", holder.clock.now()
            )
            await holder.conclude(repair, RequestState.SUCCEEDED, done)
            return
        await self._taken(repair, holder, change)

    async def _taken(self, repair: RepairRequest, holder: LeaseHolder, change: CrontabChange) -> None:
        """End the request with what supercronic's log says of it."""
        until, confirmed, why = holder.clock.now() + LOG_WITHIN, False, ""
        while True:
            try:
                reads, why = await _reads(repair, holder, change), ""
            except AgentpodError as error:
                reads, why = CrontabReads(), inner(error)
            now = holder.clock.now()
            if reads.refused:
                said = holder.context_of(repair.target).outside.text(reads.refused)
                text = f"supercronic refused the new crontab and ended: {said[:300]}"
                outcome = ExecutionResult(text, now, (REMEDY,), advice="cron undo")
                await holder.conclude(repair, RequestState.FAILED, outcome)
                return
            if (reads.read and confirmed) or now >= until:
                text = _stored(reads, why)
                await holder.conclude(repair, RequestState.SUCCEEDED, ExecutionResult(text, now))
                return
            confirmed = reads.read  # it says that it reads the file before it refuses a line: look once more
            repair = await holder.sleep(repair, holder.tick)


def _stored(reads: CrontabReads, why: str) -> str:
    """What is known once the file has its new content; ``why`` the log can't be read."""
    if reads.read:
        return "the file has the new content, and supercronic has read it"
    unread = f"its log can't be read: {why}" if why else "its log does not say so"
    return (
        f"the file has the new content; not known whether supercronic has read it, since {unread}. "
        "Without -inotify it reads it only when it starts"
    )


def _change(repair: RepairRequest) -> CrontabChange:
    change = change_of(repair.details)
    if change is None:
        raise Permanent("This version can't read what was to be done.")
    return change


def _files(repair: RepairRequest, holder: LeaseHolder, change: CrontabChange) -> CrontabFiles:
    pod = repair.request.snapshot.pods[0][0]
    return CrontabFiles(holder.cluster_of(repair.target), pod, change.container)


async def _reads(repair: RepairRequest, holder: LeaseHolder, change: CrontabChange) -> CrontabReads:
    """What the log says since the call. Raises as `Cluster` does."""
    began = repair.mark.started_at if repair.mark is not None else holder.clock.now()
    since = max(holder.clock.now() - began, timedelta()) + SLACK
    pod = repair.request.snapshot.pods[0][0]
    log = await holder.cluster_of(repair.target).logs(pod, change.container, since=since, tail=LOG_LINES)
    return await asyncio.to_thread(crontab_reads, log.lines)
