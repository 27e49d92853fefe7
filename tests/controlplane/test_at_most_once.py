"""A short form of the at-most-once proof: each fault point once or twice; `make soak` runs the long one.

The long one also kills a bot between rounds.
"""

from __future__ import annotations

import pytest

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from tests.controlplane.agent_pod import AgentPod
from tests.postgres import Postgres
from tests.soak.proof import prepared

pytestmark = [pytest.mark.xdist_group("at-most-once"), pytest.mark.timeout(240)]
POINTS = (
    "after-commit:3",
    "before-commit:4",
    "before-change:1",
    "after-change:1",
    "after-post:1",
    "before-edit:1",
    "timed:1",
    "away-after-change:1",
    "paused:1",
)
STORES = (
    (SECRET_SET, "before-claim:1"),
    (SECRET_SET, "after-claim:1"),
    (SECRET_SET, "after-change:1"),
    (SECRET_SET, "away-before-change:1"),
    (SSH_KEY_ADD, "after-change:1"),
    (SSH_KEY_ADD, "paused:1"),
)


async def test_a_bot_killed_at_any_point_restarts_the_pod_once_and_reports_it(agent_pod: AgentPod) -> None:
    async with prepared(agent_pod, postgres=None, seed_=1, between=False) as proof:
        for number, fault in enumerate(POINTS, start=1):
            await proof.round(number, fault, RESTART)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(POINTS) - proof.tally.outages - 1  # a round may end before its point
    assert proof.tally.rollouts >= len(POINTS) - 1  # a paused server may never have received it


async def test_a_bot_killed_at_any_point_stores_a_value_or_key_at_most_once(
    agent_pod: AgentPod,
) -> None:
    async with prepared(agent_pod, postgres=None, seed_=3, between=False) as proof:
        for number, (action, fault) in enumerate(STORES, start=1):
            await proof.round(number, fault, action)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.kills >= len(STORES) - proof.tally.outages - 1  # as above
    assert proof.tally.stores >= len(STORES) - 2  # a killed bot loses the value it holds; as above


async def test_two_replicas_on_postgresql_restart_the_pod_once_whichever_dies(
    agent_pod: AgentPod, postgres: Postgres
) -> None:
    async with prepared(agent_pod, postgres=postgres, seed_=2, between=False) as proof:
        for number, fault in enumerate(("after-change:1", "before-commit:2", "timed:1"), start=1):
            await proof.round(number, fault, RESTART)
        await proof.round(4, "after-claim:1", SECRET_SET)
        await proof.round(5, "away-after-change:1", SECRET_SET)
        await proof.end()
    assert proof.tally.complaints == []
    assert proof.tally.rollouts >= 1
    assert proof.tally.outages == 1
