"""Malformed payloads raise no exception, over the socket and over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import logging
import random
import socket
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.adapters.slack import payload
from bot.adapters.transport.gate import Gate
from sandbox.slack import seed
from sandbox.slack.http_mode import sign
from tests.adapters.slack_bench import Rig, http_rig, rig, until
from tests.mutations import mutations

WHO = {"id": seed.MAYA, "username": "maya", "name": "maya", "team_id": seed.TEAM_ID}
TEAM = {"id": seed.TEAM_ID, "domain": "sandbox"}
VALUE = json.dumps({"c": "fix", "k": "key"})
META = json.dumps({"c": "fix", "s": "", "ch": seed.OPS, "u": "", "e": False})
EVENT = {
    "type": "event_callback",
    "team_id": seed.TEAM_ID,
    "event_id": "Ev1",
    "authorizations": [{"enterprise_id": None, "team_id": seed.TEAM_ID, "user_id": "B", "is_bot": True}],
    "is_ext_shared_channel": False,
}
MENTION = {
    "type": "app_mention",
    "user": seed.MAYA,
    "text": "<@U07AGENTPOD> fix",
    "ts": "1.2",
    "channel": seed.OPS,
}
DIRECT = {"type": "message", "channel_type": "im", "user": seed.MAYA, "text": "fix", "ts": "1.3", "channel": "D1"}
STRANGER = {**MENTION, "user_team": "E1", "source_team": "T9", "team": "T9"}
HOME = {"type": "app_home_opened", "user": seed.MAYA, "channel": "D1", "tab": "home", "event_ts": "1.4"}
VIEW = {"id": "V1", "type": "modal", "callback_id": "agentpod:form", "private_metadata": META}
SLASH: dict[str, Any] = {
    "command": "/agentpod",
    "text": "fix",
    "user_id": seed.MAYA,
    "channel_id": seed.OPS,
    "team_id": seed.TEAM_ID,
    "response_url": "",
    "trigger_id": "1.1.x",
}
CLICK = {
    "type": "block_actions",
    "user": WHO,
    "team": TEAM,
    "enterprise": None,
    "channel": {"id": seed.OPS, "name": "ops"},
    "container": {"type": "message", "channel_id": seed.OPS, "message_ts": "1.2", "is_ephemeral": True},
    "message": {"type": "message", "text": "x", "ts": "1.2", "user": "B"},
    "actions": [
        {"type": "button", "action_id": "agentpod:run:0", "block_id": "b", "value": VALUE, "action_ts": "1"}
    ],
    "trigger_id": "1.2.x",
    "response_url": "",
}
FORM = {
    "type": "view_submission",
    "user": WHO,
    "team": TEAM,
    "view": {**VIEW, "state": {"values": {"reason": {"value": {"type": "plain_text_input", "value": "why"}}}}},
    "trigger_id": "1.3.x",
    "response_urls": [],
}
EVENTS = [{**EVENT, "event": event} for event in (MENTION, DIRECT, HOME)]
EVENTS.append({**EVENT, "event": STRANGER, "is_ext_shared_channel": True})
BODIES: list[dict[str, Any]] = [SLASH, CLICK, FORM, *EVENTS]
ERRORS = ("error", "exception", "traceback")


@pytest.fixture
async def heard() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


@pytest.fixture
async def served(unused_tcp_port: int) -> AsyncIterator[Rig]:
    async with http_rig(unused_tcp_port) as made:
        yield made


def blamed(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The defects logged by the bot, Bolt or the SDK."""
    return [
        r.getMessage()
        for r in caplog.records
        if r.exc_info or (r.levelno >= logging.ERROR and "lost" not in r.msg)
    ]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_what_slack_sends_is_sound(body: dict[str, Any]) -> None:
    assert payload.sound(body)
    assert payload.sound({"type": "url_verification", "challenge": "x", "token": "y"})
    assert payload.sound({"ssl_check": "1", "token": "x"})


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (("user",), "U1"),
        (("user", "id"), {}),
        (("team",), [1]),
        (("channel",), 5),
        (("container",), "x"),
        (("actions",), {}),
        (("actions", 0), None),
        (("actions", 0, "value"), "x" * 5_000),
        (("trigger_id",), "\ud800"),
        (("response_url",), "\0"),
        (("message",), "x"),
        (("view",), []),
        (("response_urls",), [None]),
        (("response_urls",), None),
        (("message", "event"), {}),
        (("message", "message"), {"user": 1.5}),
        (("authorizations",), [{"authorizations": []}]),
    ],
)
def test_what_slack_never_sends_is_not(part: tuple[Any, ...], value: object) -> None:
    body = copy.deepcopy(CLICK)
    holder: Any = body
    for step in part[:-1]:
        holder = holder[step]
    holder[part[-1]] = value
    assert not payload.sound(body)


