"""The Web API: tokens, faults, rate limits and scopes, then the method itself."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import Any

from aiohttp import web

from sandbox.slack.core import Core
from sandbox.slack.errors import SlackError, rate_limited
from sandbox.slack.faults import SLOWNESS_S
from sandbox.slack.limits import TIERS
from sandbox.slack.model import Json
from sandbox.slack.record import ApiCall
from sandbox.slack.web_api import (
    assistant,
    chat,
    conversations,
    files,
    functions,
    people,
    reactions,
    scheduled,
    views,
)
from sandbox.slack.web_api.call import Call, Method

METHODS: dict[str, Method] = {
    **chat.METHODS,
    **scheduled.METHODS,
    **conversations.METHODS,
    **people.METHODS,
    **views.METHODS,
    **files.METHODS,
    **reactions.METHODS,
    **functions.METHODS,
    **assistant.METHODS,
}


_LOST = ("chat.", "files.complete", "views.")
"""The methods whose answers the fault "lost answers" affects: those that change what people see."""


def lost(how: str, request: web.Request) -> web.Response:
    """A failed answer to a call that was carried out; ``how`` is one of `sandbox.slack.faults.LOST_AS`."""
    if how == "502":
        return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
    if how == "truncated":
        return web.Response(status=200, text='{"ok": true, "ts": "17', content_type="application/json")
    if how == "fatal_error":
        return web.json_response({"ok": False, "error": "fatal_error"})
    if how == "reset" and request.transport is not None:
        request.transport.abort()
    return web.json_response({"ok": False, "error": "internal_error"}, status=500)


class WebApi:
    """Answers ``/api/<method>``."""

    def __init__(self, core: Core) -> None:
        """``core`` holds the workspace."""
        self._core = core

    async def handle(self, request: web.Request) -> web.Response:
        """Handle one call, by POST (form, JSON, multipart) or GET."""
        name = request.match_info["method"]
        started = time.perf_counter()
        call = ApiCall(name, {}, self._core.clock())
        headers: dict[str, str] = {}
        try:
            args, token = await _read(request)
            call.args = args
            self._core.record.calls.append(call)
            if self._core.faults.slow:
                await asyncio.sleep(SLOWNESS_S)
            call.result = {"ok": True, **self._run(name, args, token)}
        except SlackError as error:
            call.result, call.status, headers = error.body(), error.status, error.headers
            call.retry_after = int(headers.get("Retry-After", 0))
        call.seconds = time.perf_counter() - started
        if self._core.faults.answer_lost and name.startswith(_LOST) and call.result.get("ok"):
            call.result, call.status = {"ok": False, "error": "internal_error"}, 500
            return lost(self._core.faults.lost_as, request)
        return self._answer(name, call, headers)

    def _run(self, name: str, args: Json, token: str) -> Json:
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        if self._core.faults.server_error:
            raise SlackError("internal_error", status=500)
        if self._core.faults.rate_limited and name.startswith("chat."):
            raise rate_limited(self._core.faults.rate_limited)
        if name != "api.test" or token:
            self._authenticate(method, token)
        self._limit(name, method)
        if method.scope and not method.app_token:
            self._core.require(method.scope)
        if self._core.faults.upload == "address" and name == "files.getUploadURLExternal":
            raise SlackError("internal_error", status=500)
        if self._core.faults.upload == "completion" and name == "files.completeUploadExternal":
            raise SlackError("file_not_found")
        return method.handler(Call(self._core, args))

    def _authenticate(self, method: Method, token: str) -> None:
        core = self._core
        if not token:
            raise SlackError("not_authed")
        if token in core.workflow_tokens and not method.app_token:  # as good as the bot's, for the run of a step
            return
        known = {core.bot_token: False, core.app_token: True}
        if token not in known:
            raise SlackError("invalid_auth")
        if token == core.bot_token and core.faults.token_revoked:
            raise SlackError("token_revoked")
        if known[token] != method.app_token:
            raise SlackError("not_allowed_token_type")

    def _limit(self, name: str, method: Method) -> None:
        if method.tier and self._core.options.rate_limits:
            wait = self._core.limiter.take(name, "", TIERS[method.tier])
            if wait:
                raise rate_limited(wait)

    def _answer(self, name: str, call: ApiCall, headers: dict[str, str]) -> web.Response:
        method = METHODS.get(name)
        common = {
            "x-oauth-scopes": ",".join(sorted(self._core.scopes)),
            "x-accepted-oauth-scopes": (method.scope or "") if method else "",
            "x-slack-req-id": secrets.token_hex(16),
            "Cache-Control": "private, no-cache, no-store, must-revalidate",
        }
        text = json.dumps(call.result)
        return web.Response(
            text=text, status=call.status, headers=common | headers, content_type="application/json"
        )


async def _read(request: web.Request) -> tuple[Json, str]:
    """Arguments and token; with a JSON body, the token is taken from the header only, as Slack does."""
    args: Json = dict(request.query)
    if request.method == "POST":
        args |= await _body(request)
    field_token = args.pop("token", None)
    scheme, _, header_token = request.headers.get("Authorization", "").partition(" ")
    if header_token and scheme.lower() == "bearer":
        return args, header_token.strip()
    is_json = request.content_type == "application/json"
    return args, str(field_token) if field_token and not is_json else ""


async def _body(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return _json_object(await request.read())
    if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form = await request.post()
        return {key: value for key, value in form.items() if isinstance(value, str)}
    if request.can_read_body and await request.read():
        raise SlackError("invalid_post_type")
    return {}


def _json_object(raw: bytes) -> Json:
    if not raw:
        return {}
    try:
        value: Any = json.loads(raw)
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(value, dict):
        raise SlackError("json_not_object")
    return value
