"""Scenes of what the sandbox's page offers besides messages: Home, the welcome, a workflow's step, the tour."""

from __future__ import annotations

from playwright.async_api import Page

from sandbox.slack import seed
from scripts.pictures.camera import Camera
from scripts.pictures.scene import Scene
from tests.scenarios.talk import World, until

HERE = f"?user={seed.MAYA}&channel={seed.OPS}"
HEIGHT, SHORT = 844, 520


async def page(world: World, camera: Camera) -> None:
    """A newcomer looks around."""
    world.workspace.open_home(seed.MAYA)
    direct = world.workspace.messages
    await until(lambda: bool(direct(seed.DM_MAYA, seed.MAYA)), world.bot.output)
    await camera.messages("welcome", *direct(seed.DM_MAYA, seed.MAYA))
    await camera.page("home-healthy", ".home-view", f"?user={seed.MAYA}&home", margin=16, act=_home)
    await camera.page("workflow-step", "dialog[open]", HERE, height=HEIGHT, act=_workflow)
    await camera.page("tour", ".main", f"{HERE}&tour=open", height=SHORT)


async def _home(page: Page) -> None:
    await page.get_by_role("button", name="Refresh").wait_for()


async def _workflow(page: Page) -> None:
    await page.locator("[data-shortcuts]").click()
    await page.locator('[data-option="workflow ask_for_restart"]').click()
    await page.locator('dialog[open] [data-input="reason"]').fill("The new SSH key has to be picked up")


SCENES = (Scene("page", page, options={"lively": True}),)
