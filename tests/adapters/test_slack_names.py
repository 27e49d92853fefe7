"""What people and channels are called in Slack, as a terminal asks it."""

from __future__ import annotations

import time

from bot.adapters.slack import names
from sandbox.slack import Workspace, seed
from tests.adapters.slack_bench import MANIFEST, settings


async def test_the_names_that_slack_knows_are_found() -> None:
    async with Workspace(MANIFEST) as ws:
        found = await names.names_of(settings(ws), {seed.MAYA, seed.OPS, "U0NOBODY000"})
    assert found == {seed.MAYA: "Maya Lindqvist", seed.OPS: "ops-agent-pod"}


async def test_without_a_scope_or_an_answer_there_are_none() -> None:
    async with Workspace(MANIFEST) as ws:
        ws.core.faults.missing_scope = "users:read"
        assert await names.names_of(settings(ws), {seed.MAYA}) == {}
        away = settings(ws)
    began = time.monotonic()
    assert await names.names_of(away, {seed.MAYA}) == {}
    assert time.monotonic() - began < names.SECONDS + 5


async def test_without_a_token_slack_is_not_asked() -> None:
    async with Workspace(MANIFEST) as ws:
        nobody = settings(ws).model_copy(update={"bot_token": None})
        assert await names.names_of(nobody, {seed.MAYA}) == {}
        assert not ws.record.calls
