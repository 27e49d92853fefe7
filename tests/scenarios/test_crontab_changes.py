"""`cron edit` and `cron undo` with the real bot: a form, an explained card, the file in the pod, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox.cluster.cronlog import FILE
from sandbox.cluster.files import CRONTAB, File
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import Repair, asked, id_in
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-crontab-changes")]
TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"
PREVIOUS = f"{FILE}.agentpod-previous"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await world.ask("cron")  # what reads it is loaded, so that a form opens within Slack's three seconds
        yield world


@pytest.fixture
def world(module_world: World) -> World:
    module_world.sandbox.cluster.simulation.volume.clear()
    return module_world


def files(world: World) -> dict[str, str]:
    """What was written into the pod."""
    kept = world.sandbox.cluster.simulation.volume
    return {path: file.text for path, file in kept.items() if file is not None}


async def opened(world: World, user: str = seed.MAYA) -> Any:
    """Open the form."""
    done = await world.workspace.slash(user, seed.OPS, "/agentpod", "cron edit")
    view = await world.workspace.wait_view(user)
    return done, view


def shown_in(view: Any) -> dict[str, str]:
    """The form's inputs, as they are when it opens."""
    blocks = [b for b in view.body["blocks"] if b["type"] == "input"]
    return {b["block_id"]: b["element"].get("initial_value", "") for b in blocks}


async def submitted(world: World, done: Any, view: Any, crontab: str, reason: str) -> Repair:
    """Submit the form, and wait for the card."""
    sent = await world.workspace.submit_view(seed.MAYA, view, {"reason": reason, "crontab.1": crontab})
    assert sent.ok, sent.errors
    await until(lambda: "✋" in words(done.messages), lambda: words(done.messages))
    repair = Repair(world, id_in(words(done.messages)))
    await repair.shows(reason)
    return repair


async def test_one_person_edits_and_another_approves(world: World) -> None:
    done, view = await opened(world)
    assert shown_in(view) == {"reason": "", "crontab.1": CRONTAB.rstrip("\n")}
    new = CRONTAB.replace("*/5 *", "*/10 *").replace("30 4 * * 0 claude update\n", "")
    repair = await submitted(world, done, view, new, "less often")
    card = repair.card.all_text()
    for part in (
        "New crontab for secure-agent-pod: needs approval",
        "session-manager.sh: every 5 min → every 10 min",
        "gone: claude update, Sun at 04:30",
        "session-manager is stale after 10 min, but up to 10 min pass between its runs",
        "Next runs when asked",
        "void if the pod or its crontab changes",
    ):
        assert part in card, card
    assert files(world) == {}
    await repair.click(seed.JONAS)
    card = (await repair.shows("✅ Crontab of secure-agent-pod changed")).all_text()
    assert "supercronic has read it" in card
    assert files(world) == {FILE: new, PREVIOUS: CRONTAB}
    assert "every 10 min" in (await world.ask("cron")).text
    trail = (await world.ask("audit --tail 20")).text
    assert "less often" in trail

    undo = await asked(world, 'cron undo --reason "it was too seldom"')
    assert "session-manager.sh: every 10 min → every 5 min" in undo.card.all_text()
    await undo.click(seed.PRIYA)
    await undo.shows("✅ Crontab of secure-agent-pod has its previous version back")
    assert files(world) == {FILE: CRONTAB, PREVIOUS: new}


async def test_a_wrong_line_is_refused_with_a_mark(world: World) -> None:
    done, view = await opened(world)
    await world.workspace.submit_view(
        seed.MAYA, view, {"reason": "why", "crontab.1": CRONTAB.replace("0 21", "0 25")}
    )
    await until(lambda: "Line 6 is wrong" in words(done.messages), lambda: words(done.messages))
    assert "line 6: 0 25 * * * /opt/scripts/audit-digest.sh" in done.messages[-1].all_text()
    assert "^^" in done.messages[-1].all_text()


