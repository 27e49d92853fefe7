"""Each background task declares the Kubernetes rights that its calls need, and no others."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.core.outside import Outside
from bot.ports.cluster import Cluster
from bot.services.health.secret_fingerprints import SecretWatch
from bot.services.health.secret_values import KnownSecrets
from bot.services.incidents.evidence_keeper import EvidenceKeeper
from bot.services.incidents.incident_cache import TargetWatch
from bot.services.incidents.muting import Muting
from bot.services.incidents.watch_checks import CheckWatch
from bot.services.incidents.watch_inside import InsideWatch
from bot.services.incidents.watch_pod import PodWatch
from bot.wiring.rights import READERS
from tests.commands.fakes import PODS
from tests.commands.test_secrets import Room
from tests.rights_used import RIGHTS, RightsUsed
from tests.services.watchbench import Watch, watch
from tests.services.workbench import opened


@dataclass
class _Tasks:
    """Polls each background task once, and records what it calls."""

    made: Watch
    room: Room
    used: RightsUsed

    def _cluster_of(self, _: str) -> Cluster:
        return self.used.as_cluster

    def _watcher(self, kind: type[TargetWatch]) -> TargetWatch:
        made = self.made
        muting = Muting(made.rules)
        return kind(self.room.target, self._cluster_of, made.clock, made.rules, made.incidents, muting)

    async def pod(self) -> None:
        watcher = self._watcher(PodWatch)
        async with aclosing(watcher._pod_lists()) as lists:
            await watcher.look(await anext(lists))

    async def inside(self) -> None:
        await self._watcher(InsideWatch).look()

    async def checks(self) -> None:
        watcher = self._watcher(CheckWatch)
        watcher.context = replace(self.room.context(), cluster=self.used.as_cluster, book=None)
        watcher._next.clear()
        await watcher.look()

    async def secrets(self) -> None:
        await SecretWatch(self.room.target, self._cluster_of, self.made.ledger, self.made.clock).look()

    async def evidence(self) -> None:
        made = self.made
        target = self.room.target
        keeper = EvidenceKeeper({target.name: target}, self._cluster_of, made.ledger, made.clock, Outside())
        await keeper._read(target)

    async def known_secrets(self) -> None:
        await KnownSecrets([self.room.target], self._cluster_of, Outside()).look()


POLLS: dict[str, Callable[[_Tasks], Awaitable[None]]] = {
    "pod": _Tasks.pod,
    "inside": _Tasks.inside,
    "checks": _Tasks.checks,
    "secrets": _Tasks.secrets,
    "known secrets": _Tasks.known_secrets,
    "evidence": _Tasks.evidence,
}


@pytest_asyncio.fixture
async def tasks(tmp_path: Path) -> AsyncIterator[_Tasks]:
    async with opened(tmp_path) as ledger:
        room = Room()
        yield _Tasks(watch(ledger), room, RightsUsed(room.cluster))


@pytest.mark.parametrize("name", READERS)
async def test_a_background_task_declares_the_rights_that_its_calls_need(tasks: _Tasks, name: str) -> None:
    cluster = tasks.room.cluster
    for pods in PODS.values():
        cluster.pods_answer, cluster.follow_answers = pods, (pods,)
        await POLLS[name](tasks)
    assert tasks.used.rights == set(READERS[name].rights(tasks.room.target))


def test_the_rights_of_every_call_of_the_cluster_are_known() -> None:
    assert set(RIGHTS) == {name for name, _ in inspect.getmembers(Cluster, inspect.isfunction) if name[0] != "_"}
