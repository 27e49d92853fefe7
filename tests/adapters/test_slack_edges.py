"""Edge cases of the Slack adapter: other servers, refused sockets, disconnects, failed sharing."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.adapters.slack import CheckResult, blocks, check_slack, sdk_logs
from bot.adapters.slack.api import Api
from bot.adapters.slack.check import SCOPES
from bot.adapters.slack.connection import SocketConnection
from bot.adapters.slack.errors import SlackRefused, refusal, translate
from bot.adapters.slack.memory import Answers, LastTaps, SeenRequests
from bot.domain.core.reply import Reply
from bot.domain.rbac.access import AccessPolicy
from bot.errors import AgentpodError, Transient
from bot.settings.model import SlackSettings
from sandbox.cluster import PretendCluster
from sandbox.slack import manifest, seed
from tests.adapters.slack_bench import MANIFEST, Counts, Rig, rig, until

MAYA = seed.MAYA
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def other_server(
    link: Handler | None = None, answers: Mapping[str, dict[str, Any]] | None = None
) -> AsyncIterator[str]:
    """A Slack-like server with two methods and those of ``answers``, and without Slack's headers."""
    base = ""

    async def api(request: web.Request) -> web.Response:
        method = request.match_info["method"]
        if method == "auth.test":
            return web.json_response({"ok": True, "user_id": "U1", "user": "bot", "team": "T"})
        if method == "apps.connections.open":
            return web.json_response({"ok": True, "url": base.replace("http", "ws") + "/link/?ticket=secret"})
        return web.json_response((answers or {}).get(method, {"ok": False, "error": "unknown_method"}))

    app = web.Application()
    app.router.add_post("/api/{method}", api)
    if link is not None:
        app.router.add_get("/link/", link)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield base
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def api_of(base: str) -> AsyncIterator[Api]:
    api = Api("xoxb-made-up-token", f"{base}/api/", Counts())
    try:
        yield api
    finally:
        await api.close()


@pytest.fixture
async def bot() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


def test_the_scopes_that_check_wants_are_the_manifests() -> None:
    assert set(SCOPES) == manifest.load(MANIFEST).scopes


async def test_a_server_that_names_no_scopes_gets_a_note_not_a_failure() -> None:
    async with other_server() as base:
        conf = SlackSettings(bot_token="xoxb-1", app_token="xapp-1", api_url=f"{base}/api/")
        results = {r.title: r.ok for r in await check_slack(conf, AccessPolicy(), {})}
    assert results == {"Slack": True, "Slack scopes": None, "Slack Socket Mode": True}


async def trial_of(base: str) -> CheckResult:
    """The report of `agentpod check` about a channel."""
    conf = SlackSettings(bot_token="xoxb-1", app_token="xapp-1", api_url=f"{base}/api/")
    return (await check_slack(conf, AccessPolicy(), {seed.OPS: "slack.channel"}))[-1]


async def test_a_channel_is_not_called_wrong_by_a_server_that_schedules_nothing() -> None:
    async with other_server() as base:
        assert (await trial_of(base)).ok is None


async def test_a_trial_of_a_channel_that_can_not_be_taken_back_is_said_with_its_day() -> None:
    answers = {"chat.scheduleMessage": {"ok": True, "scheduled_message_id": "Q1"}}
    async with other_server(answers=answers) as base:
        tried = await trial_of(base)
    assert tried.ok is None
    assert "slack.channel: agentpod may post there, but could not take its trial back: " in tried.detail
    assert re.fullmatch(r"It comes on \d+ \w+ \d{4}: delete it then\.", tried.remedy or "")


async def test_a_method_that_the_server_does_not_know_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    async with other_server() as base, api_of(base) as api:
        for _ in range(3):
            with pytest.raises(SlackRefused, match="unknown_method"):
                await api.call("usergroups.users.list", usergroup="S1")
        assert (await api.call("auth.test"))["user_id"] == "U1"
    assert [r.__dict__["method"] for r in caplog.records if "does not know" in r.message] == [
        "usergroups.users.list"
    ]


async def _reject(_: web.Request) -> web.Response:
    return web.json_response({"ok": False}, status=400)


async def _hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("link", "says"), [(_reject, "HTTP 400 instead of a connection"), (_hang, "in time"), (None, "HTTP 404")]
)
async def test_a_socket_that_does_not_open_is_said_and_tried_again(link: Handler | None, says: str) -> None:
    counts = Counts()

    async def nothing(*_: object) -> None:
        """Nobody talks."""

    async with other_server(link) as base, api_of(base) as api:
        connection = SocketConnection(api, "xapp-made-up", nothing, counts, open_timeout=0.3)
        task = asyncio.create_task(connection.run())
        await until(lambda: says in connection.status().reason)
        assert not connection.status().connected
        assert "secret" not in connection.status().reason
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()
    assert True not in counts.links


