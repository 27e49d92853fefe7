"""What several checks read of the cluster, each read made once and shared."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from bot.domain.core import words
from bot.domain.core.target import ContainerTarget
from bot.domain.core.workload import Claim, Container, Endpoint, Event, ExecResult, Pod, Service
from bot.domain.health import judge_deployment, judge_pod, pod_state
from bot.domain.health.judge_deployment import Owner
from bot.errors import NotFound
from bot.runbook.context import Context
from bot.services import container_exec
from commands.shared.probes import API, EXEC, Ask, Blocked, SourceUnavailable, unread_finding

T = TypeVar("T")


class Reads:
    """Shared reads for the time of one command: ``async with Reads(ctx) as reads``.

    A reader whose deadline passes leaves the read to the others; leaving the block ends what still runs.
    """

    def __init__(self, ctx: Context) -> None:
        """Nothing is read before somebody asks."""
        self._ctx = ctx
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End reads that nobody waits for any more."""
        for task in self._tasks.values():
            task.cancel()

    def _once(self, key: str, read: Callable[[], Coroutine[Any, Any, T]]) -> Awaitable[T]:
        if key not in self._tasks:
            task = asyncio.get_running_loop().create_task(read(), name=f"read {key}")
            task.add_done_callback(_retrieve)
            self._tasks[key] = task
        return asyncio.shield(self._tasks[key])

    async def pods(self, ask: Ask) -> Sequence[Pod]:
        """The target's pods. Raises `SourceUnavailable`."""
        return await ask.of(API, self._once("pods", lambda: self._ctx.cluster.pods(self._ctx.target.selector)))

    async def owner(self, ask: Ask) -> Owner:
        """What is known of the target's Deployment. It only explains the pod: never raises."""
        name = self._ctx.target.deployment
        try:
            return await ask.of(API, self._once("deployment", lambda: self._ctx.cluster.deployment(name)))
        except SourceUnavailable as unread:
            # Where the API server does not know Deployments at all, this one is not known either.
            if isinstance(unread.error, NotFound) and name in unread.error.message:
                return judge_deployment.Absent(words.lower_first(unread.error.message))
            finding = unread_finding("", "", unread)
            return judge_deployment.DeploymentUnread(finding.summary, finding.remedy, finding.run)

    async def events(self, ask: Ask) -> Sequence[Event]:
        """The namespace's events. Raises `SourceUnavailable`."""
        return await ask.of(API, self._once("events", self._ctx.cluster.events))

    async def services(self, ask: Ask) -> Sequence[Service]:
        """The namespace's Services. Raises `SourceUnavailable`."""
        return await ask.of(API, self._once("services", self._ctx.cluster.services))

    async def endpoints(self, ask: Ask) -> Sequence[Endpoint]:
        """The namespace's endpoints. Raises `SourceUnavailable`."""
        return await ask.of(API, self._once("endpoints", self._ctx.cluster.endpoints))

    async def claims(self, ask: Ask) -> Sequence[Claim]:
        """The namespace's volume claims. Raises `SourceUnavailable`."""
        return await ask.of(API, self._once("claims", self._ctx.cluster.claims))

    async def pod(self, ask: Ask) -> Pod:
        """The pod to look into. Raises `SourceUnavailable`, and `Blocked` when there is none."""
        pod = judge_pod.current(await self.pods(ask))
        if pod is None:
            raise Blocked("pod", "no pod is running")
        return pod

    async def exec(self, ask: Ask, pod: Pod, container: str, *argv: str) -> ExecResult:
        """Run a command in a container of the pod. Raises `SourceUnavailable`."""
        return await ask.of(EXEC, self._ctx.cluster.exec(pod.name, container, argv))

    async def processes(self, ask: Ask, pod: Pod, container: str) -> ExecResult:
        """A list of a container's processes. Raises `SourceUnavailable`."""
        return await ask.of(EXEC, container_exec.processes(self._ctx.cluster, pod.name, container))


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at a shared read's error, so that asyncio does not complain when nobody waited for it."""
    if not task.cancelled():
        task.exception()


def running_container(pod: Pod, spec: ContainerTarget) -> Container | None:
    """The configured container of the pod, None when the pod has none by that name.

    Raises `Blocked` when it is there but does not run: the pod's own finding explains that.
    """
    container = pod.container(spec.name)
    if pod_state.on_lost_node(pod):
        raise Blocked("pod", f"node {pod.node} has stopped reporting")
    if container is not None and container.state not in ("running", "unknown"):
        raise Blocked("pod", f"{spec.name} is not running ({container.reason or container.state})")
    not_placed = pod.phase == "Pending" and container is not None and container.state == "unknown"
    if not_placed or (container is None and not pod.containers):
        raise Blocked("pod", f"the pod is {pod.status}")
    return container
