"""Following pods: every change is seen, deleted pods disappear, and outages are bridged up to a limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.kubernetes import KubernetesCluster
from bot.adapters.kubernetes.watch import WatchPace
from bot.domain.core.workload import Pod
from bot.domain.health.pod_state import is_ready
from bot.errors import NotAllowed, Permanent, TimedOut, Transient
from sandbox.cluster import PretendCluster
from sandbox.cluster.rbac import Rule
from tests.adapters.kube_bench import NAMESPACE, SELECTOR, Handler, api_status, fixed, serving, talking_to

FAST = WatchPace(first_pause=0.01, longest_pause=0.02, steady=0.0)
Pods = AsyncGenerator[Sequence[Pod], None]


@asynccontextmanager
async def followed(
    handler: Handler,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    timeout: float = 1.0,  # noqa: ASYNC109 - the connection's
    **options: Any,
) -> AsyncIterator[Pods]:
    """Follow the pods of a server with these answers."""
    async with (
        serving(handler) as port,
        talking_to(port, tmp_path, monkeypatch, timeout=timeout) as cluster,
        aclosing(cluster.follow("a=b", **options)) as pods,
    ):
        yield pods


async def following(pods: Pods) -> Sequence[Pod]:
    async with asyncio.timeout(10):
        return await anext(pods)


async def until(pods: Pods, count: int, other_than: str = "") -> Sequence[Pod]:
    """Wait for a list of that many pods, all ready, without the uid ``other_than``."""
    async with asyncio.timeout(10):
        async for found in pods:
            if len(found) == count and all(is_ready(p) and p.uid != other_than for p in found):
                return found
    raise AssertionError("it ended")


def api_pod(name: str, **status: Any) -> dict[str, Any]:
    created = "2026-11-23T12:00:00Z"
    return {"metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": created}, "status": status}


def event(type_: str, obj: dict[str, Any]) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


def names(pods: Sequence[Pod]) -> list[str]:
    return [p.name for p in pods]


class Script:
    """An API server with scripted lists (names of pods) and watches (bytes)."""

    def __init__(self, lists: Sequence[Sequence[str]], watches: Sequence[Sequence[bytes]], end: str = "") -> None:
        """Script the answers, repeating the last. Then a watch ends, is ``cut``, or stays open (``stay``)."""
        self.lists, self.watches, self.end = lists, watches, end
        self.listed = self.watched = self.refused = 0
        self.queries: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            found = self.lists[min(self.listed, len(self.lists) - 1)]
            self.listed += 1
            items = [api_pod(name, phase="Running") for name in found]
            return web.json_response({"metadata": {"resourceVersion": "41"}, "items": items})
        self.queries.append(dict(request.query))
        chunks = self.watches[min(self.watched, len(self.watches) - 1)]
        self.watched += 1
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in (b"", *chunks):
            await response.write(chunk)
        if self.end == "cut" and request.transport is not None:
            request.transport.close()
        if self.end == "stay":
            await asyncio.Event().wait()
        return response


async def test_pods_are_yielded_at_once_and_after_every_change(
    admin: KubernetesCluster, pretend: PretendCluster
) -> None:
    async with aclosing(admin.follow(SELECTOR)) as pods:
        [first] = await following(pods)
        assert is_ready(first)
        await pretend.simulation.kill("sshd")
        [restarted] = await until(pods, 1)
        assert (restarted.uid, restarted.restarts) == (first.uid, 1)
        await pretend.simulation.replace_pods()
        [second] = await until(pods, 1, other_than=first.uid)
        assert second.uid != first.uid


async def test_without_pods_the_list_is_empty(admin: KubernetesCluster) -> None:
    async with aclosing(admin.follow("app=other")) as pods:
        assert list(await following(pods)) == []


async def test_after_a_restart_of_the_api_server_pods_are_listed_again(
    admin: KubernetesCluster, pretend: PretendCluster
) -> None:
    async with aclosing(admin.follow(SELECTOR, pace=FAST)) as pods:
        [before] = await following(pods)
        waiting = asyncio.create_task(until(pods, 1, other_than=before.uid))
        await pretend.listener.refuse()
        await pretend.simulation.replace_pods()
        pretend.store.compact()
        await pretend.listener.accept()
        [after] = await waiting
    assert after.uid != before.uid


async def test_a_watch_asks_for_bookmarks_and_for_an_end_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bookmark = event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": "50"}, "status": {}})
    script = Script([["a"]], [[bookmark, event("ADDED", api_pod("b"))]], "stay")
    async with followed(script.answer, tmp_path, monkeypatch, pace=WatchPace(stretch=77)) as pods:
        assert names(await following(pods)) == ["a"]
        assert names(await following(pods)) == ["a", "b"], "a bookmark is no change"
    asked = script.queries[0]
    assert (asked["resourceVersion"], asked["allowWatchBookmarks"], asked["timeoutSeconds"]) == (
        "41",
        "true",
        "77",
    )
    assert asked["labelSelector"] == "a=b"


async def test_events_add_change_and_remove_pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [
        event("ADDED", api_pod("b", phase="Pending")),
        event("MODIFIED", api_pod("b", phase="Pending")),
        event("MODIFIED", api_pod("b", phase="Running")),
        event("DELETED", api_pod("a")),
    ]
    script = Script([["a"]], [changes], "stay")
    async with followed(script.answer, tmp_path, monkeypatch) as pods:
        seen = [[(p.name, p.phase) for p in await following(pods)] for _ in range(4)]
    assert seen == [
        [("a", "Running")],
        [("a", "Running"), ("b", "Pending")],
        [("a", "Running"), ("b", "Running")],
        [("b", "Running")],
    ]


GONE = {
    "kind": "Status",
    "status": "Failure",
    "code": 410,
    "reason": "Expired",
    "message": "too old resource version",
}


@pytest.mark.parametrize(
    ("watch", "end"),
    [
        ([], ""),
        ([], "cut"),
        ([event("ADDED", api_pod("b"))[:30]], "cut"),
        ([event("ERROR", GONE)], ""),
        ([event("ERROR", GONE | {"code": 500, "message": "etcd leader changed"})], "stay"),
    ],
    ids=["ended", "cut", "cut in a line", "410 in the stream", "500 in the stream"],
)
async def test_after_any_end_of_a_watch_the_list_is_read_again(
    watch: list[bytes], end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script([["a", "b"], ["b", "c"]], [watch], end)
    async with followed(script.answer, tmp_path, monkeypatch, pace=FAST) as pods:
        assert names(await following(pods)) == ["a", "b"]
        assert names(await following(pods)) == ["b", "c"]


async def test_a_watch_that_is_refused_as_too_old_is_followed_by_a_new_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script([["a"], ["b"]], [[]])
    refused = fixed(410, api_status("too old resource version: 1 (2)"))

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (refused(request) if "watch" in request.query else script.answer(request))

    async with followed(answer, tmp_path, monkeypatch, pace=FAST) as pods:
        assert [names(await following(pods)), names(await following(pods))] == [["a"], ["b"]]


async def test_a_silent_watch_counts_as_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([["a"], ["b"]], [[]], "stay")
    async with followed(script.answer, tmp_path, monkeypatch, pace=WatchPace(idle=0.05, first_pause=0.01)) as pods:
        assert [names(await following(pods)), names(await following(pods))] == [["a"], ["b"]]


async def test_an_event_may_be_several_megabytes_long_and_come_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = event("ADDED", api_pod("b", message="x" * 3_000_000)) + event("ADDED", api_pod("c"))
    pieces = [whole[start : start + 70_001] for start in range(0, len(whole), 70_001)]
    script = Script([["a"]], [pieces], "stay")
    async with followed(script.answer, tmp_path, monkeypatch) as pods:
        await following(pods)
        assert len(str((await following(pods))[1].message)) == 3_000_000
        assert names(await following(pods)) == ["a", "b", "c"]


@pytest.mark.parametrize("line", [b"<html>\n", b"{}\n", b'{"type": 5, "object": {}}\n', b"\xff\n"])
async def test_an_invalid_event_is_explained(line: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with followed(Script([["a"]], [[line]]).answer, tmp_path, monkeypatch) as pods:
        await following(pods)
        with pytest.raises(Permanent, match="something unexpected: no event of `watch pods in n`"):
            await following(pods)


async def test_a_missing_right_to_watch_is_reported_at_once(
    pretend: PretendCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend.server.authorizer.rules[:] = [Rule(NAMESPACE, ("",), ("pods",), ("get", "list"))]
    monkeypatch.setenv("KUBECONFIG", str(pretend.kubeconfig(tmp_path / "config")))
    bot = await KubernetesCluster.connect(NAMESPACE)
    async with aclosing(bot.follow(SELECTOR)) as pods:
        await following(pods)
        with pytest.raises(NotAllowed, match="The bot may not watch pods"):
            await following(pods)
    async with aclosing(bot.in_namespace("kube-system").follow(SELECTOR)) as pods:
        with pytest.raises(NotAllowed, match="The bot may not list pods"):
            await following(pods)
    await bot.close()


@pytest.mark.parametrize("code", [401, 403])
@pytest.mark.parametrize("refusals", [3, 10_000])
async def test_a_refusal_after_a_grant_counts_only_if_it_persists(
    code: int, refusals: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A just started API server refuses every user until it has read roles and accounts."""
    script = Script([["a"], ["b"]], [[]])
    refused = fixed(code, api_status('User "u" cannot list resource "pods"'))

    async def handler(request: web.Request) -> web.StreamResponse:
        if script.watched == 1 and script.refused < refusals:
            script.refused += 1
            return await refused(request)
        return await script.answer(request)

    pace = WatchPace(first_pause=0.01, longest_pause=0.02, steady=0.0, settling=0.3)
    async with followed(handler, tmp_path, monkeypatch, pace=pace) as pods:
        assert names(await following(pods)) == ["a"]
        if refusals == 3:
            assert names(await following(pods)) == ["b"]
        else:
            with pytest.raises(NotAllowed):
                await following(pods)
    assert 3 <= script.refused < 100


