"""Retries early 401 and 403 answers: an API server that has just started refuses everybody.

Until it has loaded accounts and RBAC, it refuses calls that it granted a moment before and grants a moment later.
The calls made here were preceded by a successful read when the repair was requested, so a refusal is unexpected;
a refused call changed nothing, so it can be sent again.
"""

from __future__ import annotations

import asyncio

from bot.errors import AgentpodError, NotAllowed

SETTLING = 15.0
"""Seconds after the first refusal during which refusals are retried."""


class EarlyRefusals:
    """The refusals met by one piece of work."""

    def __init__(self, seconds: float = SETTLING) -> None:
        """``seconds`` after the first refusal, refusals count as final."""
        self._seconds = seconds
        self._since: float | None = None

    def may_pass(self, error: AgentpodError) -> bool:
        """Whether to retry: the error is a refusal, and the first one is less than ``seconds`` ago."""
        if not isinstance(error, NotAllowed):
            return False
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        return now - self._since < self._seconds
