"""HTTP mode: receives Slack's signed requests on a port of the bot's own.

Requests without a plausible signature are refused before their body is read, and slow or excess connections are
closed by the `Gate`. Bolt answers url_verification and dispatches the rest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

from bot.adapters.slack import payload
from bot.adapters.slack.api import SlackObserver
from bot.adapters.slack.connection import ConnectionStatus
from bot.adapters.slack.work import Workers
from bot.adapters.transport.gate import Gate
from bot.domain.core.bounds import number
from bot.errors import Permanent
from bot.settings.model import HttpSettings

logger = logging.getLogger("agentpod.slack")

MAX_BODY = 512 * 1024
"""Maximum bytes of a request; Slack's are far smaller."""
BODY_SECONDS = 5.0
"""The timeout for the body once the headers are there: Slack waits three seconds for the response."""
MAX_AGE = 300
"""Maximum age of a signature in seconds: an older one may be a replay."""
STAMP, SIGNATURE = "X-Slack-Request-Timestamp", "X-Slack-Signature"
_PASSED_ON = ("content-type", "x-slack-request-timestamp", "x-slack-signature")
_SIGNATURE_LENGTH = len("v0=") + 64


class HttpServer:
    """Listens for Slack's requests and has Bolt handle them."""

    def __init__(
        self, settings: HttpSettings, app: AsyncApp, workers: Workers, observer: SlackObserver, secret: str
    ) -> None:
        """``app`` must have request verification on; ``secret`` is the signing secret."""
        self._settings, self._app, self._workers, self._observer = settings, app, workers, observer
        self._verifier = SignatureVerifier(secret)
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._gate: Gate | None = None
        self._status = ConnectionStatus(False, datetime.now(UTC), "not listening yet")
        self.port = settings.port

    def status(self) -> ConnectionStatus:
        """The connection's state. Connected means listening, as Slack connects to the bot."""
        return self._status

    async def start(self) -> None:
        """Start listening. Raises Permanent if the port can't be opened."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post(self._settings.path, self._handle)
        self._runner = web.AppRunner(app, access_log=None, lingering_time=0)
        await self._runner.setup()
        assert self._runner.server is not None  # noqa: S101 - set up just now
        self._gate = Gate(self._runner.server)
        loop, conf = asyncio.get_running_loop(), self._settings
        try:
            self._server = await loop.create_server(self._gate, conf.host, conf.port, reuse_address=True)
        except OSError as error:
            raise Permanent(
                f"The port for Slack's requests, {self._settings.port}, can't be opened: {error.strerror}.",
                remedy="Set AGENTPOD_SLACK__HTTP__PORT to a free one.",
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._status = ConnectionStatus(True, datetime.now(UTC), f"listening on port {self.port}")

    async def _handle(self, request: web.Request) -> web.Response:
        assert self._gate is not None  # noqa: S101 - nothing comes before start()
        started = time.monotonic()
        refused = _before_the_body(request, time.time())
        if refused is not None:
            return refused
        try:
            async with asyncio.timeout(BODY_SECONDS):
                raw = await request.read()
        except TimeoutError:
            return _ended(408, "the body did not come")
        except web.HTTPRequestEntityTooLarge:
            return _ended(413, "too large")
        self._gate.whole(request.transport)
        try:
            return await self._signed(request, raw, started)
        finally:
            self._gate.answered(request.transport)

    async def _signed(self, request: web.Request, raw: bytes, started: float) -> web.Response:
        """Verify the signature and the payload, and have Bolt handle the request."""
        try:
            body = raw.decode("utf-8")
        except UnicodeDecodeError:
            return _ended(400, "not UTF-8")
        if not self._verifier.is_valid(body, request.headers[STAMP], request.headers[SIGNATURE]):
            return _ended(401, "invalid signature")
        found = payload.form(body, request.content_type)
        if found is None or not payload.sound(found):
            logger.warning("invalid request from Slack", extra={"bytes": len(raw)})
            return _ended(400, "not understood")
        passed: dict[str, str | Sequence[str]] = {
            name: value for name, value in request.headers.items() if name.lower() in _PASSED_ON
        }
        with self._workers.acknowledging():
            answer = await self._app.async_dispatch(AsyncBoltRequest(body=body, headers=passed))
        if answer.status == 200:
            self._observer.acked("http", time.monotonic() - started)
        headers = {name: values[0] for name, values in answer.headers.items() if name != "content-type"}
        kind = answer.headers.get("content-type", ["text/plain"])[0].partition(";")[0]
        return web.Response(status=answer.status, text=answer.body, headers=headers, content_type=kind)

    async def close(self) -> None:
        """Stop listening."""
        self._status = ConnectionStatus(False, datetime.now(UTC), "stopped")
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()


def _before_the_body(request: web.Request, now: float) -> web.Response | None:
    """Return the refusal of a request whose headers alone show that it is not Slack's; else None."""
    stamp = number(request.headers.get(STAMP, ""))
    signature = request.headers.get(SIGNATURE, "")
    if stamp is None or abs(now - stamp) > MAX_AGE:
        return _ended(401, "no signature of the last five minutes")
    if len(signature) != _SIGNATURE_LENGTH or not signature.isascii() or not signature.startswith("v0="):
        return _ended(401, "invalid signature")
    if request.content_length is None:
        return _ended(411, "the length is missing")
    return _ended(413, "too large") if request.content_length > MAX_BODY else None


def _ended(status: int, text: str) -> web.Response:
    """Return a refusal that closes the connection, so that the rest of the request is not read."""
    answer = web.Response(status=status, text=text)
    answer.force_close()
    return answer
