"""Clicks, modals and response URLs, with the real Bolt app."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from sandbox.slack import Workspace, seed

BUTTON = {
    "type": "actions",
    "block_id": "row",
    "elements": [
        {
            "type": "button",
            "action_id": "approve",
            "value": "42",
            "text": {"type": "plain_text", "text": "Approve"},
        }
    ],
}


def modal(title: str = "Reason") -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": "reason",
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {
                "type": "input",
                "block_id": "why",
                "label": {"type": "plain_text", "text": "Why?"},
                "element": {"type": "plain_text_input", "action_id": "text", "min_length": 3},
            }
        ],
    }


async def test_a_click_carries_the_message_and_replaces_it(ws: Workspace, app: AsyncApp, connect: Any) -> None:
    bodies: list[dict[str, Any]] = []

    @app.action("approve")
    async def approve(ack: Any, body: dict[str, Any], respond: Any) -> None:
        await ack()
        bodies.append(body)
        await respond("approved", replace_original=True)

    await connect()
    await app.client.chat_postMessage(channel=seed.OPS, text="card", blocks=[BUTTON])
    message = ws.messages(seed.OPS)[0]
    done = await ws.click(seed.JONAS, message, "approve")
    assert done.ok
    assert await ws.wait_message(seed.OPS, lambda m: m.text == "approved", timeout=5) is message
    assert message.edited is not None
    body = bodies[0]
    assert body["message"]["ts"] == message.ts
    assert body["container"]["is_ephemeral"] is False
    assert body["actions"][0]["value"] == "42"
    assert body["user"]["id"] == seed.JONAS


async def test_a_click_in_an_ephemeral_message_has_no_message_in_its_payload(
    ws: Workspace, app: AsyncApp, connect: Any, until: Any
) -> None:
    @app.command("/agentpod")
    async def run(ack: Any) -> None:
        await ack(text="card", blocks=[BUTTON])

    @app.action("approve")
    async def approve(ack: Any, respond: Any) -> None:
        await ack()
        await respond(delete_original=True)

    await connect()
    shown = (await ws.slash(seed.MAYA, seed.OPS, "/agentpod")).messages[0]
    done = await ws.click(seed.MAYA, shown, "approve")
    assert done.payload["container"]["is_ephemeral"] is True
    assert "message" not in done.payload

    async def gone() -> bool:
        return not ws.messages(seed.OPS, seed.MAYA)

    await until(gone)


@pytest.fixture
async def url(ws: Workspace, app: AsyncApp, connect: Any, http: aiohttp.ClientSession) -> AsyncWebhookClient:
    """A slash command's response URL."""

    @app.command("/agentpod")
    async def run(ack: Any) -> None:
        await ack("working")

    await connect()
    done = await ws.slash(seed.MAYA, seed.OPS, "/agentpod")
    return AsyncWebhookClient(done.payload["response_url"], session=http)


async def test_a_commands_response_url_replaces_the_last_message(ws: Workspace, url: AsyncWebhookClient) -> None:
    await url.send_dict({"text": "done", "replace_original": True})
    assert [m.text for m in ws.messages(seed.OPS, seed.MAYA)] == ["done"]
    await url.send_dict({"text": "for all", "response_type": "in_channel"})
    assert [m.text for m in ws.messages(seed.OPS, seed.JONAS)] == ["for all"]


async def test_a_response_url_is_spent_after_five_uses(url: AsyncWebhookClient) -> None:
    answers = [await url.send(text="x") for _ in range(6)]
    assert [a.status_code for a in answers] == [200, 200, 200, 200, 200, 404]
    assert answers[-1].body == '{"ok": false, "error": "used_url"}'


async def test_a_response_url_expires_after_thirty_minutes(url: AsyncWebhookClient, clock: Any) -> None:
    clock.advance(1799)
    assert (await url.send(text="x")).status_code == 200
    clock.advance(2)
    late = await url.send(text="x")
    assert (late.status_code, "expired_url" in late.body) == (404, True)


async def test_a_response_url_refuses_invalid_blocks(url: AsyncWebhookClient) -> None:
    refused = await url.send_dict({"text": "x", "blocks": [{"type": "section"}]})
    assert (refused.status_code, "invalid_blocks" in refused.body) == (400, True)


async def test_a_trigger_opens_one_modal_within_three_seconds(
    ws: Workspace, app: AsyncApp, connect: Any, clock: Any, client: AsyncWebClient
) -> None:
    @app.command("/agentpod")
    async def run(ack: Any) -> None:
        await ack()

    await connect()
    first, second = [(await ws.slash(seed.MAYA, seed.OPS, "/agentpod")).payload["trigger_id"] for _ in range(2)]
    await client.views_open(trigger_id=first, view=modal())
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await client.views_open(trigger_id=first, view=modal())
    clock.advance(3.1)
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        await client.views_open(trigger_id=second, view=modal())
    with pytest.raises(SlackApiError, match="invalid_trigger_id"):
        await client.views_open(trigger_id="1.2.abc", view=modal())


async def test_a_modal_goes_through_errors_update_push_and_clear(
    ws: Workspace, app: AsyncApp, connect: Any
) -> None:
    @app.command("/agentpod")
    async def run(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal())

    @app.view("reason")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        entered = view["state"]["values"]["why"]["text"]["value"]
        if entered == "bad":
            await ack(response_action="errors", errors={"why": "not that"})
        elif entered in ("update", "push"):
            await ack(response_action=entered, view=modal(entered))
        else:
            await ack(response_action="clear")

    await connect()
    await ws.slash(seed.MAYA, seed.OPS, "/agentpod")
    view = await ws.wait_view(seed.MAYA, timeout=5)
    assert (await ws.submit_view(seed.MAYA, view, {})).errors == {"why": "Please complete this required field."}
    assert (await ws.submit_view(seed.MAYA, view, {"why": "ab"})).errors
    assert (await ws.submit_view(seed.MAYA, view, {"why": "bad"})).errors == {"why": "not that"}
    assert (await ws.submit_view(seed.MAYA, view, {"why": "update"})).ok
    assert view.body["title"]["text"] == "update"
    assert (await ws.submit_view(seed.MAYA, view, {"why": "push"})).ok
    top = ws.view_of(seed.MAYA)
    assert top is not None
    assert top.wire()["previous_view_id"] == view.id
    assert (await ws.submit_view(seed.MAYA, top, {"why": "fine"})).ok
    assert ws.view_of(seed.MAYA) is None


async def test_an_update_with_an_outdated_hash_conflicts(ws: Workspace, client: AsyncWebClient) -> None:
    home: dict[str, Any] = {"type": "home", "blocks": [{"type": "divider"}]}
    first = (await client.views_publish(user_id=seed.SAM, view=home))["view"]
    await client.views_publish(user_id=seed.SAM, view=home, hash=first["hash"])
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_publish(user_id=seed.SAM, view=home, hash=first["hash"])
