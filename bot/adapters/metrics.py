"""Health, readiness and Prometheus metrics on one port.

``/healthz`` answers as long as the event loop runs; ``/readyz`` says whether the bot is connected to Slack and its
tasks run, with the reasons when not; ``/metrics`` is in Prometheus' text format.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot.adapters.transport.gate import MOST, Gate

ACK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Seconds, up to Slack's limit of three."""

COMMAND_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0)

REPAIR_BUCKETS = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Metrics:
    """All metrics of the bot. docs/metrics.md is generated from their help texts."""

    def __init__(self, version: str) -> None:
        """Create the metrics in a registry of their own, so that several bots can run in one process."""
        self.registry = CollectorRegistry()
        self.commands = self._counter("commands", "Commands run, by command and outcome.", "command", "outcome")
        self.command_seconds = Histogram(
            "agentpod_command_seconds",
            "Time from the start of a command to its answer, in seconds.",
            ["command"],
            registry=self.registry,
            buckets=COMMAND_BUCKETS,
        )
        self.ack_seconds = Histogram(
            "agentpod_slack_ack_seconds",
            "Time from receiving a Slack request to acknowledging it, in seconds.",
            ["kind"],
            registry=self.registry,
            buckets=ACK_BUCKETS,
        )
        self.redeliveries = self._counter(
            "slack_redeliveries", "Slack requests that had been received before, by kind.", "kind"
        )
        self.api_calls = self._counter(
            "slack_api_calls", "Calls to Slack's Web API, by method and outcome.", "method", "outcome"
        )
        self.delivery_failures = self._counter(
            "slack_delivery_failures", "Answers that could not be delivered, by reason.", "reason"
        )
        self.connected_gauge = self._gauge("slack_connected", "1 while the bot is connected to Slack, else 0.")
        self.task_restarts = self._counter(
            "task_restarts", "Restarts of background tasks after a crash, by task.", "task"
        )
        self.repairs = self._counter(
            "repairs", "Repairs that ended, by action and final state.", "action", "state"
        )
        self.repair_seconds = Histogram(
            "agentpod_repair_seconds",
            "Time from the change to a ready pod, in seconds.",
            ["action"],
            registry=self.registry,
            buckets=REPAIR_BUCKETS,
        )
        self.deliveries = self._counter(
            "deliveries", "Attempts to deliver a pending message, by kind and outcome.", "kind", "outcome"
        )
        self._gauge("info", "Always 1; the version as a label.", "version").labels(version).set(1)
        self._gauge("resident_bytes", "Resident memory of the process at its highest, in bytes.").set_function(
            lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"agentpod_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"agentpod_{name}", text, labels, registry=self.registry)

    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        """Count a finished command."""
        self.commands.labels(command, outcome).inc()
        self.command_seconds.labels(command).observe(seconds)

    def acked(self, kind: str, seconds: float) -> None:
        """Count an acknowledgement."""
        self.ack_seconds.labels(kind).observe(seconds)

    def redelivered(self, kind: str) -> None:
        """Count a Slack request that had been received before."""
        self.redeliveries.labels(kind).inc()

    def api_call(self, method: str, outcome: str, seconds: float) -> None:
        """Count a call of Slack's Web API."""
        del seconds
        self.api_calls.labels(method, outcome).inc()

    def connected(self, connected: bool) -> None:
        """Set whether the bot is connected to Slack."""
        self.connected_gauge.set(1 if connected else 0)

    def delivery_failed(self, reason: str) -> None:
        """Count an answer that could not be delivered."""
        self.delivery_failures.labels(reason).inc()

    def repair_ended(self, action: str, state: str, seconds: float | None) -> None:
        """Count a repair that ended; ``seconds`` from the change to a ready pod, if it became ready."""
        self.repairs.labels(action, state).inc()
        if seconds is not None:
            self.repair_seconds.labels(action).observe(seconds)

    def delivery(self, kind: str, outcome: str) -> None:
        """Count an attempt to deliver a pending message."""
        self.deliveries.labels(kind, outcome).inc()

    def task_restarted(self, task: str) -> None:
        """Count the restart of a crashed background task."""
        self.task_restarts.labels(task).inc()


class OpsServer:
    """The HTTP server for probes and Prometheus. Limits connections, so that one client can't block the others."""

    def __init__(self, metrics: Metrics, unready: Callable[[], list[str]], most: int = MOST) -> None:
        """``unready`` returns the reasons why the bot isn't ready; ``most`` is the limit of connections."""
        self._metrics = metrics
        self._unready = unready
        self._most = most
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._gate: Gate | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port (0 chooses a free one). Raises OSError if the port is taken."""
        app = web.Application(client_max_size=0, middlewares=[self._gated])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics_text)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, lingering_time=0)
        await self._runner.setup()
        assert self._runner.server is not None  # noqa: S101 - set up just now
        self._gate = Gate(self._runner.server, self._most)
        self._server = await asyncio.get_running_loop().create_server(self._gate, host, port, reuse_address=True)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _gated(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        assert self._gate is not None  # noqa: S101 - nothing comes before start()
        self._gate.whole(request.transport)
        try:
            return await handler(request)
        finally:
            self._gate.answered(request.transport)

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        reasons = self._unready()
        body = {"ready": not reasons, "reasons": reasons}
        return web.json_response(body, status=503 if reasons else 200)

    async def _metrics_text(self, _: web.Request) -> web.Response:
        text = generate_latest(self._metrics.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})
