"""Calls Slack's Web API and response URLs over one connection pool, with deadlines and retries."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import aiohttp
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.adapters.slack import retries, sdk_logs, units
from bot.adapters.slack.errors import PASSING, UNKNOWN_METHOD, SlackRefused, UrlSpent, may_have_worked, translate
from bot.adapters.slack.hearing import Hearing
from bot.adapters.transport import sessions
from bot.domain.core import retry_after
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Reply
from bot.errors import AgentpodError, NotAllowed, Permanent, TimedOut, Transient, Uncertain

logger = logging.getLogger("agentpod.slack")

DEADLINE = 60.0
"""Seconds that a call may take, including its retries and Slack's pauses."""
SENT_ONCE = frozenset(
    {
        "chat.postMessage",
        "chat.postEphemeral",
        "chat.scheduleMessage",
        "files.completeUploadExternal",
        "views.open",
    }
)
"""Methods that are not idempotent: they are never retried automatically."""
WELL_FOR = 1.0
"""Seconds for which a successful check that Slack answers is valid."""
MAX_BYTES = 4 * 1024 * 1024
"""Maximum bytes of a response."""
_SPENT = ("used_url", "expired_url", "invalid_url")


class SlackObserver(Protocol):
    """Counts what happens between Slack and the bot."""

    def acked(self, kind: str, seconds: float) -> None:
        """A request was acknowledged ``seconds`` after it arrived."""

    def redelivered(self, kind: str) -> None:
        """A request was redelivered and not run again."""

    def api_call(self, method: str, outcome: str, seconds: float) -> None:
        """A call ended; ``outcome`` is ``ok`` or the error's type."""

    def connected(self, connected: bool) -> None:
        """The bot connected to Slack or lost the connection."""

    def delivery_failed(self, reason: str) -> None:
        """An answer could not be delivered in any way."""


