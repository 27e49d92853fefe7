"""The page's calls and pushes, and access to them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Workspace, seed

BUTTON = {
    "type": "actions",
    "block_id": "row",
    "elements": [{"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}],
}


async def _post(ws: Workspace, http: aiohttp.ClientSession, path: str, **body: Any) -> dict[str, Any]:
    async with http.post(f"{ws.base_url}/ui/api/{path}", json=body) as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


async def _get(ws: Workspace, http: aiohttp.ClientSession, path: str, **query: str) -> dict[str, Any]:
    async with http.get(f"{ws.base_url}/ui/api/{path}", params=query) as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


async def test_bootstrap_names_everyone_and_everything(ws: Workspace, http: aiohttp.ClientSession) -> None:
    found = await _get(ws, http, "bootstrap")
    assert found["team"] == {"id": seed.TEAM_ID, "name": seed.TEAM_NAME}
    assert [u["name"] for u in found["users"]] == [
        "maya",
        "jonas",
        "priya",
        "sam",
        "lena",
        "gil",
        "agentpod",
        "relay",
    ]
    assert found["channels"][0]["name"] == "ops-agent-pod"
    assert found["commands"][0]["command"] == "/agentpod"
    assert found["bot"] == {"connected": False, "connections": 0}
    assert {"slack-429", "slack-cut-socket", "slack-missing-scope"} <= {b["id"] for b in found["breaks"]}


async def test_a_user_posts_and_receives_pushes(
    ws: Workspace, http: aiohttp.ClientSession, client: AsyncWebClient
) -> None:
    async with http.ws_connect(f"{ws.base_url}/ui/ws", params={"user": seed.SAM}) as page:
        said = await _post(ws, http, "message", user=seed.MAYA, channel=seed.OPS, text="hello")
        pushed = await page.receive_json(timeout=5)
        assert (pushed["type"], pushed["channel"], pushed["message"]["ts"]) == ("message", seed.OPS, said["ts"])
        await client.chat_postEphemeral(channel=seed.OPS, user=seed.MAYA, text="secret")
        ts = (await client.chat_postMessage(channel=seed.OPS, text="one"))["ts"]
        await client.chat_update(channel=seed.OPS, ts=ts, text="two")
        await client.chat_delete(channel=seed.OPS, ts=ts)
        kinds = [await page.receive_json(timeout=5) for _ in range(3)]
        assert [k["type"] for k in kinds] == ["message", "message_changed", "message_deleted"]
        assert kinds[2]["ts"] == ts
    history = await _get(ws, http, "history", channel=seed.OPS, user=seed.MAYA)
    assert [m["text"] for m in history["messages"]] == ["hello", "secret"]


async def test_commands_clicks_and_modals_work_from_the_page(
    ws: Workspace, http: aiohttp.ClientSession, app: AsyncApp, connect: Any
) -> None:
    @app.command("/agentpod")
    async def run(ack: Any) -> None:
        await ack(text="card", blocks=[BUTTON])

    @app.action("go")
    async def go(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        text = {"type": "plain_text", "text": "Sure?"}
        await client.views_open(
            trigger_id=body["trigger_id"], view={"type": "modal", "title": text, "submit": text, "blocks": []}
        )

    @app.view("")
    async def submitted(ack: Any) -> None:
        await ack()

    async with http.ws_connect(f"{ws.base_url}/ui/ws", params={"user": seed.MAYA}) as page:
        await connect()
        assert await page.receive_json(timeout=5) == {"type": "bot", "connected": True, "connections": 1}
        sent = {"user": seed.MAYA, "channel": seed.OPS}
        assert await _post(ws, http, "command", **sent, command="/agentpod", text="status") == {"ok": True}
        message = (await page.receive_json(timeout=5))["message"]
        assert message["ephemeral_for"] == seed.MAYA
        action = {"action_id": "go", "block_id": "row", "type": "button"}
        assert (await _post(ws, http, "action", **sent, message_ts=message["ts"], action=action, values={}))["ok"]
        opened = await page.receive_json(timeout=5)
        assert opened["type"] == "view_opened"
        view_id = opened["view"]["id"]
        assert await _post(ws, http, "view_close", user=seed.SAM, view_id=view_id) == {
            "ok": False,
            "error": "not_found",
        }
        assert (await _post(ws, http, "view_close", user=seed.MAYA, view_id=view_id))["ok"]
        assert (await page.receive_json(timeout=5)) == {"type": "view_closed", "view_id": view_id}


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        (
            "command",
            {"user": seed.MAYA, "channel": seed.OPS, "command": "/agentpod", "text": ""},
            "dispatch_failed",
        ),
        ("command", {"user": seed.MAYA, "channel": seed.OPS, "command": "/other", "text": ""}, "unknown_command"),
        ("message", {"user": seed.SAM, "channel": seed.PRIVATE, "text": "x"}, "channel_not_found"),
        ("message", {"user": seed.BOT_USER, "channel": seed.OPS, "text": "x"}, "user_not_found"),
        ("message", {"user": seed.SAM, "channel": seed.OPS}, "missing text"),
        ("view_submit", {"user": seed.SAM, "view_id": "V0"}, "not_found"),
        ("breaks/slack-500", {"value": "x"}, "slack-500 is a toggle: true or false, not 'x'"),
        ("breaks/none", {"value": True}, "no fault is called 'none'"),
    ],
)
async def test_an_impossible_call_is_answered_with_its_error(
    ws: Workspace, http: aiohttp.ClientSession, path: str, body: dict[str, Any], error: str
) -> None:
    assert await _post(ws, http, path, **body) == {"ok": False, "error": error}


async def test_breaks_are_set_pushed_and_healed(ws: Workspace, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(f"{ws.base_url}/ui/ws", params={"user": seed.SAM}) as page:
        await _post(ws, http, "breaks/slack-429", value="30")
        pushed = await asyncio.wait_for(page.receive_json(), 5)
        assert [b["id"] for b in pushed["breaks"] if b["active"]] == ["slack-429"]
        healed = await _post(ws, http, "heal")
        assert not [b for b in healed["breaks"] if b["active"]]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
    ids=str,
)
async def test_another_website_cannot_drive_the_workspace(
    ws: Workspace, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    body = {"user": seed.MAYA, "channel": seed.OPS, "text": "x"}
    async with http.post(f"{ws.base_url}/ui/api/message", json=body, headers=headers) as response:
        assert response.status == 403
    async with http.get(f"{ws.base_url}/ui/ws?user={seed.MAYA}", headers=headers) as response:
        assert response.status == 403
    assert ws.messages(seed.OPS) == []


async def test_a_form_post_from_another_website_is_refused(ws: Workspace, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{ws.base_url}/ui/api/heal", data="{}") as response:
        assert response.status == 415


async def test_the_page_is_served_uncached_under_a_strict_policy(
    manifest: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    page_dir = tmp_path / "page"
    page_dir.mkdir()
    (page_dir / "index.html").write_text("<!doctype html>hello")
    (tmp_path / "secret.txt").write_text("secret")
    async with Workspace(manifest, page_dir=page_dir) as ws:
        async with http.get(ws.base_url) as response:
            assert await response.text() == "<!doctype html>hello"
            assert response.headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        async with http.get(f"{ws.base_url}/%2e%2e/secret.txt") as response:
            assert response.status == 404


def test_the_workspace_listens_on_this_machine_only(manifest: Path) -> None:
    with pytest.raises(ValueError, match="localhost only"):
        Workspace(manifest, host="0.0.0.0")  # noqa: S104 - that it is refused is the test
