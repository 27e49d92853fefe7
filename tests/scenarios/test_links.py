"""Links end to end: the real bot shows those of the settings; a click on one is acknowledged and does nothing."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.lives import becomes, says
from tests.scenarios.repairs import APPROVE, Repair, id_in
from tests.scenarios.talk import World, shell, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("links")]
JOB = "quick-job"
GRAFANA = ("Grafana", "https://grafana.example.com/d/1?var-namespace=secure-agent-pod")
TARGET = {
    "heartbeats": [
        {"job": JOB, "severity": "critical", "stale_after": "3s", "runbook_url": "https://wiki.example.com/{job}"}
    ],
    "links": [
        {"name": "Grafana", "url": "https://grafana.example.com/d/1?var-namespace={namespace}"},
        {"name": "Argo CD", "url": "https://argocd.example.com/{target}", "show_on": ["home"]},
    ],
}
RULES = {"poll": "1s", "keep_firing": "1s", "runbook_urls": {"default": "https://wiki.example.com/other"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    settings = {"alerts": RULES}
    async with Sandbox(rate_limits=False, settings=settings, target=TARGET, pod_seconds=0.0) as sandbox:
        sandbox.pushgateway.push({"job": JOB}, sandbox.pushgateway.clock())
        yield World(sandbox, await sandbox.start_bot())


def links(message: Message) -> list[tuple[str, str]]:
    """The labels and URLs of a message's link buttons."""
    elements = [e for block in message.blocks if block["type"] == "actions" for e in block["elements"]]
    return [(e["text"]["text"], e["url"]) for e in elements if "url" in e]


async def test_an_alert_links_its_runbook_and_a_click_does_nothing(module_world: World) -> None:
    message = await says(module_world, f"CRITICAL {JOB}")
    assert links(message) == [("Runbook", f"https://wiki.example.com/{JOB}"), GRAFANA]
    [runbook] = [e for b in message.blocks for e in b.get("elements", ()) if "Runbook" in str(e.get("text"))]
    before = len(module_world.workspace.store.everything(seed.OPS))
    done = await module_world.workspace.click(seed.SAM, message, runbook["action_id"])
    assert (done.ok, done.messages) == (True, [])
    answer = await module_world.ask("whoami")
    everything = module_world.workspace.store.everything(seed.OPS)
    assert [m for m in everything[before:] if m not in answer.messages and m.user == seed.BOT_USER] == []


async def test_status_links_the_runbook_of_what_is_wrong(module_world: World) -> None:
    await says(module_world, f"CRITICAL {JOB}")
    answer = await module_world.ask("status")
    assert links(answer.messages[-1]) == [("Runbook", f"https://wiki.example.com/{JOB}"), GRAFANA]


async def test_the_home_tab_links_what_is_meant_for_it(module_world: World) -> None:
    module_world.workspace.open_home(seed.MAYA)

    def shown() -> list[str]:
        view = module_world.workspace.home_of(seed.MAYA)
        blocks = view.body.get("blocks", ()) if view is not None else ()
        return [e["url"] for b in blocks if b["type"] == "actions" for e in b["elements"] if "url" in e]

    wanted = [GRAFANA[1], "https://argocd.example.com/secure-agent-pod"]
    await until(lambda: shown()[-2:] == wanted, lambda: f"{shown()}")


async def test_a_shell_prints_the_addresses(module_world: World) -> None:
    _, text = await shell(module_world.bot.env, "status")
    assert f"Grafana: {GRAFANA[1]}\n" in text


@pytest.mark.parametrize("line", ["incidents", "ack", "snooze 5m"])
async def test_what_is_about_an_open_alert_leads_back_to_it(module_world: World, line: str) -> None:
    alert = await says(module_world, f"CRITICAL {JOB}")
    answer = await module_world.ask(line)
    assert linked(answer.messages[-1]) == {"Alert": leads_to(alert)}


async def test_a_resolved_alert_has_no_links(module_world: World) -> None:
    message = await says(module_world, f"CRITICAL {JOB}")
    gateway = module_world.sandbox.pushgateway
    gateway.push({"job": JOB}, gateway.clock() + timedelta(minutes=1))
    assert links(await becomes(module_world, message, f"✅ {JOB}")) == []


def leads_to(message: Message) -> str:
    """The address by which a message is opened."""
    return f"/archives/{message.channel}/p{message.ts.replace('.', '')}"


def linked(message: Message) -> dict[str, str]:
    """The labels of a message's links to other messages, and where they lead."""
    return {label: url.partition(".slack.com")[2] for label, url in links(message) if ".slack.com/" in url}


async def test_alert_card_outcome_incident_and_report_link_each_other(module_world: World) -> None:
    world = module_world
    world.sandbox.pushgateway.push({"job": JOB}, world.sandbox.pushgateway.clock() - timedelta(minutes=5))
    alert = await says(world, f"CRITICAL {JOB}")
    incident = re.findall(r"(i-\w+) · secure-agent-pod", alert.all_text())[-1]
    buttons = [e for b in alert.blocks for e in b.get("elements", ()) if "action_id" in e]
    [restart] = [
        e["action_id"] for e in buttons if e["type"] == "button" and e["text"]["text"] == "Ask for a restart"
    ]
    done = await world.workspace.click(seed.MAYA, alert, restart)
    view = await world.workspace.wait_view(seed.MAYA, lambda view: view.body["type"] == "modal")
    [field] = [block for block in view.body["blocks"] if block["type"] == "input"]
    assert field["element"]["initial_value"].startswith(f"{JOB}: no heartbeat since ")
    await world.workspace.submit_view(seed.MAYA, view, {"reason": "It hangs"})
    receipt = await world.final(lambda: done.messages)
    assert "waits" not in receipt.text, "the answer to a click can't be updated"
    repair = Repair(world, id_in(receipt.text))
    await until(lambda: bool(repair.cards()), world.bot.output)
    to_alert, to_card = leads_to(alert), leads_to(repair.card)
    assert linked(repair.card) == {"Alert": to_alert}

    def now() -> Message:
        return next(m for m in world.workspace.messages(seed.OPS) if m.ts == alert.ts)

    earlier = {label: to for label, to in linked(alert).items() if label == "Earlier alert"}
    await until(lambda: linked(now()) == {**earlier, "Card": to_card}, lambda: f"{linked(now())}")
    for line in (f"incidents {incident}", f"report {incident}", f"approvals {repair.id}"):
        answer = await world.ask(line)
        found = linked(answer.messages[-1])
        assert {label: found[label] for label in ("Alert", "Card")} == {"Alert": to_alert, "Card": to_card}, line
    joined = await world.ask("restart --reason again", seed.JONAS)
    assert linked(joined.messages[-1]) == {"Alert": to_alert, "Card": to_card}
    [card] = [m for m in repair.cards() if m.ephemeral_for is None]
    done = await world.workspace.click(seed.PRIYA, card, APPROVE)
    await world.final(lambda: done.messages)

    def outcome() -> list[Message]:
        here = world.workspace.messages(seed.DMS[seed.MAYA], seed.MAYA)
        return [m for m in here if repair.id in m.all_text() and "you asked for it" in m.all_text()]

    await until(lambda: bool(outcome()), world.bot.output)
    assert linked(outcome()[-1]) == {"Alert": to_alert, "Card": to_card}

    calls = world.workspace.record.of("chat.getPermalink")
    assert len(calls) == len({call.args["message_ts"] for call in calls}), "each address is asked for once"
