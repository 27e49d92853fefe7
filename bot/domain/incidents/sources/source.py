"""What a source says of its problems: how they are kept, told and ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from bot.domain.core.target import Target
from bot.domain.incidents.problem import Problem, Reason


@dataclass(frozen=True)
class ProblemSource:
    """A source of problems, which may say something else than most do.

    ``name`` and ``kind`` are in the ledger: they stay what they are.
    """

    name: str
    """What the keys of its problems begin with."""
    kind: str = ""
    """What the ledger calls it, where that is not its name: several may share one."""
    restart: bool = True
    """Whether a restart of the pod is offered, where the problem says that it may help."""
    diagnosis: str = "status"
    """The command line that looks closer, where the problem has none of its own."""

    begins: ClassVar[Reason] = Reason.FIRST_FIRING
    """Why it is said that there is a problem."""
    ends: ClassVar[Reason] = Reason.RESOLVED
    """Why it is said that it is over."""
    reminds: ClassVar[bool] = True
    """Whether it is said again, while it lasts and nobody takes care of it."""

    @property
    def stored(self) -> str:
        """The kind that the ledger keeps with each of its problems."""
        return self.kind or self.name

    def key(self, target: str, *about: str) -> str:
        """The key of a problem of a target."""
        return ":".join((self.name, target, *about))

    def owns(self, key: str) -> bool:
        """Whether a key is of one of its problems."""
        return key == self.name or key.startswith(f"{self.name}:")

    def recovered(self, problem: Problem) -> str:
        """That it is over."""
        return f"{problem.subject} is well again"

    def orphaned(self, problem: Problem, target: Target, *, heartbeats: bool) -> str:  # noqa: ARG002 - for others
        """Why the settings don't name its subject any more, or empty.

        ``target`` is the problem's own, as it is in the settings; ``heartbeats``: whether any are read.
        """
        return ""

    def alert_name(self, problem: Problem) -> str:
        """What the health-bridge calls it."""
        return f"{problem.target}-unhealthy"

    def alert_severity(self, problem: Problem) -> str:
        """How bad it is for the health-bridge."""
        return problem.severity


@dataclass(frozen=True)
class Blindness(ProblemSource):
    """A source whose one problem is that something can't be read: nothing is known of it, which is not healthy.

    It is told once, and no restart helps.
    """

    kind: str = "blind"
    restart: bool = False
    subject: str = "{target}"
    """What can't be read, as messages call it."""
    meaning: str = ""
    """What follows from it for the rest."""

    begins: ClassVar[Reason] = Reason.BLIND
    ends: ClassVar[Reason] = Reason.SIGHT_REGAINED
    reminds: ClassVar[bool] = False

    def problem(
        self, target: Target, since: datetime, facts: Sequence[tuple[str, str]], muted: str = ""
    ) -> Problem:
        """That it can't be read; ``facts`` say why."""
        return Problem(
            key=self.key(target.name),
            kind=self.stored,
            target=target.name,
            subject=self.subject.format(target=target.name),
            summary="can't be read",
            severity="warning",
            since=since,
            facts=tuple(facts),
            advice=self.diagnosis,
            issue=target.issue,
            meaning=self.meaning,
            muted=muted,
        )

    def recovered(self, problem: Problem) -> str:
        """See `ProblemSource`."""
        return f"{problem.subject} can be read again"

    def alert_name(self, problem: Problem) -> str:  # noqa: ARG002 - all of them have one
        """As Grafana calls it."""
        return "DatasourceError"

    def alert_severity(self, problem: Problem) -> str:  # noqa: ARG002 - however bad it is
        """Nothing is known to be wrong."""
        return "warning"
