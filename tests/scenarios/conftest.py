"""One sandbox and one bot process per module, healed before every test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from sandbox.environment import Sandbox
from tests.scenarios.talk import World

SETTINGS = {"probes": {"timeout": "2s"}, "alerts": {"outages": 100}}
"""The outages of several tests are no series."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    """The module's world. Probes time out after two seconds, so that faults show sooner."""
    async with Sandbox(rate_limits=False, settings=SETTINGS, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        # The members of user groups are read once, before any test breaks Slack.
        assert "operator" in (await world.ask("whoami")).text
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def world(module_world: World) -> AsyncIterator[World]:
    """The module's world, healed before and after."""
    await module_world.workspace.panel.heal()
    yield module_world
    await module_world.workspace.panel.heal()
