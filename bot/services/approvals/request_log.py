"""Logs one line for each step of a repair: action, target, requester, approvers, and how it ended."""

from __future__ import annotations

import logging

from bot.domain.approvals.approval import Choice
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words

logger = logging.getLogger("agentpod.repairs")

_GOES_AHEAD = (Choice.APPROVE, Choice.BREAK_GLASS)
LONGEST = 200
"""Characters of a reason that are logged."""


def claimed(repair: RepairRequest, by: str) -> None:
    """A process has claimed the request; call it after the commit."""
    logger.info("repair claimed", extra={**_about(repair), "by": by})


def taken_over(repair: RepairRequest, by: str, before: str) -> None:
    """A process has taken the request over from another one."""
    logger.info("repair taken over", extra={**_about(repair), "by": by, "from": before or "nobody"})


def sent(repair: RepairRequest) -> None:
    """The change was made."""
    logger.info("repair sent", extra=_about(repair))


def unsure(repair: RepairRequest, why: str) -> None:
    """The change was sent, and it isn't known yet whether it took effect."""
    logger.info("repair may have been sent", extra={**_about(repair), "why": words.cut(why, LONGEST)})


def waits(repair: RepairRequest, seconds: float, why: str) -> None:
    """The change will be tried again after a pause that the API server asked for."""
    logger.info("repair waits %.0f s", seconds, extra={**_about(repair), "why": words.cut(why, LONGEST)})


def over(repair: RepairRequest) -> None:
    """The request has ended: ``repair succeeded``, ``repair failed``, ``repair void`` and so on."""
    outcome = repair.outcome
    ended = {"text": words.cut(outcome.text, LONGEST)} if outcome and outcome.text else {}
    took = {"seconds": round(outcome.seconds, 1)} if outcome and outcome.seconds is not None else {}
    logger.info("repair %s", repair.state.value, extra={**_about(repair), **ended, **took})


def _about(repair: RepairRequest) -> dict[str, str]:
    decided = [d.by for d in repair.request.decisions if d.choice in _GOES_AHEAD]
    found = {
        "repair": repair.id,
        "action": repair.action.name,
        "target": repair.target,
        "subject": repair.subject,
        "requested_by": repair.request.requester,
        "approved_by": ",".join(decided),
    }
    return {name: value for name, value in found.items() if value}
