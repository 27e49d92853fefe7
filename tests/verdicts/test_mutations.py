"""Mutated API objects are never judged healthy against their own status, and never raise a foreign exception."""

from __future__ import annotations

import pytest

from bot.adapters.slack.blocks import render
from tests.commands.fakes import World
from tests.verdicts.judged import HEALTHY, complaint, decoded, judge, restarted
from tests.verdicts.mutate import mutated, recorded
from tests.verdicts.oracle import against, one_is_well

BATCH, BATCHES = 2_000, 10
"""Together the 20,000 mutations of each run; `make soak` runs more."""


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_mutation_is_healthy_against_kubernetes_own_status(batch: int) -> None:
    numbers = range(batch * BATCH, (batch + 1) * BATCH)
    wrong = [f"{n}: {words}" for n in numbers if (words := complaint(*mutated(n)))]
    assert not wrong, f"{len(wrong)} of {BATCH}: " + "\n".join(wrong[:10])


def test_the_mutations_cover_unhealthy_and_healthy_pods() -> None:
    contradicted = sum(bool(against(mutated(n)[1])) for n in range(BATCH))
    assert BATCH * 0.5 < contradicted < BATCH * 0.97


def test_a_restart_is_not_done_before_a_pod_is_ready() -> None:
    done = [n for n in range(BATCH) if restarted(*mutated(n)[1:])]
    assert len(done) > BATCH / 20
    assert not [n for n in done if not one_is_well(mutated(n)[1])]


WHOLE = 150
"""Number of mutations for whole commands, which take about a second."""


@pytest.mark.parametrize("line", ["status", "pods"])
async def test_whole_replies_are_never_wrongly_healthy_and_can_be_rendered(line: str) -> None:
    for number in range(WHOLE):
        _, raw, deployment = mutated(number)
        world = World()
        world.cluster.pods_answer, world.cluster.deployment_answer = decoded(raw, deployment)
        reply = await world.run(line)
        assert render(reply, key="k").messages
        if against(raw):
            assert reply.verdict not in HEALTHY, (number, reply.headline)
            assert not reply.headline.startswith("Healthy"), (number, reply.headline)


HEALTHY_STATES = ("healthy", "healthy-sidecar", "oom-killed", "evicted")


@pytest.mark.parametrize("name", sorted(recorded()))
def test_the_verdict_on_each_recorded_state_is_stable(name: str) -> None:
    thing = recorded()[name]
    judged = judge(*decoded(thing["pods"], thing["deployment"]))
    assert (judged.verdict in HEALTHY) == (name in HEALTHY_STATES), judged.summary
    assert judged.jobs_can_run == (name in HEALTHY_STATES)
