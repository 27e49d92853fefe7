"""Home and `/agentpod` alone say of a target what `status` says: the same problems and counts, in one order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Reply, plain
from bot.domain.core.target import Target
from bot.domain.heartbeats.heartbeat import HeartbeatPoll
from bot.domain.incidents import alerting
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.errors import NotAllowed, Transient
from bot.runbook.context import Context
from bot.services.digest.read_checks import read_checks
from tests.commands.fakes import DF, FRESH, NOW, FakeCluster, World, beat, pod, said
from tests.commands.test_dashboard import Book, look
from tests.commands.test_egress_repair import policy
from tests.commands.test_incidents import incident

RULES = AlertRules()
HOUR = timedelta(hours=1)


def well(world: World) -> None:
    """Nothing is wrong."""


def full(world: World) -> None:
    world.cluster.programs["df"] = said(DF.replace("31%", "97%").replace("690000", "10000"))


def several(world: World) -> None:
    full(world)
    world.network.status_answer = 404
    assert world.heartbeats
    world.heartbeats.answer = HeartbeatPoll((*FRESH[:2], beat("session_manager", 2 * HOUR)))


def no_process(world: World) -> None:
    world.cluster.programs["ps"] = said("PID USER ELAPSED COMMAND\n 61 claude 06:51:00 sshd: listener\n")


def no_pod(world: World) -> None:
    world.cluster.pods_answer = []


def invalid_policy(world: World) -> None:
    full(world)
    world.cluster.policies_answer = {"items": [policy()]}


def unknown(world: World) -> None:
    world.cluster.events_answer = Transient("The API server is away.")
    world.cluster.claims_answer = NotAllowed("The bot may not list claims.")


def no_policy_read(world: World) -> None:
    world.cluster.policies_answer = Transient("The API server is away.")


STATES: tuple[Callable[[World], None], ...] = (
    well,
    full,
    several,
    no_process,
    no_pod,
    invalid_policy,
    unknown,
    no_policy_read,
)


def about(world: World, reply: Reply, answered: Callable[[Incident], Incident]) -> list[Incident]:
    """An incident of each problem, the newest last, as somebody has answered it."""
    bad = [one for one in reply.findings if one.verdict is Verdict.FAIL]
    return [
        answered(
            replace(
                made := incident(f"n{number}", "critical", ago=60 - number),
                problem=replace(made.problem, target=world.target.name, subject="", summary=one.summary),
            )
        )
        for number, one in enumerate(bad)
    ]


def firing(one: Incident) -> Incident:
    return one


def acknowledged(one: Incident) -> Incident:
    return alerting.acknowledged(one, "U2", RULES, NOW)


def snoozed(one: Incident) -> Incident:
    return alerting.snoozed(one, "U2", NOW + HOUR, NOW)


def muted(one: Incident) -> Incident:
    return replace(one, problem=replace(one.problem, muted="a restart that was approved"))


@pytest.mark.parametrize("answered", [None, firing, acknowledged, snoozed, muted])
@pytest.mark.parametrize("state", STATES)
async def test_home_says_what_status_says(
    world: World, state: Callable[[World], None], answered: Callable[[Incident], Incident] | None
) -> None:
    state(world)
    status = await world.run("status")
    book = Book(about(world, status, answered) if answered else [])
    shown = await look(world, book)
    assert (shown.verdict, shown.headline) == (status.verdict, status.headline)
    for one in (one for one in status.findings if one.verdict is not Verdict.OK):
        assert one.probe == "heartbeats" or one.summary.lower() in text(shown).lower(), one
    incidents = [line for card in shown.cards for line in map(plain, card.lines) if "CRITICAL" in line]
    placed = [
        next(n for n, one in enumerate(status.findings) if one.summary in line or line in text(shown))
        for line in incidents
    ]
    assert placed == sorted(placed)
    assert set(status.notes[:-1]) - set(shown.notes) <= {note for note in status.notes if "Not checked: " in note}


def text(reply: Reply) -> str:
    lines = [*reply.body, *(line for card in reply.cards for line in card.lines)]
    return "\n".join([reply.headline, *map(plain, lines)])


@pytest.mark.parametrize("state", STATES)
async def test_the_overview_and_the_digest_count_what_status_counts(
    world: World, state: Callable[[World], None]
) -> None:
    state(world)
    status, overview = await world.run("status"), await world.run("")
    assert (overview.verdict, overview.headline) == (status.verdict, status.headline)
    assert [one["verdict"] for one in checks(overview)] == [one["verdict"] for one in checks(status)]
    ctx = world.context()
    read = await read_checks([ctx], ctx.outside, NOW)
    bad = [one.summary for one in status.findings if one.verdict is not Verdict.OK]
    assert [one.summary for one in read.not_ok] == bad


def checks(reply: Reply) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], reply.data["checks"])


@pytest.mark.parametrize("state", STATES)
async def test_of_two_targets_each_has_the_line_of_its_status(
    world: World, state: Callable[[World], None]
) -> None:
    state(world)
    cluster = FakeCluster()
    cluster.pods_answer = [pod()]
    blue: Context = replace(world.context(), target=Target(name="blue"), cluster=cluster)
    reply = await look(world, others=(blue,), several=True)
    heads = {plain(card.lines[0]).split("\n")[0][2:] for card in reply.cards}
    for ctx in (world.context(), blue):
        status = await world.run("status", lambda _, ctx=ctx: ctx)
        assert f"{ctx.target.name}: {status.headline}" in heads
