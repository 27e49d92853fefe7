"""Rounds of request, approvals by several people at once, kills and restarts; and what must hold after each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.adapters.ledger import SqlLedger, open_ledger
from bot.domain.approval import State
from bot.domain.audit import Verifier
from bot.domain.repair import Case
from bot.errors import AgentpodError
from sandbox.house import BotProcess, Sandbox, free_port
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.controlplane.agent_pod import AgentPod
from tests.postgres import Postgres
from tests.soak.bot import POINTS, VARIABLE

PATIENCE = 90.0
"""Seconds for one round; a case that is not at its end by then is lost."""
LIVE = frozenset({State.OPEN, State.APPROVED, State.EXECUTING})
MARKS = {
    State.SUCCEEDED: "✅",
    State.FAILED: "🔴",
    State.DENIED: "⛔",
    State.VOID: "🚫",
    State.EXPIRED: "⌛",
    State.WITHDRAWN: "↩️",
}


@dataclass
class Tally:
    """What the last line gives."""

    rounds: int = 0
    kills: int = 0
    rollouts: int = 0
    doubled: int = 0
    lost: int = 0
    untrue: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was doubled, lost, or said wrongly."""
        return not self.complaints

    def __add__(self, other: Tally) -> Tally:
        """Of both together."""
        return Tally(
            self.rounds + other.rounds,
            self.kills + other.kills,
            self.rollouts + other.rollouts,
            self.doubled + other.doubled,
            self.lost + other.lost,
            self.untrue + other.untrue,
            self.complaints + other.complaints,
        )

    def __str__(self) -> str:
        """The last line."""
        return (
            f"rounds={self.rounds} kills={self.kills} rollouts={self.rollouts} "
            f"doubled={self.doubled} lost={self.lost} untrue={self.untrue}"
        )


class Fleet:
    """The bots: started again whenever one is dead."""

    def __init__(self, sandbox: Sandbox, count: int, tally: Tally) -> None:
        self._sandbox, self._tally = sandbox, tally
        self._bots: list[SoakBot | None] = [None] * count
        self._next: list[str] = [""] * count
        self._keeper: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def start(self) -> None:
        """Start all, and keep them alive from now on."""
        for place in range(len(self._bots)):
            await self._spawn(place)
        await self._connected()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End them all."""
        self._over.set()  # a keeper that is cancelled while it starts a bot would leave that behind
        if self._keeper is not None:
            await asyncio.gather(self._keeper, return_exceptions=True)
        for bot in self._bots:
            if bot is not None:
                await bot.stop()

    async def _spawn(self, place: int) -> None:
        port = free_port()
        env = self._sandbox.env(AGENTPOD_OPS__PORT=str(port), **{VARIABLE: self._next[place]})
        self._next[place] = ""
        bot = SoakBot(env, self._sandbox.folder / f"bot-{place}.log", port)
        await bot.start()
        self._bots[place] = bot

    async def _keep(self) -> None:
        while not self._over.is_set():
            for place, bot in enumerate(self._bots):
                if bot is not None and not bot.alive:
                    self._tally.kills += 1
                    await self._spawn(place)
            await asyncio.sleep(0.02)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._bots)

    def kill(self, place: int) -> None:
        """Kill one, from outside."""
        bot = self._bots[place]
        if bot is not None and bot.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(bot.pid, 9)

    async def arm(self, place: int, fault: str) -> None:
        """Have one die at a point: it is started anew with that."""
        self._next[place] = fault
        self.kill(place)
        await asyncio.sleep(0.1)
        await self._connected()

    async def _connected(self) -> None:
        try:
            await self._sandbox.workspace.wait_connected(len(self._bots), timeout=30)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.log()}") from error

    def log(self) -> str:
        """The ends of what they wrote."""
        return "\n".join(bot.output()[-3000:] for bot in self._bots if bot is not None)


class SoakBot(BotProcess):
    """`tests.soak.bot` in a process of its own."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *_: str) -> None:
        """Start it."""
        with self.log.open("ab") as sink:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.soak.bot", env=self.env, stdout=sink, stderr=sink
            )


