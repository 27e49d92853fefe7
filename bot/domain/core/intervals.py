"""Spans of time within a day, each of one kind. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum


@dataclass(frozen=True)
class Window:
    """A local day: 23, 24 or 25 hours."""

    day: date
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


class What(Enum):
    """What a span of time was like. What comes first counts where two say something else of the same time."""

    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"
    DOWN = "down"
    LATE = "late"
    PAUSED = "paused"


@dataclass(frozen=True)
class Span:
    """A time in which something was not as it should be, within the window."""

    what: What
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it was."""
        return self.end - self.start


def cut(what: What, start: datetime, end: datetime, of: Window) -> Span | None:
    """What of it is within the window."""
    start, end = max(start, of.start), min(end, of.end)
    return Span(what, start, end) if start < end else None


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans of one kind that touch are one; each moment is of the one kind that counts (see `What`)."""
    found: list[Span] = []
    given = list(spans)
    for kind in What:
        found += _without(_joined(kind, [s for s in given if s.what is kind]), found)
    return tuple(sorted(found, key=lambda s: s.start))


def _joined(kind: What, spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda s: s.start):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(kind, joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _without(spans: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """What is left of spans outside of others."""
    left = list(spans)
    for other in others:
        left = [piece for span in left for piece in _minus(span, other)]
    return left


def _minus(span: Span, other: Span) -> list[Span]:
    if other.end <= span.start or span.end <= other.start:
        return [span]
    pieces = [(span.start, min(span.end, other.start)), (max(span.start, other.end), span.end)]
    return [Span(span.what, start, end) for start, end in pieces if start < end]
