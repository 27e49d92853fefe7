"""Connects to a server by TCP."""

from __future__ import annotations

from bot.domain.runbook.facts.tcp import NO_LINE, Tcp
from bot.domain.runbook.record import Record
from bot.errors import AgentpodError
from bot.services.health.reads import Reads
from bot.services.health.sources import Source
from bot.services.runbook.fact_reader import FactReader

LONGEST_WAIT = 1.0
"""Most seconds to wait for a server's first line."""
NETWORK = Source("network", "Network", "the network does not answer")


async def read(reads: Reads, settings: Tcp) -> Record:
    """Connect, and read the server's first line where one is wanted. A refused connection is a fact, no error."""
    network = reads.ctx.network
    try:
        if settings.banner:
            line = await network.greeting(settings.host, settings.port, _patience(reads, settings))
            silent = {} if line else {"banner": NO_LINE}
            return Record("tcp", (line,) if line else (), {"connected": "true", **silent})
        await network.connect(settings.host, settings.port)
    except AgentpodError as error:
        return Record("tcp", (), {"connected": "false", "error": error.message})
    return Record("tcp", (), {"connected": "true"})


def _patience(reads: Reads, settings: Tcp) -> float:
    """Seconds to wait for the first line: a server that speaks only when it is spoken to sends none.

    With a deadline that is short, half of it: that nothing came has to be known before.
    """
    deadline = settings.timeout.total_seconds() if settings.timeout is not None else reads.ctx.probe_timeout
    return min(LONGEST_WAIT, deadline / 2)


READER = FactReader("tcp", NETWORK, read, lambda _target, _settings: ())
