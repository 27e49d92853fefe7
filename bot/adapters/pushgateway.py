"""The `HeartbeatSource` port on a Prometheus Pushgateway's ``GET /api/v1/metrics`` and ``…/status``."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import msgspec

from bot.adapters.transport.bodies import BodyRefused
from bot.adapters.transport.clients import Answered, BadAddress, Client, CutOff, NotSent
from bot.domain.core import retry_after
from bot.domain.heartbeats.heartbeat import MANUAL, PUSH_FAILED, PUSHED, Group, HeartbeatPoll
from bot.errors import AgentpodError, NotAllowed, NotFound, Permanent, TimedOut, Transient, Unreachable

MAX_BYTES = 32 * 1024 * 1024
"""Maximum bytes of a response: about twenty thousand groups."""

MOST_GROUPS = 25_000
"""Maximum groups of a response."""

LARGEST_GROUP = 2 * 1024 * 1024
"""Maximum bytes of one group: decoding a larger one would block the interpreter for too long."""

LARGE = 64 * 1024
"""Bytes from which a response is decoded in a thread."""

STATUS_SECONDS = 1.0
"""The timeout for the gateway's own status."""

SETTING = "pushgateway.url"
"""The setting with the address, where it is not known where its value comes from."""

ALWAYS = (PUSHED, PUSH_FAILED, MANUAL)
"""Gauges that are always read: when the gateway last accepted and refused a push, and when one was manual."""


class _Sample(msgspec.Struct, gc=False):
    value: str = "NaN"  # histograms and summaries have none


class _Family(msgspec.Struct, gc=False):
    metrics: list[_Sample]


class _Since(msgspec.Struct):
    start_time: datetime


class _StatusResponse(msgspec.Struct):
    data: _Since


class _MetricsResponse(msgspec.Struct):
    status: str
    data: list[msgspec.Raw] | None = None


_ANSWER = msgspec.json.Decoder(_MetricsResponse)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@lru_cache(maxsize=32)
def _decoder(metrics: tuple[str, ...]) -> tuple[msgspec.json.Decoder[Any], tuple[tuple[str, str], ...]]:
    """Return a decoder of groups for these metrics, which skips all others without creating objects."""
    # These two members of a group are no gauges.
    names = [name for name in metrics if name not in ("labels", "last_push_successful")]
    fields = tuple((f"m{i}", name) for i, name in enumerate(names))
    group = msgspec.defstruct(
        "_Group",
        [("labels", dict[str, str]), *((field, _Family | None, None) for field, _ in fields)],
        rename=dict(fields),
        gc=False,
    )
    return msgspec.json.Decoder(group), fields


KnownGroups = dict[str, Group]


def parse(
    body: bytes | bytearray, metrics: Collection[str], known: KnownGroups | None = None, setting: str = SETTING
) -> HeartbeatPoll:
    """Read a response of ``/api/v1/metrics``. Raises Permanent if it can't be read or is too large.

    ``known`` holds the groups of the last response and is updated with those of this one: an unchanged group stays
    the same object, so that callers can compare by identity.

    Of several samples of one gauge within a group the largest value counts. A value that is no number becomes NaN,
    which the judge reports.
    """
    decoder, fields = _decoder(tuple(sorted({*ALWAYS, *metrics})))
    answer = _answer(body, setting)
    if answer.status != "success":
        raise Transient(f"The Pushgateway answered status {answer.status[:40]!r} instead of “success”.")
    known, before = {} if known is None else known, dict(known or ())
    known.clear()
    groups = []
    for one in answer.data or ():
        raw = _group(decoder, one, body, setting)
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
    return HeartbeatPoll(groups)


def _answer(body: bytes | bytearray, setting: str) -> _MetricsResponse:
    """Decode the response down to raw groups. Raises Permanent if it can't be read or has too many groups."""
    try:
        answer = _ANSWER.decode(body)
    except _UNREADABLE as error:
        raise _garbage(body, str(error), setting) from error
    if len(answer.data or ()) > MOST_GROUPS:
        raise _too_much(f"{len(answer.data or ()):,} groups; agentpod reads up to {MOST_GROUPS:,}")
    return answer


def _group(decoder: msgspec.json.Decoder[Any], raw: msgspec.Raw, body: bytes | bytearray, setting: str) -> Any:
    if len(memoryview(raw)) > LARGEST_GROUP:
        raise _too_much(f"a group of {len(memoryview(raw)):,} bytes; agentpod reads up to {LARGEST_GROUP:,}")
    try:
        return decoder.decode(raw)
    except _UNREADABLE as error:
        raise _garbage(body, str(error), setting) from error


def _too_much(what: str) -> Permanent:
    return Permanent(f"The Pushgateway holds {what}.", remedy="Delete groups of jobs that are gone.")


def _value(samples: list[_Sample]) -> float:
    try:
        if len(samples) == 1:
            return float(samples[0].value)
        return max((v for s in samples if (v := float(s.value)) == v), default=float("nan"))
    except ValueError:
        return float("nan")


def _garbage(body: bytes | bytearray, why: str, setting: str) -> Permanent:
    remedy = f"Check {setting}: it must be a Pushgateway's address, without /metrics or /api."
    if not body.strip():
        return Permanent("The Pushgateway answered with an empty body.", remedy=remedy)
    start = " ".join(body[:60].decode("utf-8", "replace").split())
    return Permanent(f"The Pushgateway answered something unexpected ({why}): “{start}”.", remedy=remedy)


