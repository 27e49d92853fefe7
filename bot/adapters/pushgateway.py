"""`bot.ports.HeartbeatSource` on a Prometheus Pushgateway's ``GET /api/v1/metrics`` and ``…/status``."""

from __future__ import annotations

import asyncio
import base64
import importlib
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from bot.domain.heartbeat import MANUAL, PUSH_FAILED, PUSHED, Group, Snapshot
from bot.errors import AgentpodError, NotAllowed, NotFound, Permanent, TimedOut, Transient

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 64 * 1024 * 1024
"""Largest answer that is read."""

STATUS_SECONDS = 1.0
"""How long the gateway's word on itself is waited for."""

ALWAYS = (PUSHED, PUSH_FAILED, MANUAL)
"""Read beside the policies' own gauges: when the gateway last took a push, and last refused one."""


class _Sample(msgspec.Struct, gc=False):
    value: str = "NaN"  # histograms and summaries have none


class _Family(msgspec.Struct, gc=False):
    metrics: list[_Sample]


class _Since(msgspec.Struct):
    start_time: datetime


class _Status(msgspec.Struct):
    data: _Since


@lru_cache(maxsize=32)
def _decoder(metrics: tuple[str, ...]) -> tuple[msgspec.json.Decoder[Any], tuple[tuple[str, str], ...]]:
    """A decoder for just those metrics: everything else in the answer is skipped without becoming objects."""
    # The group's own two members can't be read as gauges.
    names = [name for name in metrics if name not in ("labels", "last_push_successful")]
    fields = tuple((f"m{i}", name) for i, name in enumerate(names))
    group = msgspec.defstruct(
        "_Group",
        [("labels", dict[str, str]), *((field, _Family | None, None) for field, _ in fields)],
        rename=dict(fields),
        gc=False,
    )
    answer = msgspec.defstruct("_Answer", [("status", str), ("data", list[group] | None)])  # type: ignore[valid-type]
    return msgspec.json.Decoder(answer), fields


Known = dict[str, Group]


def parse(body: bytes, metrics: Collection[str], known: Known | None = None) -> Snapshot:
    """Read ``/api/v1/metrics``. Raises Permanent for what is not its JSON.

    ``known`` holds the groups of the last answer, and then those of this one: a group that is as it was is the
    same object, by which whoever compares the two sees it at once.

    Of several samples of one gauge within a group the newest value counts. A value that is no number is NaN, which
    the judge reports.
    """
    decoder, fields = _decoder(tuple(sorted({*ALWAYS, *metrics})))
    try:
        answer = decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _garbage(body, str(error)) from error
    if answer.status != "success":
        raise Transient(f"The Pushgateway answered status {answer.status[:40]!r} instead of “success”.")
    known, before = {} if known is None else known, dict(known or ())
    known.clear()
    groups = []
    for raw in answer.data or ():
        gauges: dict[str, float] = {}
        for field, name in fields:
            family = getattr(raw, field)
            if family is not None and family.metrics:
                gauges[name] = _value(family.metrics)
        labels = raw.labels
        key = "\n".join(labels.values())  # the gateway writes them in one order
        group = before.get(key)
        if group is None or group.gauges != gauges or group.labels != labels:
            group = Group(labels, gauges)
        known[key] = group
        groups.append(group)
    return Snapshot(groups)


def _value(samples: list[_Sample]) -> float:
    try:
        if len(samples) == 1:
            return float(samples[0].value)
        return max((v for s in samples if (v := float(s.value)) == v), default=float("nan"))
    except ValueError:
        return float("nan")


def _garbage(body: bytes, why: str) -> Permanent:
    remedy = "Check AGENTPOD_PUSHGATEWAY__URL: it must be a Pushgateway's address, without /metrics or /api."
    if not body.strip():
        return Permanent("The Pushgateway answered with an empty body.", remedy=remedy)
    start = " ".join(body[:60].decode("utf-8", "replace").split())
    return Permanent(f"The Pushgateway answered something unexpected ({why}): “{start}”.", remedy=remedy)


