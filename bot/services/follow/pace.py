"""The pauses and limits of time of followed logs."""

from __future__ import annotations

from bot.domain.core.lazy_dataclass import dataclass


@dataclass(frozen=True)
class FollowPace:
    """All in seconds."""

    first_look: float = 1.0
    """Until the first lines are shown."""
    interval: float = 3.0
    """Between two edits while one log is followed. Several share the rate: Slack allows 50 edits a minute."""
    reconnect: float = 0.5
    """Before a broken connection is opened anew; each further pause is twice as long, up to ``longest``."""
    slack: float = 1.0
    """Before a failed call to Slack is repeated, likewise."""
    longest: float = 10.0
    settling: float = 15.0
    """For which a refusal is retried: an API server that has just started refuses everybody."""
    role: float = 60.0
    """Between two looks at whether the one who began it may still read logs."""
    start: float = 20.0
    """For which the first message is tried."""
    end: float = 60.0
    """For which the last edits are tried; the message says when it ends, so without them it isn't wrong."""
    shutdown: float = 3.0
    """The same when the bot stops."""


USUAL = FollowPace()
