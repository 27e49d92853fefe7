"""Kubeconfig credential plugins, as real programs: their output, their deadline and their environment."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.kubernetes import KubernetesCluster, plugin
from bot.adapters.kubernetes.client import Connection
from bot.domain.core import moments
from bot.domain.core.summary import ProbeResult, fold
from bot.errors import AgentpodError, Permanent, Transient
from bot.services.health.sources import API, SourceUnavailable, cause_of, unread_finding
from tests.adapters.kube_bench import serving

V1 = "client.authentication.k8s.io/v1"
PAST = "2020-01-01T00:00:00Z"


def program(folder: Path, text: str, name: str = "sign-in") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def credential(**status: Any) -> str:
    return json.dumps({"kind": "ExecCredential", "apiVersion": V1, "status": status})


def printing(**status: Any) -> str:
    return f"cat <<'END'\n{credential(**status)}\nEND"


def kubeconfig(folder: Path, command: str, server: str = "http://127.0.0.1:9", **more: Any) -> Path:
    spec = {"apiVersion": V1, "command": command, "interactiveMode": "IfAvailable", **more}
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"exec": spec}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    path = folder / "config"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


async def opened(path: Path, patch: pytest.MonkeyPatch, patience: float = 10.0) -> Connection:
    patch.setenv("KUBECONFIG", str(path))
    return await Connection.open(None, 2.0, patience)


async def failure(work: Awaitable[Any]) -> AgentpodError:
    with pytest.raises(AgentpodError) as caught:
        await work
    return caught.value


async def test_the_plugin_s_token_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(request: web.Request) -> web.Response:
        known = request.headers.get("Authorization") == "Bearer made-up"
        return web.json_response({"items": []}, status=200 if known else 401)

    async with serving(answer) as port:
        path = kubeconfig(tmp_path, str(program(tmp_path, printing(token="made-up"))), f"http://127.0.0.1:{port}")
        monkeypatch.setenv("KUBECONFIG", str(path))
        cluster = await KubernetesCluster.connect("n", timeout=2.0)
        assert await cluster.pods("a=b") == []
        await cluster.close()


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        (
            "echo 'no SSO session: run aws sso login' >&2; exit 255",
            Transient,
            "failed with exit code 255: no SSO session",
        ),
        ("exit 3", Transient, "failed with exit code 3, and said nothing"),
        ("kill -9 $$", Transient, "failed with signal 9"),
        ("echo hello", Permanent, "it printed no ExecCredential"),
        ("true", Permanent, "it printed no ExecCredential"),
        ("echo '{}'", Permanent, "it printed no ExecCredential"),
        (printing(), Permanent, "neither a token nor a certificate"),
        (printing(clientCertificateData="x"), Permanent, "neither a token nor a certificate"),
        (printing(token="a\nb"), Permanent, "its token has characters that no token has"),
        (
            printing(token="t", expirationTimestamp="2020-01-01T00:00:00Z"),
            Transient,
            "its credential expired 2020",
        ),
        (printing(token="t", expirationTimestamp="soon"), Permanent, "it printed no ExecCredential"),
        (
            printing(token="t", expirationTimestamp="0001-01-01T00:00:00+14:00"),
            Permanent,
            "its credential ends in the year 1",
        ),
        (printing(token="t").replace("/v1", "/v9"), Permanent, "not client.authentication.k8s.io/v1"),
        ("head -c 3000000 /dev/zero", Permanent, "it printed more than 1 MiB"),
        ("head -c 3000000 /dev/zero >&2; exit 1", Transient, "failed with exit code 1"),
    ],
)
async def test_a_plugin_s_mistake_is_explained(
    text: str, kind: type[AgentpodError], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = await failure(opened(kubeconfig(tmp_path, str(program(tmp_path, text))), monkeypatch))
    assert type(error) is kind
    assert error.message.startswith("The credential plugin sign-in ")
    assert says in moments.bare(error.message)
    assert len(error.message) < 600


async def test_a_plugin_that_waits_for_input_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = "echo 'open https://login.example and enter ABCD' >&2; read answer"
    text = f"sleep 1000 & echo $! >{tmp_path}/pid; {asks}; wait"
    began = time.monotonic()
    error = await failure(opened(kubeconfig(tmp_path, str(program(tmp_path, text))), monkeypatch, patience=0.5))
    assert time.monotonic() - began < 5
    assert type(error) is Transient
    assert "gave no credential in 0.5 s: open https://login.example and enter ABCD" in error.message
    shown = unread_cause(error)
    assert "open https://login.example" in shown  # rather than a timeout of the API server
    assert "sign in beforehand" in (error.remedy or "")
    assert await gone(int((tmp_path / "pid").read_text()))


def unread_cause(error: AgentpodError) -> str:
    """The cause in an answer's first line."""
    unread = SourceUnavailable(API, 3.0, error)
    outcomes = [ProbeResult(unread_finding(p, p, unread), cause_of(unread)) for p in ("pod", "events")]
    return fold(outcomes)[0].summary


