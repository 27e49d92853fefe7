"""What is in the way of an alert: maintenance, a restart under way, a pod that was down when it was due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.domain.approvals.approval import State
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.incidents import downtime
from bot.domain.incidents.alerting import AlertRules
from bot.ports.ledger import Writing


def mark_of(target: str) -> str:
    """Under which name the pod's last times down are kept."""
    return f"down:{target}"


def unseen_of(target: str) -> str:
    """Under which name it is kept since when the pod can't be seen; empty while it can."""
    return f"unseen:{target}"


async def restarting(tx: Writing, target: str) -> RepairRequest | None:
    """The restart of the target that is under way, if any."""
    found = await tx.open_cases(target)
    return next((c for c in found if c.action.restarts and c.state is State.EXECUTING), None)


Why = Callable[[HeartbeatPolicy, datetime, bool], str]
"""What is in the way of telling a job's alert, by its policy, since when it is so, and whether a push failed."""


class Muting:
    """Why nothing is said of a job, by the rules and by what the ledger knows of the pod."""

    def __init__(self, rules: AlertRules) -> None:
        """``rules`` hold the maintenance windows."""
        self._rules = rules

    async def of(self, tx: Writing, target: Target, now: datetime) -> Why:
        """For one target: the reason by policy and by the deadline that was missed; empty for none.

        A push that failed was made, and refused: that is nothing that the pod's being down explains.
        """
        case = await restarting(tx, target.name)
        spells = downtime.read(await tx.mark(mark_of(target.name)) or "")
        unseen = words.moment_of(await tx.mark(unseen_of(target.name)))

        def why(policy: HeartbeatPolicy, missed: datetime, failed: bool) -> str:
            window = self._rules.window(target.name, policy.job, now)
            if window is not None:
                return f"maintenance {window.name}"
            if failed or not policy.inside:
                return ""
            if case is not None and case.mark is not None and missed >= case.mark.started_at - downtime.SLACK_TIME:
                return f"the pod is being restarted ({case.id})"
            return downtime.excuse(spells, policy, missed, now, unseen)

        return why

    def of_target(self, target: Target, now: datetime) -> str:
        """The same for what concerns the whole target, such as that its cluster can't be read."""
        window = self._rules.window(target.name, "", now)
        return f"maintenance {window.name}" if window is not None else ""

    async def of_pod(self, tx: Writing, target: Target, now: datetime) -> str:
        """The same for the pod itself, and what runs in it."""
        if why := self.of_target(target, now):
            return why
        case = await restarting(tx, target.name)
        return f"it is being restarted ({case.id})" if case is not None else ""
