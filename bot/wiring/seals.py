"""Keeps in the ledger the keys that seal the times in its texts: whoever reads it shows them alike.

The bot's key follows from its secrets. A terminal beside it may have none of them, and a new token makes a new
key.
"""

from __future__ import annotations

import logging

from bot.domain.core import moments
from bot.errors import AgentpodError
from bot.ports.ledger import Ledger

logger = logging.getLogger("agentpod.ledger")

SEALS = "seals"
"""Mark in the ledger: the keys, the newest first."""
MOST = 5
"""Most keys that are kept: times of older ones are shown in full, in UTC."""


async def share(ledger: Ledger, *, own: bool) -> None:
    """Accept the times that other processes wrote into the ledger; ``own``: have them accept this one's.

    Where that fails, times are shown in full, which is no reason to go without a ledger.
    """
    try:
        kept = (await ledger.mark(SEALS) or "").split()
        moments.accept(kept)
        if own and moments.key() not in kept:
            async with ledger.writing() as tx:
                await tx.set_mark(SEALS, " ".join([moments.key(), *kept][:MOST]))
    except AgentpodError as error:
        logger.warning("the keys of times were not shared: %s", error.message)
