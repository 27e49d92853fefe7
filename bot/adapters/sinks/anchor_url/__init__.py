"""A URL that the audit trail's anchors are sent to. Settings: ``ledger.anchor``."""

from __future__ import annotations

from bot.adapters.sinks.anchor_url.client import AnchorUrl
from bot.domain.core.outside import Outside
from bot.ports.sinks import SinkType
from bot.settings.model import Settings

__all__ = ["SINK", "AnchorUrl"]


def _make(settings: Settings, outside: Outside) -> AnchorUrl:  # noqa: ARG001 - digests and times only
    token = settings.ledger.anchor.token
    return AnchorUrl(settings.ledger.anchor.url, token.get_secret_value() if token else "")


SINK = SinkType(AnchorUrl.name, "the anchors' URL", lambda settings: settings.ledger.anchor.url, _make)
