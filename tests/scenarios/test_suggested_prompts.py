"""Suggested prompts: by the rights of whoever opens a thread with the assistant; messages are answered in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from sandbox.environment import Sandbox
from sandbox.slack import manifest as manifests
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("suggested-prompts")]
ROOT = Path(__file__).parents[2]
RULES = [{"role": "operator", "users": [seed.MAYA]}, {"role": "viewer", "users": [seed.PRIYA]}]


def with_assistant() -> dict[str, Any]:
    """The shipped manifest with what docs/slack.md says to add."""
    made: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "slack-manifest.yaml").read_text())
    [found] = re.findall(
        r"```yaml\n(features:\n  assistant_view:.*?)```", (ROOT / "docs/slack.md").read_text(), re.DOTALL
    )
    more = yaml.safe_load(found)
    made["features"] |= more["features"]
    made["oauth_config"]["scopes"]["bot"] += more["oauth_config"]["scopes"]["bot"]
    made["settings"]["event_subscriptions"]["bot_events"] += more["settings"]["event_subscriptions"]["bot_events"]
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    path = tmp_path_factory.mktemp("manifest") / "manifest.yaml"
    path.write_text(yaml.safe_dump(with_assistant()))
    settings = {"access": {"rules": RULES, "contact": "Priya"}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0, manifest=path) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


async def prompts(world: World, user: str) -> tuple[Message, list[str]]:
    """Open a thread; returns its first message, and the prompts as title and message."""
    root, kept = world.workspace.open_assistant(user), world.workspace.core.prompts
    await until(lambda: root.ts in kept, world.bot.output)
    return root, [f"{one['title']}: {one['message']}" for one in kept[root.ts]]


async def test_prompts_are_what_the_person_may_run(world: World) -> None:
    _, offered = await prompts(world, seed.MAYA)
    assert offered == ["Status: status", "Incidents: incidents", "Ask for a restart: restart", "Help: help"]
    _, offered = await prompts(world, seed.PRIYA)
    assert offered == ["Status: status", "Incidents: incidents", "Help: help", "Who am I?: whoami"]
    _, offered = await prompts(world, seed.SAM)
    assert offered == ["Help: help", "Who am I?: whoami"]


async def test_a_prompt_is_answered_in_the_thread_like_a_direct_message(world: World) -> None:
    root, _ = await prompts(world, seed.MAYA)
    world.workspace.dm(seed.MAYA, "whoami", root.ts)

    def below() -> list[Message]:
        return world.workspace.messages(seed.DM_MAYA, seed.MAYA, thread_ts=root.ts)

    await until(lambda: "You are an operator" in words(below()), lambda: words(below()))


async def test_without_the_scope_only_the_prompts_are_missing(world: World) -> None:
    await world.break_("slack-missing-scope", "assistant:write")
    root = world.workspace.open_assistant(seed.MAYA)
    world.workspace.dm(seed.MAYA, "whoami", root.ts)
    await until(
        lambda: (
            "You are an operator" in words(world.workspace.messages(seed.DM_MAYA, seed.MAYA, thread_ts=root.ts))
        ),
        world.bot.output,
    )
    assert root.ts not in world.workspace.core.prompts
    await world.workspace.panel.heal()


async def test_the_assistant_s_view_needs_its_scope() -> None:
    made = with_assistant()
    made["oauth_config"]["scopes"]["bot"].remove("assistant:write")
    with pytest.raises(manifests.ManifestError, match="assistant_view needs the scope assistant:write"):
        manifests.parse(made)
    assert not manifests.load(ROOT / "deploy" / "slack-manifest.yaml").assistant
