"""Scenes of requests: asked for, decided in each way, carried out, expired."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from playwright.async_api import Page

from sandbox.cluster import kinds
from sandbox.slack import seed
from sandbox.slack.message import Message
from scripts.pictures.camera import Camera
from scripts.pictures.scene import Scene, ask
from tests.scenarios.repairs import DENY, WITHDRAW, Repair, asked, id_in
from tests.scenarios.talk import World, until, words

REASON = "The new SSH key has to be picked up"
ASK = f'restart --reason "{REASON}"'
BREAK_GLASS = {"approvals": {"break_glass": [seed.PRIYA]}}
FORM_HEIGHT = 480
End = Callable[[World, Repair], Awaitable[Message]]
"""Brings a request to its end; returns the card."""


async def requests(world: World, camera: Camera) -> None:
    """One request after the other, each with another end."""
    await _form(world, camera)
    await _refused(world, camera)
    await _succeeded(world, camera)
    for name, end in (
        ("denied", _denied),
        ("withdrawn", _withdrawn),
        ("failed", _failed),
        ("break-glass", _alone),
    ):
        await _end(world, camera, name, end)
    await camera.messages("audit", *await ask(world, "audit --tail 12", seed.JONAS))


async def _form(world: World, camera: Camera) -> None:
    async def opened(page: Page) -> None:
        await world.workspace.shortcut(seed.MAYA, "restart")
        await page.locator("dialog[open]").wait_for()

    query = f"?user={seed.MAYA}&channel={seed.OPS}"
    await camera.page("restart-form", "dialog[open]", query, height=FORM_HEIGHT, act=opened)


async def _refused(world: World, camera: Camera) -> None:
    await world.break_("kube-admission", "changes")
    await camera.messages("refused-by-policy", *await ask(world, ASK))
    await world.break_("kube-admission", "")
    async with _without_patch(world):
        await camera.messages("refused-by-api-server", *await ask(world, ASK))


@asynccontextmanager
async def _without_patch(world: World) -> AsyncIterator[None]:
    """Take the right to patch away for a while."""
    rules = world.sandbox.cluster.server.authorizer.rules
    before = list(rules)
    rules[:] = [replace(rule, verbs=tuple(verb for verb in rule.verbs if verb != "patch")) for rule in rules]
    yield
    rules[:] = before


async def _succeeded(world: World, camera: Camera) -> None:
    """The second restart's card predicts how long it takes, by the first one."""
    first = await asked(world, ASK)
    await first.click(seed.JONAS)
    await first.shows("✅")
    done = await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", ASK)
    repair = Repair(world, id_in((await world.final(lambda: done.messages)).text))
    await until(lambda: bool(repair.cards()) and "Card" in words(done.messages), world.bot.output)
    await camera.messages("receipt", *done.messages)
    await camera.messages("card-open", repair.card)
    await camera.messages("approver-message", await _direct(world, repair, seed.JONAS))
    await repair.click(seed.JONAS)
    await camera.messages("card-succeeded", await repair.shows("✅"))


async def _direct(world: World, repair: Repair, user: str) -> Message:
    """The direct message to an approver."""

    def found() -> list[Message]:
        return [m for m in world.workspace.messages(seed.DMS[user], user) if repair.id in m.all_text()]

    await until(lambda: bool(found()), world.bot.output)
    return found()[-1]


async def _end(world: World, camera: Camera, name: str, end: End) -> None:
    world.workspace.say(seed.MAYA, seed.OPS, "The SSH key has changed")  # so that the card has its author's name
    repair = await asked(world, ASK)
    await camera.messages(f"card-{name}", await end(world, repair))


async def _denied(world: World, repair: Repair) -> Message:
    await world.workspace.click(seed.PRIYA, repair.card, DENY)
    view = await world.workspace.wait_view(seed.PRIYA)
    reason = "The nightly job still runs: after 10:00, please"
    await world.workspace.submit_view(seed.PRIYA, view, {"reason": reason})
    return await repair.shows("⛔")


async def _withdrawn(_: World, repair: Repair) -> Message:
    await repair.click(seed.MAYA, WITHDRAW)
    return await repair.shows("↩️")


async def _failed(world: World, repair: Repair) -> Message:
    async with _without_patch(world):
        await repair.click(seed.JONAS)
        return await repair.shows("🔴")


async def _alone(world: World, repair: Repair) -> Message:
    reason = "The site is down, and nobody else is awake"
    await ask(world, f'break-glass {repair.id} --reason "{reason}"', seed.PRIYA)
    return await repair.shows("✅")


async def changed(world: World, camera: Camera) -> None:
    """The image is changed between a request and its approval; the next restart brings it."""
    await world.says("changes", "Nothing changed since")  # the bot has seen the pod as it was
    repair = await asked(world, ASK)
    store = world.sandbox.cluster.store
    deployment = json.loads(json.dumps(store.list(kinds.DEPLOYMENT)[0]))
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "ghcr.io/derio-net/secure-agent-kali:v2"
    deployment["metadata"]["generation"] += 1
    store.put(kinds.DEPLOYMENT, deployment)
    await repair.click(seed.JONAS)
    await camera.messages("card-void", await repair.shows("🚫"))
    again = await asked(world, ASK)
    await again.click(seed.JONAS)
    await again.shows("✅")
    await camera.messages("changes", *(await world.says("changes", "image of kali: ")).messages)


async def under_way(world: World, camera: Camera) -> None:
    """A restart that takes a minute."""
    repair = await asked(world, ASK)
    await repair.click(seed.JONAS)
    await camera.messages("card-under-way", await repair.shows("under way"))


async def reminded(world: World, camera: Camera) -> None:
    """Nobody decides, so the approvers are reminded."""
    repair = await asked(world, ASK)
    await _pass(world, 2)
    await until(lambda: bool(repair.thread()), world.bot.output)
    await camera.messages("reminder", *repair.thread())


async def expired(world: World, camera: Camera) -> None:
    """Nobody decides in time."""
    repair = await asked(world, ASK)
    await _pass(world, 3)
    await camera.messages("card-expired", await repair.shows("⌛"))


async def _pass(world: World, times: int) -> None:
    """Let so many times ten minutes pass."""
    for _ in range(times):
        await world.break_("time-10m", None)


SHORT = {"approvals": {"expires_after": "30m", "remind_before": "15m"}}
SCENES = (
    Scene("requests", requests, BREAK_GLASS, {"pod_seconds": 3.0}),
    Scene("changed", changed),
    Scene("under way", under_way, options={"pod_seconds": 60.0}),
    Scene("reminded", reminded, SHORT, {"lively": True}, behind=timedelta(minutes=20)),
    Scene("expired", expired, SHORT, {"lively": True}),
)
