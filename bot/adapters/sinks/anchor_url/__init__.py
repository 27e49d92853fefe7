"""A URL that the audit trail's anchors are sent to. Settings: ``ledger.anchor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.domain.core.outside import Outside
from bot.ports.sinks import SinkType
from bot.settings.model import Settings

if TYPE_CHECKING:
    from bot.adapters.sinks.anchor_url.client import AnchorUrl


def _make(settings: Settings, outside: Outside) -> AnchorUrl:  # noqa: ARG001 - digests and times only
    from bot.adapters.sinks.anchor_url.client import AnchorUrl

    token = settings.ledger.anchor.token
    return AnchorUrl(settings.ledger.anchor.url, token.get_secret_value() if token else "")


SINK = SinkType("anchor_url", "the anchors' URL", lambda settings: settings.ledger.anchor.url, _make)
