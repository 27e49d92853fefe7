"""Where and when messages are posted, by the settings."""

from __future__ import annotations

from datetime import time

from bot.domain.digest.when import When
from bot.settings.model import Settings


def digest_time(settings: Settings) -> When:
    """The digest's time and zone; the `digest` command needs the zone even where no digest is posted."""
    hour, _, minute = (settings.digest.at or "09:00").partition(":")
    return When(time(int(hour), int(minute)), settings.digest.timezone)


def digest_channel(settings: Settings) -> str:
    """The channel that the digest is posted in; empty where none is posted."""
    digest = settings.digest
    return (digest.channel or settings.slack.channel or "") if digest.at else ""


NAME_A_CHANNEL = "Set AGENTPOD_SLACK__CHANNEL to the operations channel's id, and invite the app there."


def missing_channel(settings: Settings) -> str:
    """A warning that no channel is set, with what isn't posted because of that; empty where one is set."""
    if settings.slack.channel:
        return ""
    digest = settings.digest.at and not settings.digest.channel
    what = "alerts and the digest are" if digest else "alerts are"
    return f"slack.channel is not set: {what} posted nowhere, and approval cards go where a repair is asked for."
