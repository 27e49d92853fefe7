"""The clusters during one command in a terminal, which waits only for those of the targets it asks about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from bot.domain.core import words
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply
from bot.services.health.secret_values import KnownSecrets
from bot.wiring.clusters import Clusters


@dataclass
class Redaction:
    """Which Secrets' values were not known in time, so that only what looks like a secret is redacted."""

    unknown: list[str] = field(default_factory=list)

    @property
    def note(self) -> str:
        """A sentence that names them; empty where all values are known."""
        if not self.unknown:
            return ""
        whose = "Secret" if len(self.unknown) == 1 else "Secrets"
        return f"The values of {whose} {words.listed(self.unknown)} {_NOT_KNOWN}"

    def noted(self, reply: Reply) -> Reply:
        """The reply; one with raw text of the pod has the note, unless it says so already."""
        raw = reply.excerpts or reply.proof
        if not self.note or not raw or any(_NOT_KNOWN in one for one in reply.notes):
            return reply
        return replace(reply, notes=(*reply.notes, self.note))


_NOT_KNOWN = "are not known, so only patterns are redacted"


@asynccontextmanager
async def connecting(
    clusters: Clusters, target: str | None, outside: Outside, seconds: float
) -> AsyncIterator[Redaction]:
    """Connect every cluster in the background; enter when those asked about are connected or have failed.

    ``target`` is the one asked about; None stands for all. The values of Secrets are read meanwhile, as they must
    be known before the reply is shown: leaving waits up to ``seconds`` for those of the clusters asked about.
    """
    asked = clusters.links_of(target)
    links = {link: asyncio.create_task(link.connect()) for link in clusters.links}
    known = {link: KnownSecrets(link.targets, clusters.once_connected, outside) for link in clusters.links}
    secrets = {link: asyncio.create_task(one.look()) for link, one in known.items()}
    redaction = Redaction()
    try:
        await asyncio.gather(*(links[link] for link in asked))
        yield redaction
        if asked:
            await asyncio.wait([secrets[link] for link in asked], timeout=seconds)
            redaction.unknown = sorted({name for link in asked for name in known[link].unknown})
    finally:
        tasks = [*links.values(), *secrets.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
