"""Slack on one side, the dispatcher on the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.adapters.slack import forms, inbound, payload, sdk_logs
from bot.adapters.slack.api import Api, SlackObserver
from bot.adapters.slack.chat import SlackChat
from bot.adapters.slack.check import CheckResult, check_channel
from bot.adapters.slack.connection import ConnectionStatus, SocketConnection
from bot.adapters.slack.groups import Groups
from bot.adapters.slack.http import HttpServer
from bot.adapters.slack.inbound import SlackRequest
from bot.adapters.slack.mailbox import Mailbox
from bot.adapters.slack.memory import SeenRequests
from bot.adapters.slack.people import Accounts, People
from bot.adapters.slack.precedence import Precedence
from bot.adapters.slack.request_handler import RequestHandler
from bot.adapters.slack.work import MOST_WAITING, Workers
from bot.domain.core.gap import Gap
from bot.domain.core.outside import Outside
from bot.domain.rbac.access import AccessPolicy, Identity
from bot.domain.rbac.membership import Home
from bot.errors import AgentpodError, SettingsError
from bot.runbook.context import SecretSink
from bot.runbook.dispatch import Dispatcher
from bot.settings.model import SlackSettings

logger = logging.getLogger("agentpod.slack")
TOKEN_LOOK = 60.0
"""Seconds between two looks whether the token works: an idle bot should not call itself ready without one."""
TOKEN_RETRY = 3.0
"""Seconds between two looks while it is refused."""
_TOO_MUCH = (
    f"You have {MOST_WAITING} commands waiting already, so this one was not run. "
    "Wait for their answers, then try again."
)


class SlackAdapter:
    """Hears Slack, has commands run, and answers."""

    def __init__(
        self,
        settings: SlackSettings,
        dispatcher: Dispatcher,
        access: AccessPolicy,
        observer: SlackObserver,
        version: str,
        *,
        groups: frozenset[str] = frozenset(),
        secret_sink: SecretSink | None = None,
        outside: Outside | None = None,
    ) -> None:
        """Opens nothing yet. ``groups``: user groups that decide something besides the access rules.

        ``outside`` cleans what is shown.
        """
        self._outside = outside or Outside()
        self._settings, self._dispatcher, self._access, self._observer = settings, dispatcher, access, observer
        self._wanted_groups, self._secret_sink = access.groups() | groups, secret_sink
        self._version = version
        self._seen = SeenRequests()
        self._told: set[str] = set()
        """Who was told that they have too much waiting, since they had nothing waiting."""
        self._precedence = Precedence()
        self._bot_user = ""
        self._team = ""
        self._names: tuple[str, ...] = (settings.command,)
        self._hearing = True
        self._mailbox = Mailbox(self._lost)
        self._workers: Workers
        self._people: People
        self._handler: RequestHandler
        self._app: AsyncApp
        self._api: Api | None = None
        self._connection: SocketConnection | HttpServer | None = None

    @property
    def port(self) -> int | None:
        """HTTP mode's port, once it listens."""
        return self._connection.port if isinstance(self._connection, HttpServer) else None

    @property
    def chat(self) -> SlackChat:
        """Where the bot speaks by itself, once it is started."""
        assert self._api is not None  # noqa: S101 - start() has set it
        return SlackChat(self._api, self._dispatcher.prefix, self._precedence)

    async def may_post(self, channels: Mapping[str, str]) -> list[CheckResult]:
        """Whether the bot may post in these channels, each given with the setting that names it."""
        assert self._api is not None  # noqa: S101 - start() has set it
        return [await check_channel(self._api, channel, setting) for channel, setting in channels.items()]

    async def fresh(self, identity: Identity) -> Identity:
        """The same person, their groups looked up again unless that was moments ago."""
        return await self._people.identity(identity.user, identity.channel, identity.claims, strict=True)

    async def start(self) -> None:
        """Ask Slack who we are, then get ready to hear. Raises AgentpodError with a remedy."""
        settings = self._settings
        token = _needed(settings.bot_token, "slack.bot_token")
        self._api = Api(token, settings.api_url, self._observer, self._outside)
        self._workers = Workers()
        try:
            who = await self._api.call("auth.test", 20)
            self._bot_user = str(who.get("user_id", ""))
            self._team = str(who.get("team") or "")
            groups = Groups(self._api, self._wanted_groups)
            home = Home(str(who.get("team_id") or ""), str(who.get("enterprise_id") or ""))
            self._people = People(groups, Accounts(self._api), self._access, home)
            self._handler = RequestHandler(
                self._api,
                self._people,
                self._dispatcher,
                self._observer,
                self._mailbox,
                self._precedence,
                self._secret_sink,
            )
            self._names = (self._settings.command, str(who.get("user") or ""))
            self._workers.start(groups.warm, "user groups")
            self._app = self._bolt(who)
            self._connection = await self._listen()
        except BaseException:
            await self.stop()
            raise

    async def _listen(self) -> SocketConnection | HttpServer:
        assert self._api is not None  # noqa: S101 - start() has set it
        if self._settings.mode == "http":
            secret = _needed(self._settings.signing_secret, "slack.signing_secret")
            server = HttpServer(self._settings.http, self._app, self._workers, self._observer, secret)
            await server.start()
            self._api.hearing.regained("connection")
            self._observer.connected(True)
            return server
        token = _needed(self._settings.app_token, "slack.app_token")
        connection = SocketConnection(self._api, token, self._on_socket, self._observer)
        self._workers.unread = connection.unread
        return connection

    def _bolt(self, who: dict[str, Any]) -> AsyncApp:
        """Bolt without what costs an acknowledgement time: who we are is known, and self events are told by id."""
        assert self._api is not None  # noqa: S101 - start() has set it
        http = self._settings.mode == "http"
        secret = _needed(self._settings.signing_secret, "slack.signing_secret") if http else ""
        known = AuthorizeResult(
            enterprise_id=who.get("enterprise_id"),
            team_id=who.get("team_id"),
            bot_id=who.get("bot_id"),
            bot_user_id=self._bot_user,
            bot_token=self._api.client.token,
        )

        async def authorize(**_: Any) -> AuthorizeResult:
            return known

        app = AsyncApp(
            name="agentpod",  # otherwise Bolt reads the source of every caller, to be called after a file
            logger=sdk_logs.BOLT,
            signing_secret=secret,
            client=self._api.web_client(None, []),
            authorize=authorize,
            request_verification_enabled=http,
            ignoring_self_events_enabled=False,
            ignoring_self_assistant_message_events_enabled=False,
            ssl_check_enabled=http,
            url_verification_enabled=http,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
        )
        app.use(self._middleware)
        return app

    async def run(self) -> None:
        """Keep the connection, and an eye on the token, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._log_sign_in(), name="slack-sign-in")
            tasks.create_task(self._watch_token(), name="slack-token")
            if isinstance(self._connection, SocketConnection):
                tasks.create_task(self._connection.run(), name="slack-socket")

    async def _log_sign_in(self) -> None:
        """Log who the bot is in Slack, once it can be reached: redacting a name would hold that up."""
        assert self._api is not None  # noqa: S101 - start() has set it
        await self._api.hearing.clear.wait()
        await asyncio.to_thread(self._outside.prepare)
        logger.info("signed in to Slack", extra={"team": self._team, "bot_user": self._bot_user})

    async def _watch_token(self) -> None:
        assert self._api is not None  # noqa: S101 - start() has set it
        while True:
            left = TOKEN_LOOK
            while left > 0 and not self._api.refused:
                await asyncio.sleep(TOKEN_RETRY)
                left -= TOKEN_RETRY
            if self._api.refused:
                await asyncio.sleep(TOKEN_RETRY)
            with contextlib.suppress(AgentpodError):  # a refusal is kept by the Api; the rest passes
                await self._api.call("auth.test", 10)

    async def connected(self, timeout: float) -> None:  # noqa: ASYNC109 - one who waits goes on without Slack
        """Wait until Slack can reach the bot, ``timeout`` seconds at most."""
        assert self._api is not None  # noqa: S101 - start() has set it
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._api.hearing.clear.wait()

    def status(self) -> ConnectionStatus:
        """Whether Slack can reach the bot, and takes its answers."""
        if self._connection is None or self._api is None:
            return ConnectionStatus(False, datetime.now(UTC), "not started yet")
        status = self._connection.status()
        return replace(status, connected=False, reason=self._api.refused) if self._api.refused else status

    @property
    def gaps(self) -> Sequence[Gap]:
        """The times without Slack that are over, oldest first."""
        return self._api.hearing.gaps if self._api is not None else ()

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - seconds for those who still run
        """Take nothing new and wait for what runs, at most ``timeout`` seconds."""
        self._hearing = False
        if self._api is None:
            return
        until = asyncio.get_running_loop().time() + timeout
        if left := await self._workers.drain(timeout):
            logger.warning("commands given up at the end", extra={"commands": left})
        await self._mailbox.finish(max(0.0, until - asyncio.get_running_loop().time()))

    def _lost(self, why: str) -> None:
        """An answer was given up."""
        self._observer.delivery_failed("lost")
        logger.error("answer lost: %s", why)

    async def stop(self) -> None:
        """Close everything."""
        if self._connection is not None:
            await self._connection.close()
            self._observer.connected(False)
        if self._api is not None:
            await self._workers.cancel()
            await self._mailbox.finish(0)
            await self._api.close()

    async def _on_socket(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        started = time.monotonic()
        if not payload.sound(req.payload):
            logger.warning("a request of Slack's was not understood", extra={"kind": str(req.type)[:40]})
            req = SocketModeRequest(type="not understood", envelope_id=req.envelope_id, payload={})
        with self._workers.acknowledging():
            answer = await run_async_bolt_app(self._app, req)
            try:
                await send_async_response(client, req, answer, time.time())
            except Exception as error:
                logger.warning("not acknowledged: %s", type(error).__name__, extra={"kind": req.type})
                return
        self._observer.acked(req.type, time.monotonic() - started)

    async def _middleware(self, req: AsyncBoltRequest) -> BoltResponse:
        """Acknowledge everything at once; work starts behind the acknowledgement."""
        request = inbound.read(req.body, self._bot_user, self._names)
        if request is None or not request.user:
            return BoltResponse(status=200, body="")
        if not self._hearing:
            return BoltResponse(status=503, body="shutting down")
        if not self._seen.first(request.dedup):
            self._observer.redelivered(request.surface)
            return BoltResponse(status=200, body="")
        if request.surface == "modal" and request.line:
            problem = self._dispatcher.problem(request.line, request.answers)
            if problem:
                self._seen.forget(request.dedup)  # the same modal is sent again, with something better in it
                return BoltResponse(status=200, body=forms.refused(request.answers, problem))
        command = self._dispatcher.command(request.line)
        if request.surface == "mention" and command is not None and command.private:
            request = replace(request, private=True)
        quick = command is None or command.quick
        if not self._start(request, quick=quick):
            return self._too_much(request)
        if request.surface != "slash":
            return BoltResponse(status=200, body="")
        return BoltResponse(status=200, body={"response_type": "ephemeral", "text": "⏳ Checking…"})

    def _start(self, request: SlackRequest, *, quick: bool) -> bool:
        """Have it worked on when its turn comes; says whether it is taken."""
        if not self._workers.waits(request.user):
            self._told.discard(request.user)
        work = partial(self._handler.handle, request)
        return self._workers.start(work, f"slack-{request.surface}", request.user, quick=quick)

    def _too_much(self, request: SlackRequest) -> BoltResponse:
        """Say that it is not run: each time where the acknowledgement can say it, else once."""
        if request.surface == "slash":
            return BoltResponse(status=200, body={"response_type": "ephemeral", "text": _TOO_MUCH})
        if request.surface == "modal" and request.answers:
            self._seen.forget(request.dedup)
            return BoltResponse(status=200, body=forms.refused(request.answers, _TOO_MUCH))
        if request.user not in self._told:
            self._told.add(request.user)
            answer = self._handler.answer_to(replace(request, private=True))
            self._workers.start(
                partial(answer.say, _TOO_MUCH), "slack-too-much", f"told {request.user}", quick=True
            )
        return BoltResponse(status=200, body="")


def _needed(secret: SecretStr | None, name: str) -> str:
    if secret is None:
        raise SettingsError([f"{name} is not set."])
    return secret.get_secret_value()
