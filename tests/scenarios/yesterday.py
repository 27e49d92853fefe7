"""A good and a bad day's events for the digest, written to the ledger before the bot starts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from bot.adapters.ledger.ledger import open_ledger
from bot.domain.core.history import BEAT, SOURCE, HistoryEvent, pod_source
from bot.domain.heartbeats.heartbeat import Health
from bot.domain.incidents.alerting import AlertRules
from bot.domain.incidents.job_state import JobState
from bot.services.digest.post_digest import MARK
from bot.services.incidents.poll_coverage import heartbeat_coverage, pod_coverage

JOB, TARGET = "session-manager", "secure-agent-pod"
BEATS = [
    {"job": JOB, "severity": "critical", "stale_after": "5s"},
    {"job": "exercise-reminder", "severity": "critical", "stale_after": "3h"},
    {"job": "audit-digest", "schedule": "0 21 * * *", "timezone": "UTC", "grace": "15m"},
]


def happenings(day: date) -> list[HistoryEvent]:
    """A typical day: a job that was down for a while, a late one, a restart, and downtime of the bot."""
    start = datetime.combine(day, time(), UTC)

    def at(hours: float) -> datetime:
        return start + timedelta(hours=hours)

    beats = [HistoryEvent(TARGET, JOB, at(n / 2), BEAT) for n in range(48) if not 27 <= n <= 30]
    beats += [HistoryEvent(TARGET, "exercise-reminder", at(n), BEAT) for n in (7, 9.5, 12, 14.5, 17)]
    beats.append(HistoryEvent(TARGET, "audit-digest", at(21.2), BEAT))
    states = [
        HistoryEvent(TARGET, JOB, at(13.2), "stale"),
        HistoryEvent(TARGET, JOB, at(15.5), "up"),
        HistoryEvent(TARGET, "audit-digest", at(21), "late"),
        HistoryEvent(TARGET, "audit-digest", at(21.2), "up"),
        HistoryEvent(TARGET, "pod", at(15.3), "down"),
        HistoryEvent(TARGET, "pod", at(15.4), "ready"),
    ]
    sources = (SOURCE, pod_source(TARGET))
    return [
        *beats,
        *states,
        *(HistoryEvent("", s, at(h), what) for s in sources for h, what in ((3, "off"), (4, "ok"))),
    ]


def good(day: date) -> list[HistoryEvent]:
    """A day without any problem."""
    start = datetime.combine(day, time(), UTC)
    runs = {JOB: [n / 2 for n in range(48)], "exercise-reminder": [7, 9.5, 12, 14.5, 17], "audit-digest": [21]}
    beats = [
        HistoryEvent(TARGET, job, start + timedelta(hours=hour), BEAT)
        for job, hours in runs.items()
        for hour in hours
    ]
    return [*beats, *(HistoryEvent("", s, start, "ok") for s in (SOURCE, pod_source(TARGET)))]


async def put(
    url: str, day: date, last: date | None = None, *, events: Sequence[HistoryEvent] | None = None
) -> None:
    """Write events, or else those of a bad ``day``; ``last`` is the day on which the last digest was posted."""
    now = datetime.now(UTC)
    ledger = await open_ledger(url, exclusive=False)
    async with ledger.writing() as tx:
        await tx.add_history(happenings(day) if events is None else events)
        names = [str(beat["job"]) for beat in BEATS]
        await tx.save_job_states(TARGET, [JobState(name, now, health=Health.UP, since=now) for name in names])
        for looks in (heartbeat_coverage(AlertRules()), pod_coverage(TARGET)):
            await tx.set_mark(looks.first, (now - timedelta(days=9)).isoformat())
            await tx.set_mark(looks.last, now.isoformat())
        if last is not None:
            await tx.set_mark(MARK, f"{last}|{now.isoformat()}")
    await ledger.close()
