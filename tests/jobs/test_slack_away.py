"""Slack answers 429 and 500 in turn for ten minutes while fifty jobs flip: over HTTP, by the courier's clock."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from bot.adapters.ledger import SqlLedger
from bot.adapters.slack.api import Api
from bot.adapters.slack.chat import SlackChat
from bot.domain.alerting import Incident, Reason
from bot.jobs.deliver import COPY
from sandbox.slack import Message, Workspace, seed
from sandbox.slack.record import ApiCall
from tests.adapters.slack_bench import MANIFEST, Counts
from tests.jobs.watchbench import Watch, policies, watch
from tests.jobs.workbench import START, Clock, opened

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("slack-away")]
JOBS = 50
EVERY = 12
"""Seconds between the last heartbeats of two jobs: the fifty go stale within ten minutes."""
AWAY = 600
"""Seconds for which Slack is away."""
PAUSE = 30
STEP = 5
ICONS = {Reason.FIRST_FIRING: "🔴", Reason.REMINDER_DUE: "⏰", Reason.RESOLVED: "✅"}


@dataclass
class Stage:
    """The watcher and the courier, on the sandbox's Slack and one clock."""

    ws: Workspace
    watch: Watch
    clock: Clock
    answers_lost: bool
    """Whether what is answered with 500 has taken effect."""

    def push(self, numbers: range) -> None:
        for number in numbers:
            self.watch.source.push(name(number))

    async def fail(self, seconds: int) -> None:
        """Time in which Slack answers 429 and 500 in turn."""
        faults, limited = self.ws.core.faults, True
        for _ in range(seconds // STEP):
            faults.rate_limited = PAUSE if limited else 0
            faults.server_error = not limited and not self.answers_lost
            faults.answer_lost = not limited and self.answers_lost
            before = len(self.calls())
            await self.watch.look(STEP / 60)
            limited ^= len(self.calls()) > before
        faults.rate_limited, faults.server_error, faults.answer_lost = 0, False, False

    async def settle(self) -> None:
        """Time in which Slack takes what is owed, at its own rate."""
        for _ in range(600):
            if not await self.watch.ledger.waiting():
                return
            self.clock.pass_(seconds=1)
            await self.watch.deliver()
        raise AssertionError("not everything has arrived")

    def calls(self) -> list[ApiCall]:
        return [call for call in self.ws.record.calls if call.method.startswith("chat.")]

    async def kept(self, key: str) -> Message | None:
        """The message that the ledger knows of and keeps up to date."""
        found = await self.watch.ledger.delivery(key)
        return self.ws.store.get(seed.OPS, found.posted.ts) if found and found.posted else None

    def thread(self, root: Message) -> list[Message]:
        return [m for m in self.ws.messages(seed.OPS, thread_ts=root.ts) if m.ts != root.ts]


async def test_a_bot_that_is_not_invited_is_listed_with_the_remedy_and_an_invitation_is_enough(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as ledger, stage(ledger, answers_lost=False) as one:
        members = one.ws.store.channels[seed.OPS].members
        one.ws.store.set_members(seed.OPS, [m for m in members if m != seed.BOT_USER])
        await one.watch.look()
        await one.watch.look(10)
        [dead] = await ledger.dead(START)
        assert "(not_in_channel)" in dead.error
        assert "/invite @agentpod" in dead.error
        one.ws.store.set_members(seed.OPS, members)
        one.clock.pass_(minutes=1)
        await one.watch.deliver()
        [alert] = one.ws.messages(seed.OPS)
        assert alert.text.startswith("🔴 CRITICAL 50 incidents at once")
        assert await ledger.dead(START) == []


@dataclass
class After:
    """What there is in the end: the incidents, and the message of all of them."""

    stage: Stage
    told: list[Incident]
    root: Message


def name(number: int) -> str:
    return f"job-{number:02}"


@contextlib.asynccontextmanager
async def stage(ledger: SqlLedger, *, answers_lost: bool) -> AsyncIterator[Stage]:
    jobs = policies(*map(name, range(JOBS)), stale_after="10m")
    many = watch(ledger, jobs=jobs, keep_firing="0s", remind="4m")
    async with Workspace(MANIFEST, clock=lambda: many.clock.time.timestamp()) as ws:
        api = Api(ws.bot_token, ws.api_url, Counts())
        many.courier.chat = SlackChat(api, "/agentpod")
        try:
            yield Stage(ws, many, many.clock, answers_lost)
        finally:
            await api.close()


async def flipped_while_away(one: Stage) -> list[Incident]:
    """Fifty go stale one after the other; ten are back while Slack is away, ten more once it is there."""
    for number in range(JOBS):
        at = one.clock.time + timedelta(seconds=EVERY * number)
        one.watch.source.push(name(number), at=at.timestamp())
    await one.watch.look((EVERY * JOBS - STEP) / 60)
    await one.fail(AWAY - 60)
    one.push(range(10))
    await one.fail(60)
    await one.settle()
    one.push(range(10, 20))
    await one.watch.look(0.5)
    await one.settle()
    return [i for i in await one.watch.ledger.incidents(limit=2 * JOBS) if i.told]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[False, True], ids=["refused", "answer lost"])
async def after(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[After]:
    """Once all has arrived, where what Slack answered with 500 had taken no effect, or had."""
    folder = tmp_path_factory.mktemp("away")
    async with opened(folder) as ledger, stage(ledger, answers_lost=request.param) as one:
        told = await flipped_while_away(one)
        [group] = {i.group for i in told}
        root = await one.kept(f"group:{group}")
        assert root is not None
        yield After(one, told, root)


async def test_all_arrive_in_order_and_grouped(after: After) -> None:
    assert {i.problem.subject for i in after.told} == set(map(name, range(JOBS)))
    assert after.root.text.startswith(f"🔴 CRITICAL 30 of {JOBS} incidents at once: ")
    assert await after.stage.watch.ledger.dead(START) == []
    thread, unsaid = after.stage.thread(after.root), set()
    for incident in after.told:
        subject = incident.problem.subject
        own = await after.stage.kept(f"incident:{incident.id}")
        unsaid |= {subject} if own is None else set()
        lines = [m.text[:1] for m in thread if subject in m.text]
        assert lines == ([] if own is None else expected(incident)), subject
    assert unsaid < set(map(name, range(10))), "only what was over by then, and surely never posted"
    assert unsaid


def expected(incident: Incident) -> list[str]:
    """What the thread says of it, in order: its message as it is now, and each thing said since it fired."""
    now = "🔴" if incident.open else "✅"
    return [now, *(ICONS[n.reason] for n in incident.notices[1:])]


async def test_nothing_is_said_twice_but_what_may_not_have_arrived_and_that_is_said(after: After) -> None:
    ws, posts = after.stage.ws, after.stage.ws.record.of("chat.postMessage")
    lost = sum(call.status == 500 for call in posts) if after.stage.answers_lost else 0
    copies = [m for m in ws.messages(seed.OPS) if m is not after.root]
    assert len(copies) == lost
    assert len(ws.store.everything(seed.OPS)) == sum(call.ok for call in posts) + lost
    assert COPY in after.root.all_text()
    assert after.root.ts > max([m.ts for m in copies], default="")
    assert not [m for c in copies for m in after.stage.thread(c)], "nothing is said below a copy"


async def test_no_request_is_made_within_a_pause_that_slack_asked_for(after: After) -> None:
    calls, until = after.stage.calls(), 0.0
    assert {200, 429, 500} == {c.status for c in calls}
    for call in calls:
        assert call.at >= until, f"{call.method} {until - call.at} s before the pause was over"
        until = max(until, call.at + call.retry_after)
