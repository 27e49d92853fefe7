"""Approvals: from the click to the change, beside one commit and one API call; and many open requests."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any, cast
from unittest.mock import patch

from bot.adapters.kubernetes import KubernetesCluster
from bot.adapters.ledger import SqlLedger, open_ledger
from bot.app import SystemClock
from bot.domain.access import AccessPolicy, AccessRule, Identity, Role
from bot.domain.approval import ApprovalPolicy, Choice, Snapshot
from bot.domain.repair import Action, Case, Proposal
from bot.domain.target import Target
from bot.domain.workload import Deployment
from bot.errors import Conflict
from bot.jobs.carry_out import Workshop, look_at
from bot.jobs.desk import Desk
from bot.jobs.values import Vault
from bot.ports import Cluster
from bot.runbook import Caller
from tests.benchmarks.common import Row
from tests.controlplane.agent_pod import AgentPod
from tests.controlplane.build import ensure
from tests.controlplane.plane import Plane

CLICKS, DECISIONS, OPEN = 20, 150, 1000
ACCESS = AccessPolicy(
    rules=(AccessRule(role=Role.OPERATOR, users=("U1",)), AccessRule(role=Role.APPROVER, users=("U2",)))
)


class Timed:
    """The cluster, noting when the change is sent, and when it is answered."""

    def __init__(self, cluster: KubernetesCluster) -> None:
        self._cluster = cluster
        self.done = asyncio.Event()
        self.sent = self.answered = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    async def restart(self, seen: Deployment, annotations: Mapping[str, str]) -> Deployment:
        self.sent = time.perf_counter()
        changed = await self._cluster.restart(seen, annotations)
        self.answered = time.perf_counter()
        self.done.set()
        return changed


def desk_of(ledger: SqlLedger, cluster: Timed, target: Target) -> Desk:
    """The desk with its workshop, as the bot has them."""
    clock, policy = SystemClock(), ApprovalPolicy()

    def cluster_of(_: str) -> Cluster:
        return cast("Cluster", cluster)

    vault = Vault(clock, cluster_of)
    workshop = Workshop("bench", ledger, clock, policy, {target.name: target}, cluster_of, vault, lambda: None)
    return Desk(ledger, clock, policy, ACCESS, {target.name: "C1"}, workshop, lambda: None)


def caller(user: str) -> Caller:
    """Somebody at a button."""
    return Caller(Identity(user, "C1"), "button")


async def measure() -> list[Row]:
    """Both rows; the control plane is the tests' own."""
    folder = Path(tempfile.mkdtemp(prefix="agentpod-bench-"))
    with Plane(ensure()) as plane:
        pod = AgentPod(plane, "bench").create()
        with patch.dict(os.environ, {"KUBECONFIG": str(pod.kubeconfig())}):
            cluster = await KubernetesCluster.connect(pod.namespace)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(cluster.close)
            ledger = await open_ledger(f"sqlite+aiosqlite:///{folder / 'one.db'}")
            stack.push_async_callback(ledger.close)
            rows = [await _click(pod, cluster, ledger)]
    return [*rows, await _many(folder)]


async def _click(pod: AgentPod, cluster: KubernetesCluster, ledger: SqlLedger) -> Row:
    """Each round: a commit alone, a patch alone, and an approval until its patch is sent."""
    target = Target(**pod.where() | {"argocd": None})
    timed = Timed(cluster)
    desk = desk_of(ledger, timed, target)
    commits, calls, clicks, answers = [], [], [], []
    for number in range(CLICKS + 2):
        commits.append(await _commit(ledger, number))
        await _settled(pod)
        calls.append(await _call(cluster, target, number))
        await _settled(pod)
        look = await look_at(cluster, target)
        case = await _asked(desk, Action.RESTART, look.snapshot, target.name)
        timed.done.clear()
        began = time.perf_counter()
        await desk.decide(case.id, Choice.APPROVE, caller("U2"))
        await timed.done.wait()
        clicks.append(timed.sent - began)
        answers.append(timed.answered - began)
        while not ((found := await ledger.case(case.id)) and found.state.final):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    commit, call, click, answer = (median(values[2:]) for values in (commits, calls, clicks, answers))
    alone = f"commit {commit * 1000:.1f} ms, patch {call * 1000:.1f} ms"
    detail = (
        f"{click * 1000:.1f} ms from the click to the patch, {answer * 1000:.1f} to its answer; alone: {alone}"
    )
    return Row("click to restart vs commit + API call", click / (commit + call), 1.5, detail)


async def _commit(ledger: SqlLedger, number: int) -> float:
    began = time.perf_counter()
    async with ledger.writing() as tx:
        await tx.owe(f"bench:{number}", "C1")
    return time.perf_counter() - began


async def _call(cluster: KubernetesCluster, target: Target, number: int) -> float:
    """One patch of the Deployment; what else changes it meanwhile is waited out."""
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
    await asyncio.sleep(0.2)  # the controllers' last word on the status comes a moment later


async def _asked(desk: Desk, action: Action, snapshot: Snapshot, target: str, subject: str = "") -> Case:
    proposal = Proposal(action, snapshot, "bench", "It will be down.", subject=subject)
    return (await desk.ask(proposal, target, caller("U1"))).case


async def _many(folder: Path) -> Row:
    """Decisions on a ledger with few open requests, and on one with a thousand, in turns."""
    took: dict[str, list[float]] = {"few": [], "many": []}
    async with AsyncExitStack() as stack:
        desks: dict[str, Desk] = {}
        for name, count in (("few", 0), ("many", OPEN)):
            ledger = await open_ledger(f"sqlite+aiosqlite:///{folder / name}.db")
            stack.push_async_callback(ledger.close)
            desks[name] = desk_of(ledger, cast("Timed", None), Target())
            for number in range(count):
                await _asked(desks[name], Action.SET_SECRET, Snapshot("u", 0), f"t{number % 7}", f"s/{number}")
        for number in range(DECISIONS):
            for name, desk in desks.items():
                case = await _asked(desk, Action.SET_SECRET, Snapshot("u", 0), "bench", f"s/{number}")
                began = time.perf_counter()
                await desk.decide(case.id, Choice.DENY, caller("U2"), "bench")
                took[name].append(time.perf_counter() - began)
    few, many = median(took["few"][20:]), median(took["many"][20:])
    detail = f"{many * 1000:.2f} ms a decision with {OPEN:,} open requests, {few * 1000:.2f} ms with none"
    return Row("decision among 1,000 open vs alone", many / few, 1.1, detail)
