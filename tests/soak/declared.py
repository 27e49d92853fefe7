"""Rounds of a repair that a runbook declares, while bots are killed: each step runs at most once.

The pretend pod's fixture counts the commands that change something. A bot killed after a step was sent, but before
recording its end, can't know whether it ran: the request then ends with just that, and nothing is repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.audit import Verifier
from bot.errors import AgentpodError
from sandbox.cluster.fixture import FixtureFile, FixtureStates
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.postgres import Postgres
from tests.soak.bot import AWAY, CLUSTER_POINTS, POINTS
from tests.soak.fleet import PATIENCE, Fleet, Tally

FIRST, SECOND = ("rm", "-f", "/run/renderer.down"), ("s6-svc", "-u", "/run/renderer")
LIVE = frozenset({RequestState.OPEN, RequestState.APPROVED, RequestState.EXECUTING})
UNKNOWN = "nobody knows whether it ran"
RUNBOOK = """
runbook: soak
checks:
  renderer: {title: Renderer, exec: {command: [svstat]}, expect: 'lines[0] == "up"'}
repairs:
  start:
    summary: Start the renderer
    facts: {state: {exec: {command: [svstat]}}}
    only_if: state.lines[0] == "down"
    steps:
      - exec: {command: [rm, -f, /run/renderer.down]}
      - exec: {command: [s6-svc, -u, /run/renderer]}
    verify: {check: renderer, within: 20s}
"""
FIXTURE = """
containers:
  kali:
    state: {renderer: down}
    commands:
      - {run: [svstat], when: {renderer: up}, stdout: "up\\n"}
      - {run: [svstat], stdout: "down\\n"}
      - {run: [rm, -f, /run/renderer.down], sets: {flag: gone}}
      - {run: [s6-svc, -u, /run/renderer], sets: {renderer: up}}
