"""The page's calls and pushes, as ``sandbox/PAGE_API.md`` defines them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.breaks import Breaks
from sandbox.slack import seed, web_access
from sandbox.slack.core import Core
from sandbox.slack.errors import SlackError
from sandbox.slack.message import Message
from sandbox.slack.model import Json
from sandbox.slack.store import Change
from sandbox.slack.user_actions import Interaction, UserActions
from sandbox.slack.views import View, ViewChange
from sandbox.slack.workflows import Workflows

_BACKLOG = 1000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageApi:
    """Everything under ``/ui/``."""

    def __init__(self, core: Core, user_actions: UserActions, faults: Breaks, workflows: Workflows) -> None:
        """``faults`` are the panel's, from every part of the sandbox."""
        self._core = core
        self._user_actions, self._workflows = user_actions, workflows
        self._faults = faults
        self._run = secrets.token_hex(8)
        self._pages: dict[asyncio.Queue[str], str] = {}
        self._sockets: set[web.WebSocketResponse] = set()
        core.store.listeners.add(self._on_message)
        core.views.listeners.add(self._on_view)

    def routes(self) -> list[web.RouteDef]:
        """The routes for the server to add."""
        return [
            web.get("/ui/api/bootstrap", _guarded(self._bootstrap)),
            web.get("/ui/api/history", _guarded(self._history)),
            web.get("/ui/api/breaks", _guarded(self._breaks)),
            web.get("/ui/ws", _guarded(self._socket)),
            web.post("/ui/api/message", _guarded(self._message)),
            web.post("/ui/api/command", _guarded(self._command)),
            web.post("/ui/api/invite", _guarded(self._invite)),
            web.post("/ui/api/shortcut", _guarded(self._shortcut)),
            web.post("/ui/api/workflow", _guarded(self._workflow)),
            web.post("/ui/api/action", _guarded(self._action)),
            web.post("/ui/api/view_submit", _guarded(self._view_submit)),
            web.post("/ui/api/view_close", _guarded(self._view_close)),
            web.post("/ui/api/home_opened", _guarded(self._home_opened)),
            web.post("/ui/api/breaks/{id}", _guarded(self._set_break)),
            web.post("/ui/api/heal", _guarded(self._heal)),
        ]

    async def _bootstrap(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler's signature
        core = self._core
        return _ok(
            run=self._run,
            team={"id": seed.TEAM_ID, "name": seed.TEAM_NAME},
            users=[user.page() for user in core.store.users.values()],
            channels=[channel.page() for channel in core.store.channels.values()],
            app={
                "id": seed.APP_ID,
                "name": core.manifest.name,
                "bot_user_id": seed.BOT_USER,
                "icon": None,
            },
            commands=[command.page() for command in core.manifest.commands],
            shortcuts=[shortcut.page() for shortcut in core.manifest.shortcuts],
            steps=[function.page() for function in core.manifest.functions],
            breaks=self._faults.as_json(),
            bot=self._bot(),
        )

    async def _history(self, request: web.Request) -> web.Response:
        channel, user = request.query.get("channel", ""), request.query.get("user", "")
        if channel not in self._core.store.channels:
            raise SlackError("channel_not_found")
        if user not in self._core.store.users:
            raise SlackError("user_not_found")
        if not self._may_see(user, channel):
            raise SlackError("channel_not_found")
        found = self._core.store.messages(channel, user, request.query.get("thread_ts") or None)
        return _ok(messages=[m.page(self._core.base_url) for m in found])

    async def _message(self, request: web.Request) -> web.Response:
        body = await _json(request)
        thread = body.get("thread_ts")
        message = self._user_actions.say(
            _text(body, "user"), _text(body, "channel"), _text(body, "text"), str(thread) if thread else None
        )
        return _ok(ts=message.ts)

    async def _command(self, request: web.Request) -> web.Response:
        body = await _json(request)
        text = body.get("text") or ""
        done = await self._user_actions.slash(
            _text(body, "user"), _text(body, "channel"), _text(body, "command"), str(text)
        )
        return _outcome(done)

    async def _invite(self, request: web.Request) -> web.Response:
        body = await _json(request)
        self._user_actions.invite(_text(body, "user"), _text(body, "channel"))
        return _ok()

    async def _shortcut(self, request: web.Request) -> web.Response:
        body = await _json(request)
        user, callback_id = _text(body, "user"), _text(body, "callback_id")
        if not body.get("message_ts"):
            return _outcome(await self._user_actions.shortcut(user, callback_id))
        message = self._core.store.get(_text(body, "channel"), _text(body, "message_ts"))
        if message is None:
            raise SlackError("message_not_found")
        return _outcome(await self._user_actions.message_shortcut(user, message, callback_id))

    async def _workflow(self, request: web.Request) -> web.Response:
        body = await _json(request)
        user, channel = _text(body, "user"), _text(body, "channel")
        if user not in self._core.store.users or channel not in self._core.store.channels:
            raise SlackError("channel_not_found")
        self._workflows.run(user, channel, _text(body, "callback_id"), _object(body, "inputs"))
        return _ok()

    async def _action(self, request: web.Request) -> web.Response:
        body = await _json(request)
        user, action, values = _text(body, "user"), _object(body, "action"), _object(body, "values")
        if view_id := body.get("view_id"):
            view = self._view(user, view_id)
            return _outcome(await self._user_actions.click_view(user, view, action, values))
        message = self._core.store.get(_text(body, "channel"), _text(body, "message_ts"))
        if message is None:
            raise SlackError("message_not_found")
        return _outcome(await self._user_actions.click(user, message, action, values))

    async def _view_submit(self, request: web.Request) -> web.Response:
        body = await _json(request)
        user = _text(body, "user")
        view = self._view(user, body.get("view_id"))
        done = await self._user_actions.submit(user, view, _object(body, "values"))
        if done.errors and done.error is None:
            return _ok(errors=done.errors)
        return _outcome(done)

    async def _view_close(self, request: web.Request) -> web.Response:
        body = await _json(request)
        user = _text(body, "user")
        done = await self._user_actions.close_view(user, self._view(user, body.get("view_id")))
        return _outcome(done) if done is not None else _ok()

    async def _home_opened(self, request: web.Request) -> web.Response:
        view = self._user_actions.open_home(_text(await _json(request), "user"))
        return _ok(view=view.wire() if view is not None else None)

    def _view(self, user: str, view_id: Any) -> View:
        view = self._core.views.find(str(view_id))
        if view.user != user:
            raise SlackError("not_found")
        return view

    async def _breaks(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler's signature
        return _ok(breaks=self._faults.as_json())

    async def _set_break(self, request: web.Request) -> web.Response:
        body = await _json(request)
        break_id = request.match_info["id"]
        try:
            await self._faults.apply(break_id, body.get("value"))
        except KeyError:
            raise SlackError(f"no fault is called {break_id!r}") from None
        except ValueError as error:
            raise SlackError(str(error)) from error
        return self._push_breaks()

    async def _heal(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler's signature
        await self._faults.heal()
        return self._push_breaks()

    def push_breaks(self) -> None:
        """Push the panel's faults to all pages."""
        self.push({"type": "breaks", "breaks": self._faults.as_json()})

    def _push_breaks(self) -> web.Response:
        self.push_breaks()
        return _ok(breaks=self._faults.as_json())

    # Pushes

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        user = request.query.get("user", "")
        if user not in self._core.store.users:
            raise SlackError("user_not_found")
        ws = web.WebSocketResponse(heartbeat=20, compress=False)
        await ws.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue(_BACKLOG)
        self._pages[queue] = user
        self._sockets.add(ws)
        writer = asyncio.create_task(_write(ws, queue), name="page-push")
        try:
            async for frame in ws:
                if frame.type is WSMsgType.ERROR:
                    break
        finally:
            writer.cancel()
            self._sockets.discard(ws)
            self._pages.pop(queue, None)
        return ws

    async def close(self) -> None:
        """Close the pages' sockets."""
        for ws in tuple(self._sockets):
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1):
                    await ws.close(code=1001)

    def push(self, event: Json, may_see: Callable[[str], bool] = lambda _: True) -> None:
        """Send an event to the pages of every user for whom ``may_see`` holds."""
        if not self._pages:
            return
        text = json.dumps(event)
        for queue, user in tuple(self._pages.items()):
            if not may_see(user):
                continue
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:  # a page that stopped reading; it reloads its history when it reconnects
                self._pages.pop(queue, None)

    def bot_changed(self) -> None:
        """Push the app's connection state to all pages."""
        self.push({"type": "bot", **self._bot()})

    def _bot(self) -> Json:
        connections = self._core.delivery.connections
        return {"connected": connections > 0, "connections": connections}

    def _may_see(self, user: str, channel: str) -> bool:
        place = self._core.store.channels[channel]
        return user in place.members or not (place.is_private or place.is_im)

    def _on_message(self, change: Change, message: Message) -> None:
        if not self._pages:
            return
        event: Json = {"type": change, "channel": message.channel}
        if change == "message_deleted":
            event["ts"] = message.ts
        else:
            event["message"] = message.page(self._core.base_url)
        self.push(event, lambda user: message.visible_to(user) and self._may_see(user, message.channel))

    def _on_view(self, change: ViewChange, view: View) -> None:
        event: Json = {"type": change}
        if change == "view_closed":
            event["view_id"] = view.id
        else:
            event["view"] = view.wire()
        self.push(event, lambda user: user == view.user)


async def _write(ws: web.WebSocketResponse, queue: asyncio.Queue[str]) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            await ws.send_str(await queue.get())


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        web_access.check(request)
        try:
            return await handler(request)
        except SlackError as error:
            return web.json_response({"ok": False, "error": error.word}, headers=web_access.PAGE_HEADERS)

    return guarded


def _ok(**fields: Any) -> web.Response:
    return web.json_response({"ok": True, **fields}, headers=web_access.PAGE_HEADERS)


def _outcome(done: Interaction) -> web.Response:
    if done.error is None:
        return _ok()
    return web.json_response({"ok": False, "error": done.error}, headers=web_access.PAGE_HEADERS)


async def _json(request: web.Request) -> Json:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return body


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise SlackError(f"missing {name}")
    return value


def _object(body: Json, name: str) -> Json:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise SlackError(f"{name} must be an object")
    return value
