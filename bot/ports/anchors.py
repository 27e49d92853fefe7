"""Where the audit trail's anchors are kept outside the ledger."""

from __future__ import annotations

from typing import Protocol

from bot.domain.core.anchors import KeptAnchors


class AnchorStore(Protocol):
    """Keeps anchors out of the ledger's reach."""

    @property
    def place(self) -> str:
        """Where they are, for people."""

    async def anchors(self) -> KeptAnchors:
        """Read all of them. Raises `bot.errors`; `NotFound` where nothing was kept yet."""
