"""The Kubernetes adapter against the pretend cluster, and against misbehaving servers."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.kubernetes import KubernetesCluster, config, errors, facts
from bot.domain.core.workload import PolicyRule, Right, Rules
from bot.errors import (
    AgentpodError,
    Conflict,
    Denied,
    NoSuchKind,
    NotAllowed,
    NotFound,
    Permanent,
    TimedOut,
    Transient,
)
from sandbox.breaks import Breaks
from sandbox.cluster import PretendCluster
from tests.adapters.kube_bench import (
    NAMESPACE,
    SELECTOR,
    Handler,
    absent,
    api_status,
    fixed,
    serving,
    talking_to,
    write_kubeconfig,
)


@pytest.fixture
async def cluster(
    pretend: PretendCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubernetesCluster]:
    monkeypatch.setenv("KUBECONFIG", str(pretend.kubeconfig(tmp_path / "config")))
    found = await KubernetesCluster.connect(NAMESPACE, timeout=2.0)
    yield found
    await found.close()


async def pod_of(cluster: KubernetesCluster) -> str:
    return (await cluster.pods(SELECTOR))[0].name


# Reads


async def test_a_healthy_pod_is_read_with_its_container(cluster: KubernetesCluster) -> None:
    [pod] = await cluster.pods(SELECTOR)
    [container] = pod.containers
    assert (pod.phase, pod.node, pod.ready, pod.status) == ("Running", "gpu-1", "1/1", "Running")
    assert (container.name, container.state) == ("kali", "running")
    assert pod.created_at is not None
    assert pod.created_at.tzinfo is not None
    assert pod.ip
    assert container.image_id


async def test_a_deployment_is_read_with_its_spec_and_status(
    cluster: KubernetesCluster,
) -> None:
    found = await cluster.deployment("secure-agent-pod")
    assert (found.wanted, found.current, found.updated, found.ready, found.available) == (1, 1, 1, 1, 1)
    assert (found.strategy, found.paused) == ("Recreate", False)
    assert found.generation == found.observed_generation >= 1
    assert found.uid
    assert found.resource_version.isdigit()
    assert found.images["kali"].startswith("ghcr.io/")
    assert found.created_at is not None
    progressing = found.condition("Progressing")
    assert progressing is not None
    assert (progressing.status, progressing.reason) == ("True", "NewReplicaSetAvailable")
    assert found.condition("ReplicaFailure") is None


async def test_a_deployment_not_yet_seen_by_its_controller_has_little_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"name": "d", "generation": 1}, "spec": {}, "status": {}})

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        found = await cluster.deployment("d")
    assert (found.wanted, found.current, found.observed_generation) == (1, 0, 0)
    assert (found.strategy, found.conditions, found.template_annotations) == ("RollingUpdate", (), {})


@pytest.mark.parametrize(
    ("spec", "most"),
    [
        ({}, 0),
        ({"strategy": {"type": "Recreate"}}, 0),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": 1}}}, 1),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}, 1),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "99%"}}}, 0),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "40%", "maxSurge": 0}}}, 1),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "half"}}}, 0),
        ({"replicas": 10}, 2),
        ({"replicas": 10, "strategy": {"rollingUpdate": {"maxUnavailable": "50%"}}}, 5),
    ],
)
async def test_how_many_pods_a_rolling_update_may_end_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any], most: int
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"name": "d", "generation": 1}, "spec": spec, "status": {}})

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        assert (await cluster.deployment("d")).max_unavailable == most


async def test_a_missing_deployment_is_not_found_by_name(
    pretend: PretendCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(pretend.kubeconfig(tmp_path / "admin", "admin")))
    cluster = await KubernetesCluster.connect(NAMESPACE)
    with pytest.raises(NotFound, match=r'deployments\.apps "nope" not found'):
        await cluster.deployment("nope")
    await cluster.close()


async def test_services_endpoints_claims_and_application_are_read(cluster: KubernetesCluster) -> None:
    services, endpoints, claims, app = await asyncio.gather(
        cluster.services(),
        cluster.endpoints(),
        cluster.claims(),
        cluster.application("argocd", "secure-agent-pod"),
    )
    assert {i for s in services for i in s.ingress} == {"192.168.55.215", "192.168.55.218"}
    assert endpoints
    assert all(e.ready and e.service and e.ports for e in endpoints)
    assert claims[0].phase == "Bound"
    assert claims[0].capacity is not None
    assert claims[0].capacity % 1024**3 == 0
    assert (app.sync, app.health) == ("Synced", "Healthy")


async def test_info_has_server_version_context_and_user(
    cluster: KubernetesCluster, pretend: PretendCluster
) -> None:
    info = await cluster.info()
    assert info.server.startswith(pretend.url)
    assert info.version.startswith("v1.")
    assert info.context == "sandbox"
    assert info.user


async def test_logs_are_read_by_tail(cluster: KubernetesCluster) -> None:
    pod = await pod_of(cluster)
    whole = await cluster.logs(pod, "kali")
    tail = await cluster.logs(pod, "kali", tail=2)
    assert len(tail.lines) == 2
    assert whole.lines[-2:] == tail.lines
    assert not whole.truncated


async def test_a_log_over_the_limit_is_truncated_and_marked(cluster: KubernetesCluster) -> None:
    log = await cluster.logs(await pod_of(cluster), "kali", limit_bytes=100)
    assert log.truncated
    assert len("\n".join(log.lines).encode()) <= 100 + 10  # a cut character may become a longer U+FFFD


async def test_a_log_since_a_time_is_requested_in_whole_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query["sinceSeconds"])
        return web.Response(body=b"caf\xe9 \xff\r\nsecond")

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        log = await cluster.logs("p", "c", since=timedelta(milliseconds=1500))
        await cluster.logs("p", "c", since=timedelta(milliseconds=1))
    assert asked == ["2", "1"]
    assert log.lines == ("caf\ufffd \ufffd", "second")


async def test_a_missing_previous_container_is_not_found_with_an_explanation(cluster: KubernetesCluster) -> None:
    with pytest.raises(NotFound, match="There is no previous run"):
        await cluster.logs(await pod_of(cluster), "kali", previous=True)


async def test_a_missing_container_is_not_found(cluster: KubernetesCluster) -> None:
    pod = await pod_of(cluster)
    for call in (cluster.logs(pod, "nope"), cluster.exec(pod, "nope", ["id"])):
        with pytest.raises(NotFound, match="no such container"):
            await call


async def test_can_i_asks_the_authoriser(cluster: KubernetesCluster) -> None:
    assert await cluster.can_i(Right("list", "pods"))
    assert not await cluster.can_i(Right("delete", "namespaces", namespace=""))


async def test_rules_are_all_that_the_authoriser_grants_in_a_namespace(cluster: KubernetesCluster) -> None:
    here, elsewhere = await cluster.rules(), await cluster.rules("kube-system")
    assert not here.incomplete
    assert here.reason is None
    named = ("agent-secrets-tier2", "agent-ssh-keys")
    assert PolicyRule(("",), ("secrets",), ("get", "patch"), named) in here.rules
    assert not any("secrets" in rule.resources for rule in elsewhere.rules)
    assert any("selfsubjectaccessreviews" in rule.resources for rule in elsewhere.rules)


async def test_rules_without_a_namespace_are_refused_with_the_servers_message(cluster: KubernetesCluster) -> None:
    with pytest.raises(Permanent, match="no namespace on request"):
        await cluster.rules("")


async def test_incomplete_rules_give_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        status = {"resourceRules": None, "incomplete": True, "evaluationError": "webhook authorizer"}
        return web.json_response({"status": status}, status=201)

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        assert await cluster.rules() == Rules((), incomplete=True, reason="webhook authorizer")
    assert asked[0]["spec"] == {"namespace": "n"}


async def test_another_namespace_shares_the_connection(cluster: KubernetesCluster) -> None:
    assert await cluster.in_namespace("nowhere").can_i(Right("delete", "pods")) is False


async def test_twenty_calls_run_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = asyncio.Barrier(20)

    async def answer(_: web.Request) -> web.Response:
        await waiting.wait()
        return web.json_response({"items": None})

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch, timeout=5.0) as cluster:
        assert await asyncio.gather(*(cluster.events() for _ in range(20))) == [[]] * 20


async def test_secret_values_are_whole_values_and_lines_of_six_characters_or_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"a": b"tiny", "b": b"first-line\nab\nsecond-line\n", "c": b"\xff\xfe\xfd\xfc\xfb\xfa\xf9"}

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"data": {k: base64.b64encode(v).decode() for k, v in values.items()}})

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        found = await cluster.secret_values(["x"])
    assert found == {"first-line\nab\nsecond-line", "first-line", "second-line"}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20Gi", 20 * 1024**3),
        ("500M", 500_000_000),
        ("1e9", 10**9),
        ("1.5Ki", 1536),
        ("128974848", 128974848),
        ("", None),
        ("lots", None),
        (None, None),
    ],
)
def test_a_quantity_is_converted_to_bytes(text: str | None, size: int | None) -> None:
    assert facts.quantity(text) == size


# Exec


async def test_exec_returns_output_and_exit_code(cluster: KubernetesCluster) -> None:
    result = await cluster.exec(await pod_of(cluster), "kali", ["id"])
    assert result.stdout.startswith("uid=1000(claude) gid=1000(claude)")
    assert (result.stderr, result.exit_code, result.truncated) == ("", 0, False)


@pytest.mark.parametrize("style", ["containerd", "docker"])
async def test_a_missing_program_is_exit_127_with_its_name(
    cluster: KubernetesCluster, pretend: PretendCluster, style: str
) -> None:
    pretend.simulation.exec_failure_style = style
    result = await cluster.exec(await pod_of(cluster), "kali", ["no-such-binary"])
    assert (result.stdout, result.exit_code) == ("", 127)
    assert result.stderr.startswith("no-such-binary: not found in the container")


async def test_a_hanging_exec_times_out_and_closes_its_socket(
    cluster: KubernetesCluster, pretend: PretendCluster
) -> None:
    pod = await pod_of(cluster)
    hasty = await KubernetesCluster.connect(NAMESPACE, timeout=0.3)
    await Breaks(pretend.breaks).apply("pod-exec-hangs", True)
    started = asyncio.get_running_loop().time()
    with pytest.raises(TimedOut, match=r"^The API server gave no answer in 0\.3 s"):
        await hasty.exec(pod, "kali", ["id"])
    assert asyncio.get_running_loop().time() - started < 2
    assert not hasty._connection.session().connector._acquired
    await hasty.close()


async def test_a_refused_exec_names_the_missing_right_and_the_account(
    cluster: KubernetesCluster, pretend: PretendCluster
) -> None:
    pod = await pod_of(cluster)
    await Breaks(pretend.breaks).apply("kube-403", "pods/exec")
    with pytest.raises(NotAllowed, match="pods/exec") as caught:
        await cluster.exec(pod, "kali", ["id"])
    assert caught.value.message == "The bot may not create pods/exec in secure-agent-pod."
    assert "Grant system:serviceaccount:secure-agent-pod:agentpod" in str(caught.value.remedy)


async def test_an_exec_may_have_a_deadline_of_its_own(cluster: KubernetesCluster, pretend: PretendCluster) -> None:
    pod = await pod_of(cluster)
    await Breaks(pretend.breaks).apply("pod-exec-hangs", True)
    with pytest.raises(TimedOut, match=r"no answer in 0\.05 s"):
        await cluster.exec(pod, "kali", ["id"], seconds=0.05)


OWN_POLICY = "ValidatingAdmissionPolicy 'agentpod.ns.exec' with binding 'agentpod.ns.exec'"


def status(**fields: object) -> bytes:
    return b"\x03" + json.dumps(fields).encode()


def exited(code: int) -> bytes:
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return status(status="Failure", reason="NonZeroExitCode", details={"causes": causes})


def sends(*frames: bytes | str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        for frame in frames:
            await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
        await socket.close()
        return socket

    return answer


UMLAUT, EMOJI = "ü".encode(), "🐙".encode()


@pytest.mark.parametrize(
    ("frames", "stdout", "stderr", "code"),
    [
        ([b"\x01a" + UMLAUT[:1], b"\x01" + UMLAUT[1:], exited(3)], "aü", "", 3),
        ([b"\x01" + EMOJI[:1], b"\x02oh", b"\x01" + EMOJI[1:3], b"\x01" + EMOJI[3:], exited(1)], "🐙", "oh", 1),
        ([b"\x01", b"\x02", b"", b"\x07what", b"\x01ok", status(status="Success")], "ok", "", 0),
        ([b"\x01\xff\xfe", status(status="Success")], "\ufffd\ufffd", "", 0),
        (["\x01text frame", status(status="Success")], "text frame", "", 0),
        ([status(status="Failure", reason="InternalError", message="Internal error: exit status 3")], "", "", 3),
        ([b'\x03{"status":', b'\x03"Success"}'], "", "", 0),
    ],
)
async def test_exec_frames_are_joined_by_channel(
    frames: list[bytes | str], stdout: str, stderr: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(sends(*frames)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        result = await cluster.exec("p", "c", ["x"])
    assert (result.stdout, result.stderr, result.exit_code) == (stdout, stderr, code)


@pytest.mark.parametrize(
    ("frames", "stdout"),
    [
        ([b"\x01one\n" + UMLAUT * 500], "one\n"),
        ([b"\x01one\n", b"\x01" + UMLAUT * 800], "one\n"),
        ([b"\x01" + UMLAUT * 800], ""),
    ],
)
async def test_the_line_in_which_the_output_is_cut_is_dropped(
    frames: list[bytes], stdout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = sends(*frames, status(status="Success"))
    async with serving(handler) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        result = await cluster.exec("p", "c", ["x"], limit_bytes=1001)
    assert (result.stdout, result.truncated, result.exit_code) == (stdout, True, None)


async def test_a_long_line_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = sends(b"\x01" + b"x" * 20_000, status(status="Success"))
    async with serving(handler) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        result = await cluster.exec("p", "c", ["x"])
    assert (len(result.stdout), result.truncated) == (20_000, False)


@pytest.mark.parametrize(
    ("frame", "expected", "words"),
    [
        (b"\x01half", Transient, "without saying how the command ended"),
        (b"\x03no json", Permanent, "something unexpected"),
        (status(status="Failure", reason="InternalError", message="etcd is away"), Transient, "etcd is away"),
        (status(status="Failure", reason="Forbidden", message="no"), Permanent, "could not be started: no"),
        (status(status="Failure", message='container not found ("c")'), NotFound, "no running container"),
    ],
)
async def test_an_exec_that_could_not_run_is_an_error(
    frame: bytes, expected: type[AgentpodError], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(sends(frame)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(expected, match=words):
            await cluster.exec("p", "c", ["x"])


async def test_command_arguments_arrive_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ["sh", "-c", "echo a+b & c%20d; 'ü' #?\n"]
    seen: list[list[str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.query.getall("command"))
        return await sends(status(status="Success"))(request)

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        await cluster.exec("p", "c", argv)
    assert seen == [argv]


async def test_a_server_without_websockets_is_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fixed(200, b"hello")) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Permanent, match="did not open a WebSocket"):
            await cluster.exec("p", "c", ["x"])


# Faults: each becomes one of the bot's errors, with an explanation


async def _hang(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def _drop(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"items": [')
    assert request.transport is not None
    request.transport.close()
    return response


async def _trickle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"items": [')
    await asyncio.Event().wait()
    return response


FAULTS: list[tuple[str, Handler, type[AgentpodError], str]] = [
    ("hang", _hang, TimedOut, r"no answer in 0\.5 s"),
    ("body never ends", _trickle, TimedOut, r"no answer in 0\.5 s"),
    ("hangs up", _drop, Transient, "hung up"),
    ("half a body", _half, Transient, "hung up"),
    (
        "401",
        fixed(401, api_status("Unauthorized")),
        NotAllowed,
        r"does not accept the bot's credentials \(401 Unauthorized\)",
    ),
    ("403", fixed(403, api_status("may not")), Denied, "refused to .*: may not"),
    (
        "400 of a webhook",
        fixed(400, api_status('admission webhook "w" denied the request: User "u" cannot do that on Fridays')),
        Denied,
        r"refused to .*: admission webhook .* on Fridays\.$",
    ),
    (
        "403 of the bot's own policy",
        fixed(
            403, api_status(f"x is forbidden: {OWN_POLICY} denied request: this is no command; if it should, x")
        ),
        Denied,
        r"The bot's own admission policy agentpod\.ns\.exec refused it: this is no command",
    ),
    ("403 of a proxy", fixed(403, b"<html><h1>Go away</h1></html>"), NotAllowed, "Go away"),
    ("404", fixed(404, absent("p", "pods")), Permanent, 'There is no such thing: pods "p" not found'),
    (
        "404 resource",
        fixed(404, api_status("the server could not find the requested resource")),
        Permanent,
        "answers 404 to `list pods",
    ),
    ("404 page", fixed(404, b"404 page not found\n"), Permanent, "answers 404 to `list pods"),
    ("409", fixed(409, api_status("conflict")), Conflict, "changed meanwhile"),
    ("410", fixed(410, api_status("too old")), Transient, "too old"),
    ("422", fixed(422, api_status("invalid")), Permanent, "HTTP 422.*: invalid"),
    ("429", fixed(429, b""), Transient, "throttling"),
    ("500", fixed(500, api_status("etcd")), Transient, "HTTP 500.*etcd"),
    ("503", fixed(503, b"\xff\xfe"), Transient, "HTTP 503"),
    (
        "400",
        fixed(400, api_status("container c is waiting to start: ContainerCreating")),
        Transient,
        "not started",
    ),
    ("status of no shape", fixed(500, b'{"kind": "Status", "message": 5}'), Transient, "HTTP 500"),
]

CALLS: dict[str, Callable[[KubernetesCluster], Awaitable[object]]] = {
    "pods": lambda c: c.pods("a=b"),
    "deployment": lambda c: c.deployment("d"),
    "events": lambda c: c.events(),
    "services": lambda c: c.services(),
    "endpoints": lambda c: c.endpoints(),
    "claims": lambda c: c.claims(),
    "application": lambda c: c.application("argocd", "x"),
    "logs": lambda c: c.logs("p", "c"),
    "exec": lambda c: c.exec("p", "c", ["x"]),
    "secret_values": lambda c: c.secret_values(["s", "t"]),
    "can_i": lambda c: c.can_i(Right("get", "pods")),
    "rules": lambda c: c.rules(),
    "info": lambda c: c.info(),
}


@pytest.mark.parametrize(("handler", "expected", "words"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
async def test_every_fault_becomes_an_error_of_the_bot(
    handler: Handler,
    expected: type[AgentpodError],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        serving(handler) as port,
        talking_to(port, tmp_path, monkeypatch, timeout=0.5, token="sesame-open") as cluster,
    ):
        calls = [call(cluster) for call in CALLS.values()]
        errors = await asyncio.gather(*calls, return_exceptions=True)
    for name, error in zip(CALLS, errors, strict=True):
        assert isinstance(error, AgentpodError), (name, error)
        assert "sesame" not in f"{error} {error.remedy}"
        # A 200 to a WebSocket's handshake refuses the upgrade, whatever the body is.
        wanted = Permanent if name == "exec" and handler in (_half, _trickle) else expected
        assert isinstance(error, wanted), (name, error)
        assert error.message == str(error)
    assert any(re.search(words, str(error)) for error in errors), errors[0]


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"<html>", b"[]", b'{"items": {}}', b'{"items": {"metadata": 5}}', b"\xff\xfe", b'{"it'],
)
async def test_a_body_in_another_format_is_explained(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fixed(200, body)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Permanent, match="something unexpected") as caught:
            await cluster.pods("a=b")
    assert "server address" in str(caught.value.remedy)


async def test_a_short_retry_after_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter([429, 200])

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"items": []}, status=next(codes), headers={"Retry-After": "0"})

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        assert await cluster.events() == []


async def test_a_long_retry_after_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = fixed(429, api_status("slow down"), **{"Retry-After": "7"})
    async with serving(handler) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Transient, match="slow down") as caught:
            await cluster.events()
    assert caught.value.retry_after == 7


async def test_an_expired_list_is_requested_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter([410, 200])

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"items": []}, status=next(codes))

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        assert await cluster.events() == []


async def test_a_token_rotated_in_the_kubeconfig_is_picked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: web.Request) -> web.Response:
        code = 200 if request.headers["Authorization"] == "Bearer new" else 401
        return web.json_response({"items": []}, status=code)

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch, token="old") as cluster:
        with pytest.raises(NotAllowed):
            await cluster.events()
        write_kubeconfig(tmp_path / "config", f"http://127.0.0.1:{port}", token="new")
        assert await cluster.events() == []


GENERIC = {"kind": "Status", "reason": "NotFound", "message": "the server could not find the requested resource"}


@pytest.mark.parametrize(
    ("body", "is_absent"),
    [
        (absent("s", "secrets"), True),
        (absent("another", "secrets"), False),
        (absent("s", "pods"), False),
        (json.dumps(GENERIC | {"details": {}}).encode(), False),
        (json.dumps(GENERIC).encode(), False),
        (api_status('secrets "s" not found'), False),
        (b"404 page not found", False),
        (b"<html>not found</html>", False),
    ],
)
async def test_only_a_status_that_names_the_object_says_that_it_is_absent(
    body: bytes, is_absent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fixed(404, body)) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Permanent, match="no such thing" if is_absent else "answers 404") as caught:
            await cluster.secret("s")
    assert isinstance(caught.value, NotFound) is is_absent


async def test_a_missing_crd_differs_from_a_missing_object(
    cluster: KubernetesCluster, pretend: PretendCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bot may read its own Application only, so the administrator asks for another one.
    monkeypatch.setenv("KUBECONFIG", str(pretend.kubeconfig(tmp_path / "admin", user="admin")))
    admin = await KubernetesCluster.connect(NAMESPACE)
    with pytest.raises(NotFound, match="no such thing"):
        await admin.application("argocd", "nope")
    await admin.close()
    await Breaks(pretend.breaks).apply("argocd-missing", True)
    with pytest.raises(NoSuchKind, match=r"does not know applications\.argoproj\.io"):
        await cluster.application("argocd", "secure-agent-pod")


async def test_a_missing_right_names_the_option_that_grants_it(
    cluster: KubernetesCluster, pretend: PretendCluster
) -> None:
    policies = Right("list", "ciliumnetworkpolicies", "cilium.io")
    await Breaks(pretend.breaks).apply("kube-403", "ciliumnetworkpolicies")
    with pytest.raises(NotAllowed) as caught:
        await cluster.objects(policies, "v2")
    assert str(caught.value.remedy).endswith(": deploy/options/egress grants it.")
    await Breaks(pretend.breaks).apply("kube-403", "services")
    with pytest.raises(NotAllowed) as caught:
        await cluster.services()
    assert str(caught.value.remedy).endswith(": the Roles in deploy/ grant it.")


async def test_a_refused_connection_is_named_as_the_cause(
    cluster: KubernetesCluster, pretend: PretendCluster
) -> None:
    await Breaks(pretend.breaks).apply("kube-refuse", True)
    for call in CALLS.values():
        with pytest.raises(Transient):
            await call(cluster)
    with pytest.raises(Transient, match="refused the connection"):
        await cluster.events()


async def test_an_unresolvable_name_is_named_as_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking_to(
        0, tmp_path, monkeypatch, server="http://no-such-host.invalid:1", timeout=5.0
    ) as cluster:
        with pytest.raises(Transient, match=r"no-such-host\.invalid does not resolve"):
            await cluster.events()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("tls")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=other"
    words += " -addext subjectAltName=DNS:other.invalid -keyout key.pem -out cert.pem"
    subprocess.run(
        words.split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_an_untrusted_certificate_is_explained(
    certificate: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serving(fixed(200, b"{}"), certificate) as port,
        talking_to(port, tmp_path, monkeypatch, server=f"https://127.0.0.1:{port}", timeout=3.0) as cluster,
    ):
        for call in (cluster.events(), cluster.exec("p", "c", ["x"])):
            with pytest.raises(Permanent, match="is not trusted") as caught:
                await call
            assert "certificate-authority" in str(caught.value.remedy)


async def test_https_to_a_plain_http_port_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        serving(fixed(200, b"{}")) as port,
        talking_to(port, tmp_path, monkeypatch, server=f"https://127.0.0.1:{port}", timeout=3.0) as cluster,
    ):
        with pytest.raises(Permanent, match="does not speak TLS"):
            await cluster.events()


async def test_a_trusted_certificate_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with PretendCluster(speed=0, tls=True) as pretend:
        monkeypatch.setenv("KUBECONFIG", str(pretend.kubeconfig(tmp_path / "config")))
        cluster = await KubernetesCluster.connect(NAMESPACE, timeout=3.0)
        result = await cluster.exec(await pod_of(cluster), "kali", ["id"])
        await cluster.close()
    assert result.exit_code == 0


async def test_no_certificates_are_loaded_without_encryption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")))
    access = await config.load(None)
    context = config.tls(access.configuration, access.source)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 0, "to load the system's certificates takes time"


# Configuration


async def test_a_missing_kubeconfig_names_the_paths_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "nowhere"
    monkeypatch.setenv("KUBECONFIG", str(missing))
    with pytest.raises(Permanent, match=str(missing)) as caught:
        await KubernetesCluster.connect("n")
    assert "service account" in caught.value.message
    with pytest.raises(Permanent, match="'prod' can't be used"):
        await KubernetesCluster.connect("n", context="prod")


async def test_an_unknown_context_names_those_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")))
    with pytest.raises(Permanent, match="no context 'prod'") as caught:
        await KubernetesCluster.connect("n", context="prod")
    assert "here" in str(caught.value.remedy)


async def test_several_kubeconfigs_are_merged_and_missing_ones_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'missing'}:{there}")
    cluster = await KubernetesCluster.connect("n", context="here")
    await cluster.close()


CONTEXT = "current-context: here\ncontexts: [{name: here, context: {cluster: c, user: u}}]\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "just words",
        "a: [b",
        "contexts: []",
        "contexts: [{}]",
        CONTEXT,
        CONTEXT + "clusters: [{name: c, cluster: 5}]",
        CONTEXT
        + "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority: /nowhere}}]",
        CONTEXT
        + "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: eA==}}]\n"
        "users: [{name: u, user: {token: hidden-value}}]",
        *(f"users: [{{name: u, user: {{token: {token}}}}}]" for token in ("!!int ''", "[" * 5_000)),
        *(
            f"users: [{{name: u, user: {{token: {tag}hidden-value}}}}]"
            for tag in ("!!bool ", "!!int ", "!!float ", "!!timestamp ", "!", "!x!", "*")
        ),
    ],
    ids=lambda text: text[-50:],
)
async def test_a_broken_kubeconfig_is_named(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(Permanent) as caught:
        await KubernetesCluster.connect("n")
    assert str(path) in caught.value.message
    assert "hidden" not in f"{caught.value} {caught.value.remedy}"


def test_importing_and_connecting_builds_no_typed_api(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from bot.adapters.kubernetes import KubernetesCluster\n"
        "asyncio.run(KubernetesCluster.connect('n'))\n"
        "print(*sorted(m for m in sys.modules if '.aio.client.api.' in m or m == 'httpx'))\n"
    )
    path = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    done = subprocess.run(
        [sys.executable, "-c", program], env={"KUBECONFIG": str(path)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("path", "says", "remedy"),
    [
        ("~no-such-user/kc", "The kubeconfig ~no-such-user/kc can't be read: there is no home", "the whole path"),
        ("/" + "a" * 5000, "a… can't be read: File name too long.", "to another file"),
    ],
    ids=["no home", "too long"],
)
async def test_a_kubeconfig_that_cannot_be_looked_up_is_explained(
    path: str, says: str, remedy: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", path)
    with pytest.raises(Permanent) as caught:
        await KubernetesCluster.connect("n", kubeconfig=path if named else None)
    assert says in caught.value.message
    assert len(caught.value.message) < 300
    assert remedy in (caught.value.remedy or "")
    assert ("kubernetes.clusters" if named else "KUBECONFIG") in (caught.value.remedy or "")


async def test_a_token_with_a_line_break_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(request: web.Request) -> web.Response:
        good = request.headers["Authorization"] == "Bearer good"
        return web.json_response({"items": []}, status=200 if good else 401)

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch, token="old") as cluster:
        write_kubeconfig(tmp_path / "config", f"http://127.0.0.1:{port}", token="made-up\nsecond-line")
        explained = r"The token of kubeconfig .* has a line break in it\."
        for work in (cluster.pods("a=b"), KubernetesCluster.connect("n")):
            with pytest.raises(Permanent, match=explained) as caught:
                await work
            assert "made-up" not in caught.value.message
        write_kubeconfig(tmp_path / "config", f"http://127.0.0.1:{port}", token="good")
        assert await cluster.pods("a=b") == []


@pytest.mark.parametrize(
    ("said", "short"),
    [
        (
            'admission webhook "freeze.example.com" denied the request: changes are frozen until Monday',
            "Admission webhook freeze.example.com refused it: changes are frozen until Monday",
        ),
        (
            "deployments.apps \"x\" is forbidden: ValidatingAdmissionPolicy 'no-root' with binding 'all' "
            "denied request: runs as root",
            "Admission policy no-root refused it: runs as root",
        ),
        (
            'pods "x" is forbidden: exceeded quota: small, requested: cpu=4, used: cpu=2, limited: cpu=4',
            "A quota refused it: small, requested: cpu=4, used: cpu=2, limited: cpu=4",
        ),
        ("something " * 40, f"The API server refused it: {('something ' * 10).strip()[:99]}…"),
    ],
)
def test_a_refusal_by_a_rule_says_in_short_who_refused_and_why(said: str, short: str) -> None:
    body = json.dumps({"kind": "Status", "status": "Failure", "message": said, "reason": "Forbidden"}).encode()
    error = errors.from_status(403, body, Right("patch", "deployments", "apps"), {})
    assert isinstance(error, Denied)
    assert error.first_line == short
    assert said.strip()[:40] in error.message
