"""After a crash `status`, `pods` and `diagnose` show the last log lines to whoever may read logs, no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.core.reply import Reply, plain
from bot.domain.core.workload import LogText, Pod, Termination
from bot.domain.health import crash_log
from bot.domain.rbac import roles
from bot.errors import MissingRight, Transient
from bot.runbook.context import Context
from tests.commands.fakes import CRASHED, HANG, NOW, World, container, pod

LINES = ["status", "pods", "diagnose crash"]
LOG = ("starting", "", "\x1b[31mcan't open config.json\x1b[0m", "token: open-sesame-42", "exiting")


def crashed(*lines: str, seen: Pod = CRASHED) -> World:
    world = World()
    world.cluster.pods_answer = [seen]
    world.cluster.logs_answer = LogText(lines or LOG)
    return world


def reads(world: World) -> list[tuple[str, bool]]:
    """The logs that were read whole: the runbook's facts of `diagnose` aside."""
    return world.cluster.logs_read


def no_book(ctx: Context) -> Context:
    """The runbook's own checks and trees read logs as well."""
    return replace(ctx, book=None)


@pytest.mark.parametrize("line", ["status", "pods"])
async def test_the_last_lines_are_shown_without_secrets_and_colours_after_one_read(line: str) -> None:
    world = crashed()
    reply = await world.run(line, no_book)
    [shown] = reply.excerpts
    assert shown.title == "The last 4 lines of kali's log before its restart"
    assert shown.text.split("\n")[:2] == ["starting", "can't open config.json"]
    assert "open-sesame-42" not in shown.text
    assert shown.text.endswith("exiting")
    assert reads(world) == [("kali", True)]
    assert ("Logs before the restart", "logs --container kali --previous") in steps(reply)
    assert reply.shows_log, "the run is recorded"


async def test_pods_says_a_crash_s_last_words_once() -> None:
    ended = Termination("Error", 1, NOW - timedelta(minutes=1), "starting\nDownload failed: no route to host")
    kali = container(ready=False, state="waiting", reason="CrashLoopBackOff", restarts=5, last_termination=ended)
    world = crashed(seen=replace(CRASHED, containers=(kali,)))
    reply = await world.run("pods")
    assert "Download failed" in reply.headline
    assert "Download failed" not in "".join(plain(fact.value) for fact in reply.facts)


async def test_pods_offers_the_diagnosis_that_its_remedy_names() -> None:
    reply = await crashed().run("pods")
    assert any("`/agentpod diagnose`" in (finding.remedy or "") for finding in reply.findings)
    assert reply.buttons[0].label == "Diagnose"


async def test_diagnose_shows_them_where_it_knows_no_cause() -> None:
    reply = await crashed().run("diagnose ssh")
    [shown] = reply.excerpts
    assert shown.text.endswith("exiting")
    assert ("Logs before the restart", "logs --container kali --previous") in steps(reply)


def steps(reply: Reply) -> list[tuple[str, str]]:
    return [(button.label, button.command.partition(" --target")[0]) for button in reply.buttons]


@pytest.mark.parametrize("line", LINES)
async def test_who_may_not_read_logs_sees_none_and_none_is_read(line: str) -> None:
    world = crashed()
    world.role = roles.VIEWER
    reply = await world.run(line, no_book)
    assert (reply.excerpts, reads(world), reply.shows_log) == ((), [], False)
    assert not any("Log of" in note for note in reply.notes)


@pytest.mark.parametrize("line", LINES)
async def test_an_answer_that_others_see_has_none(line: str) -> None:
    world = crashed()
    reply = await world.run(line, lambda ctx: no_book(replace(ctx, caller=replace(ctx.caller, public=True))))
    assert (reply.excerpts, reads(world)) == ((), [])


@pytest.mark.parametrize("line", ["status", "pods"])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            MissingRight(
                "get pods/log", "agentpod", roles="the Roles in deploy/ grant", apply="kubectl apply -k x"
            ),
            "the bot may not get pods/log",
        ),
        (Transient("The kubelet does not answer."), "the kubelet does not answer"),
        (HANG, "no answer in 0.3 s"),
        (LogText(()), "it is empty"),
        (LogText(("half a secr",), truncated=True), "its last line is too long"),
    ],
)
async def test_what_can_not_be_read_says_why_in_a_clause(line: str, answer: object, why: str) -> None:
    world = crashed()
    world.cluster.logs_answer = answer
    reply = await world.run(line, no_book)
    assert f"Log of kali not shown: {why}" in reply.notes
    assert (reply.excerpts, len(reads(world))) == ((), 1)
    assert "crashing" in reply.headline


async def test_a_container_that_was_not_started_again_has_its_own_log_read() -> None:
    gone = container(
        ready=False,
        state="terminated",
        reason="Error",
        terminated=Termination("Error", 1, NOW - timedelta(minutes=1)),
    )
    world = crashed(seen=replace(CRASHED, containers=(gone,)))
    reply = await world.run("status", no_book)
    assert reads(world) == [("kali", False)]
    assert reply.excerpts[0].title == "The last 4 lines of kali's log"


@pytest.mark.parametrize("line", LINES)
async def test_no_log_is_read_of_a_pod_that_has_not_crashed(line: str) -> None:
    for seen in (pod(), replace(CRASHED, containers=(container(ready=False),))):
        world = crashed(seen=seen)
        assert (await world.run(line, no_book)).excerpts == ()
        assert reads(world) == []


async def test_long_logs_are_cut_to_a_few_short_lines() -> None:
    reply = await crashed(*(f"line {n} " + "x" * 5_000 for n in range(60))).run("status", no_book)
    lines = reply.excerpts[0].text.split("\n")
    assert len(lines) == crash_log.SHOWN
    assert {len(line) for line in lines} == {crash_log.LONGEST}
    assert lines[-1].startswith("line 59")
