"""Which messages of an alert mention people: Slack doesn't notify anybody of an edit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.domain.core.reply import Mention
from tests.services.test_watch_inside import Inside, made
from tests.services.watchbench import Watch, on, policies, stale, watch
from tests.services.workbench import JONAS, ONCALL, OPS, opened

CALLED = (Mention(ONCALL), Mention(JONAS))


@pytest_asyncio.fixture
async def one(tmp_path: Path) -> AsyncIterator[Watch]:
    async with opened(tmp_path) as ledger:
        found = watch(ledger, mention=(ONCALL, JONAS), remind="1h")
        await on(found, 0, "alpha", "beta")
        yield found


def calls(one: Watch) -> list[tuple[str, bool]]:
    """The icon of each posted message, and whether it mentions anybody."""
    assert all(reply.notify in ((), CALLED) for _, _, reply in one.chat.said)
    return [(reply.headline[:1], bool(reply.notify)) for _, _, reply in one.chat.said]


async def test_critical_alert_and_reminders_mention_and_the_end_does_not(one: Watch) -> None:
    await stale(one)
    for _ in range(2):
        for _ in range(6):
            await on(one, 10)
    for _ in range(3):
        await on(one, 1, "alpha", "beta")
    assert calls(one) == [("🔴", True), ("⏰", True), ("⏰", True), ("✅", False)]


async def test_acknowledged_alert_mentions_nobody_until_the_snooze_ends(one: Watch) -> None:
    await stale(one)
    [incident] = await one.ledger.incidents(live=True)
    await one.incidents.snooze(incident.id, JONAS, one.clock.time.replace(hour=11))
    for _ in range(12):
        await on(one, 10)
    assert calls(one) == [("🔴", True), ("💤", False), ("⏰", True)]


@pytest.mark.parametrize(("taken", "said"), [(False, ("⏰", True)), (True, ("👀", False))])
async def test_only_the_last_undelivered_reminder_mentions(
    one: Watch, taken: bool, said: tuple[str, bool]
) -> None:
    await stale(one)
    one.chat.refuses = OPS
    for _ in range(18):
        await on(one, 10)
    [incident] = await one.ledger.incidents(live=True)
    assert len(incident.notices) == 4
    if taken:
        await one.incidents.acknowledge(incident.id, JONAS)
    one.chat.refuses = ""
    one.clock.pass_(minutes=2)
    await one.deliver()
    assert calls(one) == [("🔴", True), said]


async def test_unposted_alert_gets_no_reminder(one: Watch) -> None:
    one.chat.refuses = OPS
    for _ in range(20):
        await on(one, 10)
    one.chat.refuses = ""
    await on(one, 2)
    assert calls(one) == [("🔴", True)]
    for _ in range(6):
        await on(one, 10)
    assert calls(one) == [("🔴", True), ("⏰", True)]


async def test_warning_mentions_only_once_it_gets_critical(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        world = made(watch(ledger, jobs=policies(), mention=(ONCALL, JONAS)), Inside())
        for percent in (85, 85, 97, 97):
            world.inside.percent = percent
            await world.look(5)
        assert calls(world.of) == [("⚠", False), ("🔺", True)]


async def test_in_a_group_s_thread_only_the_group_message_mentions(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=policies(*(f"job-{n:02}" for n in range(10))), mention=(ONCALL, JONAS))
        await many.look()
        await many.look(11)
        assert calls(many) == [("🔴", True)] + [("🔴", False)] * 10


async def test_group_message_mentions_nobody_after_critical_ones_resolved(tmp_path: Path) -> None:
    jobs = [*policies("job-0"), *policies(*(f"job-{n}" for n in range(1, 10)), severity="warning")]
    async with opened(tmp_path) as ledger:
        many = watch(ledger, jobs=tuple(jobs), mention=(ONCALL, JONAS))
        await many.look()
        await many.look(11)
        await on(many, 0, "job-0")
        [group] = [reply for reply in many.chat.shown.values() if "at once" in reply.headline]
        assert (group.headline[:1], group.notify) == ("⚠", ())
