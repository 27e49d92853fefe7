"""How a check reads: within its deadline, and what several checks need once for all of them."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from bot.domain.core import words
from bot.domain.core.outside import Outside
from bot.domain.core.target import ContainerTarget, Target
from bot.domain.core.workload import Claim, Container, Endpoint, Event, ExecResult, ExternalSecret, Pod, Service
from bot.domain.health import judge_deployment, judge_pod, pod_state
from bot.domain.health.judge_deployment import Owner
from bot.errors import AgentpodError, NotFound
from bot.ports.change_log import ChangeRecorder
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster, Network
from bot.ports.decryption import Decryption
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.ledger import Ledger
from bot.ports.registry import ImageRegistry
from bot.services import container_exec
from bot.services.health.sources import API, EXEC, Blocked, Source, SourceUnavailable, unread_finding

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledRunbook

T = TypeVar("T")


class CheckContext(Protocol):
    """What checks are made of: a target, and the ports to read it through. A command's `Context` is one."""

    @property
    def target(self) -> Target:
        """What is checked."""

    @property
    def cluster(self) -> Cluster:
        """The API server, and commands in the pod."""

    @property
    def network(self) -> Network:
        """The services as they answer from outside."""

    @property
    def heartbeats(self) -> HeartbeatSource | None:
        """The Pushgateway; None where the settings have none."""

    @property
    def clock(self) -> Clock:
        """What time it is."""

    @property
    def registry(self) -> ImageRegistry | None:
        """The registries of images; None where they are not asked."""

    @property
    def ledger(self) -> Ledger | None:
        """What is remembered of jobs; None where there is no ledger."""

    @property
    def change_log(self) -> ChangeRecorder | None:
        """Where changes of what is read are recorded; None: nowhere."""

    @property
    def outside(self) -> Outside:
        """Redacts what is read."""

    @property
    def decryption(self) -> Decryption | None:
        """Decrypts config files; None where the settings have none."""

    @property
    def book(self) -> CompiledRunbook | None:
        """The target's runbook."""

    @property
    def probe_timeout(self) -> float:
        """Each check's deadline, in seconds."""


@dataclass(frozen=True)
class InContainers:
    """What the containers answered; who did not, and why; and who is not in the pod, with the names that are."""

    answers: Sequence[tuple[ContainerTarget, ExecResult]]
    silent: Sequence[tuple[str, str]]
    missing: Sequence[tuple[str, Sequence[str]]]


