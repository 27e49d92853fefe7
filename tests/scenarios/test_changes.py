"""What changes in the pretend cluster is recorded by the real bot, and listed with what people did."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.cluster import kinds
from sandbox.cluster.cronlog import FILE
from sandbox.cluster.files import CRONTAB, File
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.lives import alerts
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-changes")]
SECRET = "agent-secrets-tier2"
TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    rules = {"poll": "1s", "pod_for": "0s", "keep_firing": "0s"}
    async with Sandbox(rate_limits=False, settings={"alerts": rules}, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await looked(world)
        await world.ask("cron")
        yield world


async def looked(world: World) -> None:
    """Wait until the bot has looked at the pod."""
    answer = await world.ask("changes")
    while "not been checked yet" in answer.text:
        answer = await world.ask("changes")


async def listed(world: World, *parts: str) -> str:
    """The answer, once it has all these parts, on one line."""
    await world.says("changes", parts[0])
    text = " ".join((await world.ask("changes")).text.split())
    for part in parts:
        assert part in text, text
    return text


async def deploy(world: World, image: str, **env: str) -> None:
    """Change the Deployment as `kubectl` does."""
    store = world.sandbox.cluster.store
    [found] = store.list(kinds.DEPLOYMENT)
    changed = copy.deepcopy(found)
    kali = changed["spec"]["template"]["spec"]["containers"][0]
    kali["image"] = image
    kali["env"] = [*kali.get("env", []), *({"name": name, "value": value} for name, value in env.items())]
    store.put(kinds.DEPLOYMENT, changed)
    await world.sandbox.cluster.simulation.settle()


async def test_an_image_and_a_variable_are_listed_without_the_value(world: World) -> None:
    assert (await world.ask("changes")).first_line.startswith("Nothing changed since ")
    await deploy(world, "ghcr.io/owner/agent:2", API_TOKEN=TOKEN)
    text = await listed(
        world,
        "env API_TOKEN of kali new",
        "new · change 2",
        "image of kali: ",
        "→ ghcr.io/owner/agent:2 · change 1",
    )
    assert TOKEN not in text


async def test_lines_of_the_crontab_are_counted_when_it_is_read_again(world: World) -> None:
    volume = world.sandbox.cluster.simulation.volume
    volume[FILE] = File(CRONTAB + f"5 5 * * * curl -u me:{TOKEN} https://example.org\n")
    await world.ask("cron")
    await listed(world, "crontab ", f"crontab {FILE}: 1 line added · change 3")
    volume.clear()


async def test_what_people_do_stands_between_the_changes(world: World) -> None:
    repair = await asked(world, "restart --reason why")
    await repair.click(seed.JONAS)
    await repair.shows("✅ Restarted")
    await deploy(world, "ghcr.io/owner/agent:3")
    text = await listed(world, "image of kali: 2", "→ 3")
    request, outcome, image = (text.index(x) for x in ("asked for restart", "succeeded", "→ 3"))
    assert request < outcome < image
    assert "restarted by kubectl" not in text, "an approved restart is in the audit trail, and no change"


async def test_a_secret_that_changed_while_the_bot_was_away_is_found_at_its_start(world: World) -> None:
    await world.bot.stop()
    store = world.sandbox.cluster.store
    [found] = [one for one in store.list(kinds.SECRET) if one["metadata"]["name"] == SECRET]
    changed = copy.deepcopy(found)
    key = next(iter(changed["data"]))
    changed["data"][key] = base64.b64encode(TOKEN.encode()).decode()
    store.put(kinds.SECRET, changed)
    world.bot = await world.sandbox.start_bot()
    text = await listed(world, f"Secret {SECRET}: value of {key} changed")
    assert TOKEN not in text
    for image in ("ghcr.io/owner/agent:2", "3"):
        numbers = re.findall(rf"→ {image}\b[^\n]*?· change (\d+)", text)
        assert len(set(numbers)) == 1, "nothing is recorded twice"


async def test_in_a_channel_the_keys_of_a_secret_are_shown_to_nobody_else(world: World) -> None:
    asked_ = world.workspace.mention(seed.MAYA, seed.OPS, "changes")
    shown = lambda: words(world.workspace.messages(seed.OPS, seed.SAM, asked_.ts))  # noqa: E731
    await until(lambda: "Not shown here" in shown(), shown)
    assert "image of kali" in shown()
    assert f"Secret {SECRET}" not in shown()


async def test_an_alert_names_what_changed_before_it_and_its_report_cites_it(world: World) -> None:
    await world.break_("pod-kill-process", "vibe-kanban")
    start = "CRITICAL vibe-kanban is not running"
    await until(lambda: bool(alerts(world, start)), lambda: words(alerts(world)))
    alert = alerts(world, start)[-1]
    text = " ".join(alert.all_text().split())
    assert "CRITICAL vibe-kanban" in alert.text.splitlines()[0]
    assert f"Secret {SECRET}: what it holds changed" in text, "the names of its keys are not for all"
    assert "more, see " in text
    await world.break_("pod-kill-process", "")
    await until(lambda: bool(alerts(world, "✅ vibe-kanban is well again")), lambda: words(alerts(world)))
    id_ = re.search(r"i-[a-z0-9]{7}", text)
    assert id_ is not None
    report = await world.ask(f"report {id_[0]}")
    assert "Changed: image of kali: " in " ".join(report.text.split())
    assert "lines of kali's log" not in report.text
    whole = await world.ask(f"report logs {id_[0]}")
    assert "lines of kali's log, read at " in " ".join(whole.text.split())
    assert whole.messages[0].ephemeral_for == seed.MAYA
    await world.break_("pod-kill-process", "vibe-kanban")
    await until(lambda: bool(alerts(world, start)), lambda: words(alerts(world)))
    again = " ".join(alerts(world, start)[-1].all_text().split())
    assert f"1 time in the last 30 days. {id_[0]} ended " in again
    assert ", by itself. " in again
    earlier = [e for b in alerts(world, start)[-1].blocks for e in b.get("elements", ()) if "url" in e]
    assert [e["text"]["text"] for e in earlier] == ["Earlier alert"]
    await world.break_("pod-kill-process", "")


@pytest.mark.parametrize("since", ["0s", "91d", "yesterday", "5"])
async def test_odd_spans_are_refused(world: World, since: str) -> None:
    answer = await world.ask(f"changes --since {since}")
    assert "--since" in answer.text or "since" in answer.text
    assert "in the last" not in answer.text


async def test_somebody_without_a_role_sees_none(world: World) -> None:
    answer = await world.ask("changes", user=seed.SAM)
    assert "image of" not in answer.text
