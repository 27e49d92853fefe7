"""Problems, and the reasons for notifications about them. Pure.

What differs by where a problem comes from is defined by its source: see `bot.domain.incidents.sources`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Severity


class Reason(Enum):
    """The reason of a notification."""

    FIRST_FIRING = "firing"
    SEVERITY_RAISED = "got worse"
    OTHER_CAUSE = "back with another cause"
    REMINDER_DUE = "reminder"
    ACKED = "acknowledged"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "not muted any more"
    RESOLVED = "resolved"
    BLIND = "blind"
    SIGHT_REGAINED = "sees again"
    FLAPPING = "flapping"
    CLOSED = "closed"


COMMAND = "Command"
"""The label of the fact with a command line for a shell."""
OVERDUE = "Overdue since"
"""The label of ``since`` where that is a missed deadline."""
_PREDICATES = ("is ", "are ", "was ", "has ", "keeps ", "does ", "can't ")
"""How a summary begins that makes a sentence with its subject."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong now."""

    key: str
    """Identifies the problem: there is at most one open incident for a key."""
    kind: str
    """The stored name of its source; see `bot.domain.incidents.sources`."""
    target: str
    subject: str
    """What it is about, in messages: a job, the pod, the Pushgateway."""
    summary: str
    """What is wrong, to follow the subject: ``no heartbeat since 14:05 UTC``."""
    severity: Severity
    since: datetime
    """The missed deadline, or when it began; not when it was noticed."""
    facts: tuple[tuple[str, str], ...] = ()
    advice: str = ""
    """The command line for the diagnosis, without ``/agentpod``."""
    issue: str = ""
    """The GitHub issue that the health-bridge maintains for it."""
    hold: timedelta = timedelta()
    """How long it must last before it fires, if longer than the rules' ``for``."""
    keep: timedelta = timedelta()
    """How long it must be gone before it is resolved, if longer than the rules' ``keep_firing``."""
    muted: str = ""
    """Why it is muted now, in words; empty if it isn't."""
    meaning: str = ""
    """A sentence on its consequences."""
    restart: bool = True
    """Whether restarting the pod may help."""
    offer: str = ""
    """The command line of another repair that may help, without ``/agentpod``."""
    counted_from: str = "Since"
    """The label of ``since`` in messages."""
    passing: bool = False
    """Whether each restart looks like this for a while: no cause that an incident is remembered by."""
    success: datetime | None = None
    """A job's last success; only a newer one is a recovery."""

    @property
    def overdue(self) -> bool:
        """Whether it began with a missed deadline, so that it is shorter than the silence before it."""
        return self.counted_from == OVERDUE

    def after(self, long: timedelta) -> str:
        """After how long it ended: ``after 5 min``, ``after being overdue for 5 min``."""
        return f"after {'being overdue for ' if self.overdue else ''}{words.age(long)}"

    @property
    def text(self) -> str:
        """Subject and summary: ``sshd is not running``, or ``backup: no heartbeat since 14:05 UTC``.

        A summary that names the subject itself says it all.
        """
        if self.summary.startswith(f"{self.subject} "):
            return self.summary
        return f"{self.subject}{'' if self.summary.startswith(_PREDICATES) else ':'} {self.summary}"

    @property
    def alone(self) -> str:
        """The summary as it can stand alone: with its subject where that makes it a sentence."""
        return self.text if self.summary.startswith(_PREDICATES) else self.summary
