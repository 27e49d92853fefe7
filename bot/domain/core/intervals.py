"""Intervals of one kind within a day: cut, merge and subtract them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum


@dataclass(frozen=True)
class LocalDay:
    """A local day: 23, 24 or 25 hours."""

    day: date
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """Its length: 23, 24 or 25 hours."""
        return self.end - self.start


class What(Enum):
    """The kind of an interval. Where two overlap, the kind that is listed first wins."""

    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"
    DOWN = "down"
    LATE = "late"
    PAUSED = "paused"


@dataclass(frozen=True)
class Interval:
    """An interval in which something was not normal, within the window."""

    what: What
    start: datetime
    end: datetime
    planned: bool = False
    """Whether it is a downtime that somebody had asked for."""

    @property
    def length(self) -> timedelta:
        """Its length."""
        return self.end - self.start


def cut(what: What, start: datetime, end: datetime, of: LocalDay) -> Interval | None:
    """The part of an interval that lies in the window; None where there is none."""
    start, end = max(start, of.start), min(end, of.end)
    return Interval(what, start, end) if start < end else None


def merged(spans: Iterable[Interval]) -> tuple[Interval, ...]:
    """Join adjacent spans of a kind, and resolve overlaps of different kinds by the order in `What`."""
    found: list[Interval] = []
    given = list(spans)
    for kind in What:
        found += without(_joined(kind, [s for s in given if s.what is kind]), found)
    return tuple(sorted(found, key=lambda s: s.start))


def _joined(kind: What, spans: Iterable[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for span in sorted(spans, key=lambda s: s.start):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Interval(kind, joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def without(spans: Iterable[Interval], others: Sequence[Interval]) -> list[Interval]:
    """Subtract ``others``, of whatever kind, from ``spans``."""
    left = list(spans)
    for other in others:
        left = [piece for span in left for piece in _minus(span, other)]
    return left


def _minus(span: Interval, other: Interval) -> list[Interval]:
    if other.end <= span.start or span.end <= other.start:
        return [span]
    pieces = [(span.start, min(span.end, other.start)), (max(span.start, other.end), span.end)]
    return [Interval(span.what, start, end) for start, end in pieces if start < end]
