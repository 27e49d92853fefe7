"""Findings of health probes, and how their verdicts combine. The probes' rules are in `bot.domain.health`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from bot.domain.core.lazy_dataclass import dataclass


class Verdict(Enum):
    """A probe's conclusion. Unknown is never healthy."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def badness(self) -> int:
        """Rank for sorting: fail 3, unknown 2, warn 1, ok 0."""
        return _BADNESS[self]

    @property
    def exit_code(self) -> int:
        """Exit code in a terminal: 0 healthy (also with warnings), 1 not healthy, 2 unknown."""
        return {Verdict.FAIL: 1, Verdict.UNKNOWN: 2}.get(self, 0)


SIGNS: Mapping[Verdict, str] = {Verdict.OK: "✅", Verdict.WARN: "⚠️", Verdict.FAIL: "🔴", Verdict.UNKNOWN: "❓"}
"""The sign of each verdict in a message."""
_BADNESS = {Verdict.OK: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 2, Verdict.FAIL: 3}


@dataclass(frozen=True)
class Finding:
    """One probe's conclusion: plain text throughout (renderers escape it)."""

    probe: str
    """Stable id: ``pod``, ``processes``, ``ssh`` …"""
    title: str
    """Name for people: "Processes"."""
    verdict: Verdict
    summary: str
    """One short line: "vibe-kanban is not running"."""
    evidence: tuple[str, ...] = ()
    """What was seen, a line each."""
    remedy: str | None = None
    """The handbook's next step, a sentence."""
    run: str | None = None
    """A command line that shows more or repairs it: ``/agentpod logs --previous`` or a ``kubectl`` line."""
    seconds: float | None = None
    """How long the probe took."""
    about: tuple[str, ...] = ()
    """The names of what is wrong, where it may be several things: processes, Services."""

    @property
    def names_run(self) -> bool:
        """Whether the remedy names the command line, so that it need not be shown again."""
        return self.run is not None and f"`{self.run}`" in (self.remedy or "")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; unknown for none, since no data is not healthy."""
    return max(verdicts, key=lambda v: v.badness, default=Verdict.UNKNOWN)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings worst first, otherwise in the order given."""
    return sorted(findings, key=lambda f: -f.verdict.badness)
