"""The Web API, called with the real SDK: answers, Slack's error codes, scopes, limits, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Workspace, seed

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def roomy_manifest(tmp_path: Path, manifest: Path) -> Path:
    """The shipped manifest with more scopes."""
    raw = yaml.safe_load(manifest.read_text())
    raw["oauth_config"]["scopes"]["bot"] += [
        *("im:read", "im:write", "files:read", "channels:join"),
        *("channels:history", "reactions:write", "team:read"),
    ]
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.fixture
async def roomy(roomy_manifest: Path) -> Any:
    """A workspace whose app has more scopes than the shipped manifest requests."""
    async with (
        Workspace(roomy_manifest, rate_limits=False, file_processing_s=0.05) as ws,
        aiohttp.ClientSession() as http,
    ):
        yield ws, AsyncWebClient(ws.bot_token, base_url=ws.api_url, session=http)


async def _refusal(call: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as caught:
        await call
    return dict(caught.value.response.data)


async def test_auth_test_names_team_and_bot(client: AsyncWebClient) -> None:
    answer = await client.auth_test()
    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == (seed.TEAM_ID, seed.BOT_USER, seed.BOT_ID)
    assert "chat:write" in answer.headers["X-OAuth-Scopes"].split(",")
    assert "x-oauth-scopes" in [*answer.headers], "Slack writes it so, and some look for it so"
    assert answer.headers["x-slack-req-id"]


@pytest.mark.parametrize(
    ("token", "method", "word"),
    [
        ("", "auth.test", "not_authed"),
        ("xoxb-wrong", "auth.test", "invalid_auth"),
        ("app", "chat.postMessage", "not_allowed_token_type"),
        ("bot", "apps.connections.open", "not_allowed_token_type"),
        ("bot", "chat.sendTelegram", "unknown_method"),
    ],
)
async def test_tokens_are_refused_in_slacks_words(
    ws: Workspace, http: aiohttp.ClientSession, token: str, method: str, word: str
) -> None:
    given = {"app": ws.app_token, "bot": ws.bot_token}.get(token, token)
    async with http.post(ws.api_url + method, data={"token": given}) as response:
        assert (await response.json())["error"] == word


@pytest.mark.parametrize("form", ["json", "form", "multipart", "query"])
async def test_arguments_are_accepted_in_every_documented_format(
    ws: Workspace, http: aiohttp.ClientSession, form: str
) -> None:
    args = {"channel": seed.OPS, "text": "hi", "blocks": '[{"type":"divider"}]'}
    sent: dict[str, Any] = {"data": args | {"token": ws.bot_token}}
    if form == "json":
        sent = {"json": args, "headers": {"Authorization": f"Bearer {ws.bot_token}"}}
    elif form == "multipart":
        sent = {"data": aiohttp.FormData(sent["data"], default_to_multipart=True)}
    elif form == "query":
        sent = {"params": sent["data"]}
    async with http.post(f"{ws.api_url}chat.postMessage", **sent) as response:
        assert (await response.json())["ok"] is True
    assert ws.messages(seed.OPS)[0].blocks[0]["type"] == "divider"
    assert ws.bot_token not in str(ws.record.calls)


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"channel": "C0NOWHERE00", "text": "x"}, "channel_not_found"),
        ({"channel": seed.PRIVATE, "text": "x"}, "channel_not_found"),
        ({"channel": seed.RANDOM, "text": "x"}, "not_in_channel"),
        ({"channel": seed.OPS}, "no_text"),
        ({"channel": seed.OPS, "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": seed.OPS, "text": "x", "blocks": [{"type": "nonsense"}]}, "invalid_blocks"),
        ({"channel": seed.OPS, "blocks": "[{"}, "invalid_blocks_format"),
        ({"text": "x"}, "invalid_arguments"),
    ],
)
async def test_posting_is_refused_in_slacks_words(client: AsyncWebClient, args: dict[str, Any], word: str) -> None:
    assert (await _refusal(client.api_call("chat.postMessage", json=args)))["error"] == word


async def test_a_message_is_posted_updated_and_deleted(ws: Workspace, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="#ops-agent-pod", text="one")
    ts = posted["ts"]
    assert posted["channel"] == seed.OPS
    reply = await client.chat_postMessage(channel=seed.OPS, text="below", thread_ts=ts)
    assert reply["message"]["thread_ts"] == ts
    await client.chat_update(channel=seed.OPS, ts=ts, text="two")
    message = ws.messages(seed.OPS)[0]
    assert (message.text, message.reply_count, message.edited is not None) == ("two", 1, True)
    link = (await client.chat_getPermalink(channel=seed.OPS, message_ts=ts))["permalink"]
    assert link.endswith(f"/archives/{seed.OPS}/p{ts.replace('.', '')}")
    await client.chat_delete(channel=seed.OPS, ts=ts)
    assert (await _refusal(client.chat_update(channel=seed.OPS, ts=ts, text="x")))["error"] == "message_not_found"


DAY = 86_400


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"channel": "C0NOWHERE00"}, "channel_not_found"),
        ({"channel": seed.PRIVATE}, "channel_not_found"),
        ({"channel": seed.RANDOM}, "not_in_channel"),
        ({"channel": seed.GENERAL}, "is_archived"),
        ({"text": ""}, "no_text"),
        ({"in": -1}, "time_in_past"),
        ({"in": 121 * DAY}, "time_too_far"),
        ({"post_at": "tomorrow"}, "invalid_time"),
    ],
)
async def test_scheduling_is_refused_in_slacks_words(
    ws: Workspace, client: AsyncWebClient, clock: Any, args: dict[str, Any], word: str
) -> None:
    ws.store.channels[seed.GENERAL].is_archived = True
    at = {"post_at": int(clock.now) + args.get("in", DAY)}
    sent = {"channel": seed.OPS, "text": "later", **at, **{k: v for k, v in args.items() if k != "in"}}
    assert (await _refusal(client.api_call("chat.scheduleMessage", json=sent)))["error"] == word


async def test_a_scheduled_message_is_posted_at_its_time_unless_deleted_before(
    ws: Workspace, client: AsyncWebClient, clock: Any
) -> None:
    far = await client.chat_scheduleMessage(channel=seed.OPS, text="never", post_at=int(clock.now) + 100 * DAY)
    gone = {"channel": seed.OPS, "scheduled_message_id": far["scheduled_message_id"]}
    assert (await client.chat_deleteScheduledMessage(**gone))["ok"]
    assert (await _refusal(client.chat_deleteScheduledMessage(**gone)))["error"] == "invalid_scheduled_message_id"
    soon = await client.chat_scheduleMessage(channel=seed.OPS, text="soon", post_at=int(clock.now) + 1)
    late = {"channel": seed.OPS, "scheduled_message_id": soon["scheduled_message_id"]}
    assert (await _refusal(client.chat_deleteScheduledMessage(**late)))["error"] == "invalid_scheduled_message_id"
    assert (await ws.wait_message(seed.OPS)).text == "soon"
    assert ws.core.scheduled == {}


async def test_at_most_thirty_messages_can_be_scheduled_for_one_channel_and_time(
    client: AsyncWebClient, clock: Any
) -> None:
    at = {"text": "x", "post_at": int(clock.now) + DAY}
    for _ in range(30):
        await client.chat_scheduleMessage(channel=seed.OPS, **at)
    assert (await _refusal(client.chat_scheduleMessage(channel=seed.OPS, **at)))["error"] == "restricted_too_many"
    assert (await client.chat_scheduleMessage(channel=seed.GENERAL, **at))["ok"]


async def test_an_answer_to_a_deleted_message_is_posted_into_the_channel(
    ws: Workspace, client: AsyncWebClient
) -> None:
    above = await client.chat_postMessage(channel=seed.OPS, text="above")
    await client.chat_delete(channel=seed.OPS, ts=above["ts"])
    stray = await client.chat_postMessage(channel=seed.OPS, text="below", thread_ts=above["ts"])
    assert "thread_ts" not in stray["message"]
    assert [m.ts for m in ws.messages(seed.OPS)] == [stray["ts"]]


async def test_only_own_messages_can_be_changed(ws: Workspace, client: AsyncWebClient) -> None:
    theirs = ws.say(seed.MAYA, seed.OPS, "mine")
    refusal = await _refusal(client.chat_update(channel=seed.OPS, ts=theirs.ts, text="x"))
    assert refusal["error"] == "cant_update_message"


async def test_an_ephemeral_message_is_for_one_member_and_not_readable_by_the_api(
    ws: Workspace, client: AsyncWebClient
) -> None:
    sent = await client.chat_postEphemeral(channel=seed.OPS, user=seed.MAYA, text="psst")
    assert [m.text for m in ws.messages(seed.OPS, seed.MAYA)] == ["psst"]
    assert ws.messages(seed.OPS, seed.SAM) == []
    refusal = await _refusal(client.chat_update(channel=seed.OPS, ts=sent["message_ts"], text="x"))
    assert refusal["error"] == "message_not_found"
    refusal = await _refusal(client.chat_postEphemeral(channel=seed.DM_MAYA, user=seed.SAM, text="x"))
    assert refusal["error"] == "user_not_in_channel"


@pytest.mark.parametrize(
    ("method", "args", "scope"),
    [
        ("team.info", {}, "team:read"),
        ("conversations.list", {"types": "im"}, "im:read"),
        ("conversations.open", {"users": seed.MAYA}, "im:write"),
        ("files.info", {"file": "F1"}, "files:read"),
        ("reactions.add", {"channel": seed.OPS, "timestamp": "1", "name": "x"}, "reactions:write"),
    ],
)
async def test_a_call_beyond_the_manifest_s_scopes_is_missing_scope(
    client: AsyncWebClient, method: str, args: dict[str, Any], scope: str
) -> None:
    refusal = await _refusal(client.api_call(method, params=args))
    assert (refusal["error"], refusal["needed"]) == ("missing_scope", scope)
    assert "chat:write" in refusal["provided"].split(",")


async def test_user_groups_list_their_members(client: AsyncWebClient) -> None:
    groups = (await client.usergroups_list(include_users=True))["usergroups"]
    assert [(g["handle"], g["users"]) for g in groups] == [("oncall", [seed.MAYA, seed.JONAS])]
    assert (await client.usergroups_users_list(usergroup=seed.ONCALL))["users"] == [seed.MAYA, seed.JONAS]
    assert (await _refusal(client.usergroups_users_list(usergroup="S0")))["error"] == "no_such_subteam"


async def test_channels_members_and_history_with_the_scopes(roomy: Any) -> None:
    ws, client = roomy
    listed = (await client.conversations_list(types="public_channel,private_channel,im"))["channels"]
    assert seed.PRIVATE not in [c["id"] for c in listed]
    first = await client.conversations_members(channel=seed.OPS, limit=3)
    rest = await client.conversations_members(channel=seed.OPS, cursor=first["response_metadata"]["next_cursor"])
    assert first["members"] + rest["members"] == ws.store.channels[seed.OPS].members
    ts = ws.say(seed.MAYA, seed.OPS, "hello").ts
    await client.reactions_add(channel=seed.OPS, timestamp=ts, name="eyes")
    history = (await client.conversations_history(channel=seed.OPS))["messages"]
    assert history[0]["reactions"] == [{"name": "eyes", "users": [seed.BOT_USER], "count": 1}]
    await client.conversations_join(channel=seed.RANDOM)
    assert (await client.chat_postMessage(channel=seed.RANDOM, text="hi"))["ok"]
    assert (await client.conversations_open(users=seed.MAYA))["channel"]["id"] == seed.DM_MAYA
    assert (await client.users_info(user=seed.MAYA))["user"]["name"] == "maya"


async def test_a_file_can_be_shown_only_after_its_processing(roomy: Any, until: Any) -> None:
    client = roomy[1]
    uploaded = await client.files_upload_v2(filename="chart.png", content=PNG, alt_txt="a chart")
    file_id = uploaded["files"][0]["id"]
    blocks = [{"type": "image", "alt_text": "a chart", "slack_file": {"id": file_id}}]
    refusal = await _refusal(client.chat_postMessage(channel=seed.OPS, text="x", blocks=blocks))
    assert refusal["error"] == "invalid_blocks"

    async def processed() -> bool:
        return bool((await client.files_info(file=file_id))["file"]["mimetype"])

    await until(processed)
    assert (await client.chat_postMessage(channel=seed.OPS, text="x", blocks=blocks))["ok"]


async def test_an_uploaded_log_is_shared_with_its_preview(
    ws: Workspace, client: AsyncWebClient, http: aiohttp.ClientSession
) -> None:
    parent = ws.say(seed.MAYA, seed.OPS, "logs please")
    await client.files_upload_v2(
        filename="pod.log", content="one\ntwo", channel=seed.OPS, initial_comment="here", thread_ts=parent.ts
    )
    message = await ws.wait_message(seed.OPS, lambda m: bool(m.files), timeout=5)
    assert (message.text, message.thread_ts) == ("here", parent.ts)
    shown = message.page(ws.base_url)["files"][0]
    assert shown["preview"] == "one\ntwo"
    async with http.get(shown["url"]) as response:
        assert await response.read() == b"one\ntwo"
        assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


async def test_posting_is_limited_by_channel_and_says_when_to_retry(
    manifest: Path, clock: Any, http: aiohttp.ClientSession
) -> None:
    async with Workspace(manifest, clock=clock) as ws:
        client = AsyncWebClient(ws.bot_token, base_url=ws.api_url, session=http)
        for _ in range(10):
            await client.chat_postMessage(channel=seed.OPS, text="x")
        with pytest.raises(SlackApiError, match="ratelimited") as caught:
            await client.chat_postMessage(channel=seed.OPS, text="x")
        assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "1")
        await client.chat_postMessage(channel=seed.GENERAL, text="x")
        clock.advance(1)
        await client.chat_postMessage(channel=seed.OPS, text="x")
        for _ in range(20):
            await client.usergroups_list()
        assert (await _refusal(client.usergroups_list()))["error"] == "ratelimited"


@pytest.mark.parametrize(
    ("fault", "value", "word"),
    [
        ("slack-429", "2", "ratelimited"),
        ("slack-500", True, "internal_error"),
        ("slack-500-done", True, "internal_error"),
        ("slack-invalid-blocks", True, "invalid_blocks"),
        ("slack-token-revoked", True, "token_revoked"),
        ("slack-missing-scope", "chat:write", "missing_scope"),
    ],
)
async def test_a_fault_lasts_until_it_is_healed(
    ws: Workspace, client: AsyncWebClient, fault: str, value: Any, word: str
) -> None:
    blocks = [{"type": "divider"}]
    await ws.panel.apply(fault, value)
    refusal = await _refusal(client.chat_postMessage(channel=seed.OPS, text="x", blocks=blocks))
    assert refusal["error"] == word
    await ws.panel.heal()
    assert (await client.chat_postMessage(channel=seed.OPS, text="x", blocks=blocks))["ok"]


async def test_a_post_with_a_lost_answer_is_made(ws: Workspace, client: AsyncWebClient) -> None:
    await ws.panel.apply("slack-500-done", True)
    await _refusal(client.chat_postMessage(channel=seed.OPS, text="x"))
    assert [m.text for m in ws.messages(seed.OPS)] == ["x"]


@pytest.mark.parametrize("seconds", ["2", "30"])
async def test_the_retry_after_of_a_429_can_be_set(ws: Workspace, client: AsyncWebClient, seconds: str) -> None:
    await ws.panel.apply("slack-429", seconds)
    with pytest.raises(SlackApiError, match="ratelimited") as caught:
        await client.chat_postMessage(channel=seed.OPS, text="x")
    assert caught.value.response.headers["Retry-After"] == seconds


async def test_the_no_connect_fault_refuses_new_sockets(ws: Workspace, client: AsyncWebClient) -> None:
    await ws.panel.apply("slack-no-connect", True)
    assert not (await _refusal(client.apps_connections_open(app_token=ws.app_token)))["ok"]
