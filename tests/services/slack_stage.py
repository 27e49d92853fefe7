"""The real watcher, outbox worker and Slack adapter against the sandbox's Slack, with a clock to set."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from bot.adapters.ledger.ledger import SqlLedger
from bot.adapters.sinks.slack import SlackSink
from bot.adapters.slack.api import Api
from bot.adapters.slack.chat import SlackChat
from bot.domain.core.registry import Registry
from sandbox.slack import Message, Workspace, seed
from sandbox.slack.record import ApiCall
from tests.adapters.slack_bench import MANIFEST, Counts
from tests.services.watchbench import Watch, policies, watch
from tests.services.workbench import Clock

PAUSE = 30
"""Seconds of ``Retry-After`` in a 429."""
STEP = 5
"""Seconds between two polls while Slack fails."""


@dataclass
class Stage:
    """The watcher and the outbox worker, on the sandbox's Slack and with one clock."""

    ws: Workspace
    watch: Watch
    clock: Clock

    def push(self, numbers: range) -> None:
        for number in numbers:
            self.watch.source.push(name(number))

    async def fail(self, seconds: int, *, answers_lost: bool) -> None:
        """Have Slack answer 429 and 500 in turn. ``answers_lost``: calls that get a 500 take effect."""
        faults, limited = self.ws.core.faults, True
        for _ in range(seconds // STEP):
            faults.rate_limited = PAUSE if limited else 0
            faults.server_error = not limited and not answers_lost
            faults.answer_lost = not limited and answers_lost
            before = len(self.calls())
            await self.watch.look(STEP / 60)
            limited ^= len(self.calls()) > before
        faults.rate_limited, faults.server_error, faults.answer_lost = 0, False, False

    async def settle(self) -> None:
        """Let time pass until Slack has taken all pending messages, at its rate limits."""
        for _ in range(600):
            if not await self.watch.ledger.waiting():
                return
            self.clock.pass_(seconds=1)
            await self.watch.deliver()
        raise AssertionError("not everything has arrived")

    def calls(self) -> list[ApiCall]:
        return [call for call in self.ws.record.calls if call.method.startswith("chat.")]

    async def kept(self, key: str) -> Message | None:
        """The message in Slack that the ledger has recorded for this key."""
        found = await self.watch.ledger.delivery(key)
        return self.ws.store.get(seed.OPS, found.posted.ts) if found and found.posted else None

    def thread(self, root: Message) -> list[Message]:
        return [m for m in self.ws.messages(seed.OPS, thread_ts=root.ts) if m.ts != root.ts]


def name(number: int) -> str:
    """The name of a job."""
    return f"job-{number:02}"


@contextlib.asynccontextmanager
async def stage(ledger: SqlLedger, jobs: int) -> AsyncIterator[Stage]:
    """A stage that watches ``jobs`` jobs, each stale after ten minutes."""
    many = watch(ledger, jobs=policies(*map(name, range(jobs))), keep_firing="0s", remind="4m")
    async with Workspace(MANIFEST, clock=lambda: many.clock.time.timestamp()) as ws:
        api = Api(ws.bot_token, ws.api_url, Counts())
        many.outbox_worker.sinks = Registry("sink", [SlackSink(SlackChat(api, "/agentpod"))])
        try:
            yield Stage(ws, many, many.clock)
        finally:
            await api.close()
