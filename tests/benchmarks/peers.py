"""`make peers`: agentpod beside Errbot on the same sandbox's Slack, by direct messages. Prints a table.

Errbot comes from PyPI into an environment of its own under build/. Both get the same messages; Errbot has a plugin
that answers with the word it is given, agentpod is asked `whoami` with a word, and answers that it takes none.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bot.app import SETTLE_SECONDS
from sandbox.environment import MANIFEST, BotProcess, Sandbox, free_port
from sandbox.slack import seed
from sandbox.slack.message import Message
from sandbox.slack.workspace import Workspace
from tests.benchmarks.common import ROOT, cpu_seconds, plain_env, quantile, resident_mib

ERRBOT = ("errbot==6.2.1", "errbot-backend-slackv3==0.3.2")
HOME = ROOT / "build" / "peers"
MORE_SCOPES = ("team:read", "channels:read", "groups:read", "im:read", "mpim:read", "im:write")
"""What Errbot's backend asks Slack for besides."""
REDELIVERY = (0.0, 12.0, 30.0)
"""Seconds after which an event is delivered again: Slack's are 0, 60 and 300."""
PEOPLE = (seed.MAYA, seed.JONAS, seed.PRIYA)
BATCHES = {1: 300, 20: 600}
"""How many messages a batch has, by how many are unanswered."""
TROUBLED = 30
"""Messages per fault."""
PATIENCE = 40.0
"""Seconds until an unanswered message counts as lost."""
_WORD = re.compile(r"\bw\d+x\b")


