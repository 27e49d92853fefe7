"""What a person gets by direct message, and when. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.stored import Stored

SEVERITIES = ("critical", "warning")
REQUEST = "approver"
"""The kind of the messages about requests, which quiet hours hold back only on demand."""
Requests = Literal["always", "awake", "never"]
"""When somebody is messaged about requests that need them: ``awake`` is outside of quiet hours."""
_SPAN = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\s?[-–]\s?([01]?[0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True)
class Period:
    """One stretch of quiet hours, in UTC."""

    begin: datetime
    end: datetime


@dataclass(frozen=True)
class Preferences:
    """One person's preferences. The defaults are those of somebody who has set none."""

    user: str
    alerts: tuple[str, ...] = ()
    """The severities of alerts that they get by direct message."""
    quiet: str = ""
    """Quiet hours, as ``22:00-07:00`` in ``zone``; empty: none."""
    zone: str = "UTC"
    """Their time zone by Slack, as of the last change."""
    wake: bool = False
    """Whether critical alerts come during quiet hours as well."""
    requests: Requests = "always"

    @property
    def wakes(self) -> bool:
        """Whether they get alerts during quiet hours."""
        return self.wake and "critical" in self.alerts

    def quiet_period(self, now: datetime) -> Period | None:
        """The quiet hours that ``now`` is in; None outside of them."""
        if not self.quiet:
            return None
        first, last = (time.fromisoformat(part) for part in self.quiet.split("-"))
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            begin = min(_instants(day, first, zone))
            end = max(_instants(day + timedelta(days=last <= first), last, zone))
            if begin <= now < end:
                return Period(begin, end)
        return None

    def held_until(self, severity: str, now: datetime) -> datetime | None:
        """Until when an alert of that severity is held back; None where it is sent now."""
        if self.wake and severity == "critical":
            return None
        period = self.quiet_period(now)
        return period.end if period is not None else None

    def requests_held_until(self, now: datetime) -> datetime | None:
        """Until when messages about requests are held back; None where they are sent now."""
        period = self.quiet_period(now) if self.requests == "awake" else None
        return period.end if period is not None else None


def _instants(day: date, moment: time, zone: ZoneInfo) -> list[datetime]:
    """When clocks show that: twice where they go back over it; where they skip it, when they do."""
    wall = datetime.combine(day, moment)
    found = sorted(wall.replace(fold=fold, tzinfo=zone).astimezone(UTC) for fold in (0, 1))
    if found[0].astimezone(zone).replace(tzinfo=None) == wall:
        return found
    minutes = range(int((found[1] - found[0]) / timedelta(minutes=1)) + 1)
    after = (found[0] + timedelta(minutes=n) for n in minutes)
    return [next(at for at in after if at.astimezone(zone).replace(tzinfo=None) >= wall)]


def quiet_hours(text: str) -> str:
    """Read quiet hours; empty for ``none``. Raises ValueError with what is expected."""
    if text.strip().lower() == "none":
        return ""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError("quiet hours are two times of day, such as 22:00-07:00, or none")
    first, last = (f"{int(hour):02}:{minute}" for hour, minute in (found.groups()[:2], found.groups()[2:]))
    if first == last:
        raise ValueError(f"quiet hours from {first} to {last} would be none, or all day: name two different times")
    return f"{first}-{last}"


def severities(text: str) -> tuple[str, ...]:
    """Read severities, such as ``critical`` or ``critical,warning``; ``all`` and ``none`` as well.

    Raises ValueError with what is expected.
    """
    wanted = [part for part in re.split(r"[\s,]+", text.strip().lower()) if part]
    if wanted == ["all"]:
        return SEVERITIES
    if wanted == ["none"]:
        return ()
    if not wanted or not set(wanted) <= set(SEVERITIES):
        raise ValueError(f"alerts by direct message are {', '.join(SEVERITIES)}, all or none")
    return tuple(s for s in SEVERITIES if s in wanted)


def of(user: str, found: Sequence[Preferences]) -> Preferences:
    """A user's preferences among ``found``, or the defaults."""
    return next((one for one in found if one.user == user), Preferences(user))


def in_zone(preferences: Preferences, zone: str) -> Preferences:
    """A copy with another time zone; UTC where the machine doesn't know it."""
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        zone = "UTC"
    return replace(preferences, zone=zone or "UTC")


KEPT = Stored(Preferences)


def to_json(preferences: Preferences) -> str:
    """Serialize for the ledger."""
    return KEPT.dump(preferences)


def from_json(text: object) -> Preferences:
    """Deserialize. Raises `Unreadable` (a ValueError) for what `to_json` did not write."""
    found = KEPT.load(text)
    return replace(in_zone(found, found.zone), quiet=quiet_hours(found.quiet or "none"))
