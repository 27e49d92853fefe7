"""Approvals: from the click to the change, beside one commit and one API call; and many open requests."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, cast
from unittest.mock import patch

import aiohttp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot import logs
from bot.adapters.kubernetes import KubernetesCluster
from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.adapters.slack.intake import Intake
from bot.app import Bot
from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.approval import ApprovalPolicy, Choice, Snapshot
from bot.domain.approvals.forecast import Forecast, Loss
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.errors import Conflict, Permanent
from bot.ports.cluster import Cluster
from bot.ports.ledger import Ledger
from bot.runbook.context import Caller
from bot.services.approvals.actions.pod_restart import look_at
from bot.services.approvals.approval_service import ApprovalService
from bot.services.approvals.repair_executor import RepairExecutor
from bot.services.approvals.secret_writer import SecretWriter
from bot.services.runbook import impact
from bot.settings.loader import load
from bot.wiring.lazy import LazyCluster
from bot.wiring.parts import SystemClock
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.benchmarks.common import Row, quantile
from tests.benchmarks.status import slow_down
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.build import ensure
from tests.controlplane.plane import Plane
from tests.people import member
from tests.scenarios.repairs import asked, id_in
from tests.scenarios.talk import World

CLICKS, DECISIONS, OPEN, WARM, EXPLAINED = 20, 150, 1000, 20, 5
CHOICES = (Choice.DENY, Choice.APPROVE)
ACCESS = AccessPolicy(
    rules=(
        AccessRule(role=roles.OPERATOR, users=(seed.MAYA,)),
        AccessRule(role=roles.APPROVER, users=(seed.JONAS,)),
    )
)


async def measure() -> list[Row]:
    """Measure all rows, on the tests' control plane."""
    with tempfile.TemporaryDirectory(prefix="agentpod-bench-") as folder:
        many = await _many(Path(folder))
    with Plane(ensure()) as plane:
        return [*await _click(AgentPod(plane, "bench").create()), await _explained(), *many]


# From the click to the change


class Watched:
    """The times of the last click's dispatch by Bolt, and of the last patch's request and answer."""

    def __init__(self) -> None:
        self.clicked = self.sent = self.answered = 0.0
        self.done = asyncio.Event()

    def slack(self) -> AbstractContextManager[object]:
        """Record the clicks that Bolt dispatches while the block lasts, by a bot that starts in it."""
        plain = Intake._middleware

        async def middleware(intake: Intake, req: AsyncBoltRequest) -> BoltResponse:
            if req.body.get("type") == "block_actions":
                self.clicked = time.perf_counter()
            return await plain(intake, req)

        return patch.object(Intake, "_middleware", middleware)

    def server(self, cluster: KubernetesCluster) -> None:
        """Record the patches sent to the API server."""

        async def sent(_: object, __: object, params: aiohttp.TraceRequestChunkSentParams) -> None:
            if params.method == "PATCH":
                self.sent = time.perf_counter()

        async def answered(_: object, __: object, params: aiohttp.TraceRequestEndParams) -> None:
            if params.method == "PATCH":
                self.answered = time.perf_counter()
                self.done.set()

        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(sent)
        trace.on_request_end.append(answered)
        trace.freeze()
        cluster._connection.session().trace_configs.append(trace)


