"""The whole sandbox: workspace, pretend cluster, Pushgateway and the pod's endpoints, with the real bot.

The bot is the unchanged `agentpod run` in a process of its own, connected through its ordinary settings. In the
lively sandbox that people use, the panel can move its clock forward.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import yaml

from sandbox import images
from sandbox.cluster import PretendCluster, kinds, objects
from sandbox.cluster.fixture import FixtureFile
from sandbox.cluster.rbac import MANIFESTS, load_rules
from sandbox.encrypted_configs import EncryptedConfigs
from sandbox.endpoints import Endpoints, KanbanMode
from sandbox.fixture_services import FixtureServices
from sandbox.moved_time import VARIABLE, MovedTime
from sandbox.pushgateway import HEARTBEAT, PretendPushgateway
from sandbox.registry import PretendRegistry
from sandbox.slack import seed
from sandbox.slack.workspace import Workspace
from sandbox.yesterday import VARIABLE as YESTERDAY
from sandbox.yesterday import pod_since, write_facts

HERE = Path(__file__).parent
MANIFEST = HERE.parent / "deploy" / "slack-manifest-workflows.yaml"
PAGE = HERE / "page"
PORTS = (10_000, 32_768)
"""Below the ephemeral ports of Linux and other systems."""


LIVELY = [
    {"job": "agent-pulse", "severity": "critical", "schedule": "* * * * *", "grace": "20s", "metric": HEARTBEAT},
    {"job": "exercise-reminder", "severity": "critical", "stale_after": "3h"},
    {"job": "audit-digest", "severity": "warning", "stale_after": "26h"},
    {"job": "session-manager", "severity": "critical", "stale_after": "10m"},
]
"""The handbook's three rules, and one for a job that runs every minute and is judged by the pod's own clock."""


class Running(Protocol):
    """A started process, such as asyncio's."""

    @property
    def pid(self) -> int:
        """The process id."""

    @property
    def returncode(self) -> int | None:
        """The exit code; None while the process runs."""

    async def wait(self) -> int:
        """Wait for the process to end; returns its exit code."""

    def send_signal(self, signal: int) -> None:
        """Send a signal. Raises ProcessLookupError if the process has ended."""

    def kill(self) -> None:
        """Send SIGKILL. Raises ProcessLookupError if the process has ended."""


Spawn = Callable[[Sequence[str], Mapping[str, str], Path], Awaitable[Running]]
"""Starts a module with its arguments, in an environment; appends its output to a file."""


async def own_interpreter(words: Sequence[str], env: Mapping[str, str], log: Path) -> Running:
    """Start ``python -m`` with these words. A terminal's Ctrl-C does not reach a person's sandbox's bot."""
    with log.open("ab") as sink:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", *words, env=env, stdout=sink, stderr=sink, start_new_session=VARIABLE in env
        )


class BotProcess:
    """One `agentpod …` process and what it wrote to stderr."""

    spawn: Spawn = staticmethod(own_interpreter)
    """How a process is started; the tests fork theirs from a process that has loaded all modules."""

    def __init__(self, env: Mapping[str, str], log: Path, ops_port: int) -> None:
        """``log`` takes the process's output; ``ops_port`` serves health and metrics."""
        self.env = dict(env)
        self.log = log
        self.ops_url = f"http://127.0.0.1:{ops_port}"
        self._process: Running | None = None

    async def start(self, *words: str) -> None:
        """Start ``agentpod run`` (or other words); where the panel moves the time, a bot that follows it."""
        timed = not words and VARIABLE in self.env
        command = ("sandbox.timed_bot",) if timed else ("bot", *(words or ("run",)))
        self._process = await self.spawn(command, self.env, self.log)

    @property
    def pid(self) -> int:
        """The process id. Raises RuntimeError before :meth:`start`."""
        if self._process is None:
            raise RuntimeError("the bot has not been started")
        return self._process.pid

    async def wait(self) -> int:
        """Wait for the bot to end; returns its exit code."""
        assert self._process is not None  # noqa: S101 - pid says it in words
        return await self._process.wait()

    async def stop(self, number: signal.Signals = signal.SIGTERM, grace: float = 15.0) -> int:
        """Send a signal and wait; kills after ``grace`` seconds. Gives the exit code."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(number)
            try:
                await asyncio.wait_for(process.wait(), grace)
            except TimeoutError:
                process.kill()
        return await process.wait()

    def output(self) -> str:
        """Everything that the bot wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


