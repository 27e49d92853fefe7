"""Restarts and deletions affect only the object that was read, at most once; a lost answer is reported as such."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.kubernetes import KubernetesCluster
from bot.domain.core.workload import Deployment, Pod
from bot.errors import AgentpodError, Conflict, Denied, NotAllowed, NotFound, Permanent, Transient, Uncertain
from sandbox.cluster import PretendCluster, kinds
from sandbox.cluster.rbac import Rule
from tests.adapters.kube_bench import NAMESPACE, SELECTOR, api_status, fixed, serving, talking_to

NAME = "secure-agent-pod"
NOTES = {"kubectl.kubernetes.io/restartedAt": "2026-11-23T12:00:00Z", "agentpod/approval": "a-1"}
SEEN = Deployment(NAME, "uid-1", "7")
POD = Pod("p", "uid-p", "Running")


async def test_a_restart_annotates_the_template_and_replaces_the_pod(admin: KubernetesCluster) -> None:
    [before] = await admin.pods(SELECTOR)
    seen = await admin.deployment(NAME)
    now = await admin.restart(seen, NOTES)
    assert now.uid == seen.uid
    assert now.generation == seen.generation + 1
    assert dict(now.template_annotations) == {**seen.template_annotations, **NOTES}
    assert now.images == seen.images
    [after] = await admin.pods(SELECTOR)
    assert after.uid != before.uid


async def test_a_deployment_that_changed_since_is_not_restarted(
    admin: KubernetesCluster, pretend: PretendCluster
) -> None:
    seen = await admin.deployment(NAME)
    await admin.restart(seen, {"first": "1"})
    [pod] = await admin.pods(SELECTOR)
    with pytest.raises(Conflict, match="the object has been modified") as caught:
        await admin.restart(seen, NOTES)
    assert "nothing was done" in caught.value.message
    assert caught.value.remedy
    assert [p.uid for p in await admin.pods(SELECTOR)] == [pod.uid]
    assert "agentpod/approval" not in (await admin.deployment(NAME)).template_annotations


async def test_another_deployment_of_the_same_name_is_not_restarted(admin: KubernetesCluster) -> None:
    seen = await admin.deployment(NAME)
    with pytest.raises(Permanent, match="field is immutable"):
        await admin.restart(replace(seen, uid="another"), NOTES)


async def test_a_paused_deployment_is_not_restarted_and_nothing_is_sent(
    admin: KubernetesCluster, pretend: PretendCluster
) -> None:
    draft = pretend.store.draft(kinds.DEPLOYMENT, NAMESPACE, NAME)
    draft["spec"]["paused"] = True
    pretend.store.put(kinds.DEPLOYMENT, draft)
    seen = await admin.deployment(NAME)
    sent = pretend.server.requests
    with pytest.raises(Permanent, match="is paused: a restart would not roll out until it is resumed") as caught:
        await admin.restart(seen, NOTES)
    assert "kubectl -n secure-agent-pod rollout resume deployment secure-agent-pod" in (caught.value.remedy or "")
    assert pretend.server.requests == sent


async def test_a_deleted_pod_is_replaced_by_another(admin: KubernetesCluster) -> None:
    [pod] = await admin.pods(SELECTOR)
    await admin.delete_pod(pod)
    [after] = await admin.pods(SELECTOR)
    assert after.uid != pod.uid


async def test_a_pod_of_the_same_name_but_another_uid_is_left_alone(admin: KubernetesCluster) -> None:
    [pod] = await admin.pods(SELECTOR)
    with pytest.raises(Conflict, match="does not match the UID in record"):
        await admin.delete_pod(replace(pod, uid="another"))
    assert [p.uid for p in await admin.pods(SELECTOR)] == [pod.uid]


async def test_a_pod_that_is_gone_is_not_found(admin: KubernetesCluster) -> None:
    with pytest.raises(NotFound, match='pods "p" not found'):
        await admin.delete_pod(POD)


@pytest.mark.parametrize("unknown", [replace(SEEN, resource_version=""), replace(POD, uid="")])
async def test_nothing_is_changed_without_a_precondition(admin: KubernetesCluster, unknown: Any) -> None:
    with pytest.raises(ValueError, match="is not known"):
        await (admin.restart(unknown, NOTES) if isinstance(unknown, Deployment) else admin.delete_pod(unknown))


async def test_a_refusal_names_the_missing_right(
    pretend: PretendCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend.server.authorizer.rules[:] = [Rule(NAMESPACE, ("", "apps"), ("pods", "deployments"), ("get", "list"))]
    monkeypatch.setenv("KUBECONFIG", str(pretend.kubeconfig(tmp_path / "config")))
    bot = await KubernetesCluster.connect(NAMESPACE)
    [pod] = await bot.pods(SELECTOR)
    with pytest.raises(NotAllowed, match=r'The bot may not patch deployments\.apps "secure-agent-pod"'):
        await bot.restart(await bot.deployment(NAME), NOTES)
    with pytest.raises(NotAllowed, match="The bot may not delete pods"):
        await bot.delete_pod(pod)
    await bot.close()


# Refusals of the API server

REFUSALS = (
    'pods "p" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1',
    'pods "p" is forbidden: violates PodSecurity "restricted:latest": privileged (container "kali")',
    'admission webhook "policy.example" denied the request: not during the freeze',
    'pods "p" is forbidden: unable to create new content in namespace n because it is being terminated',
)
CHANGES: dict[str, Callable[[Any], Awaitable[object]]] = {
    "restart": lambda c: c.restart(SEEN, NOTES),
    "delete_pod": lambda c: c.delete_pod(POD),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("said", REFUSALS)
async def test_a_policy_refusal_has_its_own_message_and_is_no_missing_right(
    said: str, change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(fixed(403, api_status(said))) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Denied) as caught:
            await CHANGES[change](cluster)
    assert said in caught.value.message
    assert "Grant" not in (caught.value.remedy or "")


# Lost answers


class Server:
    """A server that counts requests and then misbehaves."""

    def __init__(self, way: str) -> None:
        self.way, self.arrived = way, 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.arrived += 1
        await request.read()
        if self.way == "hangs":
            await asyncio.Event().wait()
        if self.way == "hangs up" and request.transport is not None:
            request.transport.close()
        if self.way == "fails":
            return web.json_response({"kind": "Status", "message": "etcdserver: request timed out"}, status=500)
        return web.Response(text="<html>done, says a proxy</html>")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", ["hangs", "hangs up", "fails"])
async def test_a_lost_answer_is_uncertain_and_a_restart_is_not_sent_twice(
    way: str, change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(way)
    async with serving(server.answer) as port, talking_to(port, tmp_path, monkeypatch, timeout=0.5) as cluster:
        with pytest.raises(Uncertain, match=r"It is unknown whether .* took effect") as caught:
            await CHANGES[change](cluster)
    assert isinstance(caught.value, Transient)
    assert "Look before asking for it again: kubectl -n n " in (caught.value.remedy or "")
    # aiohttp may repeat a DELETE on a closed connection; that is safe, since the request names the uid.
    assert server.arrived == 1 or (change, way, server.arrived) == ("delete_pod", "hangs up", 2)


async def test_an_answer_that_is_no_deployment_is_uncertain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(Server("").answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Uncertain, match="the answer is not a Deployment's JSON"):
            await cluster.restart(SEEN, NOTES)


@pytest.mark.parametrize("change", CHANGES)
async def test_a_request_never_sent_or_refused_is_certain_to_have_failed(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = fixed(429, api_status("slow down"))
    async with serving(handler) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Transient, match="slow down") as throttled:
            await CHANGES[change](cluster)
    async with talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Transient, match="refused the connection") as refused:
            await CHANGES[change](cluster)
    errors: list[AgentpodError] = [throttled.value, refused.value]
    assert not any(isinstance(error, Uncertain) for error in errors)


async def test_the_patch_carries_the_resource_version_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        sent.append((request.content_type, request.query_string, await request.json()))
        return web.json_response({"metadata": {"name": NAME}})

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        await cluster.restart(SEEN, NOTES)
        await cluster.delete_pod(POD)
    assert sent[0] == (
        "application/merge-patch+json",
        "fieldManager=agentpod",
        {
            "metadata": {"uid": "uid-1", "resourceVersion": "7"},
            "spec": {"template": {"metadata": {"annotations": NOTES}}},
        },
    )
    assert sent[1][2]["preconditions"] == {"uid": "uid-p"}
