"""The real bot follows a log in a thread: lines come as they are written, once each, redacted, until an end."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.environment import BotProcess, Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.talk import World, shell, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-follow")]

OPS, MAYA, JONAS, SAM = seed.OPS, seed.MAYA, seed.JONAS, seed.SAM


@pytest_asyncio.fixture(loop_scope="module")
async def world(module_world: World) -> AsyncIterator[World]:
    """The module's world without a followed log, healed before and after."""
    await module_world.workspace.panel.heal()
    await module_world.ready_becomes(200)
    yield module_world
    await module_world.workspace.panel.heal()
    for message in heads(module_world):
        if stop := button(message, "Stop"):
            await module_world.workspace.click(MAYA, message, stop)
            await until(lambda: "Followed" in message.all_text(), message.all_text)  # noqa: B023 - awaited here


def heads(world: World, channel: str = OPS) -> list[Message]:
    """The messages above followed logs, oldest first."""
    found = world.workspace.store.everything(channel)
    return [m for m in found if m.user == seed.BOT_USER and "📜" in m.all_text()]


def button(message: Message, label: str) -> str:
    """The action_id of the button with that label; empty where there is none."""
    elements = [e for b in message.blocks if b["type"] == "actions" for e in b["elements"]]
    return next((str(e["action_id"]) for e in elements if e["text"]["text"] == label), "")


def tail(world: World, head: Message) -> str:
    """What the thread shows."""
    return words(world.workspace.messages(head.channel, MAYA, head.ts)[1:])


async def shows(world: World, head: Message, text: str) -> None:
    """Wait until the thread shows a text."""
    await until(lambda: text in tail(world, head), lambda: f"not {text!r}: {tail(world, head)}")


async def ends(head: Message, text: str) -> None:
    """Wait until the message above says how it ended."""
    await until(lambda: "Followed" in head.all_text() and text in head.all_text(), head.all_text)


async def follow(world: World, line: str = "logs --follow", user: str = MAYA) -> Message:
    """Begin to follow; returns the message above the log."""
    before = len(heads(world))
    answer = await world.ask(line, user=user)
    assert "Following the log of" in answer.first_line, answer.text
    await until(lambda: len(heads(world)) > before, lambda: "no message above the log")
    return heads(world)[-1]


def write(world: World, *lines: str) -> None:
    for line in lines:
        world.sandbox.cluster.simulation.write_log(line)


async def test_lines_come_into_the_thread_until_somebody_stops_it(world: World) -> None:
    write(world, "before the start")
    head = await follow(world)
    assert "/kali since " in head.all_text()
    assert " UTC at the latest" in head.all_text()
    assert head.ephemeral_for is None
    await shows(world, head, "before the start")
    write(world, "one more line", "password=hunter2-hunter2-hunter2")
    await shows(world, head, "one more line")
    assert "hunter2" not in tail(world, head)
    await world.workspace.click(JONAS, head, button(head, "Stop"))
    await ends(head, "Stopped by")
    assert JONAS in str(head.blocks)
    assert not button(head, "Stop")
    assert tail(world, head).count("one more line") == 1


async def test_who_may_not_read_logs_can_neither_follow_nor_stop(world: World) -> None:
    head = await follow(world)
    assert "may not run logs" in (await world.ask("logs --follow", user=SAM)).text
    await world.workspace.click(SAM, head, button(head, "Stop"))
    mine = lambda: [m for m in world.workspace.store.everything(OPS) if m.ephemeral_for == SAM]  # noqa: E731
    await until(lambda: "may not run logs stop" in words(mine()), lambda: words(mine()))
    assert "Following" in head.all_text()


