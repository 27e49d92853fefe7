"""Helpers for the tests of an alert's life: messages in the channel, their threads, and the bot's polls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sandbox.cluster import kinds
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.talk import World, until

QUICK = {"poll": "1s", "keep_firing": "1s", "pod_for": "30s"}
"""The lively sandbox's settings of alerts, but faster."""


@asynccontextmanager
async def lively() -> AsyncIterator[World]:
    """A sandbox whose time can be moved, once its bot has polled the heartbeats."""
    async with Sandbox(rate_limits=False, pod_seconds=0.0, lively=True, settings={"alerts": QUICK}) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await wait_for_poll(world)
        yield world


def alerts(world: World, text: str = "") -> list[Message]:
    """The bot's messages in the channel that contain ``text``, except reports that Slack was unreachable."""
    here = [m for m in world.workspace.messages(seed.OPS) if m.ephemeral_for is None]
    return [m for m in here if text in m.all_text() and "I could not hear" not in m.text]


def thread(world: World, message: Message) -> list[str]:
    """The texts of the message's replies, in order."""
    found = world.workspace.messages(seed.OPS, thread_ts=message.ts)
    return [m.text for m in found if m.ts != message.ts]


async def says(world: World, text: str, patience: float = 30.0) -> Message:
    """Wait until a message contains ``text``; returns the newest one."""
    await until(
        lambda: bool(alerts(world, text)),
        lambda: f"nothing says {text!r}: {[m.text for m in alerts(world)]}",
        patience,
    )
    return alerts(world, text)[-1]


async def becomes(world: World, message: Message, text: str, patience: float = 30.0) -> Message:
    """Wait until the message begins with ``text``; returns its new version."""

    def now() -> Message:
        return next(m for m in world.workspace.messages(seed.OPS) if m.ts == message.ts)

    await until(lambda: now().text.startswith(text), lambda: f"not {text!r}: {now().text!r}", patience)
    return now()


async def adds(world: World, message: Message, text: str) -> None:
    """Wait until the last reply in the message's thread begins with ``text``."""
    await until(
        lambda: any(said.startswith(text) for said in thread(world, message)[-1:]),
        lambda: f"not {text!r}: {thread(world, message)}",
    )


async def wait_for_poll(world: World) -> None:
    """Wait for one complete poll of the jobs: the second read shows that the first one has been evaluated."""
    gateway, reads = world.sandbox.pushgateway, []

    def read(path: str) -> float:
        reads.append(path)
        return 0.0

    gateway.latency = read
    await until(lambda: reads.count("/api/v1/metrics") >= 2, world.bot.output)
    gateway.latency = 0.0


def touch_pod(world: World) -> None:
    """Add a meaningless condition to the pod, which makes the bot evaluate it at once."""
    store = world.sandbox.cluster.store
    for pod in store.list(kinds.POD):
        draft = store.draft(kinds.POD, pod["metadata"]["namespace"], pod["metadata"]["name"])
        others = [c for c in draft["status"]["conditions"] if c["type"] != "Stirred"]
        new = {"type": "Stirred", "status": "True", "message": f"at {pod['metadata']['resourceVersion']}"}
        draft["status"]["conditions"] = [*others, new]
        store.put(kinds.POD, draft)


async def diagnosed(world: World, message: Message, user: str) -> Message:
    """Click an alert's *Diagnose*; returns the answer, which is in the alert's thread."""
    buttons = [e for b in message.blocks for e in b.get("elements", ()) if e.get("type") == "button"]
    [diagnose] = [e["action_id"] for e in buttons if e["text"]["text"] == "Diagnose"]
    await world.workspace.click(user, message, diagnose)

    def answers() -> list[Message]:
        below = world.workspace.messages(seed.OPS, thread_ts=message.ts)
        return [m for m in below if "Asked by" in m.all_text()]

    await until(lambda: bool(answers()), world.bot.output)
    return answers()[-1]
