"""Decides why an alert is muted: maintenance, a restart in progress, or a pod that was down at the deadline."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.incidents import downtime
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.ports.ledger import Ledger, Writing


def downtimes_mark(target: str) -> str:
    """The ledger's mark for the pod's recent downtimes."""
    return f"down:{target}"


def unseen_mark(target: str) -> str:
    """The ledger's mark for the time since when the pod can't be read; empty while it can."""
    return f"unseen:{target}"


async def restarting(tx: Writing, target: str) -> RepairRequest | None:
    """The target's restart that is being carried out, if any."""
    found = await tx.open_requests(target)
    return next((c for c in found if c.action.restarts and c.state is RequestState.EXECUTING), None)


_RESTARTED = "being restarted ({})"
_BY = re.compile(re.escape(_RESTARTED).replace(r"\{\}", r"(r-\w+)"))
"""The request of the restart that a reason names."""


async def as_now(ledger: Ledger, incident: Incident) -> Incident:
    """The incident, not muted by a restart that has ended: its reason was written by the last poll before."""
    named = _BY.search(incident.problem.muted) if incident.there else None
    if named is None:
        return incident
    repair = await ledger.request(named[1])
    if repair is not None and repair.state is RequestState.EXECUTING:
        return incident
    return replace(incident, problem=replace(incident.problem, muted=""))


MuteReason = Callable[[HeartbeatPolicy, datetime, bool], str]
"""(policy, missed deadline, whether a push reported failure) → why the job's alert is muted; empty: it isn't."""


class Muting:
    """Why alerts are muted, by the rules and by the downtimes in the ledger."""

    def __init__(self, rules: AlertRules) -> None:
        """``rules`` hold the maintenance windows."""
        self._rules = rules

    async def of(self, tx: Writing, target: Target, now: datetime) -> MuteReason:
        """A function that gives the reason for each job of the target.

        A push that reported failure is muted by maintenance only: the job ran, so the pod's downtime doesn't
        explain it.
        """
        repair = await restarting(tx, target.name)
        if repair is not None and repair.action.container(repair) not in ("", target.container().name):
            repair = None  # the jobs run in the first container, which stays up
        downtimes = downtime.from_text(await tx.mark(downtimes_mark(target.name)) or "")
        unseen = words.moment_of(await tx.mark(unseen_mark(target.name)))

        def why(policy: HeartbeatPolicy, missed: datetime, failed: bool) -> str:
            window = self._rules.window(target.name, policy.job, now)
            if window is not None:
                return f"maintenance {window.name}"
            if failed or not policy.inside:
                return ""
            if (
                repair is not None
                and repair.mark is not None
                and missed >= repair.mark.started_at - downtime.SLACK_TIME
            ):
                return f"the pod is {_RESTARTED.format(repair.id)}"
            return downtime.excuse(downtimes, policy, missed, now, unseen)

        return why

    def of_target(self, target: Target, now: datetime) -> str:
        """Why alerts about the whole target are muted, such as an unreadable cluster; empty: they aren't."""
        window = self._rules.window(target.name, "", now)
        return f"maintenance {window.name}" if window is not None else ""

    async def of_pod(self, tx: Writing, target: Target, now: datetime) -> str:
        """Why alerts about the pod and what runs in it are muted; empty: they aren't."""
        if why := self.of_target(target, now):
            return why
        repair = await restarting(tx, target.name)
        return f"it is {_RESTARTED.format(repair.id)}" if repair is not None else ""