class Reads:
    """The reads of one check. They raise `SourceUnavailable` where nothing comes until its deadline."""

    def __init__(self, ctx: CheckContext, seconds: float, deadline: float, shared: dict[str, asyncio.Task[Any]]):
        """``seconds`` from its start the check has, until ``deadline``; ``shared`` are the reads of all checks."""
        self.ctx = ctx
        self.target = ctx.target
        self.seconds = seconds
        self.deadline = deadline
        self.answered: set[str] = set()
        """Keys of the sources that answered."""
        self.asking: Source | None = None
        """The source whose answer it waits for, or waited for last."""
        self._shared = shared

    def within(self, seconds: float) -> Self:
        """The same with less time: ``seconds`` from now."""
        shorter = copy.copy(self)
        shorter.seconds = min(seconds, self.seconds)
        shorter.deadline = min(asyncio.get_running_loop().time() + seconds, self.deadline)
        return shorter

    def later(self, seconds: float) -> Self:
        """The same with ``seconds`` more: what waits for other reads then hears why they failed."""
        longer = copy.copy(self)
        longer.deadline = self.deadline + seconds
        return longer

    async def of(self, source: Source, reading: Awaitable[T]) -> T:
        """Await a read of a source within the deadline. Raises `SourceUnavailable` where it fails or times out."""
        self.asking = source
        try:
            async with asyncio.timeout_at(self.deadline):
                answer = await reading
        except TimeoutError as error:
            raise SourceUnavailable(source, self.seconds) from error
        except AgentpodError as error:
            raise SourceUnavailable(source, self.seconds, error) from error
        self.answered.add(source.key)
        return answer

    async def once(self, key: str, source: Source, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What a source answers to the first check that asks. One that gives up leaves it to the others.

        Raises `SourceUnavailable`, and what else ``read`` raises.
        """
        if key not in self._shared:
            task = asyncio.get_running_loop().create_task(read(), name=f"read {key}")
            task.add_done_callback(_retrieve)
            self._shared[key] = task
        return await self.of(source, asyncio.shield(self._shared[key]))

    async def pods(self) -> Sequence[Pod]:
        """The target's pods."""
        return await self.once("pods", API, lambda: self.ctx.cluster.pods(self.target.selector))

    async def owner(self) -> Owner:
        """What is known of the target's Deployment. It only explains the pod: never raises."""
        name = self.target.deployment
        try:
            return await self.once("deployment", API, lambda: self.ctx.cluster.deployment(name))
        except SourceUnavailable as unread:
            # Where the API server does not know Deployments at all, this one is not known either.
            if isinstance(unread.error, NotFound) and name in unread.error.message:
                return judge_deployment.Absent(words.lower_first(unread.error.message))
            finding = unread_finding("", "", unread)
            return judge_deployment.DeploymentUnread(finding.summary, finding.remedy, finding.run)

    async def events(self) -> Sequence[Event]:
        """The namespace's events."""
        return await self.once("events", API, self.ctx.cluster.events)

    async def services(self) -> Sequence[Service]:
        """The namespace's Services."""
        return await self.once("services", API, self.ctx.cluster.services)

    async def endpoints(self) -> Sequence[Endpoint]:
        """The namespace's endpoints."""
        return await self.once("endpoints", API, self.ctx.cluster.endpoints)

    async def claims(self) -> Sequence[Claim]:
        """The namespace's volume claims."""
        return await self.once("claims", API, self.ctx.cluster.claims)

    async def external_secrets(self) -> Sequence[ExternalSecret]:
        """The namespace's ExternalSecrets."""
        return await self.once("external secrets", API, self.ctx.cluster.external_secrets)

    @property
    def awaits_pods(self) -> bool:
        """Whether the target's pods were asked for and have not come: nothing can be run in them meanwhile."""
        task = self._shared.get("pods")
        return task is not None and not task.done()

    async def pod(self) -> Pod:
        """The pod to look into. Raises `Blocked` when there is none."""
        pod = judge_pod.current(await self.pods())
        if pod is None:
            raise Blocked("pod", "no pod is running")
        return pod

    async def in_each(self, pod: Pod, *argv: str) -> InContainers:
        """What a command says in each container that the settings name, each on its own.

        Raises as the first does (`SourceUnavailable`, `Blocked`) when there is nothing else to say.
        """
        return await self._in_each(pod, lambda name: self.ctx.cluster.exec(pod.name, name, argv))

    async def processes(self, pod: Pod) -> InContainers:
        """The list of processes of each container that the settings name. Raises as `in_each` does."""
        return await self._in_each(pod, lambda name: container_exec.processes(self.ctx.cluster, pod.name, name))

    async def _in_each(self, pod: Pod, run: Callable[[str], Awaitable[ExecResult]]) -> InContainers:
        names = [c.name for c in pod.lasting]
        if not names:  # the API server does not know them yet
            raise Blocked("pod", f"the pod is {pod.status}")
        specs = self.target.containers
        present = [s for s in specs if s.name in names]
        results = await asyncio.gather(*(self._one(pod, spec, run) for spec in present))
        answers = [(spec, r) for spec, r in zip(present, results, strict=True) if isinstance(r, ExecResult)]
        failures = [(s, r) for s, r in zip(present, results, strict=True) if not isinstance(r, ExecResult)]
        missing = [(s.name, names) for s in specs if s not in present]
        if failures and not answers and not missing:
            raise failures[0][1]
        return InContainers(answers, [(spec.name, _reason(error)) for spec, error in failures], missing)

    async def _one(
        self, pod: Pod, spec: ContainerTarget, run: Callable[[str], Awaitable[ExecResult]]
    ) -> ExecResult | SourceUnavailable | Blocked:
        """One container's answer, or what kept it from answering."""
        try:
            running_container(pod, spec)
            return await self.of(EXEC, run(spec.name))
        except (SourceUnavailable, Blocked) as error:
            return error


@contextmanager
def reads_for(ctx: CheckContext, seconds: Sequence[float]) -> Iterator[list[Reads]]:
    """The reads of checks that have so many ``seconds`` each, from now. What they share ends with the block."""
    now, shared = asyncio.get_running_loop().time(), dict[str, asyncio.Task[Any]]()
    try:
        yield [Reads(ctx, s, now + s, shared) for s in seconds]
    finally:
        for task in shared.values():
            task.cancel()


async def or_none(reading: Awaitable[T]) -> T | None:
    """What a read gives, None where it gives nothing."""
    try:
        return await reading
    except SourceUnavailable:
        return None


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at a shared read's error, so that asyncio does not complain when nobody waited for it."""
    if not task.cancelled():
        task.exception()


def _reason(error: SourceUnavailable | Blocked) -> str:
    if isinstance(error, Blocked):
        return error.reason
    return unread_finding("", "", error).summary


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