class Pushgateway:
    """One Pushgateway. ``url`` is its root, without a path of the API; ``auth`` a user and a password."""

    def __init__(self, url: str, *, auth: tuple[str, str] | None = None, timeout: float = 3.0) -> None:
        """``timeout`` is the deadline of a read, in seconds. Nothing is sent yet."""
        self._url = url.rstrip("/")
        self._auth = auth
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None
        self._known: Known = {}

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def read(self, metrics: Collection[str]) -> Snapshot:
        """All groups with the named gauges. Raises `bot.errors` that say what was wrong."""
        return replace(parse(await self._get("metrics"), metrics, self._known), started=await self._started())

    async def _started(self) -> datetime | None:
        """When it was started, if it says so at once: that is only worth a remark."""
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                start = msgspec.json.decode(await self._get("status"), type=_Status).data.start_time
        except (AgentpodError, TimeoutError, msgspec.MsgspecError):
            return None
        return start.astimezone(UTC) if start.tzinfo else None

    async def push(self, labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        """Add gauges to a group, as ``push-heartbeat.sh`` does: what else is in it stays. Raises `bot.errors`."""
        import_httpx = asyncio.to_thread(importlib.import_module, "httpx")
        httpx = await import_httpx
        body = "".join(f"# TYPE {name} gauge\n{name} {value!r}\n" for name, value in gauges.items())
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._http().post(f"{self._url}/metrics/{_path(labels)}", content=body.encode())
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise self._explain(error) from error
        if response.status_code >= 300:
            raise self._refusal(response.status_code, response.content, response.headers.get("Retry-After", ""))

    async def _get(self, what: str) -> bytes:
        if "httpx" not in sys.modules:  # slow to import: in a thread, so that Slack is heard meanwhile
            await asyncio.to_thread(importlib.import_module, "httpx")
        import httpx

        try:
            async with (
                asyncio.timeout(self._timeout),
                self._http().stream("GET", f"{self._url}/api/v1/{what}") as response,
            ):
                body = await _limited(response)
                status, headers = response.status_code, response.headers
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise self._explain(error) from error
        if status != 200:
            raise self._refusal(status, body, headers.get("Retry-After", ""))
        return body

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            # This machine is never asked through the environment's proxy.
            local = urlsplit(self._url).hostname in ("localhost", "127.0.0.1", "::1")
            self._client = httpx.AsyncClient(auth=self._auth, timeout=self._timeout, trust_env=not local)
        return self._client

    @property
    def _shown(self) -> str:
        """The address without credentials that somebody may have put into it."""
        scheme, separator, rest = self._url.rpartition("://")
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"

    def _explain(self, error: BaseException) -> Permanent | Transient:
        import httpx

        where = f"the Pushgateway at {self._shown}"
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            return TimedOut(f"no answer in {self._timeout:g} s", remedy=f"See whether {where} runs.")
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | ValueError):
            return Permanent(
                f"{self._shown!r} is no http or https address.", remedy="Set AGENTPOD_PUSHGATEWAY__URL."
            )
        reason = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return Permanent(
                f"The certificate of {where} is not trusted.",
                remedy="Give the bot its CA (SSL_CERT_FILE), or use an http address inside the cluster.",
            )
        if "[SSL" in reason:
            return Permanent(f"{where[0].upper() + where[1:]} does not speak TLS; try http://.")
        if isinstance(error, httpx.ConnectError):
            return Transient(
                f"The Pushgateway at {self._shown} can't be reached: {_connect_reason(reason)}.",
                remedy="See whether it runs, and whether AGENTPOD_PUSHGATEWAY__URL is right.",
            )
        return Transient(f"The Pushgateway at {self._shown} hung up before its answer was complete.")

    def _refusal(self, status: int, body: bytes, retry_after: str) -> Permanent | Transient:
        said = " ".join(body[:120].decode("utf-8", "replace").split())
        what = f"The Pushgateway at {self._shown} answered HTTP {status}" + (f" (“{said}”)." if said else ".")
        if status in (401, 403):
            return NotAllowed(what, remedy="Set the user and password of the Pushgateway in the settings.")
        if status == 404:
            return NotFound(
                what, remedy="Check AGENTPOD_PUSHGATEWAY__URL: its root, as given by --web.route-prefix."
            )
        if status == 429 or status >= 500:
            return Transient(what, retry_after=float(retry_after) if retry_after.isdecimal() else None)
        return Permanent(what, remedy="Check AGENTPOD_PUSHGATEWAY__URL.")


def _path(labels: Mapping[str, str]) -> str:
    """A grouping key as a path, the job first; base64 where a value could be taken for more of the path."""
    ordered = [("job", labels["job"]), *((n, v) for n, v in labels.items() if n != "job")]
    return "/".join(_part(name, value) for name, value in ordered)


def _part(name: str, value: str) -> str:
    if value and "/" not in value:
        return f"{name}/{quote(value, safe='')}"
    # An empty value is written as "=" (README of the Pushgateway, "URL").
    return f"{name}@base64/{base64.urlsafe_b64encode(value.encode()).decode().rstrip('=') or '='}"


def _connect_reason(reason: str) -> str:
    if "refused" in reason or "All connection attempts failed" in reason:
        return "connection refused"
    if any(words in reason for words in ("Name or service", "nodename", "name resolution", "No address")):
        return "its name does not resolve"
    return reason.rstrip(".") or "no connection"


async def _limited(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Permanent(
                f"The Pushgateway's answer is larger than {MAX_BYTES // 1024**2} MiB.",
                remedy="Delete groups of jobs that are gone.",
            )
    return bytes(body)
