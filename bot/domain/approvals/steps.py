"""The steps of a declared repair as they were approved, and how far they have come. Pure.

Both are stored in a request's details. A step is recorded before it is sent and again once it has ended. So a step
that was begun and has no end may have run, and is never sent again, whichever process takes the request over.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.stored import Stored, Unreadable

PLAN, LOG = "plan", "steps"
"""Keys of a request's details."""
TAIL, LONGEST = 10, 200
"""Lines and characters of a step's output that are kept."""


@dataclass(frozen=True)
class PlannedStep:
    """One command, with the parameters in their slots."""

    container: str
    argv: tuple[str, ...]
    seconds: float
    """Its deadline."""
    ok: tuple[int, ...] = (0,)
    """Exit codes that count as success."""

    def __str__(self) -> str:
        """The command as it would be typed, and where it runs."""
        return f"{shlex.join(self.argv)}, in {self.container}"


@dataclass(frozen=True)
class Plan:
    """What is approved: the commands, and what they are judged by."""

    name: str
    """The runbook's entry."""
    values: Mapping[str, str]
    """Its parameters."""
    line: str
    """The command line that asks for it."""
    steps: tuple[PlannedStep, ...]
    verify: str
    """The check that must be all right afterwards."""
    within: float
    """The seconds that this may take."""
    rules: tuple[str, ...] = ()
    """Its condition and the facts that this is judged by."""

    @property
    def digest(self) -> str:
        """A short text that differs where anything of the plan differs."""
        return hashlib.sha256(dump_plan(self).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class StepRun:
    """A step that was begun."""

    began: datetime
    ended: datetime | None = None
    """None: it is running, or nobody knows whether it ran."""
    exit_code: int | None = None
    output: tuple[str, ...] = ()
    """The end of its output, redacted."""
    cut: bool = False
    """Whether there was more output before that."""


@dataclass(frozen=True)
class StepLog:
    """All steps that were begun, in order."""

    runs: tuple[StepRun, ...] = field(default=())

    @property
    def unknown(self) -> bool:
        """Whether the last step may have run, and nobody knows."""
        return bool(self.runs) and self.runs[-1].ended is None

    def began(self, now: datetime) -> StepLog:
        """With one more step, which is about to be sent."""
        return StepLog((*self.runs, StepRun(now)))

    def ended(
        self, now: datetime, exit_code: int | None, output: Sequence[str], *, truncated: bool = False
    ) -> StepLog:
        """With the end of the last step. ``output`` is redacted; ``truncated``: its beginning is missing."""
        lines = tuple(words.cut(line, LONGEST) for line in output if line.strip())
        cut = truncated or len(lines) > TAIL
        last = replace(self.runs[-1], ended=now, exit_code=exit_code, output=lines[-TAIL:], cut=cut)
        return StepLog((*self.runs[:-1], last))


_PLANS, _LOGS = Stored(Plan), Stored(StepLog)


def dump_plan(plan: Plan) -> str:
    """Serialize for a request's details."""
    return _PLANS.dump(plan)


def plan_of(details: Mapping[str, str]) -> Plan | None:
    """The plan in a request's details; None where this version can't read it."""
    try:
        return _PLANS.load(details.get(PLAN))
    except Unreadable:
        return None


def log_of(details: Mapping[str, str]) -> StepLog:
    """The steps that were begun. Raises `Unreadable` for a record that this version can't read."""
    return _LOGS.load(details[LOG]) if LOG in details else StepLog()


def with_log(details: Mapping[str, str], log: StepLog) -> dict[str, str]:
    """The details with another record of the steps."""
    return {**details, LOG: _LOGS.dump(log)}


def time_before(plan: Plan, number: int) -> timedelta:
    """How long the steps before this one may take together."""
    return timedelta(seconds=sum(step.seconds for step in plan.steps[:number]))
