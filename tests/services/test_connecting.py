"""In a terminal an answer with raw text of the pod says which Secrets are redacted by patterns alone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from bot.domain.core.outside import Outside
from bot.domain.core.reply import Excerpt, Reply
from bot.errors import NotAllowed
from bot.ports.cluster import Cluster
from bot.wiring.clusters import Clusters
from bot.wiring.connecting import Redaction, connecting
from tests import handbook

SECRETS = ("agent-one", "agent-two")
RAW = Reply("Lines", excerpts=(Excerpt("text of the pod"),))
NOTE = "The values of Secret agent-two are not known, so only patterns are redacted"


@dataclass(eq=False)
class Link:
    """The connection to a cluster that has the target."""

    targets: tuple[Any, ...] = (handbook.target(secrets=list(SECRETS)),)

    async def connect(self) -> None:
        """Be connected."""


@dataclass
class OneCluster:
    """A cluster whose Secrets can be read, refused (an error), or don't come (None)."""

    answers: Mapping[str, Exception | None] = field(default_factory=dict)
    links: tuple[Link, ...] = (Link(),)

    def links_of(self, _: str | None) -> tuple[Link, ...]:
        return self.links

    def once_connected(self, _: str) -> Cluster:
        return cast("Cluster", self)

    async def secret_values(self, names: Collection[str], *, files: bool = False) -> frozenset[str]:
        [name] = names
        if name in self.answers:
            if (error := self.answers[name]) is not None:
                raise error
            await asyncio.sleep(60)
        return frozenset({f"the-value-of-{name}"})


async def redaction(**answers: Exception | None) -> Redaction:
    clusters = OneCluster({name.replace("_", "-"): answer for name, answer in answers.items()})
    async with connecting(cast("Clusters", clusters), None, Outside(), 0.05) as found:
        pass
    return found


@pytest.mark.parametrize("answer", [NotAllowed("no"), None])
async def test_a_secret_that_was_not_read_in_time_is_named(answer: Exception | None) -> None:
    found = await redaction(agent_two=answer)
    assert found.noted(RAW).notes == (NOTE,)
    assert found.noted(found.noted(RAW)).notes == (NOTE,), "once"
    assert found.noted(Reply("No incident")).notes == (), "it has no text of the pod"


async def test_where_all_values_are_known_nothing_is_said() -> None:
    assert (await redaction()).noted(RAW) == RAW
