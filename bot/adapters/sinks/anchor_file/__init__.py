"""A file that the audit trail's anchors are appended to. Setting: ``ledger.anchor.file``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.domain.core.outside import Outside
from bot.ports.sinks import SinkType
from bot.settings.model import Settings

if TYPE_CHECKING:
    from bot.adapters.sinks.anchor_file.file import AnchorFile


def _make(settings: Settings, outside: Outside) -> AnchorFile:  # noqa: ARG001 - digests and times only
    from bot.adapters.sinks.anchor_file.file import AnchorFile

    return AnchorFile(settings.ledger.anchor.file)


SINK = SinkType(
    "anchor_file", "the anchor file", lambda settings: settings.ledger.anchor.file, _make, on_network=False
)
