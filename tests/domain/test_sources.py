"""Problem sources: stored kinds and keys, and lookup by them."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import UTC, datetime

import pytest

from bot.domain.core.stored import Unreadable
from bot.domain.core.target import HeartbeatPolicy, Target
from bot.domain.incidents import alerting, sources
from bot.domain.incidents.alerting import AlertRules, Incident, decide
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources import ProblemSources
from bot.domain.incidents.sources.check import CHECK
from bot.domain.incidents.sources.cluster import CLUSTER
from bot.domain.incidents.sources.disk import DISK
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from bot.domain.incidents.sources.inside import INSIDE
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.incidents.sources.process import PROCESS
from bot.domain.incidents.sources.pushgateway import PUSHGATEWAY
from bot.domain.incidents.sources.restarts import POD_RESTARTS
from bot.domain.incidents.sources.source import ProblemSource
from bot.domain.incidents.sources.task import TASK

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
STORED = [
    (HEARTBEAT, "heartbeat", HEARTBEAT.key("pod", "session_manager"), "heartbeat:pod:session-manager"),
    (PUSHGATEWAY, "blind", PUSHGATEWAY.key("pod"), "source:pushgateway"),
    (CLUSTER, "blind", CLUSTER.key("pod"), "source:cluster:pod"),
    (INSIDE, "blind", INSIDE.key("pod"), "inside:pod"),
    (POD_HEALTH, "pod", POD_HEALTH.key("pod"), "pod:pod"),
    (POD_RESTARTS, "pod", POD_RESTARTS.key("pod"), "restarts:pod"),
    (PROCESS, "pod", PROCESS.key("pod", "kali", "sshd"), "process:pod:kali:sshd"),
    (DISK, "pod", DISK.key("pod"), "storage:pod"),
    (CHECK, "pod", CHECK.key("pod", "pool"), "check:pod:pool"),
    (TASK, "pod", TASK.key("inside pod"), "task:inside pod"),
]
"""Each source, with the kind and keys that ledgers store for its problems."""


def problem(kind: str, key: str) -> Problem:
    return Problem(key, kind, "pod", "it", "is odd", "warning", NOW)


def incident(kind: str, key: str) -> Incident:
    made = decide(None, problem(kind, key), AlertRules(), NOW)
    assert made is not None
    return made


@pytest.mark.parametrize(("source", "kind", "made", "key"), STORED)
def test_stored_kinds_and_keys_are_stable(source: ProblemSource, kind: str, made: str, key: str) -> None:
    assert (source.stored, made) == (kind, key)
    assert sources.of(problem(kind, key)) is source
    assert alerting.from_json(alerting.to_json(incident(kind, key))).problem == problem(kind, key)


def test_every_source_has_a_stored_example() -> None:
    assert {source.name for source, *_ in STORED} == {source.name for source in sources.BUILTIN}


def test_every_module_s_source_is_registered() -> None:
    names = [m.name for m in pkgutil.iter_modules(sources.__path__)]
    modules = [importlib.import_module(f"{sources.__name__}.{name}") for name in names]
    found = {v.name for module in modules for v in vars(module).values() if isinstance(v, ProblemSource)}
    assert found == {source.name for source in sources.BUILTIN}


def test_an_unknown_key_uses_the_first_source_of_its_kind() -> None:
    assert sources.of(problem("pod", "from-a-newer-version:pod")) is POD_HEALTH
    assert sources.of(problem("blind", "source:cluster-of-a-newer-version:pod")) is PUSHGATEWAY


def test_a_problem_of_an_unknown_kind_uses_the_defaults() -> None:
    odd = problem("of-a-newer-version", "of-a-newer-version:pod")
    assert sources.of(odd).recovered(odd) == "it is well again"
    assert sources.of(odd).alert_name(odd) == "pod-unhealthy"


def test_an_incident_of_an_unknown_kind_can_not_be_read() -> None:
    body = alerting.to_json(incident("of-a-newer-version", "of-a-newer-version:pod"))
    with pytest.raises(Unreadable, match="no source of problems"):
        alerting.from_json(body)


def test_duplicate_names_are_refused() -> None:
    mine = ProblemSources(sources.BUILTIN)
    with pytest.raises(ValueError, match="problem source 'pod' is registered twice"):
        mine.register(ProblemSource("pod"))


def test_problems_named_in_the_settings_are_no_orphans() -> None:
    target = Target(name="pod", heartbeats=(HeartbeatPolicy(job="alpha", stale_after="1h"),))
    for _, kind, _, key in STORED[1:6] + STORED[7:]:
        one = problem(kind, key)
        assert sources.of(one).orphaned(one, target, heartbeats=True, checks={"pool"}) == ""
