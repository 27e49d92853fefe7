"""Malformed API objects raise only the bot's own errors, and don't hide other objects."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.kubernetes import KubernetesCluster
from bot.domain.core.probes import Verdict
from bot.domain.core.target import Target
from bot.domain.health import judge_events, judge_pod, judge_storage
from bot.errors import AgentpodError
from tests.adapters.kube_bench import serving, talking_to
from tests.mutations import mutations
from tests.services.workbench import START

TIME = "2026-11-24T08:00:00Z"
META = {"name": "good", "uid": "u", "creationTimestamp": TIME, "labels": {"app": "x"}, "resourceVersion": "1"}
READY = {"type": "Ready", "status": "True", "lastTransitionTime": TIME}
ENDED = {"exitCode": 1, "reason": "Error", "finishedAt": TIME, "startedAt": TIME, "message": "m"}
STATUS = {
    "name": "kali",
    "image": "i",
    "imageID": "id",
    "ready": True,
    "restartCount": 1,
    "state": {"running": {"startedAt": TIME}},
    "lastState": {"terminated": ENDED},
}
POD = {
    "metadata": META,
    "spec": {"nodeName": "gpu-1", "containers": [{"name": "kali", "image": "i"}]},
    "status": {"phase": "Running", "startTime": TIME, "conditions": [READY], "containerStatuses": [STATUS]},
}
EVENT = {
    "metadata": META,
    "involvedObject": {"kind": "Pod", "name": "good", "uid": "u"},
    "type": "Warning",
    "reason": "Unhealthy",
    "message": "m",
    "count": 3,
    "firstTimestamp": TIME,
    "lastTimestamp": TIME,
    "series": {"count": 2, "lastObservedTime": TIME},
    "source": {"component": "kubelet"},
}
SERVICE = {
    "metadata": META,
    "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "ports": [{"port": 22, "targetPort": "ssh"}]},
    "status": {"loadBalancer": {"ingress": [{"ip": "192.168.55.215"}]}},
}
SLICE = {
    "metadata": {**META, "labels": {"kubernetes.io/service-name": "ssh"}},
    "endpoints": [{"addresses": ["10.1.1.1"], "conditions": {"ready": True}, "targetRef": {"name": "good"}}],
    "ports": [{"port": 2222}],
}
CLAIM = {
    "metadata": META,
    "spec": {"storageClassName": "s", "accessModes": ["ReadWriteOnce"], "volumeName": "v"},
    "status": {"phase": "Bound", "capacity": {"storage": "50Gi"}},
}
DEPLOYMENT = {
    "metadata": META,
    "spec": {"replicas": 1, "strategy": {"type": "Recreate"}, "template": {"spec": POD["spec"]}},
    "status": {"replicas": 1, "readyReplicas": 1, "conditions": [READY]},
}
APPLICATION = {
    "metadata": META,
    "status": {"sync": {"status": "Synced", "revisions": ["a", "b"]}, "health": {"status": "Healthy"}},
}
SECRET = {"metadata": META, "data": {"token": "aHVudGVyMg=="}}
ALL = {
    "pods": POD,
    "events": EVENT,
    "services": SERVICE,
    "endpointslices": SLICE,
    "persistentvolumeclaims": CLAIM,
    "deployments": DEPLOYMENT,
    "applications": APPLICATION,
    "secrets": SECRET,
}
Ask = Callable[[KubernetesCluster], Awaitable[Any]]
ASKS: dict[str, Ask] = {
    "pods": lambda c: c.pods("app=x"),
    "events": lambda c: c.events(),
    "services": lambda c: c.services(),
    "endpointslices": lambda c: c.endpoints(),
    "persistentvolumeclaims": lambda c: c.claims(),
    "deployments": lambda c: c.deployment("good"),
    "applications": lambda c: c.application("argocd", "good"),
    "secrets": lambda c: c.secret("good"),
}
LISTS = ("pods", "events", "services", "endpointslices", "persistentvolumeclaims")


class Server:
    """A server that answers with ``answer``."""

    def __init__(self) -> None:
        self.answer = b"{}"

    async def handle(self, _: web.Request) -> web.Response:
        return web.Response(body=self.answer, content_type="application/json")

    def lists(self, *objects: Any) -> None:
        """Make the next answer a list of these objects."""
        self.answer = json.dumps({"items": list(objects)}).encode()


def judged(kind: str, found: Any) -> list[Verdict]:
    """The verdicts on the objects, which must not raise either."""
    if kind == "pods":
        return [judge_pod.judge_pod([one], Target(), START).verdict for one in found]
    if kind == "events":
        judge_events.judge_events(found, START)
    if kind == "persistentvolumeclaims":
        return [judge_storage.judge_claims(found, Target()).verdict]
    return []


@pytest.mark.parametrize("kind", ALL)
async def test_mutated_objects_raise_nothing_but_the_bots_own_errors(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    changed = list(mutations([ALL[kind]], 400, seed=len(kind)))
    size = 10 if kind in LISTS else 1
    async with serving(server.handle) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        for start in range(0, len(changed), size):
            if size > 1:
                server.lists(*changed[start : start + size])
            else:
                server.answer = json.dumps(changed[start]).encode()
            with contextlib.suppress(AgentpodError):
                judged(kind, await ASKS[kind](cluster))


BAD: Sequence[Any] = [
    None,
    5,
    "x",
    [],
    {},
    {"metadata": 5},
    {**POD, "metadata": {**META, "name": "odd", "uid": "o", "creationTimestamp": "yesterday"}},
    {**POD, "metadata": {**META, "name": "odd", "uid": "o", "creationTimestamp": "2026-11-24T08:00:00"}},
    {**POD, "metadata": {**META, "name": "odd", "uid": "o", "creationTimestamp": "0001-01-01T00:00:00+14:00"}},
    {**POD, "metadata": {**META, "name": "odd", "uid": "o", "creationTimestamp": "9999-12-31T23:59:59-14:00"}},
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
async def test_a_pod_that_cannot_be_understood_is_unknown_and_hides_no_other(
    bad: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    server.lists(bad, POD)
    async with serving(server.handle) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        found = await cluster.pods("app=x")
        [good] = [p for p in found if p.name == "good"]
        [odd] = [p for p in found if p is not good]
        assert (odd.phase, odd.reason) == ("Unknown", "Unreadable")
        assert "can't be understood" in (odd.message or "")
        assert judge_pod.judge_pod([odd], Target(), START).verdict is not Verdict.OK
        async for pods in cluster.follow("app=x"):
            assert {p.name for p in pods} == {p.name for p in found}
            break


@pytest.mark.parametrize("kind", LISTS)
async def test_one_object_of_a_wrong_type_is_named(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    bad = copy.deepcopy(ALL[kind])
    bad["metadata"] = {**META, "name": "odd-one", "uid": 5}
    server.lists(ALL[kind], bad)
    async with serving(server.handle) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        try:
            said = str(await ASKS[kind](cluster))
            assert "good" in said
        except AgentpodError as error:
            said = error.message
    assert "odd-one" in said or "without a name" in said or "Unreadable" in said


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"5",
        b"{",
        b'{"items": 5}',
        b'{"items": {}}',
        b"[" * 100_000,
        b'{"items":[{"a":' + b"[" * 100_000,
        b"\xff",
    ],
)
@pytest.mark.parametrize("kind", sorted(set(ALL) - {"secrets"}))
async def test_an_invalid_answer_is_an_error_with_an_explanation(
    raw: bytes, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    server.answer = raw
    async with serving(server.handle) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(AgentpodError, match="answered something unexpected"):
            await ASKS[kind](cluster)


async def test_only_the_newest_of_very_many_events_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    server.lists(
        *(
            {**EVENT, "message": f"{n}", "series": None, "lastTimestamp": f"2026-11-24T08:{n % 60:02}:00Z"}
            for n in range(7_000)
        )
    )
    async with serving(server.handle) as port, talking_to(port, tmp_path, monkeypatch, timeout=10) as cluster:
        found = await cluster.events()
    assert len(found) == 5_000
    assert found[0].last_seen is not None
    assert found[0].last_seen.minute == 59


@pytest.mark.parametrize("size", ["9" * 400, "9" * 5_000 + "Gi", "1e99", "٣Gi", "-1", "1e1000"])
async def test_an_invalid_size_is_unknown(size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server.lists({**CLAIM, "status": {"phase": "Bound", "capacity": {"storage": size}}})
    async with serving(server.handle) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        [claim] = await cluster.claims()
    assert claim.capacity is None or size == "1e99"
