"""A known value that somebody types, in a reason or a command line, is neither kept in the ledger nor exported."""

from __future__ import annotations

import base64
import copy
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.cluster import kinds
from sandbox.environment import Sandbox
from tests.scenarios.talk import World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-typed-values")]
VALUE = "Plainvalue7x"
"""Nothing recognises it by its shape."""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        store = sandbox.cluster.store
        [found] = [one for one in store.list(kinds.SECRET) if one["metadata"]["name"] == "agent-secrets-tier2"]
        changed = copy.deepcopy(found)
        changed["data"]["DB_PASSWORD"] = base64.b64encode(VALUE.encode()).decode()
        store.put(kinds.SECRET, changed)
        world = World(sandbox, await sandbox.start_bot())
        await world.says(f"deny r-7k2m9xwq --reason {VALUE}", "looks like a secret")  # once its Secret was read
        yield world


def stored(world: World) -> bytes:
    """All bytes of the ledger's files."""
    return b"".join(one.read_bytes() for one in Path(world.sandbox.folder).glob("agentpod.db*"))


async def exported(world: World) -> str:
    code, text = await shell(world.bot.env, "audit", "export")
    assert code == 0, text
    return text


async def test_a_reason_is_refused_and_a_line_is_recorded_without_it(world: World) -> None:
    for line in (
        "restart --reason",
        "secrets set GITHUB_TOKEN --reason",
        "heartbeats push j --reason",
        "deny r-7k2m9xwq --reason",
    ):
        answer = await world.ask(f'{line} "rotate {VALUE} soon"')
        assert "looks like a secret" in answer.text, answer.text
        assert VALUE not in answer.text
    for comment in (VALUE, f"maya {VALUE}", "token:abc12345xyz"):
        answer = await world.ask(f'ssh keys add --key "{KEY} {comment}" --reason "a new laptop"')
        assert "its comment has something in it that looks like a secret" in answer.text, answer.text
        assert comment not in answer.text
    await world.ask(f"heartbeats push {VALUE}")
    await world.ask(f"logs --grep {VALUE}")
    text = await exported(world)
    assert "logs --grep" in text
    assert VALUE not in text
    kept = stored(world)
    assert b"logs --grep" in kept
    assert VALUE.encode() not in kept


async def test_an_ordinary_reason_is_taken(world: World) -> None:
    answer = await world.ask('restart --reason "rotate the password soon"')
    assert "waits for an approver" in answer.text, answer.text
