"""The outbox worker's Slack calls: each is sent once, and an uncertain outcome is told from a failure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web

from bot.adapters.slack import pictures
from bot.adapters.slack.api import Api
from bot.adapters.slack.chat import SlackChat
from bot.domain.core.reply import Image, Reply
from bot.domain.outbox.message import MessageRef
from bot.errors import NotFound, Permanent, Transient, Uncertain
from tests.adapters.slack_bench import Counts

PICTURE = Reply("digest", images=(Image(b"\x89PNG", "all good", "day.png"),))


@dataclass
class Server:
    """A Slack with scripted answers per method."""

    how: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    """The method and text of each call."""
    base: str = ""

    async def api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        form = await request.post()
        self.calls.append((method, str(form.get("text", ""))))
        how = self.how.get(method, "ok")
        if how == "reset" and request.transport is not None:
            request.transport.close()
        if how.isdigit():
            body = {"ok": False, "error": "ratelimited" if how == "429" else "internal_error"}
            return web.json_response(body, status=int(how), headers={"Retry-After": "30"})
        if how == "invalid_blocks" and form.get("blocks") != "[]":
            return web.json_response({"ok": False, "error": how})
        if how not in ("ok", "reset", "invalid_blocks", "unthreaded"):
            return web.json_response({"ok": False, "error": how})
        if how == "unthreaded":
            return web.json_response({"ok": True, "ts": "2.0", "channel": "C1", "message": {"ts": "2.0"}})
        more = {"upload_url": f"{self.base}/upload", "file_id": "F1"} if method.startswith("files.") else {}
        return web.json_response({"ok": True, "ts": "1.0", "channel": "C1", **more})

    async def upload(self, _: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    def sent(self, method: str) -> int:
        return sum(1 for called, _ in self.calls if called == method)


@contextlib.asynccontextmanager
async def slack() -> AsyncIterator[tuple[Server, SlackChat]]:
    server = Server()
    app = web.Application()
    app.router.add_post("/api/{method}", server.api)
    app.router.add_post("/upload", server.upload)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    api = Api("xoxb-made-up", f"{server.base}/api/", Counts())
    try:
        yield server, SlackChat(api, "/agentpod")
    finally:
        await api.close()
        await runner.cleanup()


async def test_the_pause_that_slack_asks_for_is_told_at_once_and_nothing_was_posted() -> None:
    async with slack() as (server, chat):
        server.how["chat.postMessage"] = "429"
        with pytest.raises(Transient) as raised:
            await chat.post("C1", Reply("x"))
        assert raised.value.retry_after == 30
        assert not isinstance(raised.value, Uncertain)
        assert server.sent("chat.postMessage") == 1


@pytest.mark.parametrize("how", ["reset", "500", "504", "fatal_error"])
async def test_what_slack_may_have_posted_is_sent_once_and_uncertain(how: str) -> None:
    async with slack() as (server, chat):
        server.how["chat.postMessage"] = how
        with pytest.raises(Uncertain):
            await chat.post("C1", Reply("x"))
        assert server.sent("chat.postMessage") == 1


@pytest.mark.parametrize(
    "word", ["channel_not_found", "not_in_channel", "is_archived", "invalid_auth", "account_inactive"]
)
async def test_what_somebody_has_to_mend_is_permanent_and_says_how(word: str) -> None:
    async with slack() as (server, chat):
        server.how["chat.postMessage"] = word
        with pytest.raises(Permanent, match=word) as raised:
            await chat.post("C1", Reply("x"))
        assert not isinstance(raised.value, NotFound), "it is tried again"
        assert raised.value.remedy


@pytest.mark.parametrize("deleted", ["ok", "500", "message_not_found"])
async def test_an_answer_that_slack_posts_beside_its_thread_is_taken_back_and_not_found(deleted: str) -> None:
    async with slack() as (server, chat):
        server.how.update({"chat.postMessage": "unthreaded", "chat.delete": deleted})
        with pytest.raises(NotFound):
            await chat.post("C1", Reply("x"), thread="1.0")
        assert server.sent("chat.delete") == 1
        assert await chat.post("C1", Reply("x")) == MessageRef("C1", "2.0")


@pytest.mark.parametrize("word", ["thread_not_found", "cannot_reply_to_message"])
async def test_a_thread_that_slack_refuses_is_not_found(word: str) -> None:
    async with slack() as (server, chat):
        server.how["chat.postMessage"] = word
        with pytest.raises(NotFound):
            await chat.post("C1", Reply("x"), thread="1.0")


async def test_what_was_never_sent_is_not_uncertain() -> None:
    api = Api("xoxb-made-up", "http://127.0.0.1:1/api/", Counts())
    try:
        with pytest.raises(Transient) as raised:
            await SlackChat(api, "/agentpod").post("C1", Reply("x"))
    finally:
        await api.close()
    assert not isinstance(raised.value, Uncertain)


async def test_blocks_that_slack_refuses_are_posted_and_edited_as_text() -> None:
    async with slack() as (server, chat):
        server.how.update({"chat.postMessage": "invalid_blocks", "chat.update": "invalid_blocks"})
        at = await chat.post("C1", Reply("the answer", body=("its reason",)))
        await chat.edit(at, Reply("the answer", body=("its reason",)))
        for method in ("chat.postMessage", "chat.update"):
            last = [text for called, text in server.calls if called == method][-1]
            assert "its reason" in last


async def test_an_upload_that_hangs_does_not_keep_the_message_back() -> None:
    assert pictures.PATIENCE < 10
    async with slack() as (server, chat):
        await chat.post("C1", PICTURE)
        assert server.sent("chat.postMessage") == 1


async def test_pictures_that_the_app_may_not_bring_are_one_note() -> None:
    async with slack() as (server, chat):
        server.how.update({"files.getUploadURLExternal": "missing_scope", "chat.postMessage": "invalid_blocks"})
        await chat.post("C1", replace(PICTURE, images=PICTURE.images * 3))
        text = server.calls[-1][1]
    assert text.count("Without its picture") == 1
