"""What is wrong with the pod as an incident has it, and when it was last down. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import judge_pod, words
from bot.domain.alerting import Kind, Problem
from bot.domain.judge_deployment import Owner
from bot.domain.probes import Verdict
from bot.domain.target import Target
from bot.domain.trouble import Trouble
from bot.domain.workload import Container, Pod


def key_of(target: str) -> str:
    """The key of the incident of a target's pod."""
    return f"pod:{target}"


def problem(
    target: Target, pods: Sequence[Pod], now: datetime, *, hold: timedelta, owner: Owner = None, muted: str = ""
) -> Problem | None:
    """What is wrong with the pod, or None. Its words don't change while nothing happens.

    ``hold`` is for a pod that does not run: a restart by hand is over before. What has ended already, such as a
    container that was killed for its memory, is told at once.
    """
    troubles = sorted(judge_pod.pod_troubles(pods, target, now, owner), key=lambda t: -t.verdict.badness)
    troubles = [t for t in troubles if t.verdict in (Verdict.FAIL, Verdict.WARN)]
    if not troubles:
        return None
    first = troubles[0]
    failing = first.verdict is Verdict.FAIL
    restarted = None if failing else _restarted(pods, now)
    return Problem(
        key=key_of(target.name),
        kind=Kind.POD,
        target=target.name,
        subject=target.name,
        summary=_ended(restarted, now) if restarted else first.summary,
        severity="critical" if failing else "warning",
        since=_finished(restarted) or now if restarted else now,
        facts=tuple(_facts(first, troubles[1:] if failing else (), pods, now)),
        advice="logs --previous" if (first.run or "").endswith("logs --previous") else "status",
        issue=target.issue,
        hold=hold if failing else timedelta(),
        muted=muted,
    )


def _restarted(pods: Sequence[Pod], now: datetime) -> Container | None:
    ended = [c for p in judge_pod.live(pods) for c in p.containers if _finished(c)]
    newest = max(ended, key=lambda c: _finished(c) or now, default=None)
    at = _finished(newest)
    return newest if at and now - at < judge_pod.RECENT_RESTART else None


def _finished(container: Container | None) -> datetime | None:
    ended = container.last_termination if container else None
    return ended.finished_at if ended else None


def _ended(container: Container, now: datetime) -> str:
    ended, at = container.last_termination, _finished(container)
    if ended is None or at is None:
        return f"{container.name} restarted"
    code = "" if ended.exit_code is None else f", exit code {ended.exit_code}"
    return f"{container.name} restarted at {words.moment(at, now)} ({ended.reason}{code})"


def _facts(first: Trouble, others: Sequence[Trouble], pods: Sequence[Pod], now: datetime) -> list[tuple[str, str]]:
    facts = [("Also", other.summary) for other in others[:2]]
    pod = judge_pod.current(pods)
    if pod is not None:
        facts.append(("Pod", f"{pod.name} on {pod.node}" if pod.node else pod.name))
        if pod.restarts:
            facts.append(("Restarts", str(pod.restarts)))
        facts += [("Ended before", _ended(c, now)) for c in pod.containers if _finished(c)][:1]
    if first.remedy:
        facts.append(("What to do", first.remedy))
    return facts


@dataclass(frozen=True)
class Spell:
    """A time in which the pod was down: what its jobs missed then is no fault of theirs."""

    down_since: datetime
    ready_at: datetime | None = None
    """None: it still is."""

    def __str__(self) -> str:
        """As it is kept."""
        return f"{self.down_since.isoformat()}|{self.ready_at.isoformat() if self.ready_at else ''}"

    @classmethod
    def read(cls, text: str) -> Spell | None:
        """From what was kept; None for anything else."""
        down, _, ready = text.partition("|")
        try:
            return cls(datetime.fromisoformat(down), datetime.fromisoformat(ready) if ready else None)
        except ValueError:
            return None


def ready(pods: Sequence[Pod]) -> bool:
    """Whether the jobs inside can run: one pod, all of it ready."""
    alive = judge_pod.live(pods)
    return len(alive) == 1 and alive[0].all_ready


def spell(before: Spell | None, pods: Sequence[Pod], now: datetime) -> Spell | None:
    """The last time down after a look at the pods; the same object where nothing has changed."""
    if not ready(pods):
        return before if before is not None and before.ready_at is None else Spell(now)
    if before is None or before.ready_at is not None:
        began = _began(pods)
        known = before.ready_at if before else None
        # A pod that came and went between two looks, or while nobody looked.
        return Spell(began, began) if began and (known is None or began > known) else before
    return Spell(before.down_since, now)


def _began(pods: Sequence[Pod]) -> datetime | None:
    pod = judge_pod.current(pods)
    times = [c.started_at for c in pod.containers if c.started_at] if pod else []
    return max(times, default=None)