@pytest.mark.parametrize("code", [500, 503, 410, 429])
async def test_an_outage_longer_than_patience_is_raised(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = fixed(code, api_status("not now"))
    async with serving(handler) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Transient, match="not now"):
            await following(cluster.follow("a=b", patience=0.1, pace=FAST))
    async with talking_to(port, tmp_path, monkeypatch) as cluster:
        with pytest.raises(Transient, match="refused the connection"):
            await following(cluster.follow("a=b", patience=0.1, pace=FAST))


async def test_a_watch_that_never_begins_is_an_outage_although_the_list_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script([["a"]], [[]])

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            await asyncio.Event().wait()
        return await script.answer(request)

    async with followed(answer, tmp_path, monkeypatch, timeout=0.1, patience=0.2, pace=FAST) as pods:
        await following(pods)
        with pytest.raises(TimedOut, match=r"no answer in 0\.1 s"):
            await following(pods)
    assert script.listed > 1


async def test_short_outages_do_not_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([[name] for name in "abcdefghi"], [[]], "cut")
    fails = iter([False, True] * 100)

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query and next(fails):
            return web.json_response({}, status=503)
        return await script.answer(request)

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        slow = WatchPace(first_pause=0.1, longest_pause=0.1)
        async with aclosing(cluster.follow("a=b", patience=0.6, pace=slow)) as pods:
            seen = [names(await following(pods))[0] for _ in range(9)]
    assert seen == list("abcdefghi")


async def test_closing_ends_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([["a"]], [[event("ADDED", api_pod("b"))]], "stay")
    watching: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        watching.extend([request] if "watch" in request.query else [])
        return await script.answer(request)

    async with serving(answer) as port, talking_to(port, tmp_path, monkeypatch) as cluster:
        async with aclosing(cluster.follow("a=b")) as pods:
            await following(pods)
            await following(pods)
            assert watching[0].transport is not None
        async with asyncio.timeout(5):
            while watching[0].transport is not None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
