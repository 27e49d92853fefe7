"""HTTP mode: signed requests to the app's URL instead of a socket."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
import uuid
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from sandbox.slack.delivery import FAILED, TIMEOUT, Ack, Kind
from sandbox.slack.faults import Faults
from sandbox.slack.model import Json
from sandbox.slack.record import Envelope, Record
from sandbox.slack.store import Clock

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Slack's ``X-Slack-Signature``, version v0: HMAC-SHA256 of ``v0:timestamp:body``."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


class HttpDelivery:
    """Posts to one request URL on this machine."""

    def __init__(
        self,
        request_url: str,
        secret: str,
        record: Record,
        faults: Faults,
        clock: Clock,
        *,
        ack_timeout_s: float = 3.0,
    ) -> None:
        """Raises ValueError if ``request_url`` isn't http(s) on this machine: the sandbox talks to nobody else."""
        parts = urlsplit(request_url)
        if parts.scheme not in ("http", "https") or parts.hostname not in LOCAL_HOSTS:
            raise ValueError(f"request_url must be an http address on localhost, not {request_url!r}")
        self.url = request_url
        self.verified = False
        self._secret = secret
        self._record = record
        self._faults = faults
        self._clock = clock
        self._timeout_s = ack_timeout_s
        self._session: aiohttp.ClientSession | None = None

    @property
    def connections(self) -> int:
        """Always 1: HTTP mode has one request URL."""
        return 1

    async def start(self) -> None:
        """Open the client session."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout_s))

    async def close(self) -> None:
        """Close the client session."""
        if self._session is not None:
            await self._session.close()

    async def verify(self) -> bool:
        """Run Slack's url_verification: the app must answer with the challenge. Remembers the outcome."""
        challenge = secrets.token_urlsafe(32)
        body = json.dumps({"token": "sandbox", "challenge": challenge, "type": "url_verification"}).encode()
        status, answer = await self._post(body, "application/json", {})
        text = answer.get("challenge", answer.get("text")) if isinstance(answer, dict) else None
        self.verified = status == 200 and text == challenge
        return self.verified

    async def deliver(self, kind: Kind, payload: Json, *, retry: int = 0, reason: str = "") -> Ack:
        """Post a payload and wait for the answer."""
        if kind == "events_api" and not self.verified and not await self.verify():
            return Ack(FAILED, 0.0)
        envelope = Envelope(str(uuid.uuid4()), kind, payload, self._clock(), self.url, retry, reason)
        self._record.envelopes.append(envelope)
        body, content_type = _encode(kind, payload)
        headers = {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": reason} if retry else {}
        started = time.perf_counter()
        status, answer = await self._post(body, content_type, headers)
        seconds = time.perf_counter() - started
        if self._faults.duplicate:
            await self._post(body, content_type, headers)
        if status != 200:
            return Ack(TIMEOUT if status == 0 else FAILED, seconds)
        envelope.ack_seconds, envelope.ack = seconds, answer
        return Ack(None, seconds, answer)

    async def _post(self, body: bytes, content_type: str, headers: dict[str, str]) -> tuple[int, Json | None]:
        """Status (0: no answer in time, -1: no connection) and the answer's content."""
        assert self._session is not None, "start() comes first"  # noqa: S101 - a programming error, not input
        timestamp = str(int(self._clock()))
        signed = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (sandbox)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": sign(self._secret, timestamp, body),
        }
        try:
            async with self._session.post(self.url, data=body, headers=signed | headers) as response:
                return response.status, _decode(await response.text())
        except TimeoutError:
            return 0, None
        except aiohttp.ClientError:
            return -1, None


def _encode(kind: Kind, payload: Json) -> tuple[bytes, str]:
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    fields: dict[str, Any] = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def _decode(text: str) -> Json | None:
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return {"text": text}
    return value if isinstance(value, dict) and value else None
