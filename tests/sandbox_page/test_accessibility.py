"""The sandbox's page for everybody: axe-core finds nothing, and the keyboard reaches every control."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, ViewportSize, expect

from sandbox.environment import Sandbox
from tests.healthy import HEALTHY

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("page-accessibility")]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
BOTH = (PHONE, DESKTOP)
COMPOSER = '[data-composer="channel"]'
STILL = "*, *::before, *::after { transition: none !important; animation: none !important }"
"""A colour on its way to another has no contrast of its own."""
RUN = """async () => (await axe.run({ resultTypes: ["violations"] })).violations.map(
    ({ id, nodes }) => `${id}: ` + nodes.map((n) => `${n.target.join(" ")} (${n.failureSummary})`).join("; "))"""
CONTROLS = """() => [...document.querySelectorAll("button, input, select, textarea, a[href]")]
    .filter((node) => !node.disabled && node.checkVisibility({ visibilityProperty: true }))"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    settings = {"probes": {"timeout": "15s"}}
    async with Sandbox(rate_limits=False, settings=settings, pod_seconds=0.0, lively=True) as house:
        await house.start_bot()
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser, sandbox: Sandbox) -> AsyncIterator[Page]:
    """The page as a newcomer sees it, with axe in it."""
    context = await browser.new_context(viewport=DESKTOP, locale="en-GB")
    context.set_default_timeout(30_000)
    opened = await context.new_page()
    await opened.goto(f"{sandbox.workspace.base_url}/")
    await opened.wait_for_selector('#app[data-live="open"]')
    await opened.evaluate(AXE_SCRIPT)
    await opened.evaluate(
        "css => { const s = new CSSStyleSheet(); s.replaceSync(css); document.adoptedStyleSheets = [s] }", STILL
    )
    yield opened
    await context.close()


async def violations(page: Page, state: str, sizes: Sequence[ViewportSize] = BOTH) -> list[str]:
    """What axe finds in the current state, in these sizes, dark and light."""
    found = []
    for size in sizes:
        await page.set_viewport_size(size)
        for theme in ("dark", "light"):
            await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            found += [f"{state}, {size['width']} px, {theme}: {each}" for each in await page.evaluate(RUN)]
    return found


async def say(page: Page, line: str, answer: str) -> None:
    """Type a line, and wait for a message that contains the answer."""
    await page.locator(COMPOSER).fill(line)
    await page.locator(COMPOSER).press("Enter")
    await expect(page.locator(".message", has_text=answer).last).to_be_visible()


async def test_axe_finds_nothing_in_the_main_states(page: Page, sandbox: Sandbox) -> None:
    found = await violations(page, "empty channel, tour and panel", [DESKTOP])
    await page.set_viewport_size(PHONE)
    await page.locator("[data-panel-close]").click()
    await say(page, "/agentpod status", HEALTHY)
    await sandbox.workspace.panel.apply("pod-kill-process", "vibe-kanban")
    await sandbox.workspace.panel.apply("kube-403", "events")
    await say(page, "/agentpod status", "vibe-kanban is not running")
    await say(page, "/agentpod heartbeats", "agent-pulse")
    await say(page, "/agentpod restart --reason 'it hangs'", "needs approval")
    found += await violations(page, "status healthy and broken, table, card, tour")
    await page.locator("[data-tour-close]").click()
    await page.set_viewport_size(PHONE)
    await page.locator(COMPOSER).fill("/agentpod re")
    found += await violations(page, "completion", [PHONE])
    await page.locator(COMPOSER).press("Escape")
    await page.locator(COMPOSER).fill("")
    await page.locator("[data-shortcuts]").click()
    found += await violations(page, "shortcuts", [PHONE])
    await page.locator('[data-option="workflow run_check"]').click()
    found += await violations(page, "workflow", [PHONE])
    await page.keyboard.press("Escape")
    await page.set_viewport_size(DESKTOP)
    await page.locator("[data-user-switcher]").click()
    found += await violations(page, "people", [DESKTOP])
    await page.keyboard.press("Escape")
    await page.locator(COMPOSER).fill("/agentpod restart")
    await page.locator(COMPOSER).press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    found += await violations(page, "form")
    await page.keyboard.press("Escape")
    await page.set_viewport_size(PHONE)
    await page.locator("[data-panel-toggle]").click()
    found += await violations(page, "panel", [PHONE])
    await page.locator("[data-panel-close]").click()
    await page.set_viewport_size(PHONE)
    await page.locator('[data-back="list"]').click()
    found += await violations(page, "list", [PHONE])
    await page.locator(".nav-item[data-home]").click()
    await expect(page.locator("[data-view-id]")).to_be_visible()
    found += await violations(page, "Home")
    assert found == []


async def test_the_keyboard_reaches_every_control_and_shows_where_it_is(page: Page) -> None:
    await page.set_viewport_size(DESKTOP)
    await page.locator(".nav-item[data-channel-id]").first.click()
    await page.locator("[data-tour-toggle]").click()
    await page.locator("[data-panel-toggle]").click()
    await expect(page.locator(".message").last).to_be_visible()
    wanted = await page.evaluate(f"() => {{ window.wanted = ({CONTROLS})(); return wanted.length }}")
    await page.evaluate("() => document.activeElement.blur()")
    reached, hidden = set(), set()
    for _ in range(wanted + 40):  # scrolling areas take the focus as well
        await page.keyboard.press("Tab")
        number, plain = await page.evaluate(
            """() => {
                const at = document.activeElement, box = at.closest("form.composer");
                const ring = getComputedStyle(at).outlineStyle !== "none" || at === document.body;
                const seen = ring || (box && getComputedStyle(box).boxShadow !== "none");
                return [wanted.indexOf(at), seen ? "" : at.outerHTML.slice(0, 120)];
            }"""
        )
        reached.add(number)
        hidden |= {plain} - {""}
    missing = await page.evaluate(
        "reached => wanted.filter((_, n) => !reached.includes(n)).map((node) => node.outerHTML.slice(0, 120))",
        list(reached),
    )
    assert missing == []
    assert hidden == set()


async def test_escape_closes_what_is_open_and_the_focus_returns(page: Page) -> None:
    await page.set_viewport_size(DESKTOP)
    switcher, composer = page.locator("[data-user-switcher]"), page.locator(COMPOSER)
    await switcher.press("Enter")
    await expect(page.locator("[data-popover]")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-popover]")).to_have_count(0)
    await expect(switcher).to_be_focused()
    await composer.fill("/agentpod restart")
    await composer.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(composer).to_be_focused()
    withdraw = page.locator(".message", has_text="needs approval").get_by_role("button", name="Withdraw").last
    await withdraw.press("Enter")
    card = page.locator(".message:not([data-ephemeral])", has_text="withdrawn").last
    await expect(card).to_be_focused()
