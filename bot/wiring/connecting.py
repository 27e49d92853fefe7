"""The clusters during one command in a terminal, which waits only for those of the targets it asks about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.domain.core.outside import Outside
from bot.services.health.secret_values import KnownSecrets
from bot.wiring.clusters import Clusters


@asynccontextmanager
async def connecting(
    clusters: Clusters, target: str | None, outside: Outside, seconds: float
) -> AsyncIterator[None]:
    """Connect every cluster in the background; enter when those asked about are connected or have failed.

    ``target`` is the one asked about; None stands for all. The values of Secrets are read meanwhile, as they must
    be known before the reply is shown: leaving waits up to ``seconds`` for those of the clusters asked about.
    """
    asked = clusters.links_of(target)
    links = {link: asyncio.create_task(link.connect()) for link in clusters.links}
    secrets = {
        link: asyncio.create_task(KnownSecrets(link.targets, clusters.once_connected, outside).look())
        for link in clusters.links
    }
    try:
        await asyncio.gather(*(links[link] for link in asked))
        yield
        if asked:
            await asyncio.wait([secrets[link] for link in asked], timeout=seconds)
    finally:
        tasks = [*links.values(), *secrets.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
