"""The health-bridge, which opens GitHub issues for incidents. Settings: ``bridge``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.domain.core.outside import Outside
from bot.ports.sinks import SinkType
from bot.settings.model import Settings

if TYPE_CHECKING:
    from bot.adapters.sinks.health_bridge.client import HealthBridge


def _make(settings: Settings, outside: Outside) -> HealthBridge:
    from bot.adapters.sinks.health_bridge.client import HealthBridge

    token = settings.bridge.token
    return HealthBridge(settings.bridge.url, token.get_secret_value() if token else "", outside=outside)


SINK = SinkType("health_bridge", "the health-bridge", lambda settings: settings.bridge.url, _make)