@asynccontextmanager
async def _running(sandbox: Sandbox, watched: Watched) -> AsyncIterator[Bot]:
    """Run the whole bot in this process, where its clicks and patches can be recorded."""
    with patch.dict(os.environ, sandbox.env()), watched.slack():
        settings = load().settings
        logs.configure(settings.log.level, settings.log.format, ())
        bot = Bot(settings)
        running = asyncio.create_task(bot.run())
        try:
            await sandbox.workspace.wait_connected()
            await bot.parts.clusters.links[0].attempted.wait()
            yield bot
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _click(pod: AgentPod) -> list[Row]:
    """Measure each round: a commit, a patch and a read of what a restart ends, and an approval until its patch.

    Every other approval is of a request that says nothing of what it ends, so nothing is read again.
    """
    settings = {"access": ACCESS.model_dump(mode="json"), "pushgateway": {"url": ""}, "log": {"level": "warning"}}
    target = pod.where() | {"argocd": None}
    watched = Watched()
    plain: list[tuple[float, float]] = []
    explained: list[tuple[float, float]] = []
    async with (
        Sandbox(rate_limits=False, kubeconfig=pod.kubeconfig(), target=target, settings=settings) as sandbox,
        _running(sandbox, watched) as bot,
    ):
        [target_] = bot.settings.targets
        lazy = cast("LazyCluster", bot.parts.cluster_of(target_.name))
        cluster = cast("KubernetesCluster", await lazy.open())
        watched.server(cluster)
        for number in range(2 * (CLICKS + 2)):
            await _settled(pod)
            alone = await _commit(bot.parts.ledger, number) + await _call(cluster, target_, number)
            await _settled(pod)
            began = time.perf_counter()
            losses = await impact.read(bot.parts.check_context(target_))
            read = time.perf_counter() - began
            if all(loss.unknown for loss in losses):
                raise RuntimeError(f"what a restart ends is not known: {losses}")
            ends = number % 2 == 1
            repair, card = await _carded(bot, sandbox, cluster, target_, losses if ends else ())
            watched.done.clear()
            await sandbox.workspace.click(seed.JONAS, card, "agentpod:run:0")
            await watched.done.wait()
            (explained if ends else plain).append((watched.sent - watched.clicked, alone + read * ends))
            await _ended(bot.parts.ledger, repair)
    return [
        _row("click to restart vs commit + API call", plain[2:]),  # the first two warm up
        _row("the same with what it ends vs that read, too", explained[2:]),
    ]


def _row(name: str, rounds: Sequence[tuple[float, float]]) -> Row:
    click, alone = (median(values) for values in zip(*rounds, strict=True))
    ratio = median(click / alone for click, alone in rounds)
    return Row(name, ratio, 1.5, f"{click * 1000:.1f} ms from the click to the patch, alone {alone * 1000:.1f} ms")


async def _carded(
    bot: Bot, sandbox: Sandbox, cluster: KubernetesCluster, target: Target, losses: Sequence[Loss]
) -> tuple[RepairRequest, Message]:
    """Request a restart, and wait for its card until no message is pending, so that only the click is measured."""
    look = await look_at(cluster, target)
    forecast = Forecast(losses=tuple(losses))
    proposal = Proposal(RESTART, look.snapshot, "bench", "It will be down.", forecast=forecast)
    repair = (await bot.repairs.approval_service.ask(proposal, target.name, caller(seed.MAYA))).repair
    card = await sandbox.workspace.wait_message(seed.OPS, lambda m: f"{repair.id} · asked " in m.all_text())
    while await bot.parts.ledger.waiting():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    return repair, card


async def _explained() -> Row:
    """Measure each round: the slowest fact of a restart's card, and then from the command to the card in Slack."""
    facts, cards = [], []
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await asked(world, "restart --reason warm")  # loads the runbook's engine
        slow_down(sandbox)
        path = world.bot.env["KUBECONFIG"]
        cluster = await KubernetesCluster.connect("secure-agent-pod", kubeconfig=path, timeout=10.0)
        target = Target()
        for number in range(EXPLAINED):
            began = time.perf_counter()
            trial = await cluster.trial()
            seen = await look_at(trial.cluster, target)
            await trial.cluster.restart(seen.deployment, {"bench": str(number)})
            facts.append(time.perf_counter() - began)
            await _denied(world)
            began = time.perf_counter()
            await asked(world, f"restart --reason {number}")
            cards.append(time.perf_counter() - began)
        await cluster.close()
    card, fact = min(cards), min(facts)
    detail = f"{card * 1000:.0f} ms to the card, slowest fact (the dry run) {fact * 1000:.0f} ms"
    return Row("an explained card vs its slowest fact", card / fact, 1.2, detail)


async def _denied(world: World) -> None:
    """End the open request, so that the next one is new."""
    for line in (await world.ask("approvals")).text.splitlines():
        if "r-" in line:
            await world.ask(f"deny {id_in(line)} --reason next", seed.JONAS)


async def _ended(ledger: Ledger, repair: RepairRequest) -> None:
    while not ((found := await ledger.request(repair.id)) and found.state.final):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    while await ledger.waiting():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)


async def _commit(ledger: Ledger, number: int) -> float:
    began = time.perf_counter()
    async with ledger.writing() as tx:
        await tx.set_mark("bench", str(number))
    return time.perf_counter() - began


