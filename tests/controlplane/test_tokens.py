"""Tokens that the API server no longer accepts: explained, and replaced without a restart of the bot."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio.config import incluster_config

from bot.adapters.kubernetes import KubernetesCluster
from bot.errors import NotAllowed
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.watching import HEALTHY, port, watching


def expired(pod: AgentPod, minutes: int = 7) -> str:
    """The bot's token as issued by the API server, but expired some minutes ago."""
    head, claims, _ = pod.token().split(".")
    ended = int(time.time()) - 60 * minutes
    body = _decoded(claims) | {"exp": ended, "iat": ended - 3600, "nbf": ended - 3600}
    signed = f"{head}.{_encoded(json.dumps(body).encode())}"
    key = pod.plane.folder / "service-accounts.key"
    command = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    signature = subprocess.run(command, input=signed.encode(), capture_output=True, check=True).stdout
    return f"{signed}.{_encoded(signature)}"


def _decoded(part: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@pytest.fixture
def stale(agent_pod: AgentPod) -> Path:
    """A kubeconfig whose token expired seven minutes ago."""
    return agent_pod.plane.kubeconfig(agent_pod.folder / "stale", expired(agent_pod), agent_pod.namespace)


def token_in(kubeconfig: Path) -> str:
    """The token of a kubeconfig."""
    return str(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"])


def renew(pod: AgentPod, kubeconfig: Path) -> None:
    """Put a valid token into a kubeconfig."""
    pod.plane.kubeconfig(kubeconfig, pod.token(), pod.namespace)


def accepted(pod: AgentPod, token: str) -> bool:
    """Whether the API server still accepts a token: it sees deletions late, and keeps an acceptance for 10 s."""
    path, review = "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}}
    return bool(pod.plane.call("POST", path, review)["status"].get("authenticated"))


async def test_an_expired_token_is_reported_with_its_account_and_source(agent_pod: AgentPod, stale: Path) -> None:
    async with watching(agent_pod, kubeconfig=stale) as world:
        answer = await world.ask("status")
        said = "Could not tell: the API server does not accept the bot's credentials (401 Unauthorized): its token"
        assert f"{said} expired " in answer.first_line
        account = f"system:serviceaccount:{agent_pod.namespace}:agentpod"
        assert f"Renew the token of {account} in context control-plane of kubeconfig {stale}" in answer.text
        assert "3 ok: SSH, VibeKanban, Heartbeats" in answer.text
        assert await world.ready() == (200, [])

        in_terminal = world.sandbox.bot()
        await in_terminal.start("status")
        assert await in_terminal.wait() == 2
        assert f"Renew the token of {account}" in in_terminal.output()

        renew(agent_pod, stale)
        assert HEALTHY in (await world.ask("status")).first_line
        assert "Traceback" not in world.bot.output()


async def test_a_renewed_token_is_used_by_all_reads_at_once(agent_pod: AgentPod, stale: Path) -> None:
    async with port(stale, agent_pod.namespace) as cluster:
        renew(agent_pod, stale)
        reads = (cluster.events, cluster.services, cluster.endpoints, cluster.claims, cluster.info)
        found = await asyncio.gather(*(read() for read in reads))
    assert found[1]


async def test_a_token_whose_secret_was_deleted_is_reported_as_revoked(agent_pod: AgentPod) -> None:
    pod = agent_pod
    secret = pod.plane.call("POST", f"{pod.path}/secrets", {"metadata": {"name": "life"}})
    bound = {"kind": "Secret", "apiVersion": "v1", "name": "life", "uid": secret["metadata"]["uid"]}
    token = pod.token(bound=bound)
    kubeconfig = pod.plane.kubeconfig(pod.folder / "bound", token, pod.namespace)
    pod.plane.call("DELETE", f"{pod.path}/secrets/life")
    pod.until(lambda: not accepted(pod, token))
    async with port(kubeconfig, pod.namespace) as cluster:
        with pytest.raises(NotAllowed) as caught:
            await cluster.services()
        assert "though its token is not expired" in caught.value.message
        assert "See whether its account or Secret life still exists" in str(caught.value.remedy)
        renew(pod, kubeconfig)
        assert await cluster.services()


async def test_the_token_in_a_pod_is_read_again_once_it_is_refused(
    agent_pod: AgentPod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a pod, except for the mount's path, a constant of the client that is patched here."""
    mounted = tmp_path / "token"
    mounted.write_text(expired(agent_pod))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(mounted))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(agent_pod.plane.certificate))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(agent_pod.plane.port))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    cluster = await KubernetesCluster.connect(agent_pod.namespace, timeout=5.0)
    try:
        with pytest.raises(NotAllowed, match="its token expired") as caught:
            await cluster.services()
        assert "The kubelet renews it in the bot's pod" in str(caught.value.remedy)
        mounted.write_text(agent_pod.token())
        assert await cluster.services()
        assert await cluster.services()
    finally:
        await cluster.close()


async def test_no_part_of_a_refused_token_is_shown(agent_pod: AgentPod, stale: Path) -> None:
    async with port(stale, agent_pod.namespace) as cluster:
        with pytest.raises(NotAllowed) as caught:
            await cluster.services()
    token = token_in(stale)
    told = "".join(traceback.format_exception(caught.value))
    assert "does not accept" in told
    assert not [part for part in token.split(".") if part in told + str(caught.value.remedy)]