class Sandbox:
    """All parts, started and connected; use as ``async with Sandbox() as sandbox``."""

    def __init__(
        self,
        *,
        port: int = 0,
        kubeconfig: Path | None = None,
        context: str | None = None,
        rate_limits: bool = True,
        settings: Mapping[str, Any] | None = None,
        target: Mapping[str, Any] | None = None,
        pod_seconds: float | None = None,
        http_mode: bool = False,
        lively: bool = False,
        configs: bool = False,
        yesterday: bool = False,
        fixture: FixtureFile | None = None,
        manifest: Path = MANIFEST,
    ) -> None:
        """Prepare the parts. With ``kubeconfig`` a real cluster takes the pretend one's place.

        ``settings`` replaces whole sections, ``target`` single settings of the target, such as its namespace.
        ``fixture`` says what the pretend pod shows besides, ``manifest`` how the Slack app is made.

        With ``http_mode`` Slack posts requests to a port of the bot. With ``lively``, for people who watch: a job
        runs every minute, alerts fire within seconds, and the panel can move time forward. With ``configs``, and
        with ``lively``, the bot has encrypted config files, and the right to rotate them. With ``yesterday``, and
        ``lively``, the ledger has a day before this one.
        """
        self._slack_port = free_port() if http_mode else None
        url = f"http://127.0.0.1:{self._slack_port}/slack/events" if http_mode else None
        self.workspace = Workspace(manifest, port=port, page_dir=PAGE, rate_limits=rate_limits, request_url=url)
        self._folder = tempfile.TemporaryDirectory(prefix="agentpod-sandbox-")
        self.folder = Path(self._folder.name)
        self.time = MovedTime(self.folder / "ahead")
        speed = 3.0 if pod_seconds is None else pod_seconds
        self._fixture = fixture or FixtureFile()
        self._pod_since = pod_since(self.time.now()) if yesterday else None
        self.cluster = PretendCluster(
            speed=speed, clock=self.time.now, fixture=self._fixture, pod_since=self._pod_since
        )
        self._fixture_services = FixtureServices(self._fixture)
        self.pushgateway = PretendPushgateway(clock=self.time.now, pulse=lively)
        self.time.between = self.pushgateway.silent
        self.registry = PretendRegistry()
        self.cluster.simulation.image_id = self.registry.image_id
        self._lively = lively
        self.configs = EncryptedConfigs(self.folder) if (configs or lively) and kubeconfig is None else None
        self.endpoints = Endpoints(page=self._page_fails)
        self.cluster.simulation.on_processes = self._processes_changed
        self.kubeconfig = kubeconfig
        self._context = context
        self._settings = dict(settings or {})
        self._target = dict(target or {})
        self._bots: list[BotProcess] = []

    async def __aenter__(self) -> Sandbox:
        """Start all parts, but no bot yet."""
        await self._fixture_services.start(self.cluster)
        await self.workspace.start()
        await self.pushgateway.start()
        await self.registry.start()
        await self.endpoints.start()
        if self.kubeconfig is None:
            await self.cluster.start()
            if self._pod_since is not None:
                write_facts(self.folder / "yesterday.json", self.cluster.store, self._pod_since)
            self._allow_egress_repair()
            if self.settings()["targets"][0].get("config_maps"):
                self.cluster.server.authorizer.rules += load_rules(MANIFESTS, ("options/configmaps",))
            if self.configs is not None:
                self.configs.start()
                self.cluster.server.authorizer.rules += load_rules(MANIFESTS, ("options/configs-rotate",))
            self.workspace.add_breaks([*(self.time.breaks if self._lively else ()), *self.cluster.breaks])
        for part in (self.configs, self.endpoints, self.pushgateway, self.registry):
            self.workspace.add_breaks(part.breaks if part is not None else ())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the bots, then everything else, and drop all state."""
        for bot in self._bots:
            await bot.stop()
        await self.cluster.stop()
        for part in (self.endpoints, self.pushgateway, self.registry, self._fixture_services):
            await part.stop()
        await self.workspace.stop()
        self._folder.cleanup()

    async def _processes_changed(self) -> None:
        """Let the pod's doors follow its container and processes, and the panel show them."""
        simulation = self.cluster.simulation
        await self.endpoints.follow(up=simulation.up, gone=simulation.faults.killed)
        self.workspace.show_breaks()

    def _page_fails(self, mode: KanbanMode) -> None:
        """Let VibeKanban answer inside the pod as it does outside."""
        self.cluster.simulation.faults.page = mode

    def _allow_egress_repair(self) -> None:
        """Apply deploy/options/cilium-repair, and start Cilium's agents, where the settings have the repair."""
        if self.settings()["targets"][0].get("egress") is None:
            return
        server = self.cluster.server
        server.authorizer.rules += load_rules(MANIFESTS, ("options/cilium-repair",))
        for node in ("gpu-1", "gpu-2"):
            server.store.put(kinds.POD, objects.cilium_agent(server.store.clock(), node))

    def settings(self) -> dict[str, Any]:
        """The bot's settings file: the handbook's pod, reached through this machine's ports."""
        services = [
            {"name": "SSH", "ip": "192.168.55.215", "port": 22, "target_port": 2222, "check": "ssh"},
            {"name": "VibeKanban", "ip": "192.168.55.218", "port": 8081, "check": "http"},
        ]
        services[0]["connect"] = f"127.0.0.1:{self.endpoints.ssh.port}"
        services[1]["connect"] = f"127.0.0.1:{self.endpoints.kanban.port}"
        rules = [
            {"role": "viewer", "channels": [seed.OPS], "users": [seed.MAYA, seed.JONAS, seed.PRIYA]},
            {"role": "operator", "groups": [seed.ONCALL], "name": "on-call"},
            {"role": "approver", "users": [seed.JONAS, seed.PRIYA], "name": "approvers"},
        ]
        own = {"configs_rotate": self.configs.settings} if self.configs is not None else {}
        base: dict[str, Any] = {
            "targets": [{"services": services} | own | self._fixture().target() | self._target],
            "access": {"rules": rules, "contact": "Priya"},
            "pushgateway": {"url": self.pushgateway.url},
            "registry": {"addresses": {images.HOST: self.registry.url}},
            "slack": {"channel": seed.OPS},
            "ledger": {"url": f"sqlite+aiosqlite:///{self.folder}/agentpod.db"},
            "log": {"format": "console"},
        }
        if self._lively:
            base["slack"] |= self._slack()  # `agentpod check` in a terminal reads this file alone
            base["approvals"] = {"break_glass": [seed.PRIYA]}
            base["alerts"] = {"poll": "2s", "keep_firing": "10s", "pod_for": "30s"}
            base["targets"][0].setdefault("heartbeats", LIVELY)
            if self.kubeconfig is None:
                base["targets"][0].setdefault("image_set", [self._container()])
                base["targets"][0].setdefault("config_maps", [objects.SETTINGS_MAP])
                if "targets" in self._settings:
                    doors = {"services": base["targets"][0]["services"]}
                    return base | self._settings | {"targets": [doors | one for one in self._settings["targets"]]}
        found = base | self._settings
        # A test that counts direct messages should not have to count one more.
        return found | {"slack": {"welcome": self._lively} | found["slack"]}

    def _slack(self) -> dict[str, str]:
        """The pretend workspace's address and tokens, which open nothing else."""
        found = self.workspace
        return {"api_url": found.api_url, "bot_token": found.bot_token, "app_token": found.app_token}

    def _container(self) -> str:
        """The pretend pod's first container."""
        return next(iter(self._fixture().containers), objects.CONTAINER)

    def env(self, **more: str) -> dict[str, str]:
        """The bot's environment, without AGENTPOD_ or SANDBOX_ variables of this process: no setting leaks in."""
        unwanted = ("AGENTPOD_", "SANDBOX_", "PYTHONDONTWRITEBYTECODE")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
        config = self.folder / "agentpod.yaml"
        config.write_text(yaml.safe_dump(self.settings(), allow_unicode=True), encoding="utf-8")
        ours = {
            "AGENTPOD_CONFIG": str(config),
            "AGENTPOD_SLACK__API_URL": self.workspace.api_url,
            "AGENTPOD_SLACK__BOT_TOKEN": self.workspace.bot_token,
            "AGENTPOD_SLACK__APP_TOKEN": self.workspace.app_token,
            "AGENTPOD_OPS__HOST": "127.0.0.1",
            "AGENTPOD_OPS__PORT": str(free_port()),
            "KUBECONFIG": str(
                self.kubeconfig or self.cluster.kubeconfig(self.folder / "kubeconfig", user="agentpod")
            ),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(HERE.parent),
        }
        if self._lively and self.kubeconfig is None:
            ours[VARIABLE] = str(self.folder / "ahead")
            if self._pod_since is not None:
                ours[YESTERDAY] = str(self.folder / "yesterday.json")
        if self._context:
            ours["AGENTPOD_KUBERNETES__CONTEXT"] = self._context
        return kept | ours | self._http_env() | more

    def _http_env(self) -> dict[str, str]:
        if self._slack_port is None:
            return {}
        return {
            "AGENTPOD_SLACK__MODE": "http",
            "AGENTPOD_SLACK__SIGNING_SECRET": self.workspace.signing_secret,
            "AGENTPOD_SLACK__HTTP__HOST": "127.0.0.1",
            "AGENTPOD_SLACK__HTTP__PORT": str(self._slack_port),
        }

    def bot(self, **env: str) -> BotProcess:
        """A bot of this sandbox, not started yet; it is stopped with the sandbox."""
        values = self.env(**env)
        log = self.folder / f"bot-{len(self._bots) + 1}.log"
        bot = BotProcess(values, log, int(values["AGENTPOD_OPS__PORT"]))
        self._bots.append(bot)
        return bot

    async def start_bot(self, timeout: float = 20.0, **env: str) -> BotProcess:  # noqa: ASYNC109 - a clear error
        """Start a bot and wait until it is connected. Raises RuntimeError with its output if it isn't."""
        bot = self.bot(**env)
        await bot.start()
        connected = asyncio.ensure_future(self._wait_heard(timeout))
        ended = asyncio.ensure_future(bot.wait())
        done, pending = await asyncio.wait({connected, ended}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if connected not in done or connected.exception() is not None:
            raise RuntimeError(f"the bot did not connect; it said:\n{bot.output()}")
        return bot

    async def _wait_heard(self, seconds: float) -> None:
        """Wait until the bot receives from Slack. Raises TimeoutError."""
        if self._slack_port is None:
            await self.workspace.wait_connected(timeout=seconds)
            return
        async with asyncio.timeout(seconds):
            while not await self.workspace.verify_url():  # noqa: ASYNC110 - nothing signals that a port opened
                await asyncio.sleep(0.05)


def free_port() -> int:
    """Find a port of this machine on which nothing listens.

    Not an ephemeral port: whatever listens on it may be down for a while, and an outgoing connection could take it
    meanwhile.
    """
    while True:
        port = random.SystemRandom().randrange(*PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
