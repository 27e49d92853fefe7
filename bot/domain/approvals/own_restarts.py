"""Which terminations of containers are explained by approved restarts, so that nobody else is blamed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.approvals import card
from bot.domain.approvals.approval import Choice
from bot.domain.approvals.repair import RepairRequest, restarted_by
from bot.domain.core import words
from bot.domain.core.reply import Line, parts
from bot.domain.core.workload import Container, Pod
from bot.domain.health import judge_pod, restarts

SKEW = timedelta(minutes=1)
"""How far the node's clock may be from the bot's."""


@dataclass(frozen=True)
class OwnRestart:
    """A container's latest termination, which an approved request explains."""

    container: str
    at: datetime
    key: tuple[str, str, int]
    """The pod's uid, the container, and its restart count."""
    repair: RepairRequest

    def line(self, now: datetime) -> Line:
        """Which request restarted the container, and who approved it."""
        decided = [d for d in self.repair.request.decisions if d.choice in (Choice.APPROVE, Choice.BREAK_GLASS)]
        said: list[Line] = [f"{self.container} was restarted {words.ago(self.at, now)} by {self.repair.id}"]
        for number, one in enumerate(decided):
            how = "approved by" if one.choice is Choice.APPROVE else "glass broken by"
            said += [f", {how} " if number == 0 else ", ", card.person(one.by)]
        return tuple(part for line in said for part in parts(line))


def explained(repairs: Sequence[RepairRequest], pods: Sequence[Pod]) -> list[OwnRestart]:
    """The latest terminations that a request explains: its pod and container, the count after it, and its time.

    A container that was OOM-killed was not ended by a request, whatever its restart count.
    """
    by_key = {key: repair for repair in repairs if (key := restarted_by(repair)) is not None}
    found = [
        _own(pod, one, by_key.get((pod.uid, one.name, one.restarts)))
        for pod in judge_pod.live(pods)
        for one in pod.lasting
    ]
    return [one for one in found if one is not None]


def _own(pod: Pod, container: Container, repair: RepairRequest | None) -> OwnRestart | None:
    ended = container.last_termination
    if repair is None or ended is None or ended.finished_at is None or ended.reason == restarts.OUT_OF_MEMORY:
        return None
    at = ended.finished_at
    too_late = repair.sent_at is not None and at > repair.sent_at + SKEW
    if too_late or at < repair.request.created_at - SKEW:
        return None
    return OwnRestart(container.name, at, (pod.uid, container.name, container.restarts), repair)
