"""The namespace's events: grouped, counted, and whether recent warnings among them deserve a look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.domain import words
from bot.domain.probes import Finding, Verdict
from bot.domain.workload import Event

PROBE, TITLE = "events", "Events"

RECENT = timedelta(hours=1)
"""Warnings younger than this count."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class EventGroup:
    """Events of one type, reason and object, with the newest one's message."""

    type: str
    reason: str
    object: str
    message: str
    count: int
    last_seen: datetime | None

    @property
    def is_warning(self) -> bool:
        """Whether Kubernetes calls it a warning."""
        return self.type == "Warning"


def group(events: Iterable[Event]) -> list[EventGroup]:
    """One entry for each type, reason and object, newest first; counts add up."""
    groups: dict[tuple[str, str, str], EventGroup] = {}
    for event in events:
        key = (event.type, event.reason, event.object)
        seen = event.last_seen or event.first_seen
        new = EventGroup(*key, event.message, max(1, event.count), seen)
        old = groups.get(key)
        groups[key] = new if old is None else _merge(old, new)
    return sorted(groups.values(), key=lambda g: g.last_seen or _LONG_AGO, reverse=True)


def _merge(one: EventGroup, other: EventGroup) -> EventGroup:
    newest = max((one, other), key=lambda g: g.last_seen or _LONG_AGO)
    return replace(newest, count=one.count + other.count)


def recent_warnings(groups: Sequence[EventGroup], now: datetime) -> list[EventGroup]:
    """Warnings within `RECENT`, and those that carry no time at all."""
    return [g for g in groups if g.is_warning and (g.last_seen is None or now - g.last_seen < RECENT)]


def judge_events(events: Sequence[Event], now: datetime) -> Finding:
    """Ok without warnings in the last hour; otherwise a warning that names the newest."""
    recent = recent_warnings(group(events), now)
    if not recent:
        return Finding(PROBE, TITLE, Verdict.OK, "no warnings in the last hour")
    count = sum(g.count for g in recent)
    return Finding(
        PROBE,
        TITLE,
        Verdict.WARN,
        f"{words.plural(count, 'warning event')} in the last hour, newest: {recent[0].reason}",
        tuple(describe(g, now) for g in recent[:3])
        + ((f"and {words.plural(len(recent) - 3, 'more kind')}",) if len(recent) > 3 else ()),
        "Read the events; most name what to mend.",
        "/agentpod events",
    )


def describe(entry: EventGroup, now: datetime) -> str:
    """One line: reason, object, how often, when, what it says."""
    times = f" ×{entry.count}" if entry.count > 1 else ""
    when = words.ago(entry.last_seen, now)
    return f"{entry.reason}{times} ({entry.object}, {when}): {words.cut(words.without_pod_id(entry.message), 120)}"
