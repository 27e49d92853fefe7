"""Invitations and deleted messages, over HTTP on the sandbox's Slack."""

from __future__ import annotations

from pathlib import Path

from sandbox.slack import Message, seed
from tests.services.slack_stage import Stage, stage
from tests.services.workbench import START, opened


async def test_uninvited_bot_is_listed_and_delivers_once_invited(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as ledger, stage(ledger, 1) as one:
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
        assert alert.text.startswith("🔴 CRITICAL job-00")
        assert await ledger.dead(START) == []


async def fired(one: Stage) -> Message:
    """The alert for a job that has stopped."""
    one.push(range(1))
    await one.watch.look()
    await one.watch.look(10)
    [alert] = one.ws.messages(seed.OPS)
    assert alert.text.startswith("🔴 CRITICAL job-00")
    return alert


async def ends(one: Stage) -> None:
    one.push(range(1))
    await one.watch.heartbeats.tick()


async def test_updates_of_a_deleted_alert_go_below_its_replacement(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger, stage(ledger, 1) as one:
        one.ws.store.delete(await fired(one))
        await ends(one)
        await one.settle()
        [alert] = one.ws.messages(seed.OPS)
        assert alert.text.startswith("✅ job-00 sends heartbeats again")
        assert [m.text[:1] for m in one.thread(alert)] == ["✅"]
        assert not one.ws.record.of("chat.delete"), "nothing was ever astray"


async def test_alert_deleted_at_the_last_moment_leaves_no_stray_message(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger, stage(ledger, 1) as one:
        alert = await fired(one)
        await ends(one)
        await one.watch.outbox_worker.deliver()  # the alert is up to date, and its end not posted yet
        assert alert.text.startswith("✅")
        one.ws.store.delete(alert)
        await one.settle()
        [alert] = one.ws.messages(seed.OPS)
        assert [m.text[:1] for m in one.thread(alert)] == ["✅"]
        assert len(one.ws.store.everything(seed.OPS)) == 2
        assert len(one.ws.record.of("chat.delete")) == 1
