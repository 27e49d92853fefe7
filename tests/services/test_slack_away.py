"""Slack answers 429 and 500 in turn for ten minutes while fifty jobs go stale and recover, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from bot.adapters.sinks.slack import COPY
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.problem import Reason
from bot.services.outbox.worker import LONGEST_PAUSE
from sandbox.slack import Message, seed
from tests.services.slack_stage import STEP, Stage, name, stage
from tests.services.workbench import START, opened

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("slack-away")]
JOBS = 50
EVERY = 12
"""Seconds between the last heartbeats of two jobs: the fifty go stale within ten minutes."""
AWAY = 600
"""Seconds for which Slack fails."""
BACK = START + timedelta(seconds=EVERY * JOBS - STEP + AWAY)
"""When Slack works again, apart from the clock's own ticks."""


@dataclass
class After:
    """The final state: the incidents, and the group message."""

    stage: Stage
    answers_lost: bool
    told: list[Incident]
    root: Message


async def flipped_while_away(one: Stage, *, answers_lost: bool) -> list[Incident]:
    """Fifty jobs go stale one after the other; ten recover while Slack fails, ten more after that."""
    for number in range(JOBS):
        at = one.clock.time + timedelta(seconds=EVERY * number)
        one.watch.source.push(name(number), at=at.timestamp())
    await one.watch.look((EVERY * JOBS - STEP) / 60)
    await one.fail(AWAY - 60, answers_lost=answers_lost)
    one.push(range(10))
    await one.fail(60, answers_lost=answers_lost)
    await one.settle()
    one.push(range(10, 20))
    await one.watch.look(0.5)
    await one.settle()
    return [i for i in await one.watch.ledger.incidents(limit=2 * JOBS) if i.notified]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[False, True], ids=["refused", "answer lost"])
async def after(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[After]:
    """The state after all was delivered; calls that got a 500 took effect ("answer lost") or didn't."""
    folder = tmp_path_factory.mktemp("away")
    async with opened(folder) as ledger, stage(ledger, JOBS) as one:
        told = await flipped_while_away(one, answers_lost=request.param)
        [group] = {i.group for i in told}
        root = await one.kept(f"group:{group}")
        assert root is not None
        yield After(one, request.param, told, root)


async def test_all_messages_arrive_in_order_and_grouped(after: After) -> None:
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
    """What the thread says of it, in order: its message as it is now, and each thing said since.

    Nobody is reminded of what they have not heard of, and an end is shown in place.
    """
    reminders = [n for n in incident.notices if n.reason is Reason.REMINDER_DUE and n.at > BACK]
    return ["🔴" if incident.open else "✅", *("⏰" for _ in reminders)]


async def test_only_possibly_lost_messages_are_repeated_and_say_so(after: After) -> None:
    ws, posts = after.stage.ws, after.stage.ws.record.of("chat.postMessage")
    lost = sum(call.status == 500 for call in posts) if after.answers_lost else 0
    copies = [m for m in ws.messages(seed.OPS) if m is not after.root]
    assert len(copies) == lost <= AWAY / LONGEST_PAUSE, "one for the whole channel, and not more than one a minute"
    assert len(ws.store.everything(seed.OPS)) == sum(call.ok for call in posts) + lost
    assert COPY in after.root.all_text()
    assert after.root.ts > max([m.ts for m in copies], default="")
    assert not [m for c in copies for m in after.stage.thread(c)], "nothing is said below a copy"


async def test_no_call_is_made_during_retry_after(after: After) -> None:
    calls, until = after.stage.calls(), 0.0
    assert {200, 429, 500} == {c.status for c in calls}
    for call in calls:
        assert call.at >= until, f"{call.method} {until - call.at} s before the pause was over"
        until = max(until, call.at + call.retry_after)