async def test_mutated_payloads_by_the_socket_are_acknowledged_and_raise_nothing(
    heard: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    kinds = ["slash_commands", "interactive", "interactive", *["events_api"] * 4]
    delivery = heard.ws.core.delivery
    changed = list(mutations(BODIES, 3_500, seed=1))
    for start in range(0, len(changed), 70):
        batch = zip(kinds * 10, changed[start : start + 70], strict=True)
        acks = await asyncio.gather(*(delivery.deliver(kind, body) for kind, body in batch))  # type: ignore[arg-type]
        assert [a.error for a in acks if not a.ok] == []
    assert blamed(caplog) == []


async def test_frames_that_are_no_envelopes_raise_nothing(heard: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    [connection] = heard.ws._hub._connections
    frame = {"type": "slash_commands", "envelope_id": "e", "payload": SLASH, "accepts_response_payload": True}
    for changed in mutations([frame], 500, seed=2):
        if changed.get("type") != "disconnect":
            await connection.ws.send_str(json.dumps(changed))
    for text in ("", "{", "[" * 5_000, "{" * 5_000, '"x"', "null", "\0", "5"):
        await connection.ws.send_str(text)
    asked = await heard.ws.slash(seed.MAYA, seed.OPS, "/agentpod", "fix")
    assert asked.ok
    assert blamed(caplog) == []


class Wire:
    """The sender in HTTP mode: Slack, or somebody else."""

    def __init__(self, served: Rig, http: aiohttp.ClientSession) -> None:
        self.secret, self.http = served.ws.signing_secret, http
        self.url = f"http://127.0.0.1:{served.slack.port}/slack/events"

    async def post(self, body: bytes, kind: str = "application/x-www-form-urlencoded", **headers: str) -> int:
        stamp = str(int(time.time()))
        signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": sign(self.secret, stamp, body)}
        async with self.http.post(
            self.url, data=body, headers={"Content-Type": kind, **signed, **headers}
        ) as answer:
            return answer.status


@pytest.fixture
async def wire(served: Rig) -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession() as http:
        yield Wire(served, http)


def encoded(body: dict[str, Any], dice: random.Random) -> tuple[bytes, str]:
    """The payload in Slack's encoding: JSON for events, forms for the rest."""
    if body.get("type") == "event_callback" or dice.random() < 0.1:
        return json.dumps(body).encode(), "application/json"
    fields = {"payload": json.dumps(body)} if "type" in body else {k: str(v)[:99] for k, v in body.items()}
    return urlencode(fields, errors="replace").encode(), "application/x-www-form-urlencoded"


async def test_mutated_requests_by_http_get_an_answer_and_raise_nothing(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    dice = random.Random(3)  # noqa: S311 - no secret
    statuses = set()
    for body in mutations(BODIES, 1_500, seed=3):
        raw, kind = encoded(body, dice)
        if dice.random() < 0.3:
            at = dice.randrange(len(raw) + 1)
            raw = raw[:at] + bytes(dice.randrange(256) for _ in range(3)) + raw[at + dice.randrange(5) :]
        statuses.add(await wire.post(raw, kind))
    assert statuses <= {200, 400}
    assert blamed(caplog) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"null", b"5", b'"x"', b"[" * 5_000, b'{"a":' * 5_000, b"payload=", b"payload=[]",
        b"payload=5", b"payload=%7B", b"&".join(b"a%d=1" % n for n in range(500)), b"payload=%ff", b"\xff\xfe",
        b"payload=" + b"9" * 9_000,
        b'{"type":"event_callback","event":[]}', b'{"type":"event_callback","authorizations":[5]}',
        b'{"user":5}',
    ],
    ids=range(19),
)  # fmt: skip
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
async def test_signed_nonsense_is_the_senders_fault(
    wire: Wire, raw: bytes, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await wire.post(raw, kind) in (200, 400)
    assert blamed(caplog) == []


async def test_what_is_not_signed_is_refused_before_its_body_is_read(wire: Wire, served: Rig) -> None:
    for headers in (
        "",
        "X-Slack-Request-Timestamp: 1\r\nX-Slack-Signature: v0=" + "0" * 64 + "\r\n",
        f"X-Slack-Request-Timestamp: ²\r\nX-Slack-Signature: v0={'0' * 64}\r\n",
        f"X-Slack-Request-Timestamp: {'9' * 5_000}\r\nX-Slack-Signature: v0={'0' * 64}\r\n",
        f"X-Slack-Request-Timestamp: {int(time.time())}\r\nX-Slack-Signature: v1={'0' * 64}\r\n",
        f"X-Slack-Request-Timestamp: {int(time.time())}\r\n",
    ):
        head = f"POST /slack/events HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 400000\r\n\r\n"
        answer = await exchange(served, head.encode())
        assert answer.startswith(b"HTTP/1.1 401 "), headers[:80]
    assert await wire.post(b"x=" + b"1" * 600_000) == 413
    assert served.counts.commands == []


async def exchange(served: Rig, raw: bytes) -> bytes:
    """Send bytes, then read until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.slack.port)
    writer.write(raw)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


class Quiet(asyncio.Protocol):
    """A client that sends nothing."""


@pytest.fixture
async def gate() -> AsyncIterator[tuple[Gate, int]]:
    gate = Gate(Quiet, most=3, patience=0.05)
    server = await asyncio.get_running_loop().create_server(gate, "127.0.0.1", 0)
    yield gate, int(server.sockets[0].getsockname()[1])
    server.close()


async def test_who_sends_no_whole_request_is_hung_up_on(gate: tuple[Gate, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gate[1])
    writer.write(b"POST / HT")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert len(gate[0]) == 0


async def test_the_oldest_that_waits_makes_room_for_a_new_one(served: Rig, wire: Wire) -> None:
    held = []
    for _ in range(150):
        one = socket.create_connection(("127.0.0.1", int(served.slack.port or 0)))
        one.sendall(b"POST /slack/events HTTP/1.1\r\nHost: x\r\n")
        held.append(one)
        await asyncio.sleep(0)
    assert await wire.post(urlencode(SLASH).encode()) == 200
    await until(lambda: served.runs_of("fix") == 1)
    for one in held:
        one.close()
