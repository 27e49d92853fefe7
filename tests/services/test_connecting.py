"""In a terminal an answer with raw text of the pod says which Secrets are redacted by patterns alone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from bot.domain.core.outside import Outside
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Excerpt, Fact, Reply, Table
from bot.errors import NotAllowed
from bot.ports.cluster import Cluster
from bot.wiring.clusters import Clusters
from bot.wiring.connecting import Redaction, connecting
from commands.registry import BUILTIN
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


async def test_where_two_targets_have_a_secret_of_the_same_name_the_note_says_whose() -> None:
    one, two = (handbook.target(name=name, secrets=["agent-secrets"]) for name in ("one", "two"))

    @dataclass
    class TwoTargets(OneCluster):
        links: tuple[Link, ...] = (Link(targets=(one, two)),)

        def once_connected(self, name: str) -> Cluster:
            return cast("Cluster", OneCluster({"agent-secrets": NotAllowed("no")} if name == "two" else {}))

    async with connecting(cast("Clusters", TwoTargets()), None, Outside(), 1) as found:
        pass
    assert found.unknown == ["agent-secrets of two"]


async def test_tables_and_facts_that_are_read_in_the_pod_have_the_note() -> None:
    found = await redaction(agent_two=None)
    processes = Reply("2 processes", tables=(Table(("PID", "Command"), (("1", "serve --pw hunter22"),)),))
    assert found.noted(processes, reads_pod=True).notes == (NOTE,)
    assert found.noted(processes).notes == (), "such as a table of help"
    assert found.noted(Reply("h", facts=(Fact("Line", "x"),)), reads_pod=True).notes == (NOTE,)
    assert found.noted(Reply("Done"), reads_pod=True).notes == ()


async def test_an_answer_that_could_read_nothing_of_the_pod_has_no_note() -> None:
    found = await redaction(agent_two=None)
    api = Finding("kubernetes", "API server", Verdict.UNKNOWN, "the API server answered HTTP 500")
    pod = Finding("pod", "Pod", Verdict.FAIL, "kali: could not start: no such file --pw hunter22")
    unread = Reply("Could not tell", findings=(api,), facts=(Fact("Connect", "ssh claude@192.168.55.215"),))
    assert found.noted(unread, reads_pod=True).notes == ()
    assert found.noted(replace(unread, findings=(api, pod)), reads_pod=True).notes == (NOTE,)


def test_what_reads_the_pod_is_known_by_its_rights() -> None:
    reads = {command.name for command in BUILTIN if command.reads_pod}
    assert {"processes", "cron", "events", "status"} <= reads
    assert not {"help", "version", "whoami", "approvals", "audit"} & reads
