"""The report of `agentpod check`: its lines, worst first, and its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from bot.domain.core import words
from bot.errors import AgentpodError


class Impact(IntEnum):
    """What a failed check stops, the worst first."""

    START = 0
    WORK = 1
    PART = 2


_LEADS = {
    Impact.START: "The bot can't start",
    Impact.WORK: "The bot starts, but can't do its work",
    Impact.PART: "The bot works, but not all of it",
}


@dataclass(frozen=True)
class Check:
    """One line of the report. ``ok`` is None for a note, which is not a failure."""

    title: str
    ok: bool | None
    detail: str
    remedy: str | None = None
    run: str | None = None
    """The one command that mends it, or shows more."""
    impact: Impact = Impact.PART
    """What it stops if it failed."""


def failed(title: str, error: AgentpodError, impact: Impact = Impact.PART) -> Check:
    """Return a failed check with the error's sentence and remedy."""
    return Check(title, False, error.message, error.remedy, impact=impact)


@dataclass(frozen=True)
class Report:
    """All that was found."""

    checks: tuple[Check, ...]
    wrong_settings: bool = False
    """Whether the settings can't be used, so that nothing was connected to."""

    @classmethod
    def of(cls, checks: Iterable[Check], *, wrong_settings: bool = False) -> Report:
        """Sort the checks: failures by what they stop, then notes, then what is in order."""
        order = {False: 0, None: 1, True: 2}
        return cls(tuple(sorted(checks, key=lambda c: (order[c.ok], c.impact))), wrong_settings)

    @property
    def to_fix(self) -> Sequence[Check]:
        """The failures, worst first."""
        return [check for check in self.checks if check.ok is False]

    @property
    def headline(self) -> str:
        """The verdict in one line: what would stop the bot from working, the worst first."""
        if not self.to_fix:
            notes = sum(check.ok is None for check in self.checks)
            return "Everything works." + (f" {words.plural(notes, 'note')}." if notes else "")
        worst = self.to_fix[0]
        detail = worst.detail if worst.impact is Impact.START else f"{worst.title}: {worst.detail}"
        count = f"{len(self.to_fix)} to fix{' in all' if len(self.to_fix) > 1 else ''}"
        return f"{_LEADS[worst.impact]}: {detail if detail.endswith('?') else detail.rstrip('.') + '.'} {count}."

    @property
    def exit_code(self) -> int:
        """0 if everything works, 1 if something is to be fixed, 2 if the settings can't be used."""
        return 2 if self.wrong_settings else int(bool(self.to_fix))
