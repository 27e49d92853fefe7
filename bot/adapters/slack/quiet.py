"""An observer of Slack for programs that run once: a terminal command, `agentpod check`."""

from __future__ import annotations


class QuietObserver:
    """An observer that counts nothing."""

    def acked(self, kind: str, seconds: float) -> None:
        """Do nothing."""

    def redelivered(self, kind: str) -> None:
        """Do nothing."""

    def api_call(self, method: str, outcome: str, seconds: float) -> None:
        """Do nothing."""

    def connected(self, connected: bool) -> None:
        """Do nothing."""

    def delivery_failed(self, reason: str) -> None:
        """Do nothing."""
