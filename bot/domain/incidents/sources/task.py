"""A background task of the bot keeps failing, so what it watches is not watched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.source import ProblemSource


@dataclass(frozen=True)
class _Task(ProblemSource):
    one_target: ClassVar[bool] = False

    def problem(
        self, target: str, task: str, since: datetime, facts: Sequence[tuple[str, str]], subject: str = ""
    ) -> Problem:
        """The problem; ``target`` is where it is notified, ``facts`` describe the last error.

        ``subject`` is what the task is called in messages; without one, its name is shown.
        """
        return Problem(
            key=self.key(task),
            kind=self.stored,
            target=target,
            subject=subject or f"the bot's task {task!r}",
            summary="keeps failing",
            severity="critical",
            since=since,
            facts=tuple(facts),
            advice=self.diagnosis,
            meaning="Until it works again, what it watches is unknown, which never counts as healthy.",
            restart=self.restart,
        )


TASK = _Task("task", kind="pod", restart=False)
"""Its keys contain the task's name and no target."""