async def gone(pid: int) -> bool:
    """Whether a process has ended, or does within a moment."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.02)
    return False


async def test_a_plugin_s_leftover_child_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "setsid sleep 5 & " + printing(token="made-up")
    began = time.monotonic()
    connection = await opened(kubeconfig(tmp_path, str(program(tmp_path, text))), monkeypatch)
    assert time.monotonic() - began < 4
    assert (await connection.headers())["Authorization"] == "Bearer made-up"
    await connection.close()


@pytest.mark.parametrize(
    ("command", "more", "says", "remedy"),
    [
        ("no-such-program", {}, "there is no such program", "Install it where the bot runs"),
        ("no-such-program", {"installHint": "Get it\nfrom us."}, "there is no such program", "Get it from us."),
        ("./missing", {}, "there is no such program", "Install it"),
        ("sign-in", {"interactiveMode": "Always"}, "it needs a person at a terminal", "service account's token"),
        ("sign-in", {"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "its apiVersion is", "/v1"),
        ("/etc/passwd", {}, "permission denied", "Check its command"),
    ],
)
async def test_a_plugin_that_cannot_be_started_is_explained(
    command: str, more: Any, says: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = await failure(opened(kubeconfig(tmp_path, command, **more), monkeypatch))
    assert type(error) is Permanent
    assert says in error.message
    assert remedy in (error.remedy or "")


async def test_an_invalid_exec_section_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = await failure(opened(kubeconfig(tmp_path, "x", args="not a list"), monkeypatch))
    assert "its exec section is wrong" in error.message


async def test_a_plugin_s_message_is_redacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJlLW1hZGUtdXA"
    text = f'echo "rejected $CLIENT_SECRET and {jwt}" >&2; exit 1'
    env = [{"name": "CLIENT_SECRET", "value": "made-up-client-value"}]
    error = await failure(opened(kubeconfig(tmp_path, str(program(tmp_path, text)), env=env), monkeypatch))
    assert "rejected" in error.message
    assert "made-up-client-value" not in error.message
    assert jwt not in error.message


async def test_a_plugin_s_environment_has_no_settings_of_the_bot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTPOD_SLACK__BOT_TOKEN", "xoxb-made-up")
    text = f"env >{tmp_path}/env; [ -t 0 ] && echo terminal; " + printing(token="t")
    made = kubeconfig(
        tmp_path,
        "./sign-in",
        "https://k.example",
        args=["--x"],
        provideClusterInfo=True,
        env=[{"name": "A", "value": "b"}],
    )
    program(tmp_path, text)
    await (await opened(made, monkeypatch)).close()
    told = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert told["A"] == "b"
    assert "AGENTPOD_SLACK__BOT_TOKEN" not in told
    info = json.loads(told["KUBERNETES_EXEC_INFO"])
    assert info["spec"] == {"interactive": False, "cluster": {"server": "https://k.example"}}


async def test_a_refused_or_expired_credential_is_requested_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = tmp_path / "count"
    counted = f"echo x >>{count}; n=$(wc -l <{count})"
    text = f'{counted}; printf \'%s\' \'{credential(token="T")}\' | sed "s/\\"T\\"/\\"t$n\\"/"'
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.json_response({"items": []}, status=200 if seen[-1] == "Bearer t2" else 401)

    async with serving(answer) as port:
        path = kubeconfig(tmp_path, str(program(tmp_path, text)), f"http://127.0.0.1:{port}")
        monkeypatch.setenv("KUBECONFIG", str(path))
        cluster = await KubernetesCluster.connect("n", timeout=5.0)
        assert await cluster.pods("a=b") == []
        await cluster.close()
    assert seen == ["Bearer t1", "Bearer t2"]


async def test_every_token_is_learned_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[str] = []
    used: list[tuple[str, bool]] = []

    async def answer(request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        used.append((token, token in learned))
        return web.json_response({"items": []}, status=200 if token == "second-made-up" else 401)

    async def learn(token: str) -> None:
        learned.append(token)

    async with serving(answer) as port:
        command = program(tmp_path, printing(token="first-made-up"))
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, str(command), f"http://127.0.0.1:{port}")))
        cluster = await KubernetesCluster.connect("n", timeout=5.0, learn=learn)
        program(tmp_path, printing(token="second-made-up"))
        assert await cluster.pods("a=b") == []
        await cluster.close()
    assert used == [("first-made-up", True), ("second-made-up", True)]


async def test_a_plugin_that_fails_later_is_the_reason_of_the_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = program(tmp_path, printing(token="t"))

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({}, status=401)

    async with serving(answer) as port:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, str(script), f"http://127.0.0.1:{port}")))
        cluster = await KubernetesCluster.connect("n", timeout=5.0)
        program(tmp_path, "echo 'session expired' >&2; exit 1")
        error = await failure(cluster.pods("a=b"))
        await cluster.close()
    assert "failed with exit code 1: session expired" in error.message


async def test_the_loop_goes_on_while_a_plugin_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = asyncio.create_task(opened(kubeconfig(tmp_path, str(program(tmp_path, "sleep 5"))), monkeypatch, 0.3))
    turns = 0
    while not work.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5
    assert type(work.exception()) is Transient


def test_a_plugin_has_twenty_seconds() -> None:
    assert plugin.SECONDS == 20.0
