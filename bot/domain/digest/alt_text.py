"""The digest's picture in words (alt text), and the day as JSON for scripts. Pure."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from bot.domain.core import words
from bot.domain.core.intervals import What
from bot.domain.digest.day import NOTHING, Day, DayTrack

MOST = 12
"""Most restart times that are listed."""


def in_words(day: Day, zone: str) -> str:
    """Describe the picture, with times in the zone."""
    title = f"Timeline of {day.target} on {day.window.day:%a %d %b}"
    if not day.known:
        return f"{title}: no data"
    jobs = day.worst_jobs()
    told = [f"pod {_state(day.pod, day)}{_restarts(day.pod, zone)}"]
    told += [f"{words.cut(lane.subject, 60)} {_state(lane, day)}{_runs(lane)}" for lane in jobs]
    if len(day.jobs) > len(jobs):
        told.append(f"{words.plural(len(day.jobs) - len(jobs), 'other job')} not drawn")
    return f"{title}: {'; '.join(told)}"


def as_data(day: Day) -> dict[str, object]:
    """The day as JSON: durations in seconds; ``uptime`` in percent (`Day.uptime`), or null."""
    return {
        "target": day.target,
        "day": day.window.day.isoformat(),
        "uptime": day.uptime,
        "pod": _numbers(day.pod) | {"started": [at.isoformat() for at in day.pod.runs]},
        "jobs": [_numbers(lane) | {"runs": len(lane.runs)} for lane in day.jobs],
        "paused": list(day.paused),
        "never_seen": list(day.never),
        "in_maintenance": list(day.away),
    }


def _numbers(lane: DayTrack) -> dict[str, object]:
    seconds = {what.value: lane.total(what).total_seconds() for what in What}
    return {"name": lane.subject, **seconds, "times_down": lane.downs}


def _state(lane: DayTrack, day: Day) -> str:
    if not day.knows(lane):
        return "no data"
    asked = sum((span.length for span in lane.planned), NOTHING)
    planned = [f"down for a planned restart {words.age(asked)}"] if asked > NOTHING else []
    each = (
        (What.DOWN, "down"),
        (What.LATE, "late"),
        (What.MAINTENANCE, "in maintenance"),
        (What.PAUSED, "paused"),
        (What.UNKNOWN, "no data for"),
    )
    rest = lane.unplanned
    said = [f"{word} {words.age(rest.total(what))}" for what, word in each if rest.total(what) > NOTHING]
    return ", ".join([*planned, *said]) or "all good"


def _runs(lane: DayTrack) -> str:
    return f", {words.plural(len(lane.runs), 'run')}"


def _restarts(pod: DayTrack, zone: str) -> str:
    if not pod.runs:
        return ""
    times = [f"{at.astimezone(ZoneInfo(zone)):%H:%M}" for at in pod.runs[:MOST]]
    more = [f"{len(pod.runs) - MOST} more times"] if len(pod.runs) > MOST else []
    return f", restarted at {words.listed([*times, *more])}"
