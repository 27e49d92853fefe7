"""A restart that was approved is a fact with its request, and nobody else is blamed for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Mention, Reply, plain
from bot.domain.core.workload import Container, Pod, Termination
from bot.domain.health.judge_pod import judge_pod
from bot.domain.incidents import pod_watch
from bot.errors import Transient
from tests.commands.fakes import World, container, pod
from tests.commands.test_remembered import Book
from tests.services.two_containers import Two, approved, asked
from tests.services.workbench import JONAS, START, TARGET, bench, opened

LINES = ["status", "pods"]
BLAME = "Something outside of it ended it"
LATER = timedelta(minutes=2)


@dataclass
class Requests(Book):
    """A ledger with requests, or one that fails."""

    found: Any = ()

    async def requests(self, states: object = None, **_: Any) -> list[RepairRequest]:
        if isinstance(self.found, Exception):
            raise self.found
        return [] if states else list(self.found)


class After:
    """Two minutes after the restart."""

    def now(self) -> datetime:
        return START + LATER

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
async def repair(tmp_path: Path) -> AsyncIterator[RepairRequest]:
    """A restart of kali that was approved and has succeeded."""
    async with opened(tmp_path) as ledger:
        one = bench(ledger, cluster=Two())
        yield await approved(one, await asked(one))
        await one.executor.stop(1)


def ended(restarts: int = 1, reason: str = "Error", at: datetime = START, **changes: Any) -> Container:
    return container(restarts=restarts, last_termination=Termination(reason, 143, at), **changes)


def killed(*containers: Container, uid: str = "uid-1") -> Pod:
    return pod(uid=uid, containers=containers, created_at=START - timedelta(hours=7))


async def answer(world: World, line: str, seen: Pod, found: object) -> Reply:
    world.cluster.pods_answer = [seen]
    book: Any = Requests(found=found)
    return await world.run(line, lambda ctx: replace(ctx, ledger=book, clock=After()))


def pod_verdict(reply: Reply) -> str:
    checks: Any = reply.data["checks"]
    return next(str(one["verdict"]) for one in checks if one["probe"] == "pod")


@pytest.mark.parametrize("line", LINES)
async def test_a_restart_that_was_approved_is_a_fact_and_no_warning(
    world: World, repair: RepairRequest, line: str
) -> None:
    reply = await answer(world, line, killed(ended()), [repair])
    assert pod_verdict(reply) == Verdict.OK.value
    said = f"kali was restarted 2 min ago by {repair.id}, approved by @{JONAS}"
    assert said in [plain(one) for one in reply.body]
    assert any(Mention(JONAS) in one for one in reply.body if isinstance(one, tuple))
    assert BLAME not in str(reply)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(killed(ended(2)), id="a later restart"),
        pytest.param(killed(ended(), uid="uid-2"), id="another pod"),
        pytest.param(killed(container(), ended(name="proxy")), id="another container"),
        pytest.param(killed(ended(reason="OOMKilled")), id="OOM-killed"),
        pytest.param(killed(ended(at=START - timedelta(minutes=20))), id="before the request"),
        pytest.param(killed(ended(at=START + timedelta(seconds=90))), id="after its command"),
    ],
)
async def test_a_termination_that_the_request_does_not_explain_stays_a_warning(
    world: World, repair: RepairRequest, seen: Pod
) -> None:
    reply = await answer(world, "status", seen, [repair])
    assert pod_verdict(reply) == Verdict.WARN.value
    assert repair.id not in str(reply.body)


@pytest.mark.parametrize("found", [(), Transient("The ledger does not answer.")])
@pytest.mark.parametrize("line", LINES)
async def test_without_a_request_that_can_be_read_the_warning_stays(
    world: World, line: str, found: object
) -> None:
    reply = await answer(world, line, killed(ended()), found)
    assert pod_verdict(reply) == Verdict.WARN.value
    assert BLAME in str(reply)


def test_a_container_that_is_not_ready_after_an_approved_restart_blames_nothing_outside() -> None:
    seen, now = killed(ended(ready=False)), START + LATER
    for explained, blames in (((), True), ({("uid-1", "kali", 1)}, False)):
        finding = judge_pod([seen], TARGET, now, explained=explained)
        problem = pod_watch.problem(TARGET, [seen], now, hold=LATER, explained=explained)
        assert finding.verdict is Verdict.FAIL
        assert (BLAME in str(finding), BLAME in str(problem)) == (blames, blames)
