"""Each adapter through real proxies: no request bypasses them, and no password is shown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from aiohttp import web

from bot.adapters.kubernetes import KubernetesCluster
from bot.adapters.pushgateway import Pushgateway
from bot.adapters.sinks.anchor_url.client import AnchorUrl
from bot.adapters.sinks.dead_mans_switch.client import DeadMansSwitch
from bot.adapters.sinks.health_bridge.client import HealthBridge
from bot.adapters.slack.api import Api
from bot.domain.core.anchors import Anchor
from bot.errors import AgentpodError, TimedOut, Transient
from sandbox.cluster import PretendCluster
from sandbox.slack import Workspace, seed
from tests.adapters.kube_bench import NAMESPACE, SELECTOR, fixed, serving
from tests.adapters.slack_bench import MANIFEST, Counts
from tests.proxies import HttpProxy, SocksProxy

PASSWORD = "sesam:öffne"
"""The HTTP proxy's password; SOCKS allows ASCII only."""
PLAIN = "sesam:open"
Kind = type[HttpProxy | SocksProxy]
BOTH = pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])


def use(monkeypatch: pytest.MonkeyPatch, url: str = "", **more: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in {"ALL_PROXY": url, **more}.items():
        monkeypatch.setenv(name, value)


def guarded(kind: Kind) -> HttpProxy | SocksProxy:
    """A proxy that requires a password."""
    return kind("me", PASSWORD if kind is HttpProxy else PLAIN)


def asked_for(proxy: HttpProxy | SocksProxy, password: str = "") -> str:
    """The proxy's URL with user and password, as in a setting."""
    return f"{proxy.scheme}://me:{password or quote(proxy.password)}@{proxy.address}"


def elsewhere(pretend: PretendCluster, path: Path, **cluster: Any) -> None:
    """A kubeconfig that names the pretend cluster by a host that only a proxy can resolve."""
    document = yaml.safe_load(pretend.kubeconfig(path, "admin").read_text(encoding="utf-8"))
    entry = document["clusters"][0]["cluster"]
    entry["server"] = entry["server"].replace("127.0.0.1", "cluster.test")
    entry.update(cluster)
    path.write_text(json.dumps(document), encoding="utf-8")


@asynccontextmanager
async def behind(pretend: PretendCluster, path: Path, **cluster: Any) -> AsyncIterator[KubernetesCluster]:
    """The Cluster port with `elsewhere`'s kubeconfig, set by KUBECONFIG."""
    elsewhere(pretend, path, **cluster)
    found = await KubernetesCluster.connect(NAMESPACE, timeout=4.0)
    try:
        yield found
    finally:
        await found.close()


@BOTH
@pytest.mark.parametrize("tls", [False, True])
async def test_reads_exec_and_watch_of_the_api_server_go_through_the_proxy(
    kind: Kind, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config"
    more = {"tls-server-name": "localhost"} if tls else {}
    async with PretendCluster(speed=0, tls=tls) as pretend, guarded(kind) as proxy:
        use(monkeypatch, asked_for(proxy), KUBECONFIG=str(path))
        async with behind(pretend, path, **more) as cluster:
            [pod] = await cluster.pods(SELECTOR)
            after_reads = len(proxy.seen)
            done = await cluster.exec(pod.name, "kali", ["id"])
            following = cluster.follow(SELECTOR)
            assert [p.name for p in await anext(following)] == [pod.name]
            await following.aclose()
            assert str(cluster.route) == f"through {proxy.scheme}://{proxy.address} (ALL_PROXY)"
    assert "uid=" in done.stdout
    assert proxy.hosts == {"cluster.test"}
    assert len(proxy.seen) > after_reads, "exec has a connection of its own"


async def test_the_kubeconfigs_own_proxy_wins_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config"
    async with PretendCluster(speed=0) as pretend, SocksProxy() as own, HttpProxy() as other:
        use(monkeypatch, other.url, KUBECONFIG=str(path), NO_PROXY="cluster.test")
        async with behind(pretend, path, **{"proxy-url": own.url}) as cluster:
            assert await cluster.pods(SELECTOR)
            assert str(cluster.route) == f"through {own.url} (proxy-url of the kubeconfig)"
    assert (own.hosts, other.seen) == ({"cluster.test"}, [])


@BOTH
async def test_pushgateway_and_sinks_go_through_the_proxy(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(kind) as proxy, serving(fixed(200, b'{"processed":1,"total":1}')) as port:
        use(monkeypatch, asked_for(proxy))
        bridge, gateway = (
            HealthBridge(f"http://bridge.test:{port}/webhook", "t"),
            Pushgateway(f"http://pg.test:{port}"),
        )
        await bridge.send({})
        await gateway.push({"job": "a"}, {"b": 1.0})
        await DeadMansSwitch(f"http://dead-man.test:{port}/id").ping()
        archive = AnchorUrl(f"http://archive.test:{port}/anchors", "t")
        await archive.send("k", Anchor(1, "a" * 64))
        for one in (bridge, gateway, archive):
            await one.close()
    assert proxy.hosts == {"bridge.test", "pg.test", "dead-man.test", "archive.test"}


async def said_ok(_: web.Request) -> web.Response:
    return web.json_response({"ok": True})


@BOTH
async def test_every_url_from_slack_goes_through_the_proxy(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(kind) as proxy, serving(said_ok) as port:
        use(monkeypatch, asked_for(proxy))
        api = Api("xoxb-made-up", f"http://slack.test:{port}/api/", Counts())
        await api.call("auth.test")
        await api.respond(f"http://hooks.test:{port}/commands/1", {})
        async with api.session.post(f"http://files.test:{port}/upload/v1/x", data=b"x") as uploaded:
            assert uploaded.status == 200
        await api.close()
    assert proxy.hosts == {"slack.test", "hooks.test", "files.test"}


@BOTH
async def test_files_go_through_the_proxy(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(kind) as proxy, Workspace(MANIFEST, file_processing_s=0) as slack:
        slack.call_itself("slack.test")
        use(monkeypatch, asked_for(proxy))
        api = Api(slack.bot_token, slack.api_url, Counts())
        id_ = await api.hand_in("a.txt", "text")
        await api.attach({id_: "a.txt"}, seed.OPS, None)
        await api.close()
        assert [f.name for m in slack.messages(seed.OPS) for f in m.files] == ["a.txt"]
    assert proxy.hosts == {"slack.test"}


async def test_no_proxy_with_a_cidr_keeps_requests_and_their_tokens_from_the_proxy(
    pretend: PretendCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with HttpProxy() as proxy, serving(fixed(200, b'{"status":"success","data":[]}')) as port:
        # 127.0.0.2 is loopback too and never proxied; 0.0.0.0 isn't loopback.
        use(monkeypatch, proxy.url, NO_PROXY="0.0.0.0/8")
        gateway = Pushgateway(f"http://0.0.0.0:{port}")
        await gateway.read(["x"])
        await gateway.close()
    assert proxy.seen == []


@pytest.mark.parametrize("how", ["wrong password", "refuses", "gone"])
@BOTH
async def test_a_proxy_that_does_not_connect_is_named_as_the_cause(
    kind: Kind, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config"
    async with PretendCluster(speed=0, tls=True) as pretend, guarded(kind) as proxy:
        proxy.refuses = how == "refuses"
        url = asked_for(proxy, "another" if how == "wrong password" else "")
        url = url.replace(f":{proxy.port}", ":9") if how == "gone" else url
        use(monkeypatch, url, KUBECONFIG=str(path))
        said = []
        async with behind(pretend, path) as cluster:
            said.append(await _failure(cluster.pods(SELECTOR)))
        gateway = Pushgateway("https://pg.test")
        said.append(await _failure(gateway.read(["x"])))
        await gateway.close()
        api = Api("xoxb-made-up", "https://slack.test/api/", Counts())
        said.append(await _failure(api.once("auth.test", 5)))
        await api.close()
        said.append(await _failure(DeadMansSwitch("https://dead-man.test/id").ping()))
    port = 9 if how == "gone" else proxy.port
    shown = f"the proxy {proxy.scheme}://127.0.0.1:{port} (ALL_PROXY)"
    for error in said:
        assert isinstance(error, Transient), error
        assert shown in error.message
        text = f"{error.message} {error.remedy}"
        assert "another" not in text
        assert "sesam" not in text
        assert how != "gone" or "refused" in error.message
    assert proxy.seen == []


async def test_a_proxy_that_does_not_pass_a_plain_request_on_is_named_as_the_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with HttpProxy("me", "sesam") as proxy:
        use(monkeypatch, HTTP_PROXY=f"http://me:another@{proxy.address}")
        gateway = Pushgateway("http://pg.test:9091")
        error = await _failure(gateway.read(["x"]))
        await gateway.close()
    assert f"the proxy http://{proxy.address} (HTTP_PROXY) did not pass it on: HTTP 407" in error.message


@pytest.mark.parametrize("scheme", ["http", "https"])
@BOTH
async def test_a_proxy_that_never_answers_is_named_with_its_variable(
    kind: Kind, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config"
    async with PretendCluster(speed=0, tls=scheme == "https") as pretend, guarded(kind) as proxy:
        proxy.hangs = True
        use(monkeypatch, asked_for(proxy), KUBECONFIG=str(path))
        elsewhere(pretend, path)
        cluster = await KubernetesCluster.connect(NAMESPACE, timeout=0.3)
        gateway = Pushgateway(f"{scheme}://pg.test", timeout=0.3)
        bridge = HealthBridge(f"{scheme}://bridge.test/webhook", "t", timeout=0.3)
        archive = AnchorUrl(f"{scheme}://archive.test/anchors", "t", timeout=0.3)
        api = Api("xoxb-made-up", f"{scheme}://slack.test/api/", Counts())
        asked = {
            "cluster": cluster.pods(SELECTOR),
            "exec": cluster.exec("a", "kali", ["id"]),
            "gateway": gateway.read(["x"]),
            "bridge": bridge.send({}),
            "archive": archive.send("k", Anchor(1, "a" * 64)),
            "dead man": DeadMansSwitch(f"{scheme}://dead-man.test/id", timeout=0.3).ping(),
            "slack": api.once("auth.test", 0.3),
        }
        said = {name: await _failure(work) for name, work in asked.items()}
        for one in (cluster, gateway, bridge, archive, api):
            await one.close()
    for name, error in said.items():
        assert type(error) is TimedOut, name
        assert f"through the proxy {proxy.scheme}://{proxy.address} (ALL_PROXY)" in error.message, name
        assert "check ALL_PROXY, or put " in (error.remedy or ""), name
        assert "sesam" not in f"{error.message} {error.remedy}"


async def _failure(work: Any) -> AgentpodError:
    with pytest.raises(AgentpodError) as caught:
        await work
    return caught.value
