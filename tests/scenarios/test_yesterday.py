"""The sandbox's day before this one: the bot shows it as its own, and its records agree."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.yesterday import pod_since
from tests.scenarios.talk import World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("yesterday")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0, lively=True, yesterday=True) as sandbox:
        yield World(sandbox, await sandbox.start_bot(timeout=60))


async def asked(world: World, line: str) -> str:
    answer = await world.ask(line, user=seed.PRIYA)
    return " ".join(m.all_text() for m in answer.messages)


async def test_the_digest_of_yesterday_has_an_incident_and_a_restart(world: World) -> None:
    said = " ".join((await asked(world, "digest")).split())
    assert "session-manager: down 5 min 2 s, once" in said
    assert "🔁 pod: restarted on request, once" in said
    assert "Each of these, the day before: all good" in said
    assert "16:30 UTC, Forced restart of secure-agent-pod" in said
    assert "no data" not in said.lower()
    assert "not known" not in said


async def test_the_incident_was_acknowledged_and_is_over(world: World) -> None:
    said = await asked(world, "incidents --since 2d")
    assert "Nothing is wrong now; 1 incident in the last 2 d" in said
    assert "session-manager" in said


async def test_a_terminal_takes_the_times_of_that_day_for_times(world: World) -> None:
    _, said = await shell(world.bot.env, "incidents", "--since", "2d")
    [line] = [one for one in said.splitlines() if "no heartbeat since" in one]
    assert re.search(r"since [A-Z][a-z]{2} \d{2} [A-Z][a-z]{2}, \d{2}:\d{2} UTC", line), line


async def test_the_audit_trail_is_whole_and_names_who_did_what(world: World) -> None:
    assert "The audit trail is intact: 6 records" in await asked(world, "audit verify")
    said = await asked(world, "audit")
    for words in (
        "acknowledged the incident",
        "asked for restart --force",
        "approved restart --force",
        "restart --force succeeded",
    ):
        assert words in said


async def test_the_pod_has_run_since_the_restart(world: World) -> None:
    hours = (datetime.now(UTC) - pod_since(datetime.now(UTC))).total_seconds() // 3600
    said = await asked(world, "pods")
    assert f"up {int(hours)} h" in said or f"up {int(hours) // 24} d" in said


async def test_nothing_is_invented_of_today(world: World) -> None:
    assert "Nothing changed" in await asked(world, "changes")
    assert world.sandbox.workspace.core.store.messages(seed.OPS, seed.MAYA, None) == []
