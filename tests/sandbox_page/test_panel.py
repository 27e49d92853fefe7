"""The lively sandbox's panel: a click moves time, and the page shows the result."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from sandbox.environment import Sandbox
from sandbox.slack import seed

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("page-panel")]


async def test_an_alert_can_be_followed_to_its_end_by_clicks_only(browser: Browser) -> None:
    async with Sandbox(rate_limits=False, pod_seconds=0.0, lively=True) as sandbox:
        await sandbox.start_bot()
        page = await browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB")
        page.set_default_timeout(30_000)
        await page.goto(f"{sandbox.workspace.base_url}/?user={seed.MAYA}&channel={seed.OPS}&panel=open")
        await page.wait_for_selector('#app[data-live="open"]')
        stops = page.locator('[data-break-id="heartbeat-session-manager-stopped"] [role=switch]')
        await stops.click()
        await expect(stops).to_have_attribute("aria-checked", "true")  # as the server says, and drawn anew
        first = page.locator("[data-break-group]").first
        await expect(first.get_by_role("heading")).to_have_text("Start here")
        await expect(first.locator("[data-break-id]").first).to_have_attribute("data-break-id", "pod-kill-process")
        await first.locator('[data-break-id="time-1h"] button').click()
        alert = page.locator(".message", has_text="session-manager")
        await expect(alert).to_contain_text("no heartbeat since", timeout=30_000)
        await alert.get_by_role("button", name="Acknowledge").click()
        await expect(alert.first).to_contain_text("👀")
        await stops.click()
        await expect(stops).to_have_attribute("aria-checked", "false")
        time = page.locator('[data-break-group="Time"]')
        await time.locator('[data-break-id="time-10m"] button').click()
        # At least an hour; less where a heartbeat comes before the last click.
        await expect(alert.first).to_contain_text(
            re.compile(r"heartbeats again after being overdue for (1\s+h|5\d\s+min)"), timeout=40_000
        )
        await page.close()
