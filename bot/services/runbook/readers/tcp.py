"""Connects to a server by TCP."""

from __future__ import annotations

from bot.domain.runbook.facts.tcp import Tcp
from bot.domain.runbook.record import Record
from bot.errors import AgentpodError
from bot.services.health.reads import Reads
from bot.services.health.sources import Source
from bot.services.runbook.fact_reader import FactReader

NETWORK = Source("network", "Network", "the network does not answer")


async def read(reads: Reads, settings: Tcp) -> Record:
    """Connect, and read the greeting where one is wanted. A refused connection is a fact, not an error."""
    network = reads.ctx.network
    try:
        if settings.banner:
            return Record("tcp", (await network.banner(settings.host, settings.port),), {"connected": "true"})
        await network.connect(settings.host, settings.port)
    except AgentpodError as error:
        return Record("tcp", (), {"connected": "false", "error": error.message})
    return Record("tcp", (), {"connected": "true"})


READER = FactReader("tcp", NETWORK, read, lambda _target, _settings: ())