async def _call(cluster: KubernetesCluster, target: Target, number: int) -> float:
    """Patch the Deployment once, and retry if it was changed meanwhile; returns the last try's seconds."""
    while True:
        seen = await cluster.deployment(target.deployment)
        began = time.perf_counter()
        try:
            await cluster.restart(seen, {"bench": str(number)})
        except Conflict:
            continue
        return time.perf_counter() - began


async def _settled(pod: AgentPod) -> None:
    def still() -> bool:
        found = pod.plane.call("GET", pod.deployment_path)
        status, generation = found["status"], found["metadata"]["generation"]
        pods = pod.plane.call("GET", f"{pod.path}/pods")["items"]
        ready = status.get("readyReplicas") == 1 and status.get("updatedReplicas") == 1 and len(pods) == 1
        return ready and status.get("observedGeneration") == generation

    await asyncio.to_thread(pod.until, still)
    await asyncio.sleep(0.2)  # the controllers' last update of the status comes a moment later


def caller(user: str) -> Caller:
    """The caller who clicks a button."""
    return Caller(member(user, seed.OPS), "button")


async def _asked(
    approval_service: ApprovalService,
    action: RepairAction,
    snapshot: Snapshot,
    target: str,
    subject: str = "",
    who: str = seed.MAYA,
) -> RepairRequest:
    proposal = Proposal(action, snapshot, "bench", "It will be down.", subject=subject)
    return (await approval_service.ask(proposal, target, caller(who))).repair


# Among many


class NotThere:
    """A cluster without the Deployment, so that an approved request ends at once."""

    async def deployment(self, name: str) -> Deployment:
        raise Permanent(f"There is no {name}.")

    async def pods(self, selector: str) -> Any:
        raise Permanent(f"There is no {selector}.")


def desk_of(ledger: SqlLedger, target: Target) -> ApprovalService:
    """The approval service with its executor, as the bot has them."""
    clock, policy = SystemClock(), ApprovalPolicy()

    def cluster_of(_: str) -> Cluster:
        return cast("Cluster", NotThere())

    secret_writer = SecretWriter(clock, cluster_of)
    executor = RepairExecutor(
        "bench", ledger, clock, policy, {target.name: target}, cluster_of, secret_writer, lambda: None
    )
    return ApprovalService(ledger, clock, policy, ACCESS, {target.name: seed.OPS}, executor, lambda: None)


async def _many(folder: Path) -> list[Row]:
    """Measure decisions on a ledger with no other open request and on one with a thousand, in turn."""
    took: dict[tuple[Choice, str], list[float]] = {}
    async with AsyncExitStack() as stack:
        desks: dict[str, ApprovalService] = {}
        for name, count in (("few", 0), ("many", OPEN)):
            ledger = await open_ledger(f"sqlite+aiosqlite:///{folder / name}.db")
            stack.push_async_callback(ledger.close)
            desks[name] = desk_of(ledger, Target())
            for number in range(count):
                what, who = f"s/{number}", f"U0BENCH{number:04}"  # one user may not have so many open
                await _asked(desks[name], SECRET_SET, Snapshot("u", 0), f"t{number % 7}", what, who)
        for number in range(DECISIONS):
            turns = list(desks.items())[:: 1 if number % 2 else -1]
            for choice in CHOICES:
                for name, approval_service in turns:
                    took.setdefault((choice, name), []).append(await _decided(approval_service, choice))
    return [_among(choice, took[choice, "few"][WARM:], took[choice, "many"][WARM:]) for choice in CHOICES]


async def _decided(approval_service: ApprovalService, choice: Choice) -> float:
    """Seconds of one decision, including what an approval starts."""
    repair = await _asked(approval_service, RESTART, Snapshot("u", 0), Target().name)
    began = time.perf_counter()
    await approval_service.decide(repair.id, choice, caller(seed.JONAS), "bench")
    seconds = time.perf_counter() - began
    await asyncio.gather(*approval_service.executor._tasks.values())
    return seconds


def _among(choice: Choice, few: list[float], many: list[float]) -> Row:
    one, other = quantile(few, 0.05), quantile(many, 0.05)  # a low quantile, since other load only adds time
    detail = f"{other * 1000:.2f} ms with {OPEN:,} open requests, {one * 1000:.2f} ms with none"
    return Row(f"decision ({choice.value}) among {OPEN:,} open vs alone", other / one, 1.1, detail)


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row)  # noqa: T201 - a report
