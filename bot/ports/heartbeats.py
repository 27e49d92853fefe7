"""Where heartbeats are read and sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from bot.domain.heartbeats.heartbeat import HeartbeatPoll


class HeartbeatSource(Protocol):
    """Where heartbeats are read: a Pushgateway."""

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        """All groups with the named gauges. Raises `Transient` or `Permanent`, saying what was wrong."""

    async def push(self, labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        """Push gauges to a group (``job`` in its labels); what else is in it stays. Raises as :meth:`read`."""


class DeadMan(Protocol):
    """Who raises the alarm when the bot does not call."""

    async def ping(self) -> None:
        """Call. Raises `Transient` or `Permanent`."""