@pytest.mark.parametrize(
    ("reason", "says"),
    [("link_disabled", "Socket Mode was switched off"), ("too_many_websockets", "too many connections")],
)
async def test_a_goodbye_that_needs_a_person_is_explained_in_the_log(
    bot: Rig, caplog: pytest.LogCaptureFixture, reason: str, says: str
) -> None:
    await bot.ws.disconnect(reason)
    await until(lambda: any(says in r.message for r in caplog.records if r.levelno == logging.ERROR))
    await until(lambda: bot.slack.status().connected)
    assert bot.counts.links[-2:] == [False, True]


async def test_frames_that_come_at_once_are_heard_once_each_whatever_is_among_them() -> None:
    frames = [f'{{"type":"events_api","envelope_id":"e{n}","payload":{{}}}}' for n in range(1_000)]
    odd = ["", "no JSON", "[1]", '{"type":7}', "\0", '{"type":"disconnect","of":' + "[" * 1_900, '{"payload":[]}']
    sent = [*frames[:500], *odd, '{"type":"disconnect","reason":"link_disabled"}', *frames[500:]]
    links = 0

    async def link(request: web.Request) -> web.StreamResponse:
        nonlocal links
        links += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if links == 1:
            for frame in sent:
                await socket.send_str(frame)
            await socket.send_bytes(b"no text")
            await socket.close()
        else:
            await socket.receive()
        return socket

    heard: list[str] = []

    async def hear(_: object, request: SocketModeRequest) -> None:
        heard.append(request.envelope_id)
        if request.envelope_id == "e3":
            raise RuntimeError

    async with other_server(link) as base, api_of(base) as api:
        connection = SocketConnection(api, "xapp-made-up", hear, Counts())
        task = asyncio.create_task(connection.run())
        await until(lambda: links == 2 and connection.status().connected)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not connection.unread()
        await connection.close()
    assert heard == [f"e{n}" for n in range(1_000)]


