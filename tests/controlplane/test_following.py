"""Following pods while the API server is killed, restarted or compacted, also during a rollout."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import ClientTimeout, web

from bot.adapters.kubernetes import KubernetesCluster
from bot.adapters.transport import sessions
from bot.domain.core.workload import Pod
from bot.domain.health.pod_state import is_ready
from bot.errors import Conflict, Transient, Uncertain
from tests.controlplane.agent_pod import APP, PLAY, AgentPod
from tests.controlplane.plane import Plane
from tests.controlplane.settled import change_now
from tests.controlplane.watching import SERVER, port

SELECTOR = f"app={APP}"
REQUEST = "agentpod.test/request"
PATIENCE = 30.0
Pods = AsyncGenerator[Sequence[Pod], None]


@pytest.fixture
def pod(fragile_plane: Plane, numbers: Iterator[int]) -> AgentPod:
    """An agent pod on a control plane that tests may break; the bot may follow and restart it."""
    made = AgentPod(fragile_plane, f"followed-{next(numbers)}").create()
    made.allow("watch", "pods")
    made.allow("patch", "deployments", "apps")
    return made


@pytest.fixture
async def cluster(pod: AgentPod) -> AsyncIterator[KubernetesCluster]:
    """The port with the bot's token."""
    async with port(pod.kubeconfig(), pod.namespace) as found:
        yield found


async def seen(pods: Pods, what: Callable[[Sequence[Pod]], bool]) -> Sequence[Pod]:
    """Wait for a list of pods for which ``what`` is true."""
    async with asyncio.timeout(PATIENCE):
        async for found in pods:
            if what(found):
                return found
    raise AssertionError("it ended")


def one_ready(besides: str = "") -> Callable[[Sequence[Pod]], bool]:
    """A predicate: there is exactly one pod, it is ready, and it hasn't that uid."""
    return lambda pods: len(pods) == 1 and is_ready(pods[0]) and pods[0].uid != besides


async def restarted(plane: Plane) -> None:
    """Kill the API server and start it again."""
    plane.end(SERVER)
    plane.run(SERVER)
    await asyncio.to_thread(plane.wait_ready)


async def test_a_pod_replaced_while_nobody_could_watch_is_seen_after_the_api_server_is_back(
    pod: AgentPod, cluster: KubernetesCluster
) -> None:
    async with aclosing(cluster.follow(SELECTOR)) as pods:
        [old] = await seen(pods, one_ready())
        following = asyncio.ensure_future(seen(pods, one_ready(old.uid)))
        await restarted(pod.plane)
        pod.plane.call("DELETE", f"{pod.path}/pods/{old.name}")
        [new] = await following
    assert new.uid == pod.pod()["metadata"]["uid"]


async def test_a_rollout_is_followed_to_its_end_across_a_restart_of_the_api_server(
    pod: AgentPod, cluster: KubernetesCluster
) -> None:
    async with aclosing(cluster.follow(SELECTOR)) as pods:
        [old] = await seen(pods, one_ready())
        await change_now(cluster, lambda now: cluster.restart(now, {REQUEST: "r-1", PLAY: "slow"}))
        [new] = await seen(pods, lambda found: len(found) == 1 and found[0].uid != old.uid)
        assert not is_ready(new)
        following = asyncio.ensure_future(seen(pods, one_ready(old.uid)))
        # A controller that loses the answer to a pod's creation would create another pod.
        pod.until(lambda: pod.plane.call("GET", pod.deployment_path)["status"].get("updatedReplicas") == 1)
        await restarted(pod.plane)
        pod.play("ready")
        assert [p.uid for p in await following] == [new.uid]
    # The Deployment's controller updates the status a moment later.
    pod.until(lambda: pod.plane.call("GET", pod.deployment_path)["status"].get("readyReplicas") == 1)
    after = await cluster.deployment(APP)
    assert after.template_annotations[REQUEST] == "r-1"