"""


@dataclass
class DeclaredTally(Tally):
    """The counts of the last line."""

    steps: int = 0
    """Steps that were run."""
    unknown: int = 0
    """Requests that ended with a step of which nobody knows."""

    def __str__(self) -> str:
        """The last line."""
        return (
            f"rounds={self.rounds} kills={self.kills} steps={self.steps} unknown={self.unknown} "
            f"doubled={self.doubled} lost={self.lost} untrue={self.untrue} outages={self.outages}"
        )


@dataclass
class DeclaredProof:
    """One run of the proof."""

    sandbox: Sandbox
    fleet: Fleet
    ledger: SqlLedger
    dice: random.Random
    tally: DeclaredTally
    _known: int = field(default=0)
    """How many of the commands that ran are accounted for."""

    line: str = "start"
    """The command line that asks for the repair."""
    fixture: ClassVar[str] = FIXTURE
    """What the pretend pod shows."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """Settings besides the ledger's."""
    target: ClassVar[Mapping[str, Any]] = {}
    """The target's settings, besides runbook and crontab."""
    sandbox_options: ClassVar[Mapping[str, Any]] = {}
    """What else the sandbox is made with."""
    MOST: ClassVar[Mapping[str, int]] = {"commit": 12, "look": 3, "change": 2, "post": 3, "edit": 4}
    """How often each point is passed in a round."""

    def asked_line(self, reason: str) -> str:
        """The command line that asks for it with this reason."""
        return f'{self.line} --reason "{reason}"'

    @property
    def _states(self) -> FixtureStates:
        return self.sandbox.cluster.simulation.fixture_states

    @property
    def _ran(self) -> Sequence[tuple[str, ...]]:
        """What was done so far, in order."""
        return self._states.ran

    def _is_true(self, repair: RepairRequest, ran: Sequence[tuple[str, ...]]) -> bool:
        """Whether the outcome is true of what was done."""
        return _is_true(repair, ran)

    async def round(self, number: int, fault: str = "") -> None:
        """Ask for the repair, approve it while a bot dies, and judge what ran."""
        self.tally.rounds += 1
        self._states.begin_anew()
        reason, fault = f"round {number}", fault or self._fault()
        self.tally.outages += fault.startswith(AWAY)
        self._nothing_more(f"before {reason}")
        await self.fleet.arm(self.dice.randrange(self.fleet.count), "" if fault.startswith("timed") else fault)
        repair = await self._asked(reason)
        trouble = asyncio.create_task(self._disturb(fault))
        try:
            repair = await self._ended(repair, reason)
        finally:
            await trouble
        self._judge(f"{reason} ({fault}, {repair.state.value}: {text_of(repair)})", repair)
        await self._true_card(repair, reason)

    async def end(self) -> None:
        """Check that nothing ran later, and that the audit trail is whole."""
        self._nothing_more("at the end")
        check = Verifier()
        async for record in self.ledger.records():
            check.broken_by(record)
        if check.broken() is not None:
            self.tally.complaints.append(f"the audit trail is broken: {check.broken()}")

    def _fault(self) -> str:
        ways = (*POINTS, *CLUSTER_POINTS, *(AWAY + point for point in CLUSTER_POINTS), "timed", "timed")
        point = self.dice.choice(ways)
        most = self.MOST.get(point.rpartition("-")[2], 1)
        return f"{point}:{self.dice.randint(1, most)}"

    async def _disturb(self, fault: str) -> None:
        if fault.startswith("timed"):
            await asyncio.sleep(self.dice.uniform(0, 1.5))
            self.fleet.kill(self.dice.randrange(self.fleet.count))

    async def _asked(self, reason: str) -> RepairRequest:
        """Repeat the request until the ledger has it, as a user would who gets no answer."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            await self.sandbox.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", self.asked_line(reason))
            wait = time.monotonic() + 4
            while time.monotonic() < wait:
                if repair := await self._request(reason):
                    return repair
                await asyncio.sleep(0.05)
        raise AssertionError(f"{reason} was never asked\n{self.fleet.log()}")

    async def _request(self, reason: str) -> RepairRequest | None:
        with contextlib.suppress(AgentpodError):
            return next((c for c in await self.ledger.requests(limit=5) if c.reason == reason), None)
        return None

    async def _ended(self, repair: RepairRequest, reason: str) -> RepairRequest:
        """Let two people click at once until the request is decided, and wait for its end."""
        end, clicked = time.monotonic() + PATIENCE, 0.0
        while time.monotonic() < end:
            repair = await self._request(reason) or repair
            if repair.state not in LIVE:
                return repair
            cards = [one for one in self._cards(reason) if "needs approval" in one.text]
            if repair.state is RequestState.OPEN and cards and time.monotonic() - clicked > 4:
                clicks = [
                    self.sandbox.workspace.click(user, cards[-1], "agentpod:run:0")
                    for user in (seed.JONAS, seed.PRIYA)
                ]
                await asyncio.gather(*clicks, return_exceptions=True)
                clicked = time.monotonic()
            await asyncio.sleep(0.05)
        return repair

    def _cards(self, reason: str) -> list[Message]:
        here = self.sandbox.workspace.messages(seed.OPS)
        return [m for m in here if reason in m.all_text().splitlines() and "Asked by" in m.all_text()]

    def _nothing_more(self, when: str) -> None:
        """Check that no step ran since the last round: without an approval, it is a late duplicate."""
        if more := self._ran[self._known :]:
            self.tally.doubled += 1
            self.tally.complaints.append(f"{when}: nobody approved {more}")
            self._known = len(self._ran)

    def _judge(self, said: str, repair: RepairRequest) -> None:
        ran = self._ran[self._known :]
        self._known = len(self._ran)
        self.tally.steps += len(ran)
        self.tally.unknown += "nobody knows" in text_of(repair)
        if len(ran) != len(set(ran)):
            self.tally.doubled += 1
            self.tally.complaints.append(f"{said}: {ran}")
        if repair.state in LIVE:
            self.tally.lost += 1
            self.tally.complaints.append(f"{said}: not at its end\n{self.fleet.log()}")
        elif not self._is_true(repair, ran):
            self.tally.untrue += 1
            self.tally.complaints.append(f"{said}: {ran} were run\n{self.fleet.log()}")

    async def _true_card(self, repair: RepairRequest, reason: str) -> None:
        """Check that the card shows the outcome."""
        mark = "✅" if repair.state is RequestState.SUCCEEDED else "🔴"
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            cards = self._cards(reason)
            if cards and mark in cards[-1].text:
                return
            await asyncio.sleep(0.05)
        self.tally.untrue += 1
        self.tally.complaints.append(f"{reason}: no card says {mark}\n{self.fleet.log()}")


def text_of(repair: RepairRequest) -> str:
    """How it ended, in words."""
    return repair.outcome.text if repair.outcome else ""


def _is_true(repair: RepairRequest, ran: Sequence[tuple[str, ...]]) -> bool:
    """Whether the outcome is true of the commands that ran."""
    if repair.state is RequestState.SUCCEEDED:
        return list(ran) == [FIRST, SECOND]
    if repair.state is not RequestState.FAILED:
        return not ran
    text = text_of(repair)
    if "nothing was changed" in text:
        return not ran
    if UNKNOWN in text:
        return list(ran) in ([[], [FIRST]] if "step 1 of 2" in text else [[FIRST], [FIRST, SECOND]])
    return "step 2 of 2 was not run" in text and list(ran) == [FIRST]


@asynccontextmanager
async def prepared_declared(
    proof: type[DeclaredProof] = DeclaredProof,
    *,
    postgres: Postgres | None = None,
    seed_: int = 0,
    between: bool = True,
) -> AsyncIterator[DeclaredProof]:
    """Start everything: one bot on SQLite or two on PostgreSQL.

    ``between``: see `Fleet`.
    """
    url = postgres.create(f"{proof.__name__.lower()}_{seed_}") if postgres else ""
    settings = {**proof.settings, **({"ledger": {"url": url}} if url else {})}
    tally = DeclaredTally()
    with TemporaryDirectory(prefix="agentpod-soak-") as made:
        folder = Path(made)
        (folder / "runbook.yaml").write_text(RUNBOOK)
        (folder / "fixture.yaml").write_text(proof.fixture)
        target = {"runbook": [str(folder / "runbook.yaml")], "crontab": {"file": "~/.crontab"}, **proof.target}
        fixture = FixtureFile(folder / "fixture.yaml")
        given = {"settings": settings, "target": target, **proof.sandbox_options}
        async with Sandbox(rate_limits=False, fixture=fixture, **given) as sandbox:
            path = url or f"sqlite+aiosqlite:///{Path(sandbox.folder) / 'agentpod.db'}"
            ledger = await open_ledger(path, exclusive=False)
            fleet = Fleet(sandbox, 2 if postgres else 1, tally, between=between)
            dice = random.Random(seed_)  # noqa: S311 - a test's dice
            try:
                await fleet.start()
                yield proof(sandbox, fleet, ledger, dice, tally)
            finally:
                await fleet.stop()
                await ledger.close()
