"""A whole local Slack workspace: start it, act as its users, inspect what the app did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sandbox.breaks import Break, Breaks
from sandbox.slack import faults as slack_faults
from sandbox.slack import manifest as manifests
from sandbox.slack import seed
from sandbox.slack.core import Core, Options
from sandbox.slack.events import Events
from sandbox.slack.http_mode import HttpDelivery
from sandbox.slack.message import Message
from sandbox.slack.model import Json
from sandbox.slack.page_api import PageApi
from sandbox.slack.record import Record
from sandbox.slack.server import LocalServer, Surface
from sandbox.slack.socket_mode import SocketHub
from sandbox.slack.store import Change, Clock, Store
from sandbox.slack.user_actions import Interaction, UserActions
from sandbox.slack.views import View
from sandbox.slack.workflows import Workflows

Predicate = Callable[[Message], bool]


class Workspace:
    """A Slack workspace on a port of this machine, with the app of ``manifest_path`` installed.

    Use as ``async with Workspace(path) as ws`` or call :meth:`start` and :meth:`stop`.
    """

    def __init__(
        self,
        manifest_path: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        page_dir: Path | None = None,
        clock: Clock = time.time,
        *,
        request_url: str | None = None,
        rate_limits: bool = True,
        file_processing_s: float = 0.3,
        redelivery_s: tuple[float, ...] = (0, 60, 300),
        ack_timeout_s: float = 3.0,
        ping_interval_s: float = 5.0,
    ) -> None:
        """``clock`` times triggers, response URLs, tickets and rate limits; delays use the machine's clock.

        With ``request_url`` payloads go there by HTTP, signed, instead of Socket Mode. Raises ManifestError
        for a manifest that Slack would refuse, ValueError for a host or URL that isn't this machine's.
        """
        manifest = manifests.load(manifest_path)
        options = Options(rate_limits, file_processing_s, redelivery_s, ack_timeout_s)
        self.core = Core(manifest, seed.default_seed(manifest.bot_name), clock, options)
        self._server = LocalServer(host, port)
        self._hub = SocketHub(
            self.core.record,
            self.core.faults,
            clock,
            ack_timeout_s=ack_timeout_s,
            ping_interval_s=ping_interval_s,
        )
        self._http = self._http_delivery(request_url, clock)
        self.core.delivery = self._http or self._hub
        self.core.issue_ticket = None if self._http else self._hub.issue_ticket
        self.events = Events(self.core)
        self._user_actions = UserActions(self.core, self.events)
        self.workflows = Workflows(self.core, self.events)
        self.breaks: list[Break] = slack_faults.breaks(
            self.core.faults, manifest.scopes, self._hub, self.core.store.users
        )
        self.panel = Breaks(self.breaks)
        self._page_api = PageApi(self.core, self._user_actions, self.panel, self.workflows)
        self._hub.on_change = self._connections_changed
        self._surface = Surface(self.core, self._page_api, None if self._http else self._hub, page_dir)
        self._connected = asyncio.Condition()

    def _http_delivery(self, request_url: str | None, clock: Clock) -> HttpDelivery | None:
        if request_url is None:
            return None
        secret, timeout = self.core.signing_secret, self.core.options.ack_timeout_s
        return HttpDelivery(request_url, secret, self.core.record, self.core.faults, clock, ack_timeout_s=timeout)

    # Start and stop

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        if self._http is not None:
            await self._http.start()
        self.core.base_url = await self._server.start(self._surface.app())

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        await self.core.stop()
        await self._hub.close()
        await self._page_api.close()
        if self._http is not None:
            await self._http.close()
        await self._server.stop()

    async def __aenter__(self) -> Workspace:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    def add_breaks(self, items: Iterable[Break]) -> None:
        """Add faults of other parts of the sandbox to the page's panel."""
        self.panel.add(items)

    def show_breaks(self) -> None:
        """Show the faults as they are now on every page's panel."""
        self._page_api.push_breaks()

    # What an app needs to connect

    def call_itself(self, host: str) -> None:
        """Use another host name in every URL given to the app; it reaches this server through a proxy."""
        self.core.base_url = self.core.base_url.replace("127.0.0.1", host)

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT`` (the page is at ``/``)."""
        return self.core.base_url

    @property
    def api_url(self) -> str:
        """The Web API's address, with its trailing slash."""
        return f"{self.base_url}/api/"

    @property
    def bot_token(self) -> str:
        """``xoxb-…``."""
        return self.core.bot_token

    @property
    def app_token(self) -> str:
        """``xapp-…``."""
        return self.core.app_token

    @property
    def signing_secret(self) -> str:
        """The key of HTTP mode's signatures."""
        return self.core.signing_secret

    @property
    def store(self) -> Store:
        """Users, channels and messages."""
        return self.core.store

    @property
    def record(self) -> Record:
        """Web API calls and envelopes so far (the last 5,000 of each)."""
        return self.core.record

    @property
    def rate_limits(self) -> bool:
        """Whether Slack's rate limits are enforced; can be set."""
        return self.core.options.rate_limits

    @rate_limits.setter
    def rate_limits(self, value: bool) -> None:
        self.core.options.rate_limits = value

    @property
    def connections(self) -> int:
        """How many connections the app has open."""
        return self.core.delivery.connections

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Send Slack's disconnect with ``reason`` (``warning``, ``link_disabled``, …) on every connection."""
        await self._hub.disconnect(reason)

    async def verify_url(self) -> bool:
        """HTTP mode: Run Slack's url_verification; returns whether the app passed."""
        return self._http is not None and await self._http.verify()

    async def wait_connected(self, count: int = 1, timeout: float = 10) -> None:  # noqa: ASYNC109 - seconds to a clear error
        """Wait until the app has ``count`` connections or more. Raises TimeoutError."""
        await self._wait_connections(lambda: self.connections >= count, f"{count} connection(s)", timeout)

    async def wait_disconnected(self, timeout: float = 10) -> None:  # noqa: ASYNC109 - seconds to a clear error
        """Wait until the app has no connection. Raises TimeoutError."""
        await self._wait_connections(lambda: self.connections == 0, "no connection", timeout)

    async def _wait_connections(self, holds: Callable[[], bool], what: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds), self._connected:
                await self._connected.wait_for(holds)
        except TimeoutError:
            raise TimeoutError(f"waited {seconds} s for {what}; there are {self.connections}") from None

    def _connections_changed(self) -> None:
        self._page_api.bot_changed()
        self.core.spawn(self._wake(), "connections changed")

    async def _wake(self) -> None:
        async with self._connected:
            self._connected.notify_all()

    # Acting as a user

    async def slash(self, user: str, channel: str, command: str, text: str = "") -> Interaction:
        """Run a slash command as ``user``; returns when it is acknowledged or has failed.

        Raises SlackError for what Slack's client refuses itself (unknown command, not in the channel).
        """
        return await self._user_actions.slash(user, channel, command, text)

    def open_assistant(self, user: str) -> Message:
        """Open a thread with the assistant; returns its first message, as Slack's own of the app."""
        return self._user_actions.open_assistant(user)

    def invite(self, user: str, channel: str) -> None:
        """Have ``user`` invite the bot to a channel. Raises SlackError."""
        self._user_actions.invite(user, channel)

    async def shortcut(self, user: str, callback_id: str, message: Message | None = None) -> Interaction:
        """Use a shortcut: of ``message``'s menu, or without one of the lightning menu."""
        if message is None:
            return await self._user_actions.shortcut(user, callback_id)
        return await self._user_actions.message_shortcut(user, message, callback_id)

    async def click(
        self,
        user: str,
        message: Message,
        action_id: str,
        *,
        block_id: str | None = None,
        values: Json | None = None,
        **selected: Any,
    ) -> Interaction:
        """Use an element of a message: a button, or a menu with e.g. ``selected_option={…}``."""
        action = {"action_id": action_id, "block_id": block_id, **selected}
        return await self._user_actions.click(user, message, action, values)

    async def click_view(
        self,
        user: str,
        view: View,
        action_id: str,
        *,
        block_id: str | None = None,
        values: Json | None = None,
        **selected: Any,
    ) -> Interaction:
        """Use an element of a modal or of Home."""
        action = {"action_id": action_id, "block_id": block_id, **selected}
        return await self._user_actions.click_view(user, view, action, values)

    def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Post as ``user``."""
        return self._user_actions.say(user, channel, text, thread_ts)

    def mention(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Post ``@bot text`` as ``user``."""
        return self.say(user, channel, f"<@{seed.BOT_USER}> {text}", thread_ts)

    def relay(self, channel: str, text: str) -> Message:
        """Have another app's bot post ``@bot text``."""
        return self._user_actions.relay(channel, f"<@{seed.BOT_USER}> {text}")

    def dm(self, user: str, text: str, thread_ts: str | None = None) -> Message:
        """Write to the bot as ``user``."""
        return self.say(user, seed.DMS[user], text, thread_ts)

    async def submit_view(self, user: str, view: View, values: Mapping[str, Any]) -> Interaction:
        """Submit a modal with ``state.values``; a plain string fills the text input of that block_id."""
        return await self._user_actions.submit(user, view, _entered(view, values))

    async def close_view(self, user: str, view: View) -> Interaction | None:
        """Close a modal."""
        return await self._user_actions.close_view(user, view)

    def open_home(self, user: str) -> View | None:
        """Open the app's Home tab; returns what is published so far."""
        return self._user_actions.open_home(user)

    def view_of(self, user: str) -> View | None:
        """The topmost modal that ``user`` has open."""
        stack = self.core.views.stacks.get(user)
        return stack[-1] if stack else None

    def home_of(self, user: str) -> View | None:
        """The view published on the user's Home tab."""
        return self.core.views.homes.get(user)

    # Reading and waiting

    def messages(self, channel: str, user: str | None = None, thread_ts: str | None = None) -> list[Message]:
        """A channel's messages, or a thread's, oldest first, as ``user`` sees them (None: all, also ephemeral)."""
        return self.store.messages(channel, user, thread_ts)

    async def wait_message(
        self,
        channel: str,
        predicate: Predicate = lambda _: True,
        *,
        user: str | None = None,
        after: str = "0",
        timeout: float = 10,  # noqa: ASYNC109 - seconds to a clear error
    ) -> Message:
        """Wait for a message (existing, new or edited; replies too) that ``user`` sees and that fits.

        ``after`` skips messages up to that ts. Raises TimeoutError with a list of the messages there.
        """

        def fits(message: Message) -> bool:
            right = message.channel == channel and message.visible_to(user) and float(message.ts) > float(after)
            return right and predicate(message)

        for message in self.store.everything(channel):
            if fits(message):
                return message
        return await self._next_message(channel, fits, timeout)

    async def _next_message(self, channel: str, fits: Predicate, seconds: float) -> Message:
        found: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def listen(change: Change, message: Message) -> None:
            if not found.done() and change != "message_deleted":
                _settle(found, message, fits)

        self.store.listeners.add(listen)
        try:
            async with asyncio.timeout(seconds):
                return await found
        except TimeoutError:
            seen = [m.all_text()[:300] for m in self.store.everything(channel)[-8:]]
            raise TimeoutError(f"no such message in {channel} within {seconds} s; the last ones: {seen}") from None
        finally:
            self.store.listeners.discard(listen)

    async def wait_view(
        self,
        user: str,
        predicate: Callable[[View], bool] = lambda _: True,
        *,
        timeout: float = 10,  # noqa: ASYNC109 - seconds to a clear error
    ) -> View:
        """Wait until the user's topmost modal, or Home, fits. Raises TimeoutError."""
        present = [view for view in (self.view_of(user), self.home_of(user)) if view is not None]
        for view in present:
            if predicate(view):
                return view
        found: asyncio.Future[View] = asyncio.get_running_loop().create_future()

        def listen(change: str, view: View) -> None:
            if not found.done() and change != "view_closed" and view.user == user:
                _settle(found, view, predicate)

        self.core.views.listeners.add(listen)
        try:
            async with asyncio.timeout(timeout):
                return await found
        except TimeoutError:
            raise TimeoutError(f"no such view for {user} within {timeout} s") from None
        finally:
            self.core.views.listeners.discard(listen)


def _settle(found: asyncio.Future[Any], item: Any, fits: Callable[[Any], bool]) -> None:
    """Resolve a wait if ``item`` fits; a predicate that fails is the waiter's error, not the sender's."""
    try:
        if fits(item):
            found.set_result(item)
    except Exception as error:  # raised to the waiter, whatever the predicate raises
        found.set_exception(error)


def _entered(view: View, values: Mapping[str, Any]) -> Json:
    entered: Json = {}
    elements = {b["block_id"]: b["element"] for b in view.body["blocks"] if b["type"] == "input"}
    for block_id, given in values.items():
        if isinstance(given, str):
            if block_id not in elements:
                raise ValueError(f"no input block {block_id!r}; there are {sorted(elements)}")
            element = elements[block_id]
            entered[block_id] = {element["action_id"]: {"type": element["type"], "value": given}}
        else:
            entered[block_id] = given
    return entered
