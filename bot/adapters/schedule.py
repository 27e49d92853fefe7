"""Runs the bot's own daily jobs with APScheduler, with a trigger of our own.

When the clock changes, APScheduler's cron trigger runs a skipped time an hour later and a repeated one twice.
This trigger fires once a day in either case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger


class Daily(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Fires once each local day at a time of day."""

    def __init__(self, at: time, zone: str) -> None:
        """``zone`` is an IANA name."""
        self._at, self._zone = at, ZoneInfo(zone)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the next time, in UTC: after the previous one if there is one, else from ``now`` on."""
        after = max(now, previous_fire_time) if previous_fire_time else now
        day = after.astimezone(self._zone).date()
        while (moment := datetime.combine(day, self._at, self._zone)).timestamp() <= after.timestamp() and (
            previous_fire_time is not None or moment.timestamp() < after.timestamp()
        ):
            day += timedelta(days=1)
        return moment.astimezone(ZoneInfo("UTC"))


class Schedule:
    """Runs jobs at their times, in the event loop."""

    def __init__(self) -> None:
        """Create the scheduler; nothing runs before :meth:`start`."""
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def daily(self, name: str, when: Daily, work: Callable[[], Awaitable[object]]) -> None:
        """Run ``work`` at each time of ``when``; a missed time runs late, and several missed ones run once."""
        self._scheduler.add_job(
            work, when, id=name, name=name, coalesce=True, max_instances=1, misfire_grace_time=None
        )

    def start(self) -> None:
        """Start running jobs."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop, without waiting for running jobs."""
        self._scheduler.shutdown(wait=False)
