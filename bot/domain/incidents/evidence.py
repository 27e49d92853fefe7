"""What is kept of the pod's events and its log when an incident is announced, for its report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Excerpt
from bot.domain.core.workload import Event, Pod
from bot.domain.health import crash_log as health_log
from bot.domain.health import judge_pod
from bot.domain.health.own_objects import Own

EVENT, LOG, UNREAD = "event", "log", "unread"
"""Kinds of evidence; the last says what could not be read, and why."""
WARNING = "Warning: "
"""How the text of an event begins that is one."""
EVENTS, LINES, LONGEST = 20, 20, 400
"""Most events and log lines that are kept, and characters of each."""
NO_EVENTS = "The events could not be read"
BEFORE = timedelta(minutes=30)
"""Age of the events that are kept."""


@dataclass(frozen=True)
class Evidence:
    """An event or a log line as it was when the incident was announced."""

    kind: str
    at: datetime
    """When the event was last seen; when the log was read."""
    source: str
    """How a sentence cites it: ``event BackOff of pod/x``, ``line 3 of kali's log``."""
    text: str


def of_events(events: Iterable[Event], own: Own, deployment: str, now: datetime) -> list[Evidence]:
    """The newest events about the target's own objects, pods that are gone included, oldest first."""
    found = []
    for event in events:
        at = event.last_seen or event.first_seen
        mine = own.has(event) or event.object.startswith(f"pod/{deployment}-")
        if at is None or not now - BEFORE <= at <= now + timedelta(minutes=1) or not mine:
            continue
        often = f" ({words.plural(event.count, 'time')})" if event.count > 1 else ""
        said = words.without_pod_id(event.message)
        warns = WARNING if event.type == "Warning" else ""
        source = f"event {event.reason} of {event.object}"
        found.append(Evidence(EVENT, at, words.cut(source, 200), words.cut(f"{warns}{said}{often}", LONGEST)))
    return sorted(found, key=lambda one: one.at)[-EVENTS:]


def container_to_read(pods: Sequence[Pod], configured: str, now: datetime) -> tuple[Pod, str, bool] | None:
    """The pod, the container whose log says most, and whether its previous run's does; None where there is none.

    That is the one that ended last within `BEFORE`, else one that is not ready, else the ``configured`` one.
    """
    pod = judge_pod.current(pods) or (pods[-1] if pods else None)
    if pod is None or not pod.lasting:
        return None
    ended = [
        (one.ended.finished_at, one)
        for one in pod.lasting
        if one.ended is not None and one.ended.finished_at is not None and now - one.ended.finished_at <= BEFORE
    ]
    if ended:
        last = max(ended, key=lambda pair: pair[0])[1]
        return pod, last.name, last.state != "terminated"
    unready = [one.name for one in pod.lasting if not one.ready]
    names = [one.name for one in pod.lasting]
    return pod, unready[0] if unready else configured if configured in names else names[0], False


def of_log(container: str, lines: Sequence[str], now: datetime, *, previous: bool) -> list[Evidence]:
    """The last lines of a log, which are redacted already."""
    last = [line for line in lines if line.strip()][-LINES:]
    which = f"{container}'s log{_PREVIOUS}" if previous else f"{container}'s log"
    return [
        Evidence(LOG, now, f"line {number} of {which}", health_log.beginning(line, LONGEST))
        for number, line in enumerate(last, 1)
    ]


_PREVIOUS = " before its restart"


def crash_log(kept: Sequence[Evidence], line: str) -> Excerpt | str | None:
    """The last lines of the log that a ``logs`` line names, or why there are none; None: nothing is kept yet.

    A container that has restarted since the line was made has ended that run: its previous log will do.
    """
    container = health_log.container_of(line)
    before = f"{container}'s log{_PREVIOUS}"
    wanted = before if health_log.is_previous(line) else f"{container}'s log"
    log = [one for one in kept if one.kind == LOG]
    if not log:
        return next((one.text for one in kept if one.kind == UNREAD and not one.text.startswith(NO_EVENTS)), None)
    found = log[0].source.partition(" of ")[2]
    if found not in (wanted, before):
        return f"The bot kept {found}, not {wanted}."
    return health_log.excerpt(container, [one.text for one in log], previous=found == before)
