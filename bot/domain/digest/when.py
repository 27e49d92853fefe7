"""When a digest is due: a time of day in a time zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.domain.core.lazy_dataclass import dataclass


@dataclass(frozen=True)
class When:
    """A time of day in a time zone. Where a clock change skips it, the next existing time counts."""

    at: time
    zone: str

    def on(self, day: date) -> datetime:
        """The moment on that local day."""
        return datetime.combine(day, self.at, ZoneInfo(self.zone)).astimezone(ZoneInfo("UTC"))

    def due(self, now: datetime) -> date:
        """The latest local day on which the time of day has passed."""
        today = now.astimezone(ZoneInfo(self.zone)).date()
        return today if now >= self.on(today) else today - timedelta(days=1)
