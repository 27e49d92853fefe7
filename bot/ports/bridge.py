"""The health-bridge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Bridge(Protocol):
    """Where incidents are told besides the chat."""

    async def send(self, alert: Mapping[str, Any]) -> None:
        """Tell it. Raises `Transient`, also where it says that it failed, or `Permanent`.

        `TimedOut` or `Uncertain` where nobody knows whether it took it.
        """
