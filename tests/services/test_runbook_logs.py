"""Logs as facts: a log that may lack older lines says so, and one that is gone is unread."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.core.workload import LogText
from bot.domain.runbook.facts.log import Log
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.record import Record
from bot.errors import NotFound
from bot.runbook.file.known import Fact, Unread
from bot.services.health.reads import reads_for
from bot.services.runbook.read_facts import read_facts
from tests.commands.fakes import FakeCluster, World

HOUR = timedelta(hours=1)


class Logging(FakeCluster):
    """A pod with a log, or without one."""

    log: Any = LogText(())

    async def logs(self, pod: str, container: str, **_: Any) -> LogText:
        if isinstance(self.log, Exception):
            raise self.log
        return self.log


async def fact(log: Any, restarts: int = 0, **settings: Any) -> Fact:
    world = World()
    cluster = Logging()
    cluster.log = log
    [pod] = cluster.pods_answer
    containers = tuple(replace(one, restarts=restarts) for one in pod.containers)
    cluster.pods_answer = [replace(pod, containers=containers)]
    with reads_for(replace(world.context(), cluster=cluster), [3.0]) as [reads]:
        return (await read_facts(reads, {"log": FactUse(KINDS["log"], Log(**settings))}))["log"]


@pytest.mark.parametrize(
    ("lines", "settings", "truncated"),
    [
        (10, {"since": HOUR, "tail": 10}, True),
        (9, {"since": HOUR, "tail": 10}, False),
        (10, {"tail": 10}, False),
    ],
)
async def test_a_log_of_some_time_is_not_whole_where_its_last_lines_are_all_that_was_read(
    lines: int, settings: dict[str, Any], truncated: bool
) -> None:
    found = await fact(LogText(tuple(f"line {n}" for n in range(lines))), grep="none", **settings)
    assert isinstance(found, Record)
    assert (found.lines, found.truncated) == ((), truncated)


async def test_of_each_job_the_newest_line_is_kept_however_many_there_are() -> None:
    busy = [f"job=1 ok {n}" for n in range(3_000)]
    log = LogText(("job=2 failed", "started", *busy, "job=2 failed again"))
    found = await fact(log, newest="job=[0-9]+", tail=10_000)
    assert isinstance(found, Record)
    assert found.lines == ("started", "job=1 ok 2999", "job=2 failed again")
    matching = await fact(log, newest="job=[0-9]+", grep="failed", tail=10_000)
    assert isinstance(matching, Record)
    assert matching.lines == ("job=2 failed again",)


async def test_a_container_that_never_ended_has_no_previous_log() -> None:
    found = await fact(NotFound("There is no previous log."), previous=True)
    assert isinstance(found, Record)
    assert (found.lines, found.outcome) == ((), {"container": "kali"})


async def test_a_previous_log_that_is_gone_is_unread() -> None:
    found = await fact(NotFound("There is no previous log."), restarts=2, previous=True)
    assert isinstance(found, Unread)
    assert "no previous log" in found.reason


async def test_a_log_that_is_not_there_is_unread() -> None:
    assert isinstance(await fact(NotFound("There is no log.")), Unread)
