"""Rounds of restarts, graceful and forced, of a pod that takes a different time each: how often the card is right.

A card predicts the downtime by the last restarts, and says afterwards whether that held. Nine predictions of ten
must hold, and a card must judge each of its own truly.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.domain.approvals.repair import RepairRequest
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.soak.fleet import PATIENCE, Tally

MEDIAN, SPREAD = 1.2, 0.3
"""The seconds that a restart of the pod takes: of a log-normal distribution, its median and sigma."""
SHARE = 0.9
"""Of the predictions, how many must hold."""


@dataclass
class ForecastTally(Tally):
    """The counts of the last line."""

    predicted: int = 0
    """Restarts whose card had a prediction: the first has none."""
    within: int = 0
    """Those that took as long as it said."""

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong and enough predictions held."""
        return not self.complaints and self.within >= SHARE * self.predicted

    def __str__(self) -> str:
        """The last line."""
        return (
            f"rounds={self.rounds} predicted={self.predicted} within={self.within} "
            f"lost={self.lost} untrue={self.untrue}"
        )


@dataclass
class ForecastProof:
    """One run of the proof."""

    sandbox: Sandbox
    ledger: SqlLedger
    dice: random.Random
    tally: ForecastTally

    async def round(self, number: int) -> None:
        """Ask for a restart, approve it, and compare what the card predicted with how long it took."""
        self.tally.rounds += 1
        self.sandbox.cluster.simulation.speed = self.dice.lognormvariate(0, SPREAD) * MEDIAN
        reason = f"round {number}"
        force = " --force" if self.dice.random() < 0.25 else ""
        await self.sandbox.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", f'restart{force} --reason "{reason}"')
        card = await self._card(reason, "needs approval")
        if card is not None:
            await self.sandbox.workspace.click(seed.JONAS, card, "agentpod:run:0")
            card = await self._card(reason, "✅")
        repair = next((one for one in await self.ledger.requests(limit=5) if one.reason == reason), None)
        if card is None or repair is None or repair.outcome is None:
            self.tally.lost += 1
            self.tally.complaints.append(f"{reason}: not at its end")
        else:
            self._judge(reason, repair, card.all_text())

    def _judge(self, reason: str, repair: RepairRequest, card: str) -> None:
        predicted, took = repair.forecast.down_for, repair.outcome.seconds if repair.outcome else None
        if predicted is None or took is None:
            return
        within = predicted.least <= took <= predicted.most
        self.tally.predicted += 1
        self.tally.within += within
        if ("which held" in card) is not within:
            self.tally.untrue += 1
            self.tally.complaints.append(
                f"{reason}: predicted {predicted}, took {took:.1f} s, and the card: {card}"
            )

    async def _card(self, reason: str, mark: str) -> Message | None:
        """The round's card once it contains ``mark``; None if it never does."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for one in self.sandbox.workspace.messages(seed.OPS)[-20:]:
                if reason in one.all_text().splitlines() and "Asked by" in one.all_text() and mark in one.text:
                    return one
            await asyncio.sleep(0.05)
        return None

    async def end(self) -> None:
        """Check that some of it was predicted."""
        if not self.tally.predicted:
            self.tally.complaints.append("no card predicted anything")


@asynccontextmanager
async def prepared_forecasts(*, seed_: int = 0) -> AsyncIterator[ForecastProof]:
    """Start everything: one bot on SQLite."""
    async with Sandbox(rate_limits=False, settings={"probes": {"timeout": "5s"}}) as sandbox:
        await sandbox.start_bot()
        path = f"sqlite+aiosqlite:///{Path(sandbox.folder) / 'agentpod.db'}"
        ledger = await open_ledger(path, exclusive=False)
        try:
            yield ForecastProof(sandbox, ledger, random.Random(seed_), ForecastTally())  # noqa: S311 - dice
        finally:
            await ledger.close()