async def test_in_a_mention_and_a_direct_message_the_message_above_the_log_is_the_answer(world: World) -> None:
    asked = world.workspace.mention(MAYA, OPS, "logs --follow --grep nothing-has-this")
    await until(lambda: bool(heads(world)) and "Following" in heads(world)[-1].all_text(), lambda: "no head")
    write(world, "a line", "nothing-has-this but this one")
    await shows(world, heads(world)[-1], "but this one")
    assert "a line" not in tail(world, heads(world)[-1])
    assert len(world.workspace.messages(OPS, MAYA, asked.ts)) == 1, "no second answer"
    world.workspace.dm(MAYA, "logs --follow --container kali")
    await until(lambda: bool(heads(world, seed.DM_MAYA)), lambda: "no head in the direct message")
    head = heads(world, seed.DM_MAYA)[-1]
    assert "Everybody" not in head.all_text()
    write(world, "for two readers")
    await shows(world, head, "for two readers")
    await world.workspace.click(MAYA, head, button(head, "Stop"))
    await ends(head, "Stopped by")


async def test_lost_answers_of_slack_double_no_line_and_end_nothing(world: World) -> None:
    head = await follow(world)
    write(world, "before the fault")
    await shows(world, head, "before the fault")
    await world.break_("slack-500-done")
    write(world, "during the fault")
    await shows(world, head, "during the fault")
    await world.workspace.panel.heal()
    write(world, "after the fault")
    await shows(world, head, "after the fault")
    said = tail(world, head)
    assert [said.count(f"{when} the fault") for when in ("before", "during", "after")] == [1, 1, 1]


async def test_a_pause_that_slack_asks_for_is_kept_and_loses_no_line(world: World) -> None:
    head = await follow(world)
    write(world, "first")
    await shows(world, head, "first")
    before = len(world.workspace.record.of("chat.update"))
    await world.break_("slack-429", "2")
    write(world, "second")
    await until(lambda: len(world.workspace.record.of("chat.update")) > before, lambda: "never tried")
    await world.workspace.panel.heal()
    await shows(world, head, "second")
    tries = [call.at for call in world.workspace.record.of("chat.update")][before:]
    assert tries[1] - tries[0] >= 2.0


async def test_a_cut_connection_to_the_api_server_neither_doubles_nor_loses_a_line(world: World) -> None:
    head = await follow(world)
    write(world, *(f"number {n:02}." for n in range(5)))
    await shows(world, head, "number 04.")
    world.sandbox.cluster.listener.cut()
    write(world, *(f"number {n:02}." for n in range(5, 10)))
    await shows(world, head, "number 09.")
    said = tail(world, head)
    assert [said.count(f"number {n:02}.") for n in range(10)] == [1] * 10


async def test_an_api_server_that_is_away_is_named_until_it_is_back(world: World) -> None:
    head = await follow(world)
    write(world, "there")
    await shows(world, head, "there")
    await world.sandbox.cluster.listener.refuse()
    write(world, "written meanwhile")
    await until(lambda: "No new lines" in head.all_text(), head.all_text)
    await world.sandbox.cluster.listener.accept()
    await shows(world, head, "written meanwhile")
    await until(lambda: "No new lines" not in head.all_text(), head.all_text)


async def test_a_private_key_that_comes_in_parts_is_redacted(world: World) -> None:
    head = await follow(world)
    write(world, "begin", "-----BEGIN OPENSSH PRIVATE KEY-----")
    await shows(world, head, "begin")
    body = [f"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2{n:02}" for n in range(20)]
    write(world, *body[:10])
    write(world, "a line of another process")
    write(world, *body[10:], "-----END OPENSSH PRIVATE KEY-----", "the end")
    await shows(world, head, "the end")
    assert "QUJDREVG" not in tail(world, head)


async def test_a_log_faster_than_slack_says_what_is_skipped(world: World) -> None:
    head = await follow(world)
    write(world, "slow")
    await shows(world, head, "slow")
    write(world, *(f"fast {n:05}" for n in range(1_000)))
    await shows(world, head, "fast 00999")
    assert "lines skipped" in tail(world, head)
    await world.workspace.click(MAYA, head, button(head, "Stop"))
    await ends(head, "skipped")


async def test_a_restarted_container_ends_it_and_names_the_log_before(world: World) -> None:
    head = await follow(world)
    await world.sandbox.cluster.simulation.kill("sshd")
    await ends(head, "kali restarted (Error, exit code")
    assert button(head, "Logs before the restart")
    await shows(world, head, "sshd: no hostkeys available")
    await world.healthy()


