"""A dead man's switch: a service that alerts when the bot stops calling. Setting: ``heartbeat.dead_man_url``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.domain.core.outside import Outside
from bot.ports.sinks import SinkType
from bot.settings.model import Settings

if TYPE_CHECKING:
    from bot.adapters.sinks.dead_mans_switch.client import DeadMansSwitch


def _address(settings: Settings) -> str:
    url = settings.heartbeat.dead_man_url
    return url.get_secret_value() if url is not None else ""


def _make(settings: Settings, outside: Outside) -> DeadMansSwitch:  # noqa: ARG001 - it sends no text
    from bot.adapters.sinks.dead_mans_switch.client import DeadMansSwitch

    return DeadMansSwitch(_address(settings))


SINK = SinkType("dead_mans_switch", "the dead man's switch", _address, _make, takes_messages=False)
