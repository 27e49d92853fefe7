"""Acknowledges Slack's requests at once, and starts their work after that."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.adapters.slack import forms, inbound, payload
from bot.adapters.slack.acknowledgement import Acknowledgement
from bot.adapters.slack.api import SlackObserver
from bot.adapters.slack.connection import AT_ONCE
from bot.adapters.slack.memory import LastTaps, SeenRequests
from bot.adapters.slack.request import SlackRequest
from bot.adapters.slack.request_handler import RequestHandler
from bot.adapters.slack.unfinished import IF_NOTHING_FOLLOWS
from bot.adapters.slack.work import MOST_WAITING, Workers
from bot.runbook.dispatch import Dispatcher

logger = logging.getLogger("agentpod.slack")
_CHECKING = {"response_type": "ephemeral", "text": f"⏳ Checking… {IF_NOTHING_FOLLOWS}"}
_TOO_MUCH = (
    f"You have {MOST_WAITING} commands waiting already, so this one was not run. "
    "Wait for their answers, then try again."
)


class Intake:
    """Accepts requests, each once, and hands them to the workers."""

    def __init__(
        self,
        app: AsyncApp,
        workers: Workers,
        handler: RequestHandler,
        dispatcher: Dispatcher,
        observer: SlackObserver,
        *,
        bot_user: str,
        names: tuple[str, ...],
        hearing: Callable[[], bool],
    ) -> None:
        """``names``: how messages address the bot; ``hearing``: whether new requests are accepted."""
        self._app, self._workers, self._handler = app, workers, handler
        self._dispatcher, self._observer = dispatcher, observer
        self._bot_user, self._names, self._hearing = bot_user, names, hearing
        self._seen = SeenRequests()
        self._warned: set[str] = set()
        """Users who got the message about too many waiting commands; a user without waiting ones is removed."""
        self._below: set[tuple[str, str, str]] = set()
        """Clicks that are being answered in a thread, by `_asked`."""
        self._taps = LastTaps()
        self._in_window: set[str] = set()
        """Clicks that are being answered in the window that they were made in."""
        app.use(self._middleware)

    async def on_socket(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        """Handle a Socket Mode envelope: decide on it and acknowledge it."""
        started = time.monotonic()
        if not payload.sound(req.payload):
            logger.warning("invalid request from Slack", extra={"kind": str(req.type)[:40]})
            req = SocketModeRequest(type="not understood", envelope_id=req.envelope_id, payload={})
        with self._workers.acknowledging():
            try:
                await self._acknowledge(client, req)
            except Exception as error:
                logger.warning("not acknowledged: %s", type(error).__name__, extra={"kind": req.type})
                return
        self._observer.acked(req.type, time.monotonic() - started)

    async def _acknowledge(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        """Acknowledge an envelope. A slash command bypasses Bolt, which would take most of the time."""
        if req.type != AT_ONCE:
            await send_async_response(client, req, await run_async_bolt_app(self._app, req), time.time())
            return
        frame = self._decide(req.payload).frame(req.envelope_id)
        if frame is not None:
            await client.send_message(frame)

    async def _middleware(self, req: AsyncBoltRequest) -> BoltResponse:
        return self._decide(req.body).bolt()

    def _decide(self, body: Mapping[str, Any]) -> Acknowledgement:
        """Start the request's work in the background, and return its acknowledgement."""
        request = inbound.read(body, self._bot_user, self._names)
        if request is None or not (request.user or request.step):
            return Acknowledgement()
        if not self._hearing():
            return Acknowledgement(accepted=False)
        if not self._seen.first(request.dedup):
            self._observer.redelivered(request.surface)
            return Acknowledgement()
        if request.tap in self._in_window or self._taps.again(request.user, request.tap):
            return Acknowledgement()
        if request.surface == "modal" and request.line:
            problem = self._dispatcher.problem(request.line, request.answers)
            if problem:
                self._seen.forget(request.dedup)  # the corrected modal is submitted under the same key
                return Acknowledgement(forms.refused(request.answers, problem))
        command = self._dispatcher.command(request.line)
        if request.surface == "mention" and command is not None and command.private:
            request = replace(request, private=True)
        if command is not None and command.threaded:
            request = inbound.below_message(request)
        quick = command is None or command.quick
        if not self._start(request, quick=quick):
            self._taps.again(request.user, "")
            return self._too_much(request)
        return Acknowledgement(_CHECKING if request.surface == "slash" else None)

    def _start(self, request: SlackRequest, *, quick: bool) -> bool:
        """Queue the request; return False if the user has too many waiting."""
        if not self._workers.waits(request.user):
            self._warned.discard(request.user)
        asked = _asked(request)
        if asked in self._below:
            said = partial(self._handler.say_running, request)
            return self._workers.start(said, f"slack-{request.surface}", request.user, quick=True)
        started = self._workers.start(
            partial(self._answer, request), f"slack-{request.surface}", request.user, quick=quick
        )
        if started and request.below:
            self._below.add(asked)
        if started and request.view and request.tap:
            self._in_window.add(request.tap)
        return started

    async def _answer(self, request: SlackRequest) -> None:
        try:
            await self._handler.handle(request)
        finally:
            self._below.discard(_asked(request))
            self._in_window.discard(request.tap)

    def _too_much(self, request: SlackRequest) -> Acknowledgement:
        """Tell the user that the request is not run: in the acknowledgement if possible, else in one message."""
        if request.surface == "slash":
            return Acknowledgement({"response_type": "ephemeral", "text": _TOO_MUCH})
        if request.surface == "modal" and request.answers:
            self._seen.forget(request.dedup)
            return Acknowledgement(forms.refused(request.answers, _TOO_MUCH))
        if request.step is not None:
            refused = partial(self._handler.handle, replace(request, line=None, said=_TOO_MUCH))
            self._workers.start(refused, "slack-too-much", f"told {request.user}", quick=True)
        elif request.user not in self._warned:
            self._warned.add(request.user)
            answer = self._handler.answer_to(replace(request, private=True))
            self._workers.start(
                partial(answer.say, _TOO_MUCH), "slack-too-much", f"told {request.user}", quick=True
            )
        return Acknowledgement()


def _asked(request: SlackRequest) -> tuple[str, str, str]:
    """Return what is asked for in a message's thread: channel, message, command line."""
    return request.channel, request.below, str(request.line)
