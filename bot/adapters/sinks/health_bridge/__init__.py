"""The health-bridge, which opens GitHub issues for incidents. Settings: ``bridge``."""

from __future__ import annotations

from bot.adapters.sinks.health_bridge.client import HealthBridge
from bot.domain.core.outside import Outside
from bot.ports.sinks import SinkType
from bot.settings.model import Settings

__all__ = ["SINK", "HealthBridge"]


def _make(settings: Settings, outside: Outside) -> HealthBridge:
    token = settings.bridge.token
    return HealthBridge(settings.bridge.url, token.get_secret_value() if token else "", outside=outside)


SINK = SinkType(HealthBridge.name, "the health-bridge", lambda settings: settings.bridge.url, _make)
