"""`status` with slow sources, compared with its slowest probe and with the handbook's kubectl sequence."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from bot.domain.core.reply import Reply
from bot.domain.rbac.access import Identity
from bot.runbook.context import Caller
from bot.settings.loader import load
from bot.wiring.parts import Parts
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.benchmarks.common import ROOT, Row
from tests.healthy import CHECKS, HEALTHY
from tests.scenarios.talk import World, words

SLOW = 0.3
TERMINAL = Identity(user="bench", channel="terminal")
ROUNDS = 5

HANDBOOK = (
    ("get", "pods", "-o", "wide"),
    ("describe", "pod", "-l", "app=secure-agent-pod"),
    ("exec", "deploy/secure-agent-pod", "-c", "kali", "--", "id"),
    ("exec", "deploy/secure-agent-pod", "-c", "kali", "--", "ps", "aux"),
    ("get", "svc"),
    ("get", "endpointslices"),
    ("get", "pvc"),
    ("exec", "deploy/secure-agent-pod", "-c", "kali", "--", "df", "-P", "/home/claude"),
    ("get", "events"),
    ("get", "applications.argoproj.io", "secure-agent-pod", "-n", "argocd"),
)
"""The handbook's commands for the same facts; without SSH and HTTP checks, heartbeats, and reading the output."""


async def measure() -> list[Row]:
    """Measure all probes at 300 ms each, and kubectl against the same server."""
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await world.ask("status")  # first use loads modules and opens connections
        await _kubectl(sandbox)  # also fills kubectl's discovery cache
        slow_down(sandbox)
        slowest = await slowest_probe(world)
        status = await status_seconds(world)
        kubectl = min([await _kubectl(sandbox) for _ in range(2)])
    best = min(status)
    return [
        Row(
            "status vs its slowest probe",
            best / slowest,
            1.1,
            f"{best * 1000:.0f} ms to the final answer in Slack, "
            f"slowest of {CHECKS} probes {slowest * 1000:.0f} ms",
        ),
        Row(
            "status vs the kubectl sequence",
            best / kubectl,
            0.33,
            f"kubectl {kubectl:.2f} s for {len(HANDBOOK)} calls",
        ),
    ]


def slow_down(sandbox: Sandbox) -> None:
    """Delay every source's answer by 300 ms, except for the pod's name, which three probes need before their own
    work: otherwise these three would take 600 ms each, and so would the slowest."""
    sandbox.cluster.latency = lambda what: 0.0 if what == "list pods" else SLOW
    sandbox.pushgateway.latency = SLOW
    sandbox.endpoints.ssh.latency = SLOW
    sandbox.endpoints.kanban.latency = SLOW


async def status_seconds(world: World, healthy: str = HEALTHY) -> list[float]:
    """Seconds from command to final answer in Slack, which says ``healthy``, per round."""
    whole: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        done = await world.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", "status")
        while not any(healthy in m.text for m in done.messages):
            if time.perf_counter() - started > 10:
                raise RuntimeError(f"the pod is not healthy: {words(done.messages)}")
            await asyncio.sleep(0.001)
        whole.append(time.perf_counter() - started)
    return whole


async def slowest_probe(world: World) -> float:
    """Seconds of the slowest probe: the best of several rounds of each, with warm connections, without Slack."""
    env = world.bot.env
    loaded = load(config=Path(env["AGENTPOD_CONFIG"]), environ={})
    os.environ["KUBECONFIG"] = env["KUBECONFIG"]
    parts = Parts.build(loaded.settings)
    try:
        await parts.clusters.connect()
        dispatcher = parts.dispatcher("agentpod", _NoMetrics())
        caller = Caller(TERMINAL, "terminal")
        best: dict[str, float] = {}
        for _ in range(ROUNDS):
            reply = await dispatcher.run("status", caller, request_id="bench", progress=_ignore)
            for finding in reply.findings:
                best[finding.probe] = min(finding.seconds or 0.0, best.get(finding.probe, 60.0))
        return max(best.values())
    finally:
        await parts.close()


class _NoMetrics:
    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        """Ignore the count."""


async def _ignore(_: Reply) -> None:
    """Ignore partial answers."""


async def _kubectl(sandbox: Sandbox) -> float:
    """Seconds for the handbook's sequence, one after the other as a person runs it (without the typing)."""
    config = sandbox.cluster.kubeconfig(sandbox.folder / "admin.kubeconfig", user="admin")
    env = os.environ | {"KUBECONFIG": str(config), "KUBECACHEDIR": str(sandbox.folder / "kube-cache")}
    tool = str(ROOT / ".venv" / "bin" / "kubectl")
    started = time.perf_counter()
    for line in HANDBOOK:
        process = await asyncio.create_subprocess_exec(
            tool, "-n", "secure-agent-pod", *line, env=env, stdout=asyncio.subprocess.DEVNULL
        )
        if await process.wait() != 0:
            raise RuntimeError(f"kubectl {' '.join(line)} failed")
    return time.perf_counter() - started
