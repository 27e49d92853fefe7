"""Every repair by two people on the sandbox's page: one asks, the other approves, and both see how it ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bot.domain.approvals.actions import registry
from bot.domain.health.ssh_keys import parse_key
from sandbox.cluster.files import CRONTAB
from sandbox.cluster.fixture import FixtureFile
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.sandbox_page.test_repair import COMPOSER, PATIENCE, page_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("page-every-repair")]
EXAMPLES = Path(__file__).parents[2] / "examples"
SETTINGS = {"probes": {"timeout": "15s"}, "approvals": {"heartbeats_push": "approval"}}
TARGET = {"egress": {"restart_cilium": True}, "image_set": ["kali"], "argocd": None}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDUGRSo1ed2x2eR7GbdfdEiCQuOWtGNwNL7wkhe5dyhE c@s"
SLOWER = CRONTAB.replace("*/5 *", "*/10 *")


@dataclass(frozen=True)
class Way:
    """How people go through one repair."""

    action: str
    line: str
    done: str
    """Part of the card's first line once it is done."""
    breaks: Mapping[str, str | bool | None] = field(default_factory=dict)
    """What is broken before: the id of one of the panel's faults → its value."""
    form: Sequence[str] = ()
    """What the fields of the form that the command opens are filled with, in order."""
    value: str = ""
    """What the requester enters once the request is approved."""
    after: Way | None = None
    """What they go through before."""


WAYS = (
    Way("restart", "restart", "✅ Restarted secure-agent-pod", form=["The key has to be picked up"]),
    Way("restart --force", "restart --force --reason 'it hangs'", "✅ Restarted secure-agent-pod"),
    Way("restart --container", "restart --container kali --reason 'it hangs'", "✅ Restarted kali in"),
    Way("image pull", "image pull --reason 'a fix'", "✅ Pulled the new image", {"registry-pushed": True}),
    Way("image set", "image set 1.1.0 --reason 'a fix'", "✅ Set image 1.1.0"),
    Way(
        "secrets set",
        "secrets set GITHUB_TOKEN --reason rotated",
        "GITHUB_TOKEN has its new value",
        value="another-value-2026",
    ),
    Way("ssh keys add", "ssh keys add", "✅ SSH key added", form=[KEY, "a new laptop"]),
    Way(
        "ssh keys remove",
        f"ssh keys remove {parse_key(KEY).fingerprint} --reason 'it was lost'",
        "✅ SSH key removed",
    ),
    Way("ssh keys copy", "ssh keys copy --reason now", "✅ SSH keys copied", {"ssh-keys-changed": True}),
    Way("cron edit", "cron edit", "✅ Crontab of secure-agent-pod changed", form=["too often", SLOWER]),
    Way(
        "cron undo",
        "cron undo --reason 'too seldom'",
        "✅ Crontab of secure-agent-pod has its previous version back",
    ),
    Way("cron run", "cron run session-manager.sh --reason 'it hangs'", "✅ Ran session-manager.sh"),
    Way(
        "heartbeats push", "heartbeats push audit_digest context=desk --reason 'by hand'", "✅ Pushed a heartbeat"
    ),
    Way("egress repair", "egress repair --reason LRU", "✅ Repaired egress policy", {"egress-policy": "lru"}),
    Way(
        "egress repair --create",
        "egress repair --reason 'it is missing'",
        "✅ Created egress policy",
        {"egress-frozen": False},
        after=Way(
            "egress repair",
            "egress repair --reason 'LRU again'",
            "agent-egress is MISSING",
            {"egress-policy": "lru", "egress-frozen": True},
        ),
    ),
    Way("configs rotate", "configs rotate --reason rotated", "✅ agent-configs has the values"),
)
DECLARED = Way(
    "declared-repair", "start-service renderer --reason 'it gave up'", "✅ Done: start-service renderer"
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(
        rate_limits=False, settings=SETTINGS, target=TARGET, pod_seconds=0.5, configs=True
    ) as house:
        await house.start_bot()
        yield house


async def typed(page: Page, text: str) -> None:
    """Send a command."""
    await page.locator(COMPOSER).fill(f"/agentpod {text}")
    await page.locator(COMPOSER).press("Enter")


async def filled(page: Page, values: Sequence[str]) -> None:
    """Fill in the form that is open, and submit it."""
    form = page.get_by_role("dialog")
    for number, value in enumerate(values):
        await form.get_by_role("textbox").nth(number).fill(value)
    await form.locator("button[type=submit], [data-submit]").last.click()
    await expect(form).to_have_count(0)


async def through(browser: Browser, sandbox: Sandbox, way: Way) -> None:
    """Maya asks, Jonas approves and confirms, Maya enters the value if there is one, and both see the end."""
    if way.after is not None:
        await through(browser, sandbox, way.after)
    for fault, value in way.breaks.items():
        await sandbox.workspace.panel.apply(fault, value)
    maya, jonas = [await page_of(browser, sandbox, user) for user in (seed.MAYA, seed.JONAS)]
    await typed(maya, way.line)
    if way.form:
        await filled(maya, way.form)
    waiting = jonas.locator(".message", has_text="needs approval")
    await expect(waiting).to_have_count(1, timeout=PATIENCE)
    await waiting.get_by_role("button", name="Approve").click()
    dialog = jonas.locator("[data-confirm]")
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Approve").click()
    if way.value:
        direct = await page_of(browser, sandbox, seed.MAYA, seed.DM_MAYA)
        await direct.get_by_role("button", name="Enter").last.click()
        await filled(direct, [way.value])
        await direct.close()
    for page in (maya, jonas):
        await expect(page.locator(".message", has_text=way.done).last).to_be_visible(timeout=PATIENCE)
        await expect(page.locator(".message", has_text="needs approval")).to_have_count(0)
        await page.close()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.action)
async def test_two_people_go_through_it(browser: Browser, sandbox: Sandbox, way: Way) -> None:
    await through(browser, sandbox, way)


async def test_two_people_go_through_a_declared_one(browser: Browser) -> None:
    fixture = FixtureFile(EXAMPLES / "fixtures/web-sidecar.yaml")
    target = {"runbook": [str(EXAMPLES / "web-sidecar.yaml")]}
    async with Sandbox(rate_limits=False, target=target, fixture=fixture, pod_seconds=0.0) as house:
        await house.start_bot()
        await through(browser, house, DECLARED)


async def test_each_repair_is_gone_through() -> None:
    assert {way.action for way in (*WAYS, DECLARED)} == set(registry.builtin().names)
