"""The source of heartbeats, and the dead man's switch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from bot.domain.heartbeats.heartbeat import HeartbeatPoll


class HeartbeatSource(Protocol):
    """A Pushgateway, which heartbeats are read from and pushed to."""

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        """Read all groups with the named gauges. Raises `Transient` or `Permanent`, with what was wrong."""

    async def push(self, labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        """Push gauges to the group of these labels (``job`` among them); its other metrics stay.

        Raises as :meth:`read`.
        """


class DeadMan(Protocol):
    """A dead man's switch: an external service that raises an alarm when pings stop."""

    async def ping(self) -> None:
        """Send a ping. Raises `Transient` or `Permanent`."""
