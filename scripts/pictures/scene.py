"""A scene: a sandbox with a bot, and what happens there before the pictures are taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from scripts.pictures.camera import Camera
from tests.scenarios.talk import World

PATIENT = {"probes": {"timeout": "15s"}}
"""On a busy machine, checks would time out as unknown."""


TRIES = 5


async def ask(world: World, line: str, user: str = seed.MAYA) -> list[Message]:
    """Run a command and return its answer. After a time that passed, the bot may just be connecting anew."""
    for _ in range(TRIES):
        await world.workspace.wait_connected()
        done = await world.workspace.slash(user, seed.OPS, "/agentpod", line)
        if done.ok:
            return (await world.final(lambda done=done: done.messages)).messages  # type: ignore[misc]
    raise ConnectionError(f"{line}: not acknowledged")


@dataclass(frozen=True)
class Scene:
    """What happens in a sandbox."""

    name: str
    play: Callable[[World, Camera], Awaitable[None]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of `Sandbox`."""
    before: Callable[[Sandbox], Awaitable[None]] | None = None
    """What is prepared before the bot starts."""
    behind: timedelta = timedelta()
    """How far the sandbox's time is behind Slack's at the start, so that they agree once as much has passed."""

    def sandbox(self) -> Sandbox:
        """Its sandbox, not yet started."""
        options = {"rate_limits": False, "pod_seconds": 0.0} | dict(self.options)
        found = Sandbox(settings=PATIENT | dict(self.settings), **options)
        found.time.set(-self.behind)
        return found
