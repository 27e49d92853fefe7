"""Calls to Slack over one connection pool: retried within a deadline, counted, and translated."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import random
import time
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from bot.adapters.slack import sdk_logs
from bot.adapters.slack.errors import UNKNOWN_METHOD, SlackRefused, UrlSpent, may_have_worked, translate
from bot.errors import AgentpodError, NotAllowed, TimedOut, Transient, Uncertain

logger = logging.getLogger("agentpod.slack")

DEADLINE = 60.0
"""Seconds that one call may take, its retries and Slack's pauses included."""
_SPENT = ("used_url", "expired_url", "invalid_url")


class SlackObserver(Protocol):
    """Who counts what happens between Slack and the bot."""

    def acked(self, kind: str, seconds: float) -> None:
        """A request was acknowledged ``seconds`` after it arrived."""

    def redelivered(self, kind: str) -> None:
        """A request came again and was not run again."""

    def api_call(self, method: str, outcome: str, seconds: float) -> None:
        """A call ended: ``ok`` or the kind of error."""

    def connected(self, connected: bool) -> None:
        """The connection came or went."""

    def delivery_failed(self, reason: str) -> None:
        """An answer could not be delivered in any way."""


class Api:
    """The Web API and response URLs."""

    def __init__(self, token: str, base_url: str, observer: SlackObserver) -> None:
        """Opens the connection pool: needs a running event loop."""
        sdk_logs.quieten()
        self.base_url = base_url
        self.refused = ""
        """Why Slack does not take the bot token at present; empty while it does."""
        self._worked = False
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30, connect=5))
        retries = [
            AsyncConnectionErrorRetryHandler(max_retry_count=2),
            AsyncRateLimitErrorRetryHandler(max_retry_count=3),
            AsyncServerErrorRetryHandler(max_retry_count=2),
        ]
        self.client = self._client(token, retries)
        self._sends_once = self._client(token, [])
        self._observer = observer
        self._unsupported: set[str] = set()

    def _client(self, token: str, retries: list[AsyncRetryHandler]) -> AsyncWebClient:
        made = AsyncWebClient(
            token, base_url=self.base_url, session=self.session, logger=sdk_logs.SDK, retry_handlers=retries
        )
        if urlsplit(self.base_url).hostname in ("localhost", "127.0.0.1", "::1"):
            made.proxy = None  # the SDK takes HTTPS_PROXY from the environment, also for this machine
        return made

    async def close(self) -> None:
        """Close the pool."""
        await self.session.close()

    async def call(self, method: str, deadline: float = DEADLINE, **arguments: Any) -> dict[str, Any]:
        """One Web API call. Raises AgentpodError; ``deadline`` in seconds covers all tries."""
        return await self._call(self.client, method, deadline, arguments)

    async def once(self, method: str, deadline: float, **arguments: Any) -> dict[str, Any]:
        """The same without a second try: who calls knows better when.

        Raises Uncertain (or TimedOut) where it may have worked all the same, and Transient with Slack's pause.
        """
        return await self._call(self._sends_once, method, deadline, arguments)

    async def _call(
        self, client: AsyncWebClient, method: str, deadline: float, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        started, outcome = time.monotonic(), "ok"
        try:
            async with asyncio.timeout(deadline):
                response = await client.api_call(method, data=_form(arguments))
            data = response.data if isinstance(response.data, dict) else {}
            self._token_taken("")
            return {**data, "_headers": dict(response.headers)}
        except Exception as error:
            failure = translate(method, error, self.base_url)
            if client is self._sends_once and may_have_worked(error) and not isinstance(failure, TimedOut):
                failure = Uncertain(failure.message, remedy=failure.remedy)
            outcome = type(failure).__name__
            if isinstance(failure, NotAllowed):
                self._token_taken(failure.message)
            self._name_unsupported(method, failure)
            raise failure from None
        finally:
            self._observer.api_call(method, outcome, time.monotonic() - started)

    def _token_taken(self, refusal: str) -> None:
        """Say once that the token is refused, and once that it works again."""
        self._worked = self._worked or not refusal
        if refusal and self._worked and not self.refused:  # at start the caller says it
            logger.error(refusal)
        elif self.refused and not refusal:
            logger.info("Slack takes the bot token again")
        self.refused = refusal

    def _name_unsupported(self, method: str, error: AgentpodError) -> None:
        if isinstance(error, SlackRefused) and error.word in UNKNOWN_METHOD and method not in self._unsupported:
            self._unsupported.add(method)
            logger.warning("the server does not know a method", extra={"method": method})

    async def respond(self, url: str, payload: dict[str, Any], deadline: float = 30.0) -> None:
        """Post to a response URL. Raises UrlSpent, SlackRefused or Transient."""
        started, outcome = time.monotonic(), "ok"
        try:
            async with asyncio.timeout(deadline):
                await self._respond(url, payload)
        except Exception as error:
            failure = translate("response_url", error, url)
            outcome = type(failure).__name__
            raise failure from None
        finally:
            self._observer.api_call("response_url", outcome, time.monotonic() - started)

    async def _respond(self, url: str, payload: dict[str, Any]) -> None:
        for attempt in range(4):
            pause = 0.3 * 2**attempt * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
            try:
                async with self.session.post(url, json=payload) as response:
                    text = await response.text()
                    if response.status < 300:
                        return
                    if response.status == 429:
                        wait = response.headers.get("Retry-After", "")
                        pause = float(wait) if wait.isdigit() else pause
                    elif response.status < 500:
                        raise _url_refusal(text)
            except aiohttp.ClientError:
                if attempt == 3:
                    raise
            if attempt < 3:
                await asyncio.sleep(pause)
        raise Transient("Slack did not take the answer after several tries.", remedy="Try again in a moment.")

    async def upload(self, name: str, content: str, channel: str, thread_ts: str | None) -> None:
        """Put a text file into a conversation: address, bytes, completion. Raises AgentpodError."""
        where = {"channel_id": channel} | ({"thread_ts": thread_ts} if thread_ts else {})
        await self._upload(name, content.encode("utf-8", "replace") or b"\n", {}, where)

    async def picture(self, name: str, raw: bytes, alt: str) -> str:
        """Give Slack a picture to show in blocks; its file's id. Raises AgentpodError.

        For a moment blocks that refer to it are refused: Slack looks at it first.
        """
        return await self._upload(name, raw, {"alt_txt": alt[:1000]}, {})

    async def _upload(self, name: str, raw: bytes, more: dict[str, str], where: dict[str, str]) -> str:
        form = {"filename": name[:255].replace("/", "_"), "length": len(raw), **more}
        place = await self.call("files.getUploadURLExternal", 15, **form)
        try:
            async with self.session.post(place["upload_url"], data=io.BytesIO(raw)) as response:
                response.raise_for_status()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise translate("file upload", error, str(place["upload_url"])) from None
        files = [{"id": place["file_id"], "title": name}]
        await self.call("files.completeUploadExternal", 15, files=files, **where)
        return str(place["file_id"])


def _form(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Arguments as a form: some methods (files.getUploadURLExternal, usergroups.users.list) take no JSON."""
    return {name: _field(value) for name, value in arguments.items()}


def _field(value: Any) -> str:
    if isinstance(value, bool | dict | list):
        return json.dumps(value)
    return str(value).encode("utf-8", "replace").decode()


def _url_refusal(text: str) -> AgentpodError:
    word = text.strip()
    with contextlib.suppress(ValueError, AttributeError):
        word = str(json.loads(text).get("error", word))
    if any(spent in word for spent in _SPENT):
        return UrlSpent("The response URL is used up or has expired.")
    known = word if word.replace("_", "").isalpha() and len(word) < 60 else "refused"
    return SlackRefused(f"Slack did not take the answer: {known}.", known, details=text[:300])
