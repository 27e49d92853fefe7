"""The tour on the sandbox's page, with the real bot: from the first question to an approved restart."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from sandbox.environment import Sandbox
from sandbox.slack import seed

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("page-tour")]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
COMPOSER = '[data-composer="channel"]'
PATIENCE = 30_000.0
"""Milliseconds."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    settings = {"probes": {"timeout": "15s"}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=2.0, lively=True) as house:
        await house.start_bot()
        yield house


async def newcomer(browser: Browser, size: dict[str, int], theme: str) -> BrowserContext:
    context = await browser.new_context(viewport=size, locale="en-GB", color_scheme=theme)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    return context


async def opened(context: BrowserContext, sandbox: Sandbox, query: str = "") -> Page:
    page = await context.new_page()
    await page.goto(f"{sandbox.workspace.base_url}/{query}")
    await page.wait_for_selector('#app[data-live="open"]')
    return page


async def step(page: Page, number: int, title: str) -> None:
    """Wait until the tour shows a step."""
    shown = page.locator(f'[data-tour="{number}"] .tour-title')
    await expect(shown).to_have_text(f"Tour, step {number} of 7: {title}", timeout=PATIENCE)


async def test_the_tour_can_be_gone_through_with_the_keyboard_on_a_phone(
    browser: Browser, sandbox: Sandbox
) -> None:
    context = await newcomer(browser, PHONE, "dark")
    page = await opened(context, sandbox)
    action = page.locator("[data-tour-action]")
    await step(page, 1, "ask")
    await action.focus()
    await page.keyboard.press("Enter")
    await step(page, 2, "break something")
    await expect(action).to_be_focused()
    await page.keyboard.press("Enter")
    await step(page, 3, "ask again")
    assert sandbox.endpoints.ssh._server is None, "nothing listens on the port of a process that is gone"
    await page.reload()
    await step(page, 3, "ask again")
    await action.focus()
    await page.keyboard.press("Enter")
    await step(page, 4, "ask for a restart")
    await expect(page.locator(".message").last).to_contain_text("sshd is not running")
    await page.keyboard.press("Enter")
    await step(page, 5, "switch to an approver")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-user-switcher] .who-name")).to_have_text("Jonas Weber")
    await step(page, 6, "approve")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-confirm]")).to_contain_text("The old pod ends")
    await page.keyboard.press("Escape")
    await step(page, 6, "approve")
    await expect(action).to_be_focused()
    await page.keyboard.press("Enter")
    await page.locator("[data-confirm-ok]").press("Enter")
    await step(page, 7, "read the result")
    await expect(action).to_have_text("Show the result", timeout=PATIENCE)
    await action.press("Enter")
    await expect(page.locator(".tour-title")).to_have_text("That was the tour")
    card = page.locator(".message", has_text="✅ Restarted secure-agent-pod")
    await expect(card.first).to_be_in_viewport()
    process = next(item for item in sandbox.workspace.panel.as_json() if item["id"] == "pod-kill-process")
    assert not process["active"]
    assert sandbox.endpoints.ssh._server is not None
    await page.reload()
    await expect(page.locator(".tour-title")).to_have_text("That was the tour")
    await context.close()


async def test_the_tour_follows_whoever_goes_his_own_way(browser: Browser, sandbox: Sandbox) -> None:
    context = await newcomer(browser, DESKTOP, "light")
    page = await opened(context, sandbox)
    await step(page, 1, "ask")
    process = page.locator('[data-break-id="pod-kill-process"] select')
    await process.select_option("sshd")
    await step(page, 3, "ask again")
    await process.select_option("")
    await step(page, 1, "ask")
    await process.select_option("sshd")
    await page.locator(COMPOSER).fill("/agentpod status")
    await page.locator(COMPOSER).press("Enter")
    await step(page, 4, "ask for a restart")
    await page.locator(COMPOSER).fill("/agentpod restart --reason 'it is gone'")
    await page.locator(COMPOSER).press("Enter")
    await step(page, 5, "switch to an approver")
    card = page.locator(".message", has_text="needs approval")
    await card.get_by_role("button", name="Withdraw").click()
    await step(page, 4, "ask for a restart")
    await expect(page.locator(".tour-text")).to_contain_text("ended without a restart")
    await context.close()


async def test_what_happens_to_the_card_during_a_reload_elsewhere_counts(
    browser: Browser, sandbox: Sandbox
) -> None:
    context = await newcomer(browser, DESKTOP, "light")
    page = await opened(context, sandbox)
    await page.locator('[data-break-id="pod-kill-process"] select').select_option("sshd")
    for line, number, title in (
        ("status", 4, "ask for a restart"),
        ("restart --reason 'it is gone'", 5, "switch to an approver"),
    ):
        await page.locator(COMPOSER).fill(f"/agentpod {line}")
        await page.locator(COMPOSER).press("Enter")
        await step(page, number, title)
    await page.goto(f"{sandbox.workspace.base_url}/?user={seed.MAYA}&home")
    await step(page, 5, "switch to an approver")
    await page.goto("about:blank")
    card = await sandbox.workspace.wait_message(seed.OPS, lambda m: "needs approval" in m.all_text())
    await sandbox.workspace.click(seed.JONAS, card, "agentpod:run:0")
    await sandbox.workspace.wait_message(seed.OPS, lambda m: m.ts == card.ts and "✅ Restarted" in m.all_text())
    await page.goto(f"{sandbox.workspace.base_url}/?user={seed.MAYA}&home")
    await step(page, 7, "read the result")
    await page.locator("[data-tour-action]").press("Enter")
    await expect(page.locator(".tour-title")).to_have_text("That was the tour")
    await context.close()


async def test_the_tour_can_be_closed_and_opened_again(browser: Browser, sandbox: Sandbox) -> None:
    context = await newcomer(browser, DESKTOP, "dark")
    page = await opened(context, sandbox)
    tour, toggle = page.locator("[data-tour]"), page.locator("[data-tour-toggle]")
    await expect(tour).to_be_visible()
    await page.locator("[data-tour-action]").press("Escape")
    await expect(tour).to_be_hidden()
    await expect(toggle).to_be_focused()
    await page.reload()
    await page.wait_for_selector('#app[data-live="open"]')
    await expect(tour).to_be_hidden()
    await toggle.click()
    await expect(page.locator("[data-tour-action]")).to_be_focused()
    await page.locator("[data-tour-close]").click()
    await expect(tour).to_be_hidden()
    pictures = await opened(context, sandbox, f"?user={seed.MAYA}&channel={seed.OPS}&panel=closed")
    await expect(pictures.locator("[data-tour]")).to_be_hidden()
    await context.close()
