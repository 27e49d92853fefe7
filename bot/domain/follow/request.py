"""What is to be followed, and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field
from datetime import timedelta

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, Pod

DEFAULT = timedelta(minutes=10)
MAXIMUM = timedelta(hours=1)
TAIL = 10
"""Lines that are shown of what was written before, unless the request says otherwise."""

Select = Callable[[Sequence[str]], Awaitable[Sequence[int]]]
"""Returns the indexes of the lines that are to be shown."""


@dataclass(frozen=True)
class FollowRequest:
    """Which container's log to follow, from where, and for how long."""

    target: Target
    pod: Pod
    container: str
    span: timedelta = DEFAULT
    since: timedelta | None = None
    tail: int | None = None
    select: Select | None = None
    """None shows all lines."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Values to redact besides those that the process knows."""
    notes: tuple[str, ...] = ()
    line: str = "logs --follow"
    """The command line that follows it once more."""

    @property
    def name(self) -> str:
        """``agent-pod-abc/kali``."""
        return f"{self.pod.name}/{self.container}"


@dataclass(frozen=True)
class End:
    """Why it ended, as a sentence; ``previous``: whether the container's run has ended, so that more is there."""

    why: str
    previous: bool = False


def end_of_log(pods: Sequence[Pod], before: Pod, name: str) -> End | None:
    """Why a log has ended; None while the same run of the container goes on."""
    pod = next((p for p in pods if p.name == before.name and p.uid == before.uid), None)
    if pod is None:
        return End(f"The pod {before.name} is gone.")
    then, now = before.container(name), pod.container(name)
    if now is None:
        return None
    if then is not None and now.restarts > then.restarts:
        return End(f"{name} restarted{_how(now)}.", previous=True)
    if now.state == "terminated":
        return End(f"{name} has ended{_how(now)}.")
    return None


def _how(container: Container) -> str:
    ended = container.ended
    if ended is None:
        return ""
    code = "" if ended.exit_code is None else f", exit code {ended.exit_code}"
    return f" ({ended.reason or 'no reason given'}{code})"
