"""Answers with links: status, diagnose, the dashboard and an incident; each renderer shows them in its own way."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.slack import blocks, inbound
from bot.adapters.terminal import print_reply
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Button, Link, Menu, Reply
from bot.domain.core.target import Target
from bot.domain.incidents.runbook_urls import RunbookUrls
from bot.runbook.context import Context
from bot.services.incidents.alert_links import AlertLinks
from tests.commands.fakes import World, handbook, said
from tests.handbook import TARGET

pytestmark = pytest.mark.asyncio

GRAFANA = Link("Grafana", "https://grafana.example.com/d/1?ns=secure-agent-pod")
RUNBOOK = Link("Runbook", "https://wiki.example.com/processes")


def linked(ctx: Context) -> Context:
    given = {"links": [{"name": GRAFANA.label, "url": GRAFANA.url.replace("=secure-agent-pod", "={namespace}")}]}
    target = Target.model_validate({**TARGET.model_dump(exclude_unset=True), **given})
    urls = RunbookUrls(process=RUNBOOK.url)
    return replace(ctx, links=AlertLinks({target.name: target}, urls, {target.name: handbook()}))


@pytest.mark.parametrize("line", ["status", "", "dashboard", "diagnose"])
async def test_an_answer_links_the_target_s_tools(line: str) -> None:
    assert (await World().run(line, linked)).links == (GRAFANA,)
    assert (await World().run(line)).links == ()


@pytest.mark.parametrize("line", ["status", ""])
async def test_what_is_wrong_links_its_runbook_first(line: str) -> None:
    world = World()
    world.cluster.programs["ps"] = said("PID USER COMMAND\n1 claude tini\n")
    assert RUNBOOK.url in {link.url for link in (await world.run(line, linked)).links}


REPLY = Reply("Not healthy", buttons=(Button("Status", "status"),), links=(RUNBOOK, GRAFANA), command="status")


def elements(reply: Reply) -> list[dict[str, Any]]:
    [message] = blocks.render(reply, key="k").messages
    return [e for b in message.blocks if b["type"] == "actions" for e in b["elements"]]


async def test_slack_shows_links_as_buttons_that_open_them() -> None:
    shown = [e for e in elements(REPLY) if "url" in e]
    assert [(e["text"]["text"], e["url"]) for e in shown] == [
        (RUNBOOK.label, RUNBOOK.url),
        (GRAFANA.label, GRAFANA.url),
    ]
    assert all("value" not in e for e in shown)
    assert len({e["action_id"] for e in elements(REPLY)}) == len(elements(REPLY))


async def test_a_click_on_a_link_asks_the_bot_for_nothing() -> None:
    for element in elements(REPLY):
        body = {
            "type": "block_actions",
            "user": {"id": "U1"},
            "channel": {"id": "C1"},
            "container": {"message_ts": "1.1"},
            "actions": [element],
        }
        assert (inbound.read(body, "UBOT") is None) == ("url" in element)


async def test_buttons_menus_and_links_fit_one_block() -> None:
    many = replace(
        REPLY,
        buttons=tuple(Button(f"B{n}", f"logs {n}") for n in range(30)),
        menus=(Menu("Snooze", (Button("1 h", "snooze i-1 1h"),)),),
        links=tuple(Link(f"L{n}", f"https://example.com/{n}") for n in range(8)),
    )
    assert len(elements(many)) <= 25


async def test_the_terminal_prints_addresses_that_can_be_copied() -> None:
    out = io.StringIO()
    print_reply(REPLY, output="text", stream=out)
    assert f"Runbook: {RUNBOOK.url}\nGrafana: {GRAFANA.url}\n" in out.getvalue()
    out = io.StringIO()
    print_reply(REPLY, output="json", stream=out)
    assert json.loads(out.getvalue())["links"][0] == {"label": RUNBOOK.label, "url": RUNBOOK.url}


async def test_a_link_that_redaction_broke_is_left_out_everywhere() -> None:
    outside = Outside(["supersecretvalue"])
    broken = replace(REPLY, links=(Link("Leaky", "https://example.com/supersecretvalue"), GRAFANA))
    [message] = blocks.render(broken, outside=outside).messages
    out = io.StringIO()
    print_reply(broken, output="text", stream=out, outside=outside)
    for text in (json.dumps(message.blocks), out.getvalue()):
        assert "Leaky" not in text
        assert "supersecretvalue" not in text
        assert GRAFANA.label in text