@dataclass
class Proof:
    """One run."""

    pod: AgentPod
    sandbox: Sandbox
    fleet: Fleet
    ledger: SqlLedger
    postgres: Postgres | None
    dice: random.Random
    tally: Tally
    last: tuple[int, int] | None = None
    """How the Deployment was left by the round before."""

    async def round(self, number: int, fault: str = "") -> None:
        """One request and all that happens to it."""
        self.tally.rounds += 1
        reason = f"round {number}"
        forced = self.dice.random() < 0.25
        fault = fault or self._fault()
        if self.dice.random() < 0.2:
            await asyncio.sleep(1.0)  # what would come late gets the time to, before the next kill
        before = await self._settled()
        self._judge_between(f"before round {number}", before)
        await self._arm(fault)
        case = await self._asked(reason, forced)
        if self.dice.random() < 0.1:
            await self._click(case, reason, [(seed.MAYA, 2)])  # withdrawn while others decide
        trouble = asyncio.create_task(self._trouble(fault))
        try:
            case = await self._decided(case, reason)
        finally:
            await trouble
        after = self.last = await self._settled()
        self._judge(number, case, fault, before, after)
        await self._true_card(case, reason)

    def _judge_between(self, when: str, now: tuple[int, int]) -> None:
        """Between rounds nothing is approved: what moves then is the late double of something."""
        if self.last is not None and now != self.last:
            self.tally.doubled += 1
            self._complain(
                f"{when}: {now[0] - self.last[0]} rollouts, {now[1] - self.last[1]} pods that nobody asked for"
            )

    def _fault(self) -> str:
        point = self.dice.choice((*POINTS, "timed", "timed"))
        most = {"commit": 14, "change": 1, "post": 3, "edit": 4}.get(point.rpartition("-")[2], 1)
        return f"{point}:{self.dice.randint(1, most)}"

    async def _arm(self, fault: str) -> None:
        place = self.dice.randrange(self.fleet.count)
        await self.fleet.arm(place, "" if fault.startswith("timed") else fault)
        await self.sandbox.workspace.panel.apply("slack-duplicate", self.dice.random() < 0.3)

    async def _trouble(self, fault: str) -> None:
        if fault.startswith("timed"):
            await asyncio.sleep(self.dice.uniform(0, 2.5))
            self.fleet.kill(self.dice.randrange(self.fleet.count))
        if self.postgres is not None and self.dice.random() < 0.15:
            await asyncio.sleep(self.dice.uniform(0, 1.0))
            await asyncio.to_thread(self.postgres.stop)
            await asyncio.sleep(self.dice.uniform(0.5, 2.0))
            self.postgres.start()  # in this thread: what it starts ends with the thread that started it

    async def _asked(self, reason: str, forced: bool) -> Case:
        """Ask until the ledger has it: whoever asks sees whether an answer came, and asks again."""
        line = f'restart {"--force " if forced else ""}--reason "{reason}"'
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            await self.sandbox.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", line)
            wait = time.monotonic() + 4
            while time.monotonic() < wait:
                if case := await self._case(reason):
                    return case
                await asyncio.sleep(0.05)
        raise AssertionError(f"{reason} was never asked\n{self.fleet.log()}")

    async def _case(self, reason: str) -> Case | None:
        with contextlib.suppress(AgentpodError):
            return next((c for c in await self.ledger.cases(limit=5) if c.reason == reason), None)
        return None

    def _cards(self, reason: str) -> list[Message]:
        """The card, and copies of it."""
        here = self.sandbox.workspace.messages(seed.OPS)
        return [m for m in here if reason in m.all_text().splitlines() and "Asked by" in m.all_text()]

    async def _decided(self, case: Case, reason: str) -> Case:
        """Click, several people at once, until it is decided; then wait for its end."""
        end, clicked = time.monotonic() + PATIENCE, 0.0
        while time.monotonic() < end:
            case = await self._case(reason) or case
            if case.state not in LIVE:
                return case
            if case.state is State.OPEN and time.monotonic() - clicked > 4:
                who = [(seed.JONAS, 0), (seed.PRIYA, 0), (seed.JONAS, 0)][: self.dice.randint(1, 3)]
                if await self._click(case, reason, who):
                    clicked = time.monotonic()
            await asyncio.sleep(0.05)
        return case

    async def _click(self, case: Case, reason: str, who: Sequence[tuple[str, int]]) -> bool:
        """Click the card's buttons by their place, at once; False while there is no card."""
        cards = [c for c in self._cards(reason) if "needs approval" in c.text]
        if not cards or case.state is not State.OPEN:
            return False
        clicks = [self.sandbox.workspace.click(user, cards[-1], f"agentpod:run:{n}") for user, n in who]
        await asyncio.gather(*clicks, return_exceptions=True)
        return True

    async def _settled(self) -> tuple[int, int]:
        """Generation, and how many pods were ever made, once nothing moves."""
        end = time.monotonic() + PATIENCE
        while True:
            found = self.pod.plane.call("GET", self.pod.deployment_path)
            status, meta = found.get("status", {}), found["metadata"]
            still = status.get("observedGeneration") == meta["generation"] and status.get("readyReplicas") == 1
            if (still and status.get("updatedReplicas") == 1) or time.monotonic() > end:
                return meta["generation"], len(self._made())
            await asyncio.sleep(0.05)

    def _made(self) -> set[str]:
        """The names of all pods that a ReplicaSet ever made here."""
        events = self.pod.plane.call("GET", f"{self.pod.path}/events?limit=5000")["items"]
        return {e["message"] for e in events if e["reason"] == "SuccessfulCreate"}

    def _judge(self, number: int, case: Case, fault: str, before: tuple[int, int], after: tuple[int, int]) -> None:
        rollouts, pods = after[0] - before[0], after[1] - before[1]
        self.tally.rollouts += pods
        text = case.outcome.text if case.outcome else ""
        said = f"round {number} ({fault}, {case.action.value}, {case.id} {case.state.value}: {text})"
        if pods > 1 or rollouts > 1:
            self.tally.doubled += 1
            self._complain(f"{said}: {rollouts} rollouts, {pods} pods")
        if case.state in LIVE:
            self.tally.lost += 1
            self._complain(f"{said}: not at its end\n{self.fleet.log()}")
        untouched = case.state in (State.DENIED, State.WITHDRAWN, State.EXPIRED, State.VOID)
        nothing = untouched or (case.state is State.FAILED and "nothing was" in text)
        if (nothing and pods) or (case.state is State.SUCCEEDED and pods != 1):
            self.tally.untrue += 1
            self._complain(f"{said}: {pods} pods were made\n{self.fleet.log()}")

    def _complain(self, text: str) -> None:
        self.tally.complaints.append(text)

    async def _true_card(self, case: Case, reason: str) -> None:
        """The card shows how it ended, whatever was killed meanwhile."""
        mark, end = MARKS.get(case.state, "?"), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            cards = self._cards(reason)
            if cards and mark in cards[-1].text:
                return
            await asyncio.sleep(0.05)
        self.tally.untrue += 1
        self._complain(
            f"{reason}: the card says {[c.text for c in self._cards(reason)]}, it is {case.state.value}"
        )

    async def end(self) -> None:
        """At the end: the audit trail is whole, and nothing is owed."""
        check = Verifier()
        async for record in self.ledger.records():
            check.broken_by(record)
        if check.broken() is not None:
            self._complain(f"the audit trail is broken: {check.broken()}")
        end = time.monotonic() + PATIENCE
        while await self.ledger.waiting():
            if time.monotonic() > end:
                self._complain(f"{await self.ledger.waiting()} messages are still owed")
                break
            await asyncio.sleep(0.1)
        self._judge_between("at the end", await self._settled())


@asynccontextmanager
async def prepared(pod: AgentPod, *, postgres: Postgres | None, seed_: int) -> AsyncIterator[Proof]:
    """Everything started: one bot on SQLite, or two on PostgreSQL."""
    url = postgres.create(f"soak_{pod.namespace.replace('-', '_')}") if postgres else ""
    settings: dict[str, Any] = {
        "probes": {"timeout": "5s"},
        "pushgateway": {"url": ""},
    }
    if url:
        settings["ledger"] = {"url": url}
    tally = Tally()
    target = pod.where() | {"argocd": None}
    async with Sandbox(
        rate_limits=False, kubeconfig=pod.kubeconfig(), target=target, settings=settings
    ) as sandbox:
        fleet = Fleet(sandbox, 2 if postgres else 1, tally)
        await fleet.start()
        path = url or f"sqlite+aiosqlite:///{Path(sandbox.folder) / 'agentpod.db'}"
        ledger = await open_ledger(path, exclusive=False)
        try:
            yield Proof(pod, sandbox, fleet, ledger, postgres, random.Random(seed_), tally)  # noqa: S311 - a test's dice
        finally:
            await fleet.stop()
            await ledger.close()
