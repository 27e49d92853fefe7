"""The clusters during one command in a terminal, which waits only for those of the targets it asks about."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from bot.domain.core import words
from bot.domain.core.outside import Outside
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply
from bot.services.health.secret_values import KnownSecrets
from bot.services.health.sources import API
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

    def noted(self, reply: Reply, *, reads_pod: bool = False) -> Reply:
        """The reply; one with text of the pod has the note, unless it says so already.

        With ``reads_pod`` its facts and tables have such text too: a process's command line, a line of a crontab.
        """
        raw = reply.excerpts or reply.proof or (reads_pod and _shows_text(reply))
        if not self.note or not raw or any(_NOT_KNOWN in one for one in reply.notes):
            return reply
        return replace(reply, notes=(*reply.notes, self.note))


def _shows_text(reply: Reply) -> bool:
    """Whether it can have text of the pod: only that the API server can't be read says nothing of the pod."""
    failed = [finding.probe for finding in reply.findings if finding.verdict is not Verdict.OK]
    return set(failed) != {API.key} if failed else bool(reply.tables or reply.facts)


def _called(unknown: Iterable[tuple[str, str]], all_: Iterable[tuple[str, str]]) -> list[str]:
    """The names of Secrets; of one that several targets have also the target."""
    targets = Counter(name for _, name in set(all_))
    return sorted(f"{name} of {target}" if targets[name] > 1 else name for target, name in unknown)


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
            asked_about = [known[link] for link in asked]
            unknown = {one for each in asked_about for one in each.unknown}
            redaction.unknown = _called(unknown, {one for each in asked_about for one in each.wanted})
    finally:
        tasks = [*links.values(), *secrets.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
