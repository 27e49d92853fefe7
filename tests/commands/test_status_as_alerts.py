"""`status`, Home and the overview show every problem that alerts watch, those held back included."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.workload import ExternalSecret
from bot.domain.incidents import sources
from bot.domain.incidents.alerting import Incident, IncidentState
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.check import CHECK
from bot.domain.incidents.sources.restarts import POD_RESTARTS
from bot.errors import NotFound, Transient
from bot.services.health.checks import registry
from bot.services.incidents import watch_checks
from tests.commands.fakes import NOW, World, text_of
from tests.healthy import HEALTHY

FAILED = ExternalSecret(
    name="agent-secrets-tier1",
    ready="False",
    reason="SecretSyncedError",
    message="could not get secret data from provider",
    refreshed_at=NOW - timedelta(hours=1),
    store="vault",
    secret="agent-secrets-tier1",
    policy="Owner",
    others=(),
)


class Watched:
    """A ledger with open incidents, or one that can't be read."""

    def __init__(self, *held: Incident, error: Exception | None = None) -> None:
        self.held, self.error = held, error

    async def incidents(self, *, notified: bool = True, **_: Any) -> list[Incident]:
        if self.error is not None:
            raise self.error
        return [] if notified else list(self.held)

    async def requests(self, **_: Any) -> list[Any]:
        return []

    async def job_states(self) -> dict[str, Any]:
        return {}

    async def mark(self, _: str) -> None:
        return None

    async def dead(self, _: Any) -> list[Any]:
        return []


def problem(key: str, kind: str, **changes: Any) -> Problem:
    usual: dict[str, Any] = {
        "target": "secure-agent-pod",
        "subject": "Executor pool",
        "summary": "2 of 8 executors are free",
        "severity": "critical",
        "since": NOW - timedelta(minutes=2),
    }
    return Problem(key=key, kind=kind, **(usual | changes))


def held(found: Problem, state: IncidentState = IncidentState.PENDING) -> Incident:
    fired = None if state is IncidentState.PENDING else NOW - timedelta(minutes=1)
    return Incident(id="i-1", problem=found, state=state, opened_at=NOW - timedelta(minutes=1), fired_at=fired)


OF_A_CHECK = problem(CHECK.key("secure-agent-pod", "executor-pool"), CHECK.stored)
OF_A_SERIES = problem(
    POD_RESTARTS.key("secure-agent-pod"),
    POD_RESTARTS.stored,
    subject="secure-agent-pod",
    summary="replaced 4 times",
)


def test_each_built_in_check_that_alerts_is_part_of_status() -> None:
    assert set(watch_checks.BUILTIN) <= set(registry.BUILTIN)


def test_each_source_about_a_pod_is_judged_by_a_check_of_status_or_read_from_its_incidents() -> None:
    ids = {kind.id for kind in registry.BUILTIN} | {"kubernetes", "exec", "pushgateway"}
    for source in (one for one in sources.BUILTIN if one.one_target and one is not CHECK):
        assert source.series or set(source.checks) & ids, source


@pytest.mark.parametrize("line", ["status", "", "dashboard"])
async def test_an_external_secret_that_is_not_synced_is_a_problem(world: World, line: str) -> None:
    world.cluster.external_answer = [FAILED]
    reply = await world.run(line)
    assert reply.headline == (
        "Not healthy: agent-secrets-tier1 is not synced: could not get secret data from provider"
    )


async def test_without_the_operator_there_is_nothing_to_sync(world: World) -> None:
    world.cluster.external_answer = NotFound("no such kind")
    assert (await world.run("status")).headline == HEALTHY


@pytest.mark.parametrize("line", ["status", "", "dashboard"])
async def test_what_no_check_of_status_is_about_is_shown_although_no_alert_was_sent(
    world: World, line: str
) -> None:
    ledger = Watched(held(OF_A_CHECK))
    reply = await world.run(line, lambda ctx: replace(ctx, ledger=ledger))
    assert (reply.verdict, reply.headline) == (Verdict.FAIL, "Not healthy: 2 of 8 executors are free")


@pytest.mark.parametrize("line", ["status", "", "dashboard"])
async def test_a_series_of_outages_is_a_warning_while_the_pod_is_well(world: World, line: str) -> None:
    ledger = Watched(held(OF_A_SERIES, IncidentState.FIRING))
    reply = await world.run(line, lambda ctx: replace(ctx, ledger=ledger))
    assert reply.headline == "Healthy, with 1 warning: replaced 4 times"


@pytest.mark.parametrize(
    "found",
    [
        held(OF_A_CHECK, IncidentState.RECOVERING),
        held(replace(OF_A_CHECK, target="another")),
        held(problem(CHECK.key("secure-agent-pod", "external-secrets"), CHECK.stored)),
        held(problem("pod:secure-agent-pod", "pod")),
        held(OF_A_SERIES),
    ],
)
async def test_what_is_over_or_is_judged_anew_is_not_shown(world: World, found: Incident) -> None:
    reply = await world.run("status", lambda ctx: replace(ctx, ledger=Watched(found)))
    assert reply.headline == HEALTHY


async def test_incidents_that_can_not_be_read_are_named_in_the_headline(world: World) -> None:
    ledger = Watched(error=Transient("The ledger is locked."))
    reply = await world.run("status", lambda ctx: replace(ctx, ledger=ledger))
    assert reply.headline == f"{HEALTHY}; open incidents not checked"
    assert "Open incidents not checked: the ledger is locked" in text_of(reply)
