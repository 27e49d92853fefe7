"""Facts are redacted before anything searches, cuts or splits them: no part of a secret is left by a limit."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.core.outside import Outside
from bot.domain.core.redact import PLACEHOLDER
from bot.domain.core.workload import ExecResult, HttpAnswer, LogText
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.facts.http import Http
from bot.domain.runbook.facts.log import Log
from bot.domain.runbook.facts.object import Kubernetes
from bot.domain.runbook.facts.pod import PodFact
from bot.domain.runbook.facts.processes import Processes
from bot.domain.runbook.kind import FactSettings, FactUse
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.record import MAX_LINE, Record
from bot.services.health.reads import reads_for
from bot.services.runbook.read_facts import read_facts
from tests.commands.fakes import FakeCluster, FakeNetwork, Serving, World

VALUE = "correct-horse-battery-staple-9"
BODY = [base64.b64encode(hashlib.sha384(bytes([n])).digest()).decode() for n in range(12)]
KEY = ["-----BEGIN RSA PRIVATE KEY-----", *BODY, "-----END RSA PRIVATE KEY-----"]
ENV = {"env": [{"name": "DB_PASSWORD", "value": "hunter2secret"}], "args": ["--password", "hunter2secret"]}


class Answering(FakeCluster):
    """A cluster that answers one log."""

    log = LogText(())

    async def logs(self, pod: str, container: str, **_: Any) -> LogText:
        return self.log


async def fact(
    kind: str, settings: FactSettings, *, cluster: FakeCluster | None = None, network: FakeNetwork | None = None
) -> Record:
    world = World()
    ctx = replace(
        world.context(),
        cluster=cluster or world.cluster,
        network=network or world.network,
        outside=Outside([VALUE]),
    )
    with reads_for(ctx, [3.0]) as [reads]:
        found = (await read_facts(reads, {"it": FactUse(KINDS[kind], settings)}))["it"]
    assert isinstance(found, Record)
    return found


def printing(stdout: str, stderr: str = "", *, truncated: bool = False) -> FakeCluster:
    cluster = World().cluster
    cluster.programs["show"] = ExecResult(stdout, stderr, 0, truncated)
    return cluster


async def log_of(lines: list[str], *, truncated: bool = False, **settings: Any) -> Record:
    cluster = Answering()
    cluster.log = LogText(tuple(lines), truncated)
    return await fact("log", Log(**settings), cluster=cluster)


async def test_a_log_is_redacted_before_it_is_searched() -> None:
    found = await log_of(["start", *KEY, "end"], grep="[A-Za-z0-9/+]{20}|redacted")
    assert set(found.lines) == {PLACEHOLDER}


async def test_no_pattern_of_a_log_finds_a_secret() -> None:
    assert (await log_of([f"connected with {VALUE}"], grep="correct-horse")).lines == ()


async def test_the_line_in_which_a_log_is_cut_is_dropped() -> None:
    found = await log_of(["one", VALUE[:9]], truncated=True)
    assert (found.lines, found.truncated) == (("one",), True)


@pytest.mark.parametrize("kept", range(1, len(VALUE)))
async def test_a_line_is_redacted_before_it_is_cut(kept: int) -> None:
    line = ("y " * MAX_LINE)[: MAX_LINE - kept] + VALUE + " and more" * 10
    found = await fact("exec", Exec(command=("show",)), cluster=printing(f"{line}\n"))
    assert len(found.lines[0]) == MAX_LINE
    assert found.truncated
    assert VALUE[: min(kept, 4)] not in found.lines[0]


async def test_standard_error_is_redacted_before_its_first_line_is_taken() -> None:
    half = len(VALUE) // 3
    found = await fact(
        "exec", Exec(command=("show",)), cluster=printing("", f"for {VALUE[:half]}\n{VALUE[half:]}\n")
    )
    assert found.outcome["stderr"] == f"for {PLACEHOLDER}"


async def test_the_line_in_which_a_page_is_cut_is_dropped() -> None:
    network = Serving()
    network.page = HttpAnswer(200, f"one\n{VALUE[:9]}", truncated=True)
    found = await fact("http", Http(url="http://web"), network=network)
    assert (found.lines, found.truncated) == (("one",), True)


async def test_what_ps_cuts_is_redacted_as_well() -> None:
    cluster = World().cluster
    line = "1 root 10 " + "x " * 2_000
    cluster.programs["ps"] = ExecResult(f"PID USER ELAPSED COMMAND\n{line[:2038]}{VALUE[:10]}\n", "", 0)
    found = await fact("processes", Processes(), cluster=cluster)
    assert found.lines[1].endswith(f"{PLACEHOLDER}…")


async def test_processes_are_redacted_before_they_are_searched() -> None:
    cluster = World().cluster
    cluster.programs["ps"] = ExecResult(f"PID USER ELAPSED COMMAND\n1 root 10 run {VALUE}\n", "", 0)
    found = await fact("processes", Processes(expect={"probe": "correct-horse"}), cluster=cluster)
    assert found.outcome["probe"] == "not running"


def _container(lines: tuple[str, ...], path: str) -> list[str]:
    return [line.removeprefix(f"{path}.") for line in lines if line.startswith((f"{path}.env", f"{path}.args"))]


HIDDEN = [
    "env[0].name: DB_PASSWORD",
    f"env[0].value: {PLACEHOLDER}",
    "args[0]: --password",
    f"args[1]: {PLACEHOLDER}",
]


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ({"kind": "Pod", "spec": ENV}, "spec"),
        ({"items": [{"kind": "Pod", "spec": ENV}]}, "items[0].spec"),
    ],
)
async def test_a_value_beside_its_name_is_redacted_in_an_object(answer: Mapping[str, Any], path: str) -> None:
    cluster = World().cluster
    cluster.objects_answer = answer
    name = None if "items" in answer else "p"
    found = await fact("kubernetes", Kubernetes(resource="pods", name=name), cluster=cluster)
    assert _container(found.lines, path) == HIDDEN


async def test_a_value_beside_its_name_is_redacted_in_the_pod() -> None:
    cluster = World().cluster
    pod = {"metadata": {"name": "p", "uid": "u"}, "spec": {"containers": [{"name": "kali", **ENV}]}}
    cluster.objects_answer = {"items": [pod]}
    found = await fact("pod", PodFact(), cluster=cluster)
    assert _container(found.lines, "spec.containers[0]") == HIDDEN
