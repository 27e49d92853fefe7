"""Group and count the namespace's events, and judge whether there are recent warnings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.workload import Event
from bot.domain.health.own_objects import Own

PROBE, TITLE = "events", "Events"

RECENT = timedelta(hours=1)
"""Older warnings are not counted."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class EventGroup:
    """Events of one type, reason and object, with the message of the newest."""

    type: str
    reason: str
    object: str
    message: str
    count: int
    last_seen: datetime | None
    first_seen: datetime | None = None
    own: bool = True
    """Whether the object exists and belongs to the target."""
    over: bool = False
    """Whether what they are about is mended since: the pod has become ready, the claim is bound."""

    @property
    def is_warning(self) -> bool:
        """Whether its type is Warning."""
        return self.type == "Warning"


def group(events: Iterable[Event], own: Own | None = None) -> list[EventGroup]:
    """Group events by type, reason and object, newest first; counts add up. Without ``own``, all count as own."""
    groups: dict[tuple[str, str, str, bool], EventGroup] = {}
    for event in events:
        mine = own is None or own.has(event)
        over = own is not None and mine and own.is_over(event)
        key = (event.type, event.reason, event.object, mine)
        last, first = event.last_seen or event.first_seen, event.first_seen or event.last_seen
        new = EventGroup(*key[:3], event.message, max(1, event.count), last, first, mine, over)
        old = groups.get(key)
        groups[key] = new if old is None else _merge(old, new)
    return sorted(groups.values(), key=lambda g: g.last_seen or _LONG_AGO, reverse=True)


def _merge(one: EventGroup, other: EventGroup) -> EventGroup:
    newest = max((one, other), key=lambda g: g.last_seen or _LONG_AGO)
    first = min((g.first_seen for g in (one, other) if g.first_seen), default=None)
    return replace(newest, count=one.count + other.count, first_seen=first)


def recent_warnings(groups: Sequence[EventGroup], now: datetime) -> list[EventGroup]:
    """Warnings about the target's own objects, within `RECENT` or without a time, and not mended since."""
    found = [g for g in groups if g.is_warning and g.own and not g.over]
    return [g for g in found if g.last_seen is None or now - g.last_seen < RECENT]


def judge_events(events: Sequence[Event], now: datetime, own: Own | None = None) -> Finding:
    """Ok without warnings in the last hour; else warn with the newest: its message, how often and since when."""
    recent = recent_warnings(group(events, own), now)
    if not recent:
        return Finding(PROBE, TITLE, Verdict.OK, "no warnings in the last hour")
    more = len(recent) - 1
    remedy = "Read the events; most name what to fix." if more else "Other events may say what led to it."
    others = f"; {words.plural(more, 'more kind')} of warnings" if more else ""
    return Finding(
        PROBE,
        TITLE,
        Verdict.WARN,
        f"{recent[0].reason}, {_when(recent[0], now)}{_message(recent[0])}{others}",
        (recent[0].object, *(describe(g, now) for g in recent[1:3]))
        + ((f"and {words.plural(len(recent) - 3, 'more kind')}",) if len(recent) > 3 else ()),
        remedy,
        "/agentpod events",
    )


def _when(entry: EventGroup, now: datetime) -> str:
    """``2 min ago``; ``last 50 min ago (4,312 times since 07:00 UTC)``, since an event has only a total count."""
    if entry.count == 1:
        return words.ago(entry.last_seen, now)
    since = f" since {words.moment(entry.first_seen)}" if _lasts(entry) and entry.first_seen else ""
    return f"last {words.ago(entry.last_seen, now)} ({entry.count:,} times{since})"


def _lasts(entry: EventGroup) -> bool:
    return None not in (entry.first_seen, entry.last_seen) and entry.first_seen != entry.last_seen


def describe(entry: EventGroup, now: datetime) -> str:
    """One line: reason, time and count, object, message."""
    return f"{entry.reason}, {_when(entry, now)}: {_subject_and_message(entry)}"


def _subject_and_message(entry: EventGroup) -> str:
    """Object and message."""
    return f"{entry.object}{_message(entry)}"


def _message(entry: EventGroup) -> str:
    """The message after a colon; empty where there is none."""
    said = words.cut(words.without_pod_id(entry.message[:1_000]), 120)
    return f": {said}" if said else ""
