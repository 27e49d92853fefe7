"""Whether a refusal is believed: an API server that has just started refuses everybody.

Until it has read who exists and who may what, it answers 403, or 401 for a token, to calls that it took a moment
before and takes a moment later. What is asked here was looked at before somebody approved it, so a refusal is
news. Nothing was done by a call that was refused, so it can be sent again.
"""

from __future__ import annotations

import asyncio

from bot.errors import AgentpodError, NotAllowed

SETTLING = 15.0
"""Seconds for which a refusal is not believed."""


class Doubt:
    """About the refusals of one piece of work."""

    def __init__(self, seconds: float = SETTLING) -> None:
        """``seconds`` after the first refusal it is believed."""
        self._seconds = seconds
        self._since: float | None = None

    def of(self, error: AgentpodError) -> bool:
        """Whether it may pass, since it is a refusal and the first one is not long ago."""
        if not isinstance(error, NotAllowed):
            return False
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        return now - self._since < self._seconds