class Pushgateway:
    """One Pushgateway. ``url`` is its root, without the API's path; ``auth`` is a user and a password."""

    def __init__(
        self, url: str, *, auth: tuple[str, str] | None = None, timeout: float = 3.0, setting: str = SETTING
    ) -> None:
        """``timeout`` is a call's deadline in seconds; ``setting`` says where the url comes from.

        Does not connect yet.
        """
        self._url, self._setting = url.rstrip("/"), setting
        self._client = Client(self._url, timeout, auth=auth)
        self._known: KnownGroups = {}
        self._reading = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def read(self, metrics: Collection[str]) -> HeartbeatPoll:
        """Return all groups with the named gauges. Raises `bot.errors`."""
        body = await self._get("metrics")
        async with self._reading:  # one at a time: `parse` updates the shared groups
            if len(body) < LARGE:
                snapshot = parse(body, metrics, self._known, self._setting)
            else:
                snapshot = await asyncio.to_thread(parse, body, metrics, self._known, self._setting)
        return replace(snapshot, started=await self._started())

    async def _started(self) -> datetime | None:
        """Return when the gateway started; None if it does not say so in time, as that is not essential."""
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                start = msgspec.json.decode(await self._get("status"), type=_StatusResponse).data.start_time
            return start.astimezone(UTC) if start.tzinfo else None
        except (AgentpodError, TimeoutError, OverflowError, *_UNREADABLE):
            return None

    async def push(self, labels: Mapping[str, str], gauges: Mapping[str, float]) -> None:
        """Add gauges to a group, as ``push-heartbeat.sh`` does, keeping its others. Raises `bot.errors`."""
        body = "".join(f"# TYPE {name} gauge\n{name} {value!r}\n" for name, value in gauges.items())
        await self._send("POST", f"{self._url}/metrics/{path_of(labels)}", content=body.encode())

    async def _get(self, what: str) -> bytes | bytearray:
        answer = await self._send("GET", f"{self._url}/api/v1/{what}")
        if answer.status != 200:
            raise self._refusal(answer)
        return answer.body

    async def _send(self, method: str, url: str, **request: Any) -> Answered:
        try:
            answer = await self._client.send(method, url, MAX_BYTES, **request)
        except (TimeoutError, BadAddress, NotSent, CutOff) as error:
            raise self._explain(error) from error
        if answer.status >= 300:
            raise self._refusal(answer)
        return answer

    @property
    def _shown(self) -> str:
        """The address without credentials."""
        scheme, separator, rest = self._url.rpartition("://")
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"

    def _explain(self, error: Exception) -> Permanent | Transient:
        where = f"the Pushgateway at {self._shown}"
        if isinstance(error, TimeoutError):
            route = self._client.route
            return TimedOut(
                f"no answer in {self._client.timeout:g} s{route.through}",
                remedy=f"{self._runs}{route.remedy('the Pushgateway')}",
            )
        if isinstance(error, BadAddress):
            return Permanent(f"{self._shown!r} is no http or https address.", remedy=f"Correct {self._setting}.")
        reason = str(error)
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return Permanent(
                f"The certificate of {where} is not trusted.",
                remedy="Give the bot its CA (SSL_CERT_FILE), or use an http address inside the cluster.",
            )
        if "[SSL" in reason:
            return Permanent(f"{where[0].upper() + where[1:]} does not speak TLS; try http://.")
        if isinstance(error, NotSent):
            return Unreachable(f"The Pushgateway at {self._shown} can't be reached: {reason}.", remedy=self._runs)
        if isinstance(error.__cause__, BodyRefused):
            return Permanent(
                f"The answer of {where} is not read: {error.__cause__}.",
                remedy="Delete groups of jobs that are gone."
                if "larger" in reason
                else "See what stands between the bot and the Pushgateway.",
            )
        return Transient(f"The Pushgateway at {self._shown} can't be read: {reason}.", remedy=self._runs)

    @property
    def _runs(self) -> str:
        """What to do where it does not answer."""
        return f"See whether the Pushgateway runs, and whether {self._setting} is right."

    def _refusal(self, answer: Answered) -> Permanent | Transient:
        status, now = answer.status, datetime.now(UTC)
        said = " ".join(answer.body[:120].decode("utf-8", "replace").split())
        what = f"The Pushgateway at {self._shown} answered HTTP {status}" + (f" (“{said}”)." if said else ".")
        if status in (401, 403):
            return NotAllowed(what, remedy="Set the user and password of the Pushgateway in the settings.")
        if status == 404:
            return NotFound(what, remedy=f"Check {self._setting}: its root, as given by --web.route-prefix.")
        if status == 429 or status >= 500:
            wish = answer.headers.get("Retry-After")
            pause = retry_after.seconds(wish, now)
            return Transient(what + retry_after.said(wish, now), remedy=READ_LOG, retry_after=pause)
        return Permanent(what, remedy=f"Check {self._setting}.")


READ_LOG = "The Pushgateway's own log says why."


def path_of(labels: Mapping[str, str]) -> str:
    """Return a grouping key as a URL path, the job first."""
    ordered = [("job", labels["job"]), *((n, v) for n, v in labels.items() if n != "job")]
    return "/".join(_part(name, value) for name, value in ordered)


def _part(name: str, value: str) -> str:
    if value and "/" not in value:
        return f"{name}/{quote(value, safe='')}"
    # A value with a slash needs base64, and an empty one is written as "=" (README of the Pushgateway, "URL").
    return f"{name}@base64/{base64.urlsafe_b64encode(value.encode()).decode().rstrip('=') or '='}"