class Api:
    """The Web API and response URLs."""

    def __init__(self, token: str, base_url: str, observer: SlackObserver, outside: Outside | None = None) -> None:
        """Open the connection pool; needs a running event loop. ``outside`` redacts what is sent to Slack."""
        self.outside = outside or Outside()
        self.name_of: Callable[[str], str] = lambda _: ""
        """What a user is called, as far as Slack has said so."""
        sdk_logs.quieten()
        self.base_url = base_url
        self.refused = ""
        """Why Slack refuses the bot token now; empty while it accepts it."""
        self.refusal = asyncio.Event()
        """Set while it does not."""
        self.hearing = Hearing()
        self._worked = False
        self.session = new_session(timeout=aiohttp.ClientTimeout(total=30, connect=5))
        self.client = self.web_client(token, retries.handlers())
        self._sends_once = self.web_client(token, [])
        self._observer = observer
        self._unsupported: set[str] = set()
        self._well_until = 0.0
        self._asking = asyncio.Lock()

    def web_client(self, token: str | None, handlers: list[AsyncRetryHandler]) -> AsyncWebClient:
        """Return an SDK client that uses this pool."""
        made = AsyncWebClient(
            token, base_url=self.base_url, session=self.session, logger=sdk_logs.SDK, retry_handlers=handlers
        )
        made.proxy = None  # the SDK reads only some of the proxy variables; the session chooses the proxy
        return made

    async def clean(self, reply: Reply) -> Reply:
        """Redact a reply and make it plain text; a large one in a thread."""
        if self.outside.is_large(reply):
            return await asyncio.to_thread(self.outside.reply, reply)
        return self.outside.reply(reply)

    async def close(self) -> None:
        """Close the pool."""
        await self.session.close()

    async def call(self, method: str, deadline: float = DEADLINE, **arguments: Any) -> dict[str, Any]:
        """Call the Web API. ``deadline`` in seconds covers all tries. Raises AgentpodError.

        Methods in `SENT_ONCE` are not retried, as with :meth:`once`.
        """
        client = self._sends_once if method in SENT_ONCE else self.client
        return await self._call(client, method, deadline, arguments)

    async def once(self, method: str, deadline: float, **arguments: Any) -> dict[str, Any]:
        """Call the Web API without retries.

        Raises AgentpodError: Uncertain or TimedOut if the call may have succeeded, Transient with Slack's pause.
        """
        return await self._call(self._sends_once, method, deadline, arguments)

    async def _call(
        self, client: AsyncWebClient, method: str, deadline: float, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        started, outcome = time.monotonic(), "ok"
        try:
            async with asyncio.timeout(deadline) as limit:
                retries.until.set(limit.when() or 0.0)
                response = await client.api_call(method, data=_form(arguments))
            data = response.data if isinstance(response.data, dict) else {}
            self._note_token("")
            return {**data, "_headers": dict(response.headers)}
        except Exception as error:
            failure = translate(method, error, self.base_url)
            if client is self._sends_once and may_have_worked(error) and not isinstance(failure, TimedOut):
                failure = Uncertain(failure.message, remedy=failure.remedy)
            outcome = type(failure).__name__
            if isinstance(failure, NotAllowed):
                self._note_token(failure.message)
            self._name_unsupported(method, failure)
            raise failure from None
        finally:
            self._observer.api_call(method, outcome, time.monotonic() - started)

    def _note_token(self, refusal: str) -> None:
        """Record whether Slack accepts the token (empty ``refusal``), and log each change once."""
        self._worked = self._worked or not refusal
        (self.hearing.lost if refusal else self.hearing.regained)("token")
        if refusal and self._worked and not self.refused:  # at start the caller reports it
            logger.error("%s", refusal)
        elif self.refused and not refusal:
            logger.info("Slack accepts the bot token again")
        self.refused = refusal
        (self.refusal.set if refusal else self.refusal.clear)()

    def _name_unsupported(self, method: str, error: AgentpodError) -> None:
        if isinstance(error, SlackRefused) and error.word in UNKNOWN_METHOD and method not in self._unsupported:
            self._unsupported.add(method)
            logger.warning("the server does not know a method", extra={"method": method})

    async def well(self) -> bool:
        """Whether Slack answers now, by ``auth.test``; concurrent callers share one call."""
        async with self._asking:
            if time.monotonic() < self._well_until:
                return True
            try:
                await self.once("auth.test", 5)
            except AgentpodError:
                return False
            self._well_until = time.monotonic() + WELL_FOR
            return True

    async def respond(self, url: str, payload: dict[str, Any], deadline: float = 30.0) -> None:
        """Post to a response URL, without retries.

        Raises UrlSpent, SlackRefused, Transient, or Uncertain or TimedOut if the post may have succeeded.
        """
        started, outcome = time.monotonic(), "ok"
        try:
            async with asyncio.timeout(deadline):
                await self._respond(url, payload)
        except Exception as error:
            failure = translate("response_url", error, url)
            if may_have_worked(error) and not isinstance(failure, TimedOut):
                failure = Uncertain(failure.message, remedy=failure.remedy)
            outcome = type(failure).__name__
            raise failure from None
        finally:
            self._observer.api_call("response_url", outcome, time.monotonic() - started)

    async def _respond(self, url: str, payload: dict[str, Any]) -> None:
        async with self.session.post(url, json=_readable(payload)) as response:
            text = await response.text()
        if response.status == 429:
            wish, now = response.headers.get("Retry-After"), datetime.now(UTC)
            said = f"Slack asked for fewer answers.{retry_after.said(wish, now)}"
            raise Transient(said, retry_after=retry_after.seconds(wish, now))
        if response.status >= 500:
            raise Uncertain(f"Slack answered a response URL with HTTP {response.status}.")
        if response.status >= 300 or _is_error(text):
            raise _url_refusal(text)

    async def hand_in(self, name: str, content: str) -> str:
        """Upload a text file and return its id; nobody sees it before `attach`. Raises AgentpodError."""
        return await self._upload(name, content.encode("utf-8", "replace") or b"\n", {})

    async def attach(self, files: Mapping[str, str], channel: str, thread_ts: str | None) -> None:
        """Show uploaded files (names by id) in a conversation. Raises what :meth:`once` raises."""
        where = {"channel_id": channel} | ({"thread_ts": thread_ts} if thread_ts else {})
        listed = [{"id": id_, "title": name} for id_, name in files.items()]
        await self.call("files.completeUploadExternal", 15, files=listed, **where)

    async def picture(self, name: str, raw: bytes, alt: str) -> str:
        """Upload a picture for blocks and return its file id. Raises AgentpodError.

        Slack processes it first: until then blocks that refer to it are refused.
        """
        id_ = await self._upload(name, raw, {"alt_txt": alt[:1000]})
        await self.call("files.completeUploadExternal", 15, files=[{"id": id_, "title": name}])
        return id_

    async def _upload(self, name: str, raw: bytes, more: dict[str, str]) -> str:
        """Upload a file's bytes. This can be repeated, as nobody sees the file before the upload is completed."""
        form = {"filename": name[:255].replace("/", "_"), "length": len(raw), **more}
        place = await self.call("files.getUploadURLExternal", 15, **form)
        try:
            async with self.session.post(place["upload_url"], data=io.BytesIO(raw)) as response:
                _check_upload(response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise translate("file upload", error, str(place["upload_url"])) from None
        return str(place["file_id"])


def new_session(**options: Any) -> aiohttp.ClientSession:
    """Open a session for all of Slack's addresses: the Web API, response URLs, uploads, Socket Mode."""
    return sessions.session(MAX_BYTES, **options)


def _form(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Encode arguments as a form: some methods, such as files.getUploadURLExternal, take no JSON."""
    return {name: _field(value) for name, value in _readable(arguments).items()}


def _readable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's arguments with what people read as it is broken into lines best."""
    return {
        name: units.joined(value) if name in ("blocks", "view") else value for name, value in arguments.items()
    }


def _field(value: Any) -> str:
    if isinstance(value, bool | dict | list):
        return json.dumps(value)
    return str(value).encode("utf-8", "replace").decode()


def _check_upload(status: int) -> None:
    """Raise Transient or Permanent if an upload failed."""
    if status >= 500:
        raise Transient(f"Slack answered the file's upload with HTTP {status}.", remedy="Try again in a moment.")
    if status >= 300:
        raise Permanent(f"Slack did not take the file (HTTP {status}).")


def _is_error(text: str) -> bool:
    """Whether a response with a 2xx status contains an error."""
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        return json.loads(text[:2_000]).get("ok") is False
    return False


def _url_refusal(text: str) -> AgentpodError:
    word = text.strip()
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        word = str(json.loads(text).get("error", word))
    if any(spent in word for spent in _SPENT):
        return UrlSpent("The response URL is used up or has expired.")
    if word in PASSING:
        return Uncertain(f"Slack could not take the answer just now ({word}).")
    known = word if word.replace("_", "").isalpha() and len(word) < 60 else "refused"
    return SlackRefused(f"Slack did not take the answer: {known}.", known, details=text[:300])
