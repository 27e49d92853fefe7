"""The bots of a proof, restarted whenever one dies, and the proof's counts."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.environment import BotProcess, Sandbox, free_port
from tests.soak.bot import VARIABLE

PATIENCE = 90.0
"""Seconds for one round; a request not finished by then is lost."""


@dataclass
class Tally:
    """The counts of the last line."""

    rounds: int = 0
    kills: int = 0
    rollouts: int = 0
    doubled: int = 0
    lost: int = 0
    untrue: int = 0
    stores: int = 0
    """The number of writes to Secrets."""
    outages: int = 0
    """The number of rounds with an outage of the API server."""
    complaints: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing was doubled, lost or reported wrongly."""
        return not self.complaints

    def __str__(self) -> str:
        """The last line."""
        return (
            f"rounds={self.rounds} kills={self.kills} rollouts={self.rollouts} "
            f"doubled={self.doubled} lost={self.lost} untrue={self.untrue} "
            f"stores={self.stores} outages={self.outages}"
        )


class Fleet:
    """The bots, restarted whenever one dies."""

    def __init__(self, sandbox: Sandbox, count: int, tally: Tally, *, between: bool = True) -> None:
        """With ``between``, a bot is also killed between rounds, while idle."""
        self._sandbox, self._tally, self._between = sandbox, tally, between
        self._bots: list[SoakBot | None] = [None] * count
        self._keeper: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def start(self) -> None:
        """Start all bots, and restart them from now on."""
        for place in range(len(self._bots)):
            await self._spawn(place)
        await self._connected()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Stop all bots."""
        self._over.set()  # cancelling the keeper while it starts a bot would leave that bot behind
        if self._keeper is not None:
            await asyncio.gather(self._keeper, return_exceptions=True)
        for bot in self._bots:
            if bot is not None:
                await bot.stop()

    async def _spawn(self, place: int) -> None:
        port = free_port()
        env = self._sandbox.env(AGENTPOD_OPS__PORT=str(port), **{VARIABLE: str(self._fault(place))})
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
        """The number of bots."""
        return len(self._bots)

    def kill(self, place: int) -> None:
        """Kill one bot, from outside."""
        bot = self._bots[place]
        if bot is not None and bot.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(bot.pid, 9)

    async def arm(self, place: int, fault: str) -> None:
        """Set the point at which a bot dies; an empty one clears it."""
        whole = self._fault(place).with_suffix(".new")  # replaced atomically: the bot never reads half of it
        whole.write_text(fault, "ascii")
        os.replace(whole, self._fault(place))
        if self._between:
            self.kill(place)
            await asyncio.sleep(0.1)
        await self._connected()

    def _fault(self, place: int) -> Path:
        """The file from which a bot reads its fault."""
        return self._sandbox.folder / f"fault-{place}"

    async def _connected(self) -> None:
        try:
            await self._sandbox.workspace.wait_connected(len(self._bots), timeout=30)
        except TimeoutError as error:
            raise AssertionError(f"{error}; {self._keeper}\n{self.log()}") from error

    def log(self) -> str:
        """The end of each bot's output."""
        return "\n".join(bot.output()[-3000:] for bot in self._bots if bot is not None)


class SoakBot(BotProcess):
    """`tests.soak.bot` in a process of its own."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *_: str) -> None:
        """Start the process."""
        self._process = await self.spawn(("tests.soak.bot",), self.env, self.log)