@dataclass
class Peer:
    """A bot on its workspace."""

    name: str
    workspace: Workspace
    pid: int
    started: float
    """Seconds from its start to its connection."""
    prefix: str
    """What is written before the word."""
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    sent: dict[str, float] = field(default_factory=dict)
    answers: dict[str, set[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def listen(self, change: str, message: Message) -> None:
        """Note the answers to each word."""
        if change == "message_deleted" or message.user != seed.BOT_USER:
            return
        for word in set(_WORD.findall(message.all_text())) & self.sent.keys():
            self.answers.setdefault(word, set()).add(message.ts)
            self.seconds.setdefault(word, time.perf_counter() - self.sent[word])

    def ask(self, user: str) -> str:
        """Send a word that nobody has sent."""
        word = f"w{next(self.numbers)}x"
        self.sent[word] = time.perf_counter()
        self.workspace.dm(user, f"{self.prefix}{word}")
        return word

    async def load(self, count: int, at_once: int) -> list[float]:
        """Seconds to the answer of each of so many messages."""
        todo, words = iter(range(count)), list[str]()

        async def person(user: str) -> None:
            for _ in todo:
                words.append(word := self.ask(user))
                await until(lambda word=word: word in self.answers)  # type: ignore[misc]  # bound at once

        await asyncio.gather(*(person(PEOPLE[n % len(PEOPLE)]) for n in range(at_once)))
        return [self.seconds[word] for word in words]

    async def troubled(self, begin: Callable[[], None], end: Callable[[], None]) -> str:
        """How many messages had no answer, and how many answers there were too many."""
        words: list[str] = []
        for number in range(TROUBLED):
            if number == TROUBLED // 3:
                begin()
            words.append(self.ask(PEOPLE[number % len(PEOPLE)]))
            await asyncio.sleep(0.1)
        end()
        with contextlib.suppress(TimeoutError):
            await until(lambda: all(word in self.answers for word in words))
        await asyncio.sleep(REDELIVERY[1] + 2)  # whatever comes twice has come then
        lost = sum(word not in self.answers for word in words)
        return f"{lost} / {sum(len(self.answers.get(word, '_')) - 1 for word in words)}"


async def until(holds: Callable[[], bool]) -> None:
    """Raises TimeoutError after `PATIENCE`."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.001)


async def measured(peer: Peer) -> dict[str, str]:
    """A column of the table."""
    peer.workspace.store.listeners.add(peer.listen)
    await asyncio.sleep(SETTLE_SECONDS + 3)
    column = {"start to connected": f"{peer.started:.2f} s", "memory, idle": f"{resident_mib(peer.pid):.0f} MiB"}
    await peer.load(20, 1)
    for at_once, count in BATCHES.items():
        before = cpu_seconds(peer.pid)
        seconds = await peer.load(count, at_once)
        cpu = (cpu_seconds(peer.pid) - before) / count * 1000
        p50, p99 = quantile(seconds, 0.5) * 1000, quantile(seconds, 0.99) * 1000
        column[f"answer p50, p99, {at_once} unanswered"] = f"{p50:.1f}, {p99:.1f} ms"
        column[f"CPU per 1,000, {at_once} unanswered"] = f"{cpu:.2f} s"
    acks = [e.ack_seconds * 1000 for e in peer.workspace.record.envelopes if e.ack_seconds is not None]
    column["acknowledgement p50, p99"] = f"{quantile(acks, 0.5):.1f}, {quantile(acks, 0.99):.1f} ms"
    faults = peer.workspace.core.faults
    cut = next(one for one in peer.workspace.breaks if one.id == "slack-cut-socket")

    def switch(name: str, value: object) -> Callable[[], None]:
        return lambda: setattr(faults, name, value)

    for fault, begin, end in (
        ("the socket is cut", lambda: cut.apply(None), lambda: None),
        ("HTTP 429 meanwhile, Retry-After 2 s", switch("rate_limited", 2), switch("rate_limited", 0)),
        ("HTTP 500 meanwhile", switch("server_error", True), switch("server_error", False)),
        ("every event delivered twice", switch("duplicate", True), switch("duplicate", False)),
    ):
        column[f"lost / duplicates: {fault}"] = await peer.troubled(begin, end)  # type: ignore[arg-type]
    return column


@contextlib.asynccontextmanager
async def agentpod() -> AsyncIterator[Peer]:
    """The bot of this repository, with its watchers."""
    async with Sandbox(rate_limits=False, settings={"log": {"level": "warning"}}) as sandbox:
        sandbox.workspace.core.options.redelivery_s = REDELIVERY
        started = time.perf_counter()
        bot = await sandbox.start_bot()
        yield Peer("agentpod", sandbox.workspace, bot.pid, time.perf_counter() - started, "whoami ")


@contextlib.asynccontextmanager
async def errbot() -> AsyncIterator[Peer]:
    """Errbot with one plugin of one command."""
    installed = await asyncio.to_thread(_installed)
    with tempfile.TemporaryDirectory(prefix="agentpod-peer-") as folder:
        manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
        manifest["oauth_config"]["scopes"]["bot"] += MORE_SCOPES
        path = Path(folder) / "manifest.yaml"
        path.write_text(yaml.safe_dump(manifest), encoding="utf-8")
        async with Workspace(path, rate_limits=False, redelivery_s=REDELIVERY) as workspace:
            env = plain_env(
                PEER_API_URL=workspace.api_url,
                PEER_BOT_TOKEN=workspace.bot_token,
                PEER_APP_TOKEN=workspace.app_token,
                PEER_DATA=folder,
            )
            del env["PYTHONPATH"]
            bot = BotProcess(env, HOME / "errbot.log", free_port())
            bot.spawn = lambda _, env, log: _spawned(installed, env, log)  # type: ignore[method-assign]
            started = time.perf_counter()
            await bot.start()
            try:
                await workspace.wait_connected(timeout=PATIENCE)
                yield Peer("Errbot", workspace, bot.pid, time.perf_counter() - started, "!echo ")
            finally:
                await bot.stop()


async def _spawned(errbot: Path, env: object, log: Path) -> asyncio.subprocess.Process:
    words = ("-c", str(Path(__file__).parent / "errbot" / "config.py"))
    with log.open("wb") as sink:
        return await asyncio.create_subprocess_exec(errbot, *words, env=env, stdout=sink, stderr=sink)  # type: ignore[arg-type]


def _installed() -> Path:
    """Errbot's program, installed where it isn't yet."""
    venv = HOME / "venv"
    program = venv / "bin" / "errbot"
    if not program.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "-q", *ERRBOT], check=True)
    return program


async def main() -> None:
    """Measure both, one after the other, and print the table."""
    columns: dict[str, dict[str, str]] = {}
    for peer_of in (agentpod, errbot):
        async with peer_of() as peer:
            columns[peer.name] = await measured(peer)
    names = list(columns)
    print(f"| | {' | '.join(names)} |\n|---|{'---|' * len(names)}")  # noqa: T201 - a report
    for row in columns[names[0]]:
        print(f"| {row} | {' | '.join(columns[name][row] for name in names)} |")  # noqa: T201


if __name__ == "__main__":
    os.environ.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    asyncio.run(main())