async def test_a_deleted_pod_ends_it(world: World) -> None:
    head = await follow(world)
    await world.sandbox.cluster.simulation.replace_pods()
    await ends(head, "is gone")
    await world.healthy()


async def test_its_time_ends_it(world: World) -> None:
    head = await follow(world, "logs --follow --for 2s")
    await ends(head, "Its time was over")


async def test_a_redelivered_command_starts_no_second_one(world: World) -> None:
    before = len(heads(world))
    again = await world.metric("agentpod_slack_redeliveries_total")
    await world.break_("slack-duplicate")
    await follow(world)
    await world.metric_becomes("agentpod_slack_redeliveries_total", again + 1)
    assert len(heads(world)) == before + 1


async def test_a_third_one_is_refused_with_those_that_run(world: World) -> None:
    heads_now = [await follow(world), await follow(world, user=JONAS)]
    answer = await world.ask("logs --follow")
    assert "Not followed: 2 logs of secure-agent-pod are being followed already" in answer.first_line
    assert JONAS in str([m.blocks for m in answer.messages])
    assert all("Following" in head.all_text() for head in heads_now)
    assert "Nothing to stop" not in (await world.ask("logs stop")).text


async def test_reading_by_following_is_in_the_audit_trail(world: World) -> None:
    await follow(world, "logs --follow --for 3m")
    await world.says("audit", "logs --follow --for 3m")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("logs --follow --previous", "a run that has ended"),
        ("logs --for 5m", "needs --follow"),
        ("logs --follow --for 2h", "1 h at most"),
        ("logs --follow --container nope", "it has kali"),
        ("logs stop", "Nothing to stop"),
        ("logs stop f-none", "Nothing to stop"),
    ],
)
async def test_what_can_not_be_followed_or_stopped_is_said(world: World, line: str, said: str) -> None:
    before = len(heads(world))
    assert said in (await world.ask(line)).text
    assert len(heads(world)) == before


async def test_in_a_channel_without_the_app_it_is_refused_with_the_remedy(world: World) -> None:
    answer = await world.ask("logs --follow", channel=seed.RANDOM, user=MAYA)
    assert "the app is not in the channel" in answer.text
    assert "/invite @agentpod" in answer.text


# The bot's own end, and the terminal


async def test_at_sigterm_the_message_says_that_the_bot_stops() -> None:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        head = await follow(world)
        write(world, "the last line")
        await shows(world, head, "the last line")
        assert await world.bot.stop() == 0
        assert "the bot is stopping" in head.all_text()
        assert "the last line" in tail(world, head)
        assert "Traceback" not in world.bot.output()


async def test_a_killed_bot_leaves_a_message_that_names_its_end() -> None:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        head = await follow(world)
        await world.bot.stop(signal.SIGKILL)
        assert "ends at " in head.all_text()
        world.bot = await sandbox.start_bot()
        await world.workspace.click(MAYA, head, button(head, "Stop"))
        said = lambda: words(world.workspace.store.everything(OPS))  # noqa: E731
        await until(lambda: "Nothing to stop" in said(), said)


async def test_a_terminal_prints_the_lines_until_its_time_is_over(world: World) -> None:
    write(world, "for the terminal token=ghp_sandboxFakeToken000000000000000000")
    code, said = await shell(world.bot.env, "logs", "--follow", "--for", "2s", "--tail", "3")
    assert code == 0
    assert "for the terminal" in said
    assert "ghp_sandbox" not in said
    assert "Its time was over." in said


async def test_ctrl_c_in_a_terminal_ends_it_with_success(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        process = await BotProcess.spawn(("bot", "logs", "--follow"), world.bot.env, log)
        read = lambda: log.read_text("utf-8") if log.exists() else ""  # noqa: E731
        await until(lambda: "[session-manager]" in read() or "kali" in read() or len(read()) > 50, read)
        write(world, "written while it runs")
        await until(lambda: "written while it runs" in read(), read)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        assert "Stopped." in read()


async def test_json_is_refused_in_a_terminal(world: World) -> None:
    code, said = await shell(world.bot.env, "--output", "json", "logs", "--follow")
    assert code == 2
    assert "no JSON" in said
