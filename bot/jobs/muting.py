"""What is in the way of an alert: maintenance, a restart under way, a pod that was down when it was due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.domain import words
from bot.domain.alerting import AlertRules
from bot.domain.approval import State
from bot.domain.heartbeat import deadlines
from bot.domain.pod_watch import Spell
from bot.domain.repair import Case
from bot.domain.target import HeartbeatPolicy, Target
from bot.ports import Writing

SLACK_TIME = timedelta(seconds=30)
"""A deadline this long before a restart is its doing as well: the last run was under way."""


def mark_of(target: str) -> str:
    """Under which name the pod's last time down is kept."""
    return f"down:{target}"


async def restarting(tx: Writing, target: str) -> Case | None:
    """The restart of the target that is under way, if any."""
    found = await tx.open_cases(target)
    return next((c for c in found if c.action.restarts and c.state is State.EXECUTING), None)


class Muting:
    """Why nothing is said of a job, by the rules and by what the ledger knows of the pod."""

    def __init__(self, rules: AlertRules) -> None:
        """``rules`` hold the maintenance windows."""
        self._rules = rules

    async def of(self, tx: Writing, target: Target, now: datetime) -> Callable[[HeartbeatPolicy, datetime], str]:
        """For one target: the reason by policy and by the deadline that was missed; empty for none."""
        case = await restarting(tx, target.name)
        spell = Spell.read(await tx.mark(mark_of(target.name)) or "")

        def why(policy: HeartbeatPolicy, missed: datetime) -> str:
            window = self._rules.window(target.name, policy.job, now)
            if window is not None:
                return f"maintenance {window.name}"
            if not policy.inside:
                return ""
            if case is not None and case.mark is not None and missed >= case.mark.started_at - SLACK_TIME:
                return f"the pod is being restarted ({case.id})"
            return _by_spell(spell, policy, missed, now)

        return why

    def of_pod(self, target: Target, case: Case | None, now: datetime) -> str:
        """The same for the pod itself."""
        window = self._rules.window(target.name, "", now)
        if window is not None:
            return f"maintenance {window.name}"
        return f"it is being restarted ({case.id})" if case is not None else ""


def _by_spell(spell: Spell | None, policy: HeartbeatPolicy, missed: datetime, now: datetime) -> str:
    if spell is None or missed < spell.down_since - SLACK_TIME:
        return ""
    if spell.ready_at is None:
        return "the pod is not ready"
    until = deadlines(policy, spell.ready_at)[1]
    if now >= until:
        return ""
    return f"the pod was down until {words.moment(spell.ready_at, now)}, and has until {words.moment(until, now)}"
