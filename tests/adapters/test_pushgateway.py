"""The Pushgateway adapter against the real gateway, and against invalid answers."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from aiohttp import web

from bot.adapters import pushgateway
from bot.adapters.pushgateway import Pushgateway, parse
from bot.domain.heartbeats.heartbeat import MANUAL, Group
from bot.errors import AgentpodError, NotAllowed, NotFound, Permanent, TimedOut, Transient
from sandbox.environment import free_port
from tests.pushgateway import real_pushgateway

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
GAUGE = "push_time_seconds"


@pytest.fixture
async def real() -> AsyncIterator[str]:
    async with real_pushgateway() as url:
        yield url


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def fixed(code: int, body: bytes, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=code, body=body, headers=headers)

    return answer


async def push(url: str, path: str, body: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(f"{url}/metrics/{path}", content=body)).status_code


async def test_an_empty_gateway_has_no_groups(real: str) -> None:
    source = Pushgateway(real)
    assert list((await source.read([GAUGE])).groups) == []
    await source.close()


async def test_real_pushes_are_read_with_keys_and_named_gauges(real: str) -> None:
    before = time.time()
    gauge = "session_manager_heartbeat_last_success_timestamp"
    assert (
        await push(real, "job/session_manager/context/desk", f"# TYPE {gauge} gauge\n{gauge} 1.79e9\nother 5\n")
        < 300
    )
    assert (
        await push(real, "job/histogram", '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n') < 300
    )
    source = Pushgateway(real + "/", timeout=5.0)
    groups = {g.job: g for g in (await source.read([GAUGE, gauge, "h"])).groups}
    await source.close()
    manager = groups["session_manager"]
    assert manager.labels["context"] == "desk"
    assert manager.gauges[gauge] == 1.79e9
    assert abs(manager.gauges[GAUGE] - before) < 60
    assert manager.gauges["push_failure_time_seconds"] == 0
    assert "other" not in manager.gauges
    assert math.isnan(groups["histogram"].gauges["h"])


async def test_a_failed_real_push_shows_in_the_failure_gauge(real: str) -> None:
    assert await push(real, "job/strict", "good 1\n") < 300
    assert await push(real, "job/strict", "good 1\ngood 1\n") == 400
    source = Pushgateway(real)
    [group] = (await source.read([GAUGE])).groups
    await source.close()
    assert group.gauges["push_failure_time_seconds"] >= group.gauges[GAUGE]


def answer(*groups: dict[str, object]) -> bytes:
    return json.dumps({"status": "success", "data": groups}).encode()


def family(*values: str) -> dict[str, object]:
    return {"time_stamp": "x", "type": "GAUGE", "metrics": [{"labels": {}, "value": v} for v in values]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1.79e+09"], 1.79e9),
        (["1", "3", "2"], 3.0),
        (["NaN", "2"], 2.0),
        (["NaN"], math.nan),
        (["+Inf"], math.inf),
        (["soon"], math.nan),
        (["1", "soon"], math.nan),
        ([], None),
    ],
)
def test_a_gauges_value_is_a_number_in_a_string(values: list[str], expected: float | None) -> None:
    [group] = parse(answer({"labels": {"job": "a"}, GAUGE: family(*values)}), [GAUGE]).groups
    found = group.gauges.get(GAUGE)
    assert found == expected or (
        found is not None and expected is not None and math.isnan(found) and math.isnan(expected)
    )


def test_only_the_named_gauges_are_read() -> None:
    body = answer({"labels": {"job": "a"}, "mine": family("1"), "broken": {"metrics": [{"value": 7}]}})
    assert parse(body, ["mine"]).groups[0].gauges == {"mine": 1.0}


def test_an_unchanged_group_is_the_same_object() -> None:
    def of(name: str, value: str, **labels: str) -> dict[str, object]:
        return {"labels": {"job": name, **labels}, GAUGE: family(value)}

    known: dict[str, Group] = {}
    first = parse(answer(of("a", "1"), of("b", "1"), of("c", "1", x="1")), [GAUGE], known).groups
    second = parse(answer(of("c", "1", y="1"), of("b", "2"), of("a", "1")), [GAUGE], known).groups
    assert second[2] is first[0]
    assert second[1].gauges == {GAUGE: 2.0}
    assert second[0].labels == {"job": "c", "y": "1"}, "the same values under another name are another group"
    assert len(known) == 3, "what is gone is forgotten"


def test_a_gauge_named_like_a_groups_own_member_is_not_looked_for() -> None:
    assert parse(answer({"labels": {"job": "a"}}), ["labels", "last_push_successful"]).groups[0].gauges == {}


def test_no_data_at_all_is_an_empty_snapshot() -> None:
    assert list(parse(b'{"status": "success", "data": null}', [GAUGE]).groups) == []


def test_ten_thousand_groups_are_all_read() -> None:
    body = answer(*({"labels": {"job": f"j{n}"}, GAUGE: family(str(n))} for n in range(10_000)))
    groups = parse(body, [GAUGE]).groups
    assert [g.gauges[GAUGE] for g in groups] == list(range(10_000))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "an empty body"),
        (b"  \n", "an empty body"),
        (b"garbage", "something unexpected .*“garbage”"),
        (b"<html><body>Welcome</body></html>", "“<html><body>Welcome"),
        (b"\xff\xfe\x00", "something unexpected"),
        (b"[]", "something unexpected"),
        (b"{}", "missing required field"),
        (b'{"status": "success", "data": {}}', "something unexpected"),
        (b'{"status": "success", "data": [{}]}', "labels"),
        (b'{"status": "success", "data": [{"labels": {"job": 5}}]}', "something unexpected"),
        (answer({"labels": {"job": "a"}})[:-4], "truncated"),
        (answer({"labels": {"job": "a"}, GAUGE: {"metrics": "no"}}), "something unexpected"),
        (answer({"labels": {"job": "a"}, GAUGE: {"metrics": [{"value": 5}]}}), "something unexpected"),
        (b"[" * 100_000, "something unexpected"),
    ],
)
def test_an_answer_that_is_not_a_gateways_is_explained(body: bytes, words: str) -> None:
    with pytest.raises(Permanent, match=words) as caught:
        parse(body, [GAUGE])
    assert "pushgateway.url" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (answer(*({"labels": {"job": f"j{n}"}} for n in range(25_001))), "holds 25,001 groups.* up to 25,000"),
        (answer({"labels": {"job": "a"}, "x": "y" * 2_100_000}), "a group of 2,100,.* bytes; .* up to 2,097,152"),
        (answer({"labels": {"job": "a"}})[:-2] + b',{"x":' + b"[" * 9999 + b"]" * 9999 + b"}]}", "unexpected"),
    ],
    ids=["groups", "series", "depth"],
)
def test_an_answer_too_large_to_parse_without_blocking_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(Permanent, match=words):
        parse(body, [GAUGE])


def test_a_status_of_error_is_transient() -> None:
    with pytest.raises(Transient, match="'error'"):
        parse(b'{"status": "error", "data": []}', [GAUGE])


async def _hang(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def _half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"status"')
    assert request.transport is not None
    request.transport.close()
    return response


async def _trickle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"status"')
    await asyncio.Event().wait()
    return response


@pytest.mark.parametrize(
    ("handler", "expected", "words"),
    [
        (_hang, TimedOut, r"no answer in 0\.5 s"),
        (_trickle, TimedOut, r"no answer in 0\.5 s"),
        (_half, Transient, "hung up"),
        (fixed(200, b"<html>"), Permanent, "something unexpected"),
        (fixed(302, b"", Location="http://127.0.0.1:1/"), Permanent, "HTTP 302"),
        (fixed(401, b"Unauthorized"), NotAllowed, "HTTP 401.*Unauthorized"),
        (fixed(403, b""), NotAllowed, "HTTP 403"),
        (fixed(404, b"404 page not found"), NotFound, "HTTP 404"),
        (fixed(500, b"oh"), Transient, "HTTP 500.*oh"),
        (fixed(418, b""), Permanent, "HTTP 418"),
    ],
)
async def test_every_fault_becomes_an_error_of_the_bot(
    handler: Handler, expected: type[AgentpodError], words: str
) -> None:
    async with serving(handler) as url:
        source = Pushgateway(url.replace("://", "://user:hidden@"), timeout=0.5)
        with pytest.raises(expected, match=words) as caught:
            await source.read([GAUGE])
        await source.close()
    assert "hidden" not in f"{caught.value} {caught.value.remedy}"


async def test_retry_after_is_passed_on() -> None:
    async with serving(fixed(503, b"", **{"Retry-After": "9"})) as url:
        source = Pushgateway(url)
        with pytest.raises(Transient) as caught:
            await source.read([GAUGE])
        await source.close()
    assert caught.value.retry_after == 9


@pytest.mark.parametrize(
    ("url", "expected", "words"),
    [
        ("http://no-such-host.invalid", Transient, "does not resolve"),
        ("ftp://127.0.0.1", Permanent, "no http or https address"),
        ("pushgateway:9091", Permanent, "no http or https address"),
        ("http://[::1", Permanent, "no http or https address"),
    ],
)
async def test_an_address_that_leads_nowhere_is_explained(
    url: str, expected: type[AgentpodError], words: str
) -> None:
    source = Pushgateway(url, timeout=10.0)
    with pytest.raises(expected, match=words):
        await source.read([GAUGE])
    await source.close()


async def test_a_refused_connection_is_named_as_the_cause() -> None:
    source = Pushgateway(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Transient, match="connection refused"):
        await source.read([GAUGE])
    await source.close()


async def test_basic_auth_is_sent() -> None:
    async def check(request: web.Request) -> web.Response:
        wanted = "Basic " + base64.b64encode(b"bot:made-up").decode()
        return web.Response(status=200 if request.headers.get("Authorization") == wanted else 401, body=answer())

    async with serving(check) as url:
        source = Pushgateway(url, auth=("bot", "made-up"))
        assert list((await source.read([GAUGE])).groups) == []
        await source.close()


async def test_an_answer_over_the_limit_is_refused() -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        piece = b" " * 1024 * 1024
        for _ in range(pushgateway.MAX_BYTES // len(piece) + 1):
            await response.write(piece)
        return response

    async with serving(flood) as url:
        source = Pushgateway(url, timeout=20.0)
        with pytest.raises(Permanent, match="larger than 32 MiB"):
            await source.read([GAUGE])
        await source.close()


@pytest.mark.parametrize(
    "labels",
    [
        {"job": "session_manager", "context": "desk"},
        {"job": "with/slash and blank", "path": "/a/b", "empty": ""},
        {"job": "ümläut", "q": "a?b#c%d"},
    ],
)
async def test_a_manual_push_reaches_its_group_and_is_marked_as_manual(real: str, labels: dict[str, str]) -> None:
    source = Pushgateway(real)
    await push(real, "job/session_manager/context/desk", "mine 5\n")
    await source.push(labels, {MANUAL: 1.79e9, "own_gauge": 1.5})
    groups = (await source.read({"own_gauge", "mine"})).groups
    wanted = {name: value for name, value in labels.items() if value}
    [found] = [g for g in groups if {n: v for n, v in g.labels.items() if v} == wanted]
    assert (found.gauges[MANUAL], found.gauges["own_gauge"]) == (1.79e9, 1.5)
    assert found.gauges.get("mine") == (5.0 if labels["job"] == "session_manager" else None)
    await source.close()


async def test_a_push_that_is_refused_says_why(real: str) -> None:
    source = Pushgateway(real)
    with pytest.raises(Permanent, match="answered HTTP 400"):
        await source.push({"job": "x"}, {"not a name": 1.0})
    await source.close()
    gone = Pushgateway("http://127.0.0.1:9")
    with pytest.raises(Transient, match="connection refused"):
        await gone.push({"job": "x"}, {"a": 1.0})
    await gone.close()


async def test_the_real_gateway_reports_its_start_time(real: str) -> None:
    source = Pushgateway(real)
    started = (await source.read([GAUGE])).started
    await source.close()
    assert started is not None
    assert abs(time.time() - started.timestamp()) < 60


NO_STARTS = (
    b"",
    b"{}",
    b'{"data": []}',
    b'{"data": {"start_time": "soon"}}',
    b'{"data": {"start_time": "0001-01-01T00:00:00+14:00"}}',
    b'{"data": {"start_time": "9999-12-31T23:59:59-14:00"}}',
    b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"data": {"start_time": "\xff"}}',
)


@pytest.mark.parametrize("status", [*NO_STARTS, None])
async def test_a_gateway_without_a_start_time_is_still_read(
    status: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushgateway, "STATUS_SECONDS", 0.05)

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/api/v1/metrics":
            return web.Response(body=b'{"status": "success", "data": []}')
        if status is None:
            await asyncio.Event().wait()
        return web.Response(body=status)

    async with serving(answer) as url:
        source = Pushgateway(url)
        snapshot = await source.read([GAUGE])
        await source.close()
    assert (list(snapshot.groups), snapshot.started) == ([], None)