async def test_a_secret_is_redacted_everywhere_and_stays_in_the_file(world: World) -> None:
    kept = world.sandbox.cluster.simulation.volume
    kept[FILE] = File(f"GITHUB_TOKEN={TOKEN}\n{CRONTAB}")
    done, view = await opened(world)
    text = shown_in(view)["crontab.1"]
    assert TOKEN not in text
    repair = await submitted(world, done, view, text.replace("0 21", "0 22") + "\n", "later")
    assert "audit-digest.sh: daily at 21:00 → daily at 22:00" in repair.card.all_text()
    await repair.click(seed.JONAS)
    await repair.shows("✅ Crontab of secure-agent-pod changed")
    assert files(world)[FILE] == f"GITHUB_TOKEN={TOKEN}\n{CRONTAB}".replace("0 21", "0 22")
    ledger = (world.sandbox.folder / "agentpod.db").read_bytes()
    wal = world.sandbox.folder / "agentpod.db-wal"
    assert TOKEN.encode() not in ledger + (wal.read_bytes() if wal.exists() else b"")
    assert TOKEN not in world.bot.output()


async def test_new_secrets_and_changed_redacted_lines_are_refused(world: World) -> None:
    world.sandbox.cluster.simulation.volume[FILE] = File(f"GITHUB_TOKEN={TOKEN}\n{CRONTAB}")
    for change, said in (
        (lambda text: text.replace("GITHUB_TOKEN", "TOKEN"), "Line 1 has a redacted part"),
        (lambda text: f"{text}\nAPI={TOKEN}", "Line 8 has something in it that looks like a secret"),
    ):
        done, view = await opened(world)
        text = change(shown_in(view)["crontab.1"])
        await world.workspace.submit_view(seed.MAYA, view, {"reason": "why", "crontab.1": text})
        await until(lambda d=done, s=said: s in words(d.messages), lambda d=done: words(d.messages))


async def test_an_edit_by_somebody_else_voids_it(world: World) -> None:
    done, view = await opened(world)
    repair = await submitted(world, done, view, CRONTAB.replace("0 21", "0 22"), "meanwhile")
    world.sandbox.cluster.simulation.volume[FILE] = File(CRONTAB.replace("0 21", "0 20"))
    await repair.click(seed.JONAS)
    await repair.shows("is void: the crontab was edited meanwhile")
    assert files(world) == {FILE: CRONTAB.replace("0 21", "0 20")}
    done, view = await opened(world)
    world.sandbox.cluster.simulation.volume[FILE] = File(CRONTAB)
    await world.workspace.submit_view(seed.MAYA, view, {"reason": "why", "crontab.1": "# none"})
    await until(
        lambda: "has changed the crontab since the form" in words(done.messages), lambda: words(done.messages)
    )


async def test_without_a_version_before_undo_is_refused(world: World) -> None:
    assert "There is no version before" in (await world.ask("cron undo --reason why")).first_line


async def test_a_dry_run_shows_the_calls_without_the_content(world: World) -> None:
    told = (await world.ask('cron edit --reason why --crontab "* * * * * echo hello" --dry-run')).text
    assert "with 21 bytes on stdin" in told
    assert "hello" not in told
    assert files(world) == {}


async def test_a_wrong_line_that_diagnose_names_is_mended_by_its_button(world: World) -> None:
    await world.break_("pod-wrong-crontab")
    answer = await world.ask("diagnose cron")
    [message] = answer.messages
    label = next(e["action_id"] for b in message.blocks if b["type"] == "actions" for e in b["elements"]
                 if e["text"]["text"] == "Edit the crontab")  # fmt: skip
    done = await world.workspace.click(seed.MAYA, message, label)
    view = await world.workspace.wait_view(seed.MAYA)
    shown = shown_in(view)
    reason = "Line 6 of the crontab is wrong; supercronic still runs with the earlier file"
    assert (shown["reason"], shown["crontab.1"]) == (reason, CRONTAB.replace("0 21", "0 25").rstrip("\n"))
    repair = await submitted(world, done, view, CRONTAB, reason)
    await repair.click(seed.JONAS)
    await repair.shows("✅ Crontab of secure-agent-pod changed")
    assert "no cause" in (await world.ask("diagnose cron")).first_line