class Gate:
    """A proxy between the bot and the API server that holds the first watch until it is opened."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.waiting, self.opened = asyncio.Event(), asyncio.Event()
        self.watched = bytearray()
        """The API server's answers to watches."""

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Forward one request, and stream its answer."""
        watch = "watch" in request.query
        if watch:
            self.waiting.set()
            await self.opened.wait()
        kept = {name: request.headers[name] for name in ("Authorization", "Accept")}
        tls = ssl.create_default_context(cafile=str(self.plane.certificate))
        async with (
            sessions.session(2**20, tls=tls, timeout=ClientTimeout(total=None)) as session,
            session.request(request.method, self.plane.url + request.path_qs, headers=kept) as upstream,
        ):
            response = web.StreamResponse(status=upstream.status, headers={"Content-Type": upstream.content_type})
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                if watch:
                    self.watched += chunk
                await response.write(chunk)
        return response

    @asynccontextmanager
    async def kubeconfig(self, pod: AgentPod) -> AsyncIterator[Path]:
        """A kubeconfig that leads through this proxy."""
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self.pass_on)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        path = pod.kubeconfig()
        here = f"http://127.0.0.1:{runner.addresses[0][1]}"
        path.write_text(path.read_text().replace(pod.plane.url, here))
        try:
            yield path
        finally:
            await runner.cleanup()


async def test_a_watch_from_a_compacted_version_restarts_and_misses_nothing(pod: AgentPod) -> None:
    """410 Gone: after the list and before the watch, the API server's history was compacted."""
    gate = Gate(pod.plane)
    async with (
        gate.kubeconfig(pod) as kubeconfig,
        port(kubeconfig, pod.namespace, seconds=PATIENCE) as cluster,
        aclosing(cluster.follow(SELECTOR)) as pods,
    ):
        [old] = await seen(pods, one_ready())
        following = asyncio.ensure_future(seen(pods, one_ready(old.uid)))
        await gate.waiting.wait()
        pod.plane.call("DELETE", f"{pod.path}/pods/{old.name}")
        pod.until(lambda: len(pod.ready_pods()) == 1)
        pod.plane.forget()
        await restarted(pod.plane)
        gate.opened.set()
        [new] = await following
    assert new.uid == pod.pod()["metadata"]["uid"]
    assert b'"code":410' in gate.watched


async def test_without_an_api_server_following_times_out_and_a_restart_certainly_failed(
    pod: AgentPod, cluster: KubernetesCluster
) -> None:
    async with aclosing(cluster.follow(SELECTOR, patience=0.5)) as pods:
        await seen(pods, one_ready())
        before = await cluster.deployment(APP)
        pod.plane.end(SERVER)
        with pytest.raises(Transient, match="refused the connection"):
            await seen(pods, lambda _: False)
    with pytest.raises(Transient, match="refused the connection") as caught:
        await cluster.restart(before, {REQUEST: "r-1"})
    assert not isinstance(caught.value, Uncertain)


async def test_a_restart_with_a_lost_answer_is_uncertain_and_a_retry_can_not_repeat_it(
    pod: AgentPod,
) -> None:
    async with port(pod.kubeconfig(), pod.namespace, seconds=1.0) as cluster:
        before = await cluster.deployment(APP)
        pod.plane.processes[SERVER].send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(Uncertain, match="It is unknown whether the restart of") as caught:
                await cluster.restart(before, {REQUEST: "r-1"})
        finally:
            pod.plane.processes[SERVER].send_signal(signal.SIGCONT)
    assert "rollout status" in str(caught.value.remedy)
    async with port(pod.kubeconfig(), pod.namespace) as cluster:
        with suppress(Conflict):
            await cluster.restart(before, {REQUEST: "r-1"})
        after = await cluster.deployment(APP)
    assert after.template_annotations[REQUEST] == "r-1"
    assert after.generation == before.generation + 1
