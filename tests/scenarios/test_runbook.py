"""A runbook of one's own with the real bot: its commands, and the alerts of its checks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.lives import alerts, says
from tests.scenarios.talk import World, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-runbook")]
FILE = """
runbook: own
commands:
  find-process:
    summary: Processes by their command line
    exec: {command: [pgrep, -f, "{pattern}"]}
    params: {pattern: {pattern: "[a-z-]+", about: Part of the command line}}
    capability: operate
  greet:
    summary: A greeting
    exec: {command: [echo, "hello {who}"]}
    params: {who: {pattern: ".*"}}
checks:
  kanban-server:
    title: VibeKanban's server
    exec: {command: [pgrep, -f, vibe-kanban]}
    expect: exit_code == 0
    fails:
      says: "'no such process'"
      remedy: Restart the pod.
      offer: restart
    alert: {every: 1s, for: 0s}
"""
RULES = {"poll": "1s", "keep_firing": "0s", "pod_for": "1h", "flaps": 50}


@pytest.fixture(scope="module")
def runbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file."""
    path = tmp_path_factory.mktemp("runbook") / "own.yaml"
    path.write_text(FILE)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world(runbook: Path) -> AsyncIterator[World]:
    target = {"runbook": ["secure-agent-pod", str(runbook)]}
    async with Sandbox(rate_limits=False, settings={"alerts": RULES}, target=target, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


async def test_a_declared_command_is_explained_and_run(module_world: World) -> None:
    told = await module_world.ask("help find-process")
    assert "find-process PATTERN" in told.text
    assert "Part of the command line" in told.text
    assert "find-process" in (await module_world.ask("help")).text
    assert (await module_world.ask("find-process sshd")).first_line.startswith("Processes by their command line: ")
    assert "Yes" in (await module_world.ask("can-i find-process")).first_line


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("greet world", "A greeting: hello world"),
        ("greet '$(reboot) `x`'", "A greeting: hello $(reboot) \nx"),
        ("greet <!channel>&amp", "A greeting: hello <!channel>&amp"),
        ("greet --help", "greet: A greeting"),
        ("greet -- --help", "WHO: it begins with a dash"),
        ("greet 'a\nb'", "WHO: it has a line break"),
        ("greet " + "x" * 201, "WHO: it has 201 characters; at most 200 are taken."),
        ("find-process 'a;b'", "PATTERN: 'a;b' is not taken; it takes text of the form [a-z-]+."),
    ],
)
async def test_what_is_typed_is_one_argument_or_refused(module_world: World, typed: str, said: str) -> None:
    assert said in (await module_world.ask(typed)).text


async def test_who_lacks_the_role_is_refused_and_that_is_audited(module_world: World) -> None:
    told = await module_world.ask("find-process sshd", user=seed.SAM)
    assert told.first_line.startswith("You may not run find-process")
    await module_world.says("audit --tail 20", "find-process")


async def test_what_runs_in_the_pod_is_audited_and_not_its_answer(module_world: World) -> None:
    await module_world.ask("greet nobody")
    trail = (await module_world.says("audit --tail 20", "ran greet nobody")).text
    assert "hello nobody" not in trail


async def test_a_failing_check_alerts_until_it_is_as_expected(module_world: World) -> None:
    await module_world.break_("pod-kill-process", "vibe-kanban")
    message = await says(module_world, "CRITICAL VibeKanban's server: no such process")
    assert "Restart the pod." in message.all_text()
    await module_world.break_("pod-kill-process", "")
    await until(
        lambda: bool(alerts(module_world, "✅ VibeKanban's server: as expected again")), lambda: "not resolved"
    )
    assert alerts(module_world, "✅ VibeKanban's server")[-1].ts == message.ts
