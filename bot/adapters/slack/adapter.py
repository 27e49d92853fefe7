"""Connects Slack with the dispatcher."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slack_bolt.app.async_app import AsyncApp

from bot.adapters.slack.api import Api, SlackObserver
from bot.adapters.slack.bolt import bolt_app
from bot.adapters.slack.chat import SlackChat
from bot.adapters.slack.check import CheckResult, check_channel
from bot.adapters.slack.connection import ConnectionStatus, SocketConnection
from bot.adapters.slack.greeting import Greeting, Welcome
from bot.adapters.slack.groups import Groups
from bot.adapters.slack.http import HttpServer
from bot.adapters.slack.intake import Intake
from bot.adapters.slack.mailbox import Mailbox
from bot.adapters.slack.needed import needed
from bot.adapters.slack.people import Accounts, People
from bot.adapters.slack.precedence import Precedence
from bot.adapters.slack.request_handler import RequestHandler
from bot.adapters.slack.work import Workers
from bot.domain.core.gap import Gap
from bot.domain.core.outside import Outside
from bot.domain.rbac.access import AccessPolicy, Identity
from bot.domain.rbac.membership import Home
from bot.errors import AgentpodError
from bot.runbook.context import SecretSink
from bot.runbook.dispatch import Dispatcher
from bot.settings.model import SlackSettings

if TYPE_CHECKING:
    from bot.adapters.slack.outbound import Follow

logger = logging.getLogger("agentpod.slack")
TOKEN_LOOK = 60.0
"""Seconds between checks of the token, so that an idle bot notices that it is refused."""
TOKEN_RETRY = 3.0
"""Seconds between checks while the token is refused."""


LAST_WORDS = 3.0
"""Seconds of a shutdown that are left to tell people that they get no answer."""


class SlackAdapter:
    """Receives requests from Slack, has the dispatcher run them, and answers."""

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
        follow: Follow | None = None,
        outside: Outside | None = None,
        welcome: Welcome | None = None,
    ) -> None:
        """Store the parts, without connecting.

        ``groups``: user groups that matter besides those in the access rules. ``follow`` keeps the answers to
        those who ask for repairs up to date. ``outside`` redacts what is sent; ``welcome`` greets whoever is new.
        """
        self._outside = outside or Outside()
        self._settings, self._dispatcher, self._access, self._observer = settings, dispatcher, access, observer
        self._wanted_groups, self._secret_sink, self._follow = access.groups() | groups, secret_sink, follow
        self._version = version
        self._greeting = Greeting(welcome)
        self._precedence = Precedence()
        self._bot_user = ""
        self._team = ""
        self._hearing = True
        self._mailbox = Mailbox(self._lost)
        self._workers: Workers
        self._handler: RequestHandler | None = None
        self._people: People
        self._api: Api | None = None
        self._connection: SocketConnection | HttpServer | None = None

    @property
    def port(self) -> int | None:
        """HTTP mode's port; None in Socket Mode and before `start`."""
        return self._connection.port if isinstance(self._connection, HttpServer) else None

    @property
    def chat(self) -> SlackChat:
        """The `Chat` port for messages that the bot sends by itself; available after `start`."""
        assert self._api is not None  # noqa: S101 - start() has set it
        return SlackChat(self._api, self._dispatcher.prefix, self._precedence)

    @property
    def answers(self) -> SlackChat:
        """The `Chat` port for messages that somebody asked for: alerts go before them; available after `start`."""
        assert self._api is not None  # noqa: S101 - start() has set it
        return SlackChat(self._api, self._dispatcher.prefix, self._precedence, ahead=False)

    async def may_post(self, channels: Mapping[str, str]) -> list[CheckResult]:
        """Check whether the bot may post in these channels, each given with the setting that names it."""
        assert self._api is not None  # noqa: S101 - start() has set it
        return [await check_channel(self._api, channel, setting) for channel, setting in channels.items()]

    async def fresh(self, identity: Identity) -> Identity:
        """Return the identity with account and groups read again, unless that was seconds ago."""
        return await self._people.identity(identity.user, identity.channel, identity.claims, strict=True)

    async def members(self, groups: Collection[str]) -> frozenset[str]:
        """See the port `People`."""
        return await self._people.members(groups)

    async def person(self, user: str) -> Identity:
        """See the port `People`."""
        return await self._people.identity(user, user, ())

    async def zone(self, user: str) -> str:
        """See the port `People`."""
        return await self._people.zone(user)

    async def start(self) -> None:
        """Sign in to Slack and prepare the connection; HTTP mode starts to listen. Raises AgentpodError."""
        settings = self._settings
        token = needed(settings.bot_token, "slack.bot_token")
        self._api = Api(token, settings.api_url, self._observer, self._outside)
        self._workers = Workers()
        try:
            who = await self._api.call("auth.test", 20)
            self._bot_user = str(who.get("user_id", ""))
            self._team = str(who.get("team") or "")
            groups = Groups(self._api, self._wanted_groups)
            home = Home(str(who.get("team_id") or ""), str(who.get("enterprise_id") or ""))
            accounts = Accounts(self._api)
            self._api.name_of = accounts.name
            self._people = People(groups, accounts, self._access, home)
            self._handler = RequestHandler(
                self._api,
                self._people,
                self._dispatcher,
                self._observer,
                self._mailbox,
                self._precedence,
                self._secret_sink,
                self._greeting,
                self._follow,
            )
            self._workers.start(groups.warm, "user groups")
            app = bolt_app(settings, self._api, who)
            intake = Intake(
                app,
                self._workers,
                self._handler,
                self._dispatcher,
                self._observer,
                bot_user=self._bot_user,
                names=(settings.command, str(who.get("user") or "")),
                hearing=lambda: self._hearing,
            )
            self._connection = await self._listen(app, intake)
        except BaseException:
            await self.stop()
            raise

    async def _listen(self, app: AsyncApp, intake: Intake) -> SocketConnection | HttpServer:
        assert self._api is not None  # noqa: S101 - start() has set it
        if self._settings.mode == "http":
            secret = needed(self._settings.signing_secret, "slack.signing_secret")
            server = HttpServer(self._settings.http, app, self._workers, self._observer, secret)
            await server.start()
            self._api.hearing.regained("connection")
            self._observer.connected(True)
            return server
        token = needed(self._settings.app_token, "slack.app_token")
        connection = SocketConnection(self._api, token, intake.on_socket, self._observer)
        self._workers.unread = connection.unread
        return connection

    async def run(self) -> None:
        """Keep the connection open and check the token, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._log_sign_in(), name="slack-sign-in")
            tasks.create_task(self._watch_token(), name="slack-token")
            if isinstance(self._connection, SocketConnection):
                tasks.create_task(self._connection.run(), name="slack-socket")

    async def _log_sign_in(self) -> None:
        """Log the bot's team and user once it is connected: preparing redaction would delay the connection."""
        assert self._api is not None  # noqa: S101 - start() has set it
        await self._api.hearing.clear.wait()
        await asyncio.to_thread(self._outside.prepare)
        logger.info("signed in to Slack", extra={"team": self._team, "bot_user": self._bot_user})

    async def _watch_token(self) -> None:
        assert self._api is not None  # noqa: S101 - start() has set it
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TOKEN_LOOK):
                    await self._api.refusal.wait()
            if self._api.refused:
                await asyncio.sleep(TOKEN_RETRY)
            with contextlib.suppress(AgentpodError):  # the Api records a refusal; other errors are temporary
                await self._api.call("auth.test", 10)

    async def connected(self, timeout: float) -> None:  # noqa: ASYNC109 - one who waits goes on without Slack
        """Wait until Slack can reach the bot, for at most ``timeout`` seconds."""
        assert self._api is not None  # noqa: S101 - start() has set it
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._api.hearing.clear.wait()

    def status(self) -> ConnectionStatus:
        """The connection's state; a refused token counts as not connected."""
        if self._connection is None or self._api is None:
            return ConnectionStatus(False, datetime.now(UTC), "not started yet")
        status = self._connection.status()
        return replace(status, connected=False, reason=self._api.refused) if self._api.refused else status

    @property
    def gaps(self) -> Sequence[Gap]:
        """The past times without Slack, oldest first."""
        return self._api.hearing.gaps if self._api is not None else ()

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - seconds for those who still run
        """Accept no new requests, and wait for running ones and their answers, for at most ``timeout`` seconds.

        Whoever would get no answer by then is told so.
        """
        self._hearing = False
        if self._api is None or self._handler is None:
            return
        until = asyncio.get_running_loop().time() + timeout
        if left := await self._workers.drain(max(0.0, timeout - LAST_WORDS)):
            logger.warning("commands abandoned at shutdown", extra={"commands": left})
            self._handler.stopping = True
            self._workers.interrupt()
            await self._workers.drain(min(timeout, LAST_WORDS))
        await self._mailbox.finish(max(0.0, until - asyncio.get_running_loop().time()))

    def _lost(self, why: str) -> None:
        """Count and log an answer that was given up."""
        self._observer.delivery_failed("lost")
        logger.error("answer lost: %s", why)

    async def stop(self) -> None:
        """Close the connection, cancel running work, and give up pending answers."""
        if self._connection is not None:
            await self._connection.close()
            self._observer.connected(False)
        if self._api is not None:
            await self._workers.cancel()
            await self._mailbox.finish(0)
            await self._api.close()
