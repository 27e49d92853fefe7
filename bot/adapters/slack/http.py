"""HTTP mode: Slack's signed requests on a port of our own. Bolt checks signature, age and url_verification."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.adapters.slack.api import SlackObserver
from bot.adapters.slack.connection import ConnectionStatus
from bot.adapters.slack.work import Workers
from bot.errors import Permanent
from bot.settings import HttpSettings

MAX_BODY = 1 << 20
"""Largest request taken, in bytes; Slack's are far smaller."""


class HttpServer:
    """Takes Slack's requests."""

    def __init__(self, settings: HttpSettings, app: AsyncApp, workers: Workers, observer: SlackObserver) -> None:
        """``app`` must have request verification on."""
        self._settings, self._app, self._workers, self._observer = settings, app, workers, observer
        self._runner: web.AppRunner | None = None
        self._status = ConnectionStatus(False, datetime.now(UTC), "not listening yet")
        self.port = settings.port

    def status(self) -> ConnectionStatus:
        """Connected means listening: Slack comes to us."""
        return self._status

    async def start(self) -> None:
        """Listen. Raises Permanent for a port that can't be had."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post(self._settings.path, self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            raise Permanent(
                f"The port for Slack's requests, {self._settings.port}, can't be opened: {error.strerror}.",
                remedy="Set AGENTPOD_SLACK__HTTP__PORT to a free one.",
            ) from error
        self.port = int(self._runner.addresses[0][1])
        self._status = ConnectionStatus(True, datetime.now(UTC), f"listening on port {self.port}")

    async def _handle(self, request: web.Request) -> web.Response:
        started = time.monotonic()
        raw = await request.read()
        try:
            body = raw.decode("utf-8")
        except UnicodeDecodeError:
            return web.Response(status=400, text="not UTF-8")
        with self._workers.acknowledging():
            bolt = AsyncBoltRequest(body=body, query=request.query_string, headers=dict(request.headers))
            answer = await self._app.async_dispatch(bolt)
        if answer.status == 200:
            self._observer.acked("http", time.monotonic() - started)
        headers = {name: values[0] for name, values in answer.headers.items() if name != "content-type"}
        kind = answer.headers.get("content-type", ["text/plain"])[0].partition(";")[0]
        return web.Response(status=answer.status, text=answer.body, headers=headers, content_type=kind)

    async def close(self) -> None:
        """Stop listening."""
        self._status = ConnectionStatus(False, datetime.now(UTC), "stopped")
        if self._runner is not None:
            await self._runner.cleanup()
