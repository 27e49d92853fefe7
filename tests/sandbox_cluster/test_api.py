"""Rules of the Kubernetes API that clients rely on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from sandbox.breaks import Breaks
from sandbox.cluster import PretendCluster, kinds
from sandbox.cluster.cluster import ADMIN_TOKEN, BOT_TOKEN
from sandbox.cluster.exec import PROTOCOLS

BASE = "/api/v1/namespaces/secure-agent-pod"


async def get_json(session: aiohttp.ClientSession, path: str, **params: str) -> tuple[int, Any]:
    """The status and the body of a GET."""
    async with session.get(path, params=params) as response:
        return response.status, await response.json()


async def pod_name(http: aiohttp.ClientSession) -> str:
    _, pods = await get_json(http, f"{BASE}/pods")
    return pods["items"][0]["metadata"]["name"]


async def test_an_unknown_token_is_unauthorized(cluster: PretendCluster):
    headers = {"Authorization": "Bearer nobody's"}
    async with aiohttp.ClientSession(cluster.url, headers=headers) as session:
        status, body = await get_json(session, f"{BASE}/pods")
    assert (status, body["reason"]) == (401, "Unauthorized")


async def test_a_missing_object_is_named(http):
    status, body = await get_json(http, f"{BASE}/pods/x")
    assert (status, body["message"]) == (404, 'pods "x" not found')


async def test_a_limited_list_continues_where_it_stopped(http):
    _, first = await get_json(http, f"{BASE}/services", limit="1")
    _, second = await get_json(http, f"{BASE}/services", limit="1", **{"continue": first["metadata"]["continue"]})
    names = [part["items"][0]["metadata"]["name"] for part in (first, second)]
    assert names == ["secure-agent-ssh", "secure-agent-vibekanban"]
    assert "continue" not in second["metadata"]


@pytest.mark.parametrize(("selector", "count"), [("app=secure-agent-pod", 1), ("app!=secure-agent-pod", 0)])
async def test_lists_obey_label_selectors(http, selector, count):
    _, pods = await get_json(http, f"{BASE}/pods", labelSelector=selector)
    assert len(pods["items"]) == count


async def test_lists_obey_field_selectors(http):
    _, pods = await get_json(http, f"{BASE}/pods", fieldSelector="spec.nodeName=gpu-2")
    assert pods["items"] == []


async def test_a_watch_sees_what_changes_after_the_list(http, cluster: PretendCluster):
    _, pods = await get_json(http, f"{BASE}/pods")
    params = {"watch": "true", "resourceVersion": pods["metadata"]["resourceVersion"]}
    async with http.get(f"{BASE}/pods", params=params) as response:
        await cluster.simulation.kill("sshd")
        event = json.loads(await asyncio.wait_for(response.content.readline(), 5))
    assert event["type"] == "MODIFIED"
    assert event["object"]["status"]["containerStatuses"][0]["restartCount"] == 1


async def test_a_watch_from_a_forgotten_version_is_gone(http, cluster: PretendCluster):
    cluster.store.compact()
    async with http.get(f"{BASE}/pods", params={"watch": "true", "resourceVersion": "1"}) as response:
        event = json.loads(await asyncio.wait_for(response.content.readline(), 5))
        rest = await response.content.read()
    assert (response.status, event["type"], event["object"]["code"]) == (200, "ERROR", 410)
    assert event["object"]["reason"] == "Expired"
    assert rest == b""


async def test_a_quiet_watch_sends_its_headers_and_then_bookmarks_where_they_are_wanted(
    http, cluster: PretendCluster
):
    cluster.server.bookmarks = 0.05
    _, pods = await get_json(http, f"{BASE}/pods")
    params = {"watch": "true", "resourceVersion": pods["metadata"]["resourceVersion"], "timeoutSeconds": "30"}
    async with http.get(f"{BASE}/pods", params=params | {"allowWatchBookmarks": "true"}) as response:
        event = json.loads(await asyncio.wait_for(response.content.readline(), 5))
    assert event["type"] == "BOOKMARK"
    assert event["object"]["metadata"] == {"resourceVersion": pods["metadata"]["resourceVersion"]}


async def test_a_resource_version_that_is_no_number_is_refused(http):
    status, body = await get_json(http, f"{BASE}/pods", watch="true", resourceVersion="abc")
    assert (status, body["message"]) == (
        500,
        'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
    )


async def test_annotating_a_deployment_counts_as_one_new_generation(http):
    path = "/apis/apps/v1/namespaces/secure-agent-pod/deployments/secure-agent-pod"
    _, before = await get_json(http, path)
    headers = {"Content-Type": "application/merge-patch+json"}
    patch = json.dumps({"metadata": {"annotations": {"somebody": "else"}}})
    for _ in range(2):
        async with http.patch(path, data=patch, headers=headers) as response:
            assert response.status == 200
    _, after = await get_json(http, path)
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert after["status"]["observedGeneration"] == after["metadata"]["generation"]


async def test_a_patch_with_an_old_version_is_a_conflict_and_a_uid_can_not_be_changed(http):
    path = "/apis/apps/v1/namespaces/secure-agent-pod/deployments/secure-agent-pod"
    headers = {"Content-Type": "application/merge-patch+json"}
    codes = []
    for meta in ({"resourceVersion": "12"}, {"uid": "other"}):
        async with http.patch(path, data=json.dumps({"metadata": meta}), headers=headers) as response:
            codes.append((response.status, (await response.json())["message"].partition('"')[0]))
    assert codes == [(409, "Operation cannot be fulfilled on deployments.apps "), (422, "Deployment.apps ")]


async def test_a_delete_with_another_uid_is_a_conflict(http):
    name = await pod_name(http)
    body = {"preconditions": {"uid": "other"}}
    async with http.delete(f"{BASE}/pods/{name}", json=body) as response:
        assert response.status == 409
        assert (
            "the UID in the precondition (other) does not match the UID in record"
            in (await response.json())["message"]
        )


async def test_a_secret_records_when_it_was_changed(http, cluster: PretendCluster):
    path = f"{BASE}/secrets/agent-secrets-tier2"
    headers = {"Content-Type": "application/merge-patch+json"}
    patch = json.dumps({"stringData": {"NEW": "x"}})
    async with http.patch(path, data=patch, headers=headers, params={"fieldManager": "tester"}) as response:
        body = await response.json()
    entry = body["metadata"]["managedFields"][-1]
    assert (entry["manager"], entry["fieldsV1"]) == ("tester", {"f:data": {"f:NEW": {}}})
    assert "stringData" not in body


@pytest.mark.parametrize(("verb", "allowed"), [("list", True), ("create", False)])
async def test_access_reviews_follow_the_role(cluster: PretendCluster, verb, allowed):
    attributes = {"namespace": "secure-agent-pod", "verb": verb, "resource": "pods"}
    headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
    url = f"{cluster.url}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(url, json={"spec": {"resourceAttributes": attributes}}) as response,
    ):
        assert response.status == 201
        assert (await response.json())["status"]["allowed"] is allowed


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_exec_reports_the_exit_code_on_channel_three(http, protocol):
    path = f"{BASE}/pods/{await pod_name(http)}/exec"
    params = [("container", "kali"), ("command", "cat"), ("command", "/nothing"), ("stderr", "true")]
    async with http.ws_connect(path, protocols=(protocol,), params=params) as socket:
        frames = [message.data async for message in socket]
    assert frames[0] == b"\x02cat: /nothing: No such file or directory\n"
    status = json.loads(frames[-1][1:])
    assert frames[-1][:1] == b"\x03"
    assert (status["reason"], status["details"]["causes"]) == (
        "NonZeroExitCode",
        [{"reason": "ExitCode", "message": "1"}],
    )


@pytest.mark.parametrize("fault", ["pod-exec-hangs", None])
async def test_a_client_that_leaves_an_exec_is_no_error(http, cluster, breaks, caplog, fault):
    path = f"{BASE}/pods/{await pod_name(http)}/exec"
    if fault:
        await breaks.apply(fault, True)
    asked = {"container": "kali", "command": "cat", "stdin": "1", "stdout": "1"}
    async with http.ws_connect(path, params=asked, protocols=PROTOCOLS):
        pass
    await cluster.stop()  # waits for what it still answers
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_exec_into_an_unknown_container_is_refused_before_the_upgrade(http):
    path = f"{BASE}/pods/{await pod_name(http)}/exec"
    status, body = await get_json(http, path, container="x", command="id")
    assert status == 400
    assert body["message"].startswith("container x is not valid for pod secure-agent-pod-")


@pytest.mark.parametrize(
    ("fault", "value", "code"),
    [
        ("kube-401", True, 401),
        ("kube-403", "pods", 403),
        ("kube-404", True, 404),
        ("kube-410", True, 410),
        ("kube-429", True, 429),
        ("kube-500", True, 500),
    ],
)
async def test_api_fault_answers_its_code_until_healed(http, breaks: Breaks, fault, value, code):
    await breaks.apply(fault, value)
    assert (await get_json(http, f"{BASE}/pods"))[0] == code
    await breaks.heal()
    assert (await get_json(http, f"{BASE}/pods"))[0] == 200


async def test_refusing_closes_the_port_and_healing_opens_the_same_one(http, breaks: Breaks):
    await breaks.apply("kube-refuse", True)
    with pytest.raises(aiohttp.ClientConnectorError):
        await get_json(http, f"{BASE}/pods")
    await breaks.heal()
    assert (await get_json(http, f"{BASE}/pods"))[0] == 200


async def test_a_hanging_server_gives_no_answer(http, breaks: Breaks):
    await breaks.apply("kube-hang", True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(get_json(http, f"{BASE}/pods"), 0.3)


async def test_latency_is_by_kind_of_request(http, cluster: PretendCluster):
    asked: list[str] = []

    def latency(kind: str) -> float:
        asked.append(kind)
        return 0.0

    cluster.latency = latency
    await get_json(http, f"{BASE}/pods")
    await get_json(http, f"{BASE}/services/secure-agent-ssh")
    assert asked == ["list pods", "get services"]


async def test_every_fault_is_off_at_first_and_after_healing(cluster: PretendCluster, breaks: Breaks):
    before = cluster.store.list(kinds.SERVICE)
    for one in cluster.breaks:
        if one.kind == "button":
            continue
        assert not one.read(), one.id
        await breaks.apply(one.id, True if one.kind == "toggle" else one.options[0].value)
        assert one.read(), one.id
    await breaks.heal()
    assert [one.id for one in cluster.breaks if one.read()] == []
    pods = cluster.store.list(kinds.POD)
    assert [pod["spec"]["nodeName"] for pod in pods] == ["gpu-1"]
    assert [s["spec"] for s in cluster.store.list(kinds.SERVICE)] == [s["spec"] for s in before]


async def test_over_tls_the_kubeconfig_trusts_only_this_server(tmp_path):
    async with PretendCluster(speed=0, tls=True) as cluster:
        assert "certificate-authority-data" in cluster.kubeconfig(tmp_path / "k").read_text()
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        async with aiohttp.ClientSession(cluster.url, headers=headers) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await get_json(session, f"{BASE}/pods")
