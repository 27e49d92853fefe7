"""Wall-clock jobs with APScheduler, which are the bot's own: no cron's reading of a crontab counts.

APScheduler's crontab takes a time that a change of the clock leaves out for an hour later, and one that
comes twice for two. Here a time of day is one moment a day, whatever the clock does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger


class Daily(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Once a local day at a time of day."""

    def __init__(self, at: time, zone: str) -> None:
        """``zone`` is an IANA name."""
        self._at, self._zone = at, ZoneInfo(zone)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first moment after both."""
        after = max(now, previous_fire_time) if previous_fire_time else now
        day = after.astimezone(self._zone).date()
        while (moment := datetime.combine(day, self._at, self._zone)).timestamp() <= after.timestamp() and (
            previous_fire_time is not None or moment.timestamp() < after.timestamp()
        ):
            day += timedelta(days=1)
        return moment.astimezone(ZoneInfo("UTC"))


class Schedule:
    """Runs work at its times, in the event loop."""

    def __init__(self) -> None:
        """Nothing runs until :meth:`start`."""
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def daily(self, name: str, when: Daily, work: Callable[[], Awaitable[object]]) -> None:
        """Have ``work`` done once a local day; late rather than never, and several missed times are one."""
        self._scheduler.add_job(
            work, when, id=name, name=name, coalesce=True, max_instances=1, misfire_grace_time=None
        )

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """End; work under way is not waited for."""
        self._scheduler.shutdown(wait=False)
