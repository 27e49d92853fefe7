"""The base classes of problem sources: how problems are stored, notified and resolved. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import ClassVar

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target
from bot.domain.incidents.problem import Problem, Reason


@dataclass(frozen=True)
class ProblemSource:
    """A source of problems; subclasses override what differs.

    ``name`` and ``kind`` are stored in the ledger and must not change.
    """

    name: str
    """Prefix of the keys of its problems."""
    kind: str = ""
    """The stored kind, if it differs from the name; several sources may share one."""
    restart: bool = True
    """Whether to offer a restart of the pod, for problems that say it may help."""
    diagnosis: str = "status"
    """The command line for the diagnosis, for problems without their own."""
    checks: tuple[str, ...] = ()
    """The checks of `status`, or what they ask, that say the same as its problems."""
    series: bool = False
    """Whether its problems are counted over time, which no check does."""

    first: str = ""
    """The diagnosis of a runbook that is about its problems."""

    def explained(self, problem: Problem) -> bool:  # noqa: ARG002 - for subclasses
        """Whether the trees of a runbook may name the cause: they are about the pod."""
        return self.stored == "pod"

    begins: ClassVar[Reason] = Reason.FIRST_FIRING
    """The reason of the first notification."""
    ends: ClassVar[Reason] = Reason.RESOLVED
    """The reason of the notification at the end."""
    reminds: ClassVar[bool] = True
    """Whether to send reminders while it is not acknowledged."""
    one_target: ClassVar[bool] = True
    """Whether each of its problems concerns a single target."""

    @property
    def stored(self) -> str:
        """The kind that is stored with each of its problems."""
        return self.kind or self.name

    def key(self, target: str, *about: str) -> str:
        """Build the key of a problem of a target."""
        return ":".join((self.name, target, *about))

    def owns(self, key: str) -> bool:
        """Whether a key belongs to one of its problems."""
        return key == self.name or key.startswith(f"{self.name}:")

    def says(self, problem: Problem) -> Collection[str]:  # noqa: ARG002 - for subclasses
        """The ids of findings that would only repeat the problem."""
        return self.checks

    def recovered(self, problem: Problem) -> str:
        """The text for a recovery."""
        return f"{problem.subject} is well again"

    def orphaned(
        self,
        problem: Problem,  # noqa: ARG002 - for subclasses, as the others
        target: Target,  # noqa: ARG002
        *,
        heartbeats: bool,  # noqa: ARG002
        checks: Collection[str] = (),  # noqa: ARG002
    ) -> str:
        """Why the problem's subject is no longer in the settings; empty if it is.

        ``target`` is the problem's target in the settings; ``heartbeats``: whether a Pushgateway is configured;
        ``checks`` are the names of the target's checks that raise alerts.
        """
        return ""

    def alert_name(self, problem: Problem) -> str:
        """The alert's name for the health-bridge."""
        return f"{problem.target}-unhealthy"

    def alert_severity(self, problem: Problem) -> str:
        """The alert's severity for the health-bridge."""
        return problem.severity


@dataclass(frozen=True)
class UnavailableSource(ProblemSource):
    """A source whose only problem is that something can't be read, so that its state is unknown.

    It is notified once, without reminders, and no restart is offered.
    """

    kind: str = "blind"
    restart: bool = False
    subject: str = "{target}"
    """What can't be read, in messages."""
    meaning: str = ""
    """A sentence on the consequences."""
    remedy: str = ""
    """What to do where the error doesn't say it."""

    begins: ClassVar[Reason] = Reason.BLIND
    ends: ClassVar[Reason] = Reason.SIGHT_REGAINED
    reminds: ClassVar[bool] = False

    def problem(
        self, target: Target, since: datetime, facts: Sequence[tuple[str, str]], muted: str = ""
    ) -> Problem:
        """The problem; ``facts`` say why it can't be read."""
        return Problem(
            key=self.key(target.name),
            kind=self.stored,
            target=target.name,
            subject=self.subject.format(target=target.name),
            summary="can't be read",
            severity="warning",
            since=since,
            facts=(*facts, *self._what_to_do(facts)),
            advice=self.diagnosis,
            issue=target.issue,
            meaning=self.meaning,
            muted=muted,
        )

    def _what_to_do(self, facts: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        said = any(label == "What to do" for label, _ in facts)
        return () if said or not self.remedy else (("What to do", self.remedy),)

    def recovered(self, problem: Problem) -> str:
        """See `ProblemSource`."""
        return f"{problem.subject} can be read again"

    def alert_name(self, problem: Problem) -> str:  # noqa: ARG002 - all have the same
        """Grafana's name for it."""
        return "DatasourceError"

    def alert_severity(self, problem: Problem) -> str:  # noqa: ARG002 - always the same
        """Always a warning: nothing is known to be wrong."""
        return "warning"