async def test_a_slash_command_is_answered_before_the_next_frame_is_read() -> None:
    kinds = ["events_api", *["slash_commands"] * 50]

    async def link(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for number, kind in enumerate(kinds):
            await socket.send_str(f'{{"type":"{kind}","envelope_id":"e{number}","payload":{{}}}}')
        await socket.receive()
        return socket

    steps: list[str] = []
    event_over = asyncio.Event()

    async def hear(_: object, request: SocketModeRequest) -> None:
        if request.type == "events_api":
            await event_over.wait()
            return
        steps.append(f"{request.envelope_id} begins")
        await asyncio.sleep(0)
        steps.append(f"{request.envelope_id} is answered")

    async with other_server(link) as base, api_of(base) as api:
        connection = SocketConnection(api, "xapp-made-up", hear, Counts())
        task = asyncio.create_task(connection.run())
        await until(lambda: len(steps) == 100)
        event_over.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()
    assert steps == [f"e{n} {what}" for n in range(1, 51) for what in ("begins", "is answered")]


async def test_sharing_where_the_bot_may_not_write_says_so_and_how_to_change_it(bot: Rig) -> None:
    await bot.ws.slash(MAYA, seed.RANDOM, "/agentpod", "status")
    private = await bot.answer(seed.RANDOM, MAYA, "1 of 2 checks failed")
    bot.ws.core.faults.url_spent = True
    assert (await bot.ws.click(MAYA, private, "agentpod:share")).ok
    told = await bot.answer(seed.DM_MAYA, MAYA, "could not be shared here")
    assert "not_in_channel" in told.all_text()
    assert "/invite @agentpod" in told.all_text()


async def test_sharing_with_a_spent_response_url_posts_an_ordinary_message(bot: Rig) -> None:
    await bot.ws.slash(MAYA, seed.OPS, "/agentpod", "status")
    private = await bot.answer(seed.OPS, MAYA, "1 of 2 checks failed")
    bot.ws.core.faults.url_spent = True
    assert (await bot.ws.click(MAYA, private, "agentpod:share")).ok
    assert f"<@{MAYA}>" in (await bot.answer(seed.OPS, seed.JONAS, "1 of 2 checks failed")).all_text()


async def test_a_revoked_token_shows_in_the_status_until_it_works_again(bot: Rig) -> None:
    bot.ws.core.faults.token_revoked = True
    bot.ws.dm(MAYA, "fix")
    await until(lambda: not bot.slack.status().connected)
    assert "the token was revoked (token_revoked)" in bot.slack.status().reason
    bot.ws.core.faults.token_revoked = False
    await until(lambda: bot.slack.status().connected)


@pytest.mark.parametrize(
    "word", ["rate_limited", "ratelimited", "team_added_to_org", "external_channel_migrating", "internal_error"]
)
def test_what_ends_by_itself_is_no_refusal(word: str) -> None:
    assert isinstance(refusal("chat.postMessage", word, {}), Transient)


def test_requests_are_remembered_up_to_a_number_and_an_age() -> None:
    now = 0.0
    seen = SeenRequests(limit=3, ttl=900, now=lambda: now)
    assert [seen.first(key) for key in "aab"] == [True, False, True]
    assert [seen.first(key) for key in "cd"] == [True, True]
    assert seen.first("a")  # evicted by d
    assert not seen.first("d")
    now = 901
    assert seen.first("d")


def test_a_double_tap_is_the_same_click_with_nothing_else_in_between() -> None:
    now = 0.0
    taps = LastTaps(limit=2, seconds=1.0, now=lambda: now)
    assert [taps.again("a", tap) for tap in ("x", "x", "y", "x")] == [False, True, False, False]
    assert not taps.again("b", "x"), "another person"
    assert not taps.again("a", ""), "the form that opened was sent"
    assert not taps.again("a", "x")
    now = 1.5
    assert not taps.again("a", "x"), "a second later it is meant"
    assert [taps.again(user, "x") for user in "cde"] == [False] * 3
    assert not taps.again("a", "x"), "only so many people are remembered"


def test_answers_are_remembered_up_to_a_number_a_size_and_an_age() -> None:
    now = 0.0
    answers = Answers(limit=2, size=4_000, ttl=60, now=lambda: now)
    for key in "abc":
        answers.put(key, Reply(key), MAYA)
    assert [answers.get(key, MAYA) is not None for key in "abc"] == [False, True, True]
    assert answers.get("c", seed.SAM) is None
    answers.put("big", Reply("x" * 5_000), MAYA)
    assert answers.get("big", MAYA) is None
    now = 61
    assert answers.get("c", MAYA) is None


async def test_an_untrusted_certificate_is_named_as_the_reason() -> None:
    async with PretendCluster(tls=True) as cluster, api_of(cluster.url) as api:
        with pytest.raises(Transient, match="certificate is not trusted") as caught:
            await api.call("auth.test")
    assert "self-signed certificate" in caught.value.message
    assert "SSL_CERT_FILE" in str(caught.value.remedy)


async def test_https_to_a_port_that_speaks_plain_http_is_named_as_the_reason() -> None:
    async with other_server() as base, api_of(base.replace("http:", "https:")) as api:
        with pytest.raises(Transient, match="TLS could not be agreed on") as caught:
            await api.call("auth.test")
    assert "speak https" in str(caught.value.remedy)


def _unknown_host() -> AgentpodError:
    key = aiohttp.client_reqrep.ConnectionKey("nowhere.invalid", 443, True, True, None, None, None, None)
    error = aiohttp.ClientConnectorDNSError(key, OSError(-2, "Name or service not known"))
    return translate("auth.test", error, "https://me:secret@nowhere.invalid/api/?x=secret")


def test_an_unknown_host_is_named_as_the_reason_without_what_is_secret() -> None:
    assert _unknown_host().message == (
        "Slack can't be reached at https://nowhere.invalid/api/: the host name nowhere.invalid is unknown."
    )


def test_the_sdks_own_lines_lose_tokens_and_tickets() -> None:
    sdk_logs.quieten()
    sink = io.StringIO()
    handler = logging.StreamHandler(sink)
    try:
        for logger in (sdk_logs.SDK, sdk_logs.BOLT):
            logger.addHandler(handler)
            logger.error("failed: %s", "xoxb-123456-abcdef wss://x/link/?ticket=abc-def&app_id=1")
            assert not logger.isEnabledFor(logging.INFO)
            assert not logging.getLogger(f"{logger.name}.child").isEnabledFor(logging.INFO)
    finally:
        for logger in (sdk_logs.SDK, sdk_logs.BOLT):
            logger.removeHandler(handler)
    assert sink.getvalue().count("[redacted] wss://x/link/?ticket=[redacted]&app_id=1") == 2


async def test_a_token_in_bolts_own_variable_is_neither_used_nor_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-somebody-elses")
    async with rig() as bot:
        bot.ws.mention(MAYA, seed.OPS, "status")
        await bot.answer(seed.OPS, MAYA, "1 of 2 checks failed")
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_plain_text_keeps_the_lines_of_tables_and_facts() -> None:
    table = {"type": "table", "rows": [[{"type": "raw_text", "text": c} for c in row] for row in ("ab", "cd")]}
    assert blocks.plain(blocks.Message("t", [table])) == "a  b\nc  d"
