"""Findings and how they add up. What each probe concludes from the facts is in the commands' judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a probe concludes. Unknown is never healthy."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def badness(self) -> int:
        """For sorting, worst first: fail 3, unknown 2, warn 1, ok 0."""
        return _BADNESS[self]

    @property
    def exit_code(self) -> int:
        """A terminal's exit code: 0 healthy (warnings included), 1 not, 2 could not tell."""
        return {Verdict.FAIL: 1, Verdict.UNKNOWN: 2}.get(self, 0)


_BADNESS = {Verdict.OK: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 2, Verdict.FAIL: 3}


@dataclass(frozen=True)
class Finding:
    """One probe's conclusion: plain text throughout (renderers escape it)."""

    probe: str
    """Stable id: ``pod``, ``processes``, ``ssh`` …"""
    title: str
    """How a person calls it: "Processes"."""
    verdict: Verdict
    summary: str
    """One short line: "vibe-kanban is not running"."""
    evidence: tuple[str, ...] = ()
    """What was seen, a line each."""
    remedy: str | None = None
    """The handbook's next step, a sentence."""
    run: str | None = None
    """A command line that shows or mends more: ``/agentpod logs --previous`` or a ``kubectl`` line."""
    seconds: float | None = None
    """How long the probe took."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of several: the worst. Of none at all: unknown, for no data is not health."""
    return max(verdicts, key=lambda v: v.badness, default=Verdict.UNKNOWN)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings sorted worst first, otherwise in the order given."""
    return sorted(findings, key=lambda f: -f.verdict.badness)
