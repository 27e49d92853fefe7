"""Workflow steps end to end: a request and a check for the workflow's person, at most once, and refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.model import Json
from sandbox.slack.workflows import Execution
from tests.scenarios.talk import ONE_EACH, World, until, words

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("workflow-steps")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, settings={"access": {"rules": ONE_EACH}}, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


def start(world: World, callback: str, user: str = seed.MAYA, **inputs: str) -> Execution:
    return world.workspace.workflows.run(user, seed.OPS, callback, dict(inputs))


async def ended(world: World, execution: Execution) -> Execution:
    await until(lambda: execution.state != "running", world.bot.output)
    return execution


async def outputs(world: World, execution: Execution) -> Json:
    await ended(world, execution)
    assert execution.state == "done", execution.error
    return execution.outputs


async def error(world: World, execution: Execution) -> str:
    await ended(world, execution)
    assert execution.state == "failed", execution.outputs
    return execution.error


def ends(world: World) -> int:
    """How often the bot has ended a step."""
    return sum(call.method.startswith("functions.") for call in world.workspace.core.record.calls)


async def test_a_check_hands_back_its_verdict_and_headline(world: World) -> None:
    found = await outputs(world, start(world, "run_check", check="storage", target="secure-agent-pod"))
    assert found["verdict"] == "ok"
    assert found["headline"]
    assert f"Verdict of the check: ok\nFirst line of the answer: {found['headline']}" in words(
        world.workspace.messages(seed.OPS)
    )
    assert set(await outputs(world, start(world, "run_check", seed.PRIYA))) == {"verdict", "headline"}


async def test_a_restart_is_asked_for_once_however_often_slack_delivers_it(world: World) -> None:
    execution = start(world, "ask_for_restart", reason="it hangs")
    found = await outputs(world, execution)
    assert found["state"] == "open"
    id_ = found["request_id"]
    await until(lambda: id_ in words(world.workspace.messages(seed.OPS)), world.bot.output)
    before = ends(world)
    world.workspace.workflows.deliver(execution)
    await outputs(world, start(world, "run_check", check="storage"))
    assert ends(world) == before + 1, "the second delivery is not even run"
    await world.ask(f"withdraw {id_}")
    await world.bot.stop()
    world.bot = await world.sandbox.start_bot()
    before = ends(world)
    world.workspace.workflows.deliver(execution)
    await until(lambda: ends(world) == before + 1, world.bot.output)
    rows = (await world.ask("audit", seed.JONAS)).rows()
    assert sum(f"{seed.MAYA} asked for" in row[2] for row in rows) == 1, rows


async def test_who_has_no_right_is_refused_and_recorded(world: World) -> None:
    said = await error(world, start(world, "ask_for_restart", seed.PRIYA, reason="why"))
    assert said.startswith("You may not run restart")
    assert "You may not run status" in await error(world, start(world, "run_check", seed.SAM))
    rows = (await world.ask("audit", seed.JONAS)).rows()
    for user, command in ((seed.PRIYA, "restart"), (seed.SAM, "status")):
        assert any(f"{user} was refused" in row[2] and row[3] == command for row in rows), rows


async def test_nobody_known_is_refused_and_recorded(world: World) -> None:
    said = await error(world, start(world, "ask_for_restart", "", reason="each night"))
    assert said.startswith("Refused: Slack doesn't say who runs this workflow.")
    rows = (await world.ask("audit", seed.JONAS)).rows()
    assert any("workflow was refused: nobody runs it" in row[2] and row[3] == "restart" for row in rows), rows


@pytest.mark.parametrize("command", ["logs", "restart", "secrets", "help", "nonsense"])
async def test_only_checks_can_be_run(world: World, command: str) -> None:
    said = await error(world, start(world, "run_check", check=command))
    assert said.startswith("Refused: a workflow can run only checks")


async def test_wrong_inputs_fail_the_step_and_say_why(world: World) -> None:
    assert "There is no target of that name" in await error(world, start(world, "run_check", target="nowhere"))
    execution = start(world, "ask_for_restart", reason="x" * 600)
    said = await error(world, execution)
    assert said == "Refused: the reason can't be used. It has 600 characters; at most 500 fit on the card."


async def test_a_restart_that_can_not_be_asked_for_fails_the_step(world: World) -> None:
    await world.break_("kube-refuse")
    said = await error(world, start(world, "ask_for_restart", reason="it hangs"))
    assert "API server" in said
    found = await outputs(world, start(world, "run_check", check="status"))
    assert found["verdict"] == "unknown"
    await world.workspace.panel.heal()
