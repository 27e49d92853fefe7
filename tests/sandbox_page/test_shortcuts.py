"""The page's menus of shortcuts: the lightning menu, and the menu of a message."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from sandbox.slack import seed

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_lightning_menu_lists_the_app_s_shortcuts_and_sends_one(
    open_page: Any, ws: Any, app: Any
) -> None:
    seen: list[dict[str, Any]] = []

    @app.shortcut("restart")
    async def restart(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        seen.append(body)

    page = await open_page()
    await page.locator("[data-shortcuts]").click()
    names = await page.locator("[data-option] .pop-label").all_inner_texts()
    wanted = [s.name for s in ws.core.manifest.shortcuts if s.kind == "global"]
    assert names[: len(wanted)] == wanted
    assert len(set(names)) == len(names), "a workflow has another name than the shortcut for the same"
    await page.locator('[data-option="restart"]').click()
    await expect(page.locator("[data-popover]")).to_have_count(0)
    [body] = seen
    assert (body["type"], body["user"]["id"], "channel" in body) == ("shortcut", seed.MAYA, False)


async def test_a_message_s_menu_sends_the_message(open_page: Any, ws: Any, app: Any) -> None:
    seen: list[dict[str, Any]] = []

    @app.shortcut("status_here")
    async def status(ack: Any, body: dict[str, Any], respond: Any) -> None:
        await ack()
        seen.append(body)
        await respond("Healthy")

    message = ws.say(seed.SAM, seed.OPS, "is it down?")
    page = await open_page()
    row = page.locator(f'[data-message-ts="{message.ts}"]')
    await row.hover()
    await row.locator("[data-message-menu]").click()
    await page.locator('[data-option="status_here"]').click()
    await expect(page.locator("[data-ephemeral]").last).to_contain_text("Healthy")
    [body] = seen
    assert (body["type"], body["message"]["text"], body["channel"]["id"]) == (
        "message_action",
        "is it down?",
        seed.OPS,
    )
    assert await page.locator("[data-ephemeral] [data-message-menu]").count() == 0


async def test_a_workflow_asks_for_its_inputs_and_posts_its_outcome(open_page: Any, ws: Any, app: Any) -> None:
    seen: list[dict[str, Any]] = []

    @app.function("run_check")
    async def check(inputs: dict[str, Any], complete: Any) -> None:
        seen.append(inputs)
        await complete({"verdict": "ok", "headline": "Volume 31 % full"})

    page = await open_page()
    await page.locator("[data-shortcuts]").click()
    await page.locator('[data-option="workflow run_check"]').click()
    await page.locator('[data-workflow] [data-input="check"]').fill("storage")
    await page.locator("[data-workflow-start]").click()
    said = "First line of the answer: Volume 31 % full"
    await expect(page.locator("[data-message-ts]").last).to_contain_text(said)
    [inputs] = seen
    assert inputs["check"] == "storage"
    assert inputs["person"]["id"] == seed.MAYA
    assert await page.locator("[data-workflow]").count() == 0


async def test_the_app_is_invited_to_a_channel(open_page: Any, ws: Any, address: Any) -> None:
    page = await open_page(address(channel=seed.RANDOM))
    box = page.locator('[data-composer="channel"]')
    for name in ("nobody", "agentpod", "agentpod"):
        await box.fill(f"/invite {name}")
        await box.press("Enter")
    await expect(page.get_by_text("Only @agentpod can be invited here.")).to_be_visible()
    await expect(page.get_by_text("already_in_channel")).to_be_visible()
    assert seed.BOT_USER in ws.store.channels[seed.RANDOM].members
