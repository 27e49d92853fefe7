"""Slack's dates: times that each reader sees in their own zone. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from bot.domain.core.moments import FAR, Moment

Json = dict[str, Any]

NEAR = timedelta(hours=3)
"""So close to the message's own time, which Slack shows, nobody takes an hour for another day's."""
_MARKUP = re.compile(r"<!date\^[^|>]*\|([^>]*)>")


def element(moment: Moment, now: datetime | None, **style: bool) -> Json:
    """Return a date element of rich text; its fallback is a short time in UTC. Without ``now`` it has its year."""
    date: Json = {
        "type": "date",
        "timestamp": int(moment.at.timestamp()),
        "format": _format(moment, now),
        "fallback": moment.short(now),
    }
    return {**date, "style": style} if style else date


def _format(moment: Moment, now: datetime | None) -> str:
    """Return the hour alone for a near time; else with "Today", "Yesterday" or the day, and a far one's year.

    Slack fills it in whenever somebody reads the message, in a zone that decides which day it is.
    """
    time = "{time_secs}" if moment.seconds else "{time}"
    if now is None or abs(now - moment.at) >= FAR:
        return f"{{date_short}}, {time}"
    return time if abs(now - moment.at) < NEAR else f"{{date_pretty}}, {time}"


def in_mrkdwn(moment: Moment, now: datetime | None) -> str:
    """Return the same date as mrkdwn."""
    return markup(element(moment, now))


def markup(date: Json) -> str:
    """Return a date element as mrkdwn."""
    return f"<!date^{date['timestamp']}^{date['format']}|{date['fallback']}>"


def without(text: str) -> str:
    """Return mrkdwn with the fallbacks of its dates."""
    return _MARKUP.sub(r"\1", text)
