"""`cron run` with the real bot: only listed scripts, an approval, the exit code and the output's end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.cluster.files import File
from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("scenarios-cron-run")]
FOLDER = "/opt/scripts"
TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_world() -> AsyncIterator[World]:
    async with Sandbox(rate_limits=False, pod_seconds=0.0) as sandbox:
        yield World(sandbox, await sandbox.start_bot())


@pytest.fixture
def world(module_world: World) -> World:
    module_world.sandbox.cluster.simulation.volume.clear()
    return module_world


def put(world: World, name: str, text: str | None, mode: str = "-rwxr-xr-x") -> None:
    """Put a script into the pod, or take it away."""
    file = File(f"#!/bin/sh\n{text}", mode, "root") if text is not None else None
    world.sandbox.cluster.simulation.volume[f"{FOLDER}/{name}"] = file


async def test_one_person_asks_and_another_approves(world: World) -> None:
    repair = await asked(world, 'cron run session-manager.sh --reason "a session hangs"')
    card = repair.card.all_text()
    for part in (
        "Run of session-manager.sh on secure-agent-pod: needs approval",
        "/opt/scripts/session-manager.sh, in kali",
        "its schedule, too, runs it soon, when asked",
        "void if the pod or its container changes",
    ):
        assert part in card, card
    await repair.click(seed.JONAS)
    card = (await repair.shows("✅ Ran session-manager.sh on secure-agent-pod")).all_text()
    assert "exit code 0" in card
    assert "[session-manager.sh] done" in card
    trail = (await world.ask("audit --tail 20")).text
    assert "a session hangs" in trail


async def test_a_script_that_fails_shows_code_and_redacted_output(world: World) -> None:
    put(world, "audit-digest.sh", f"echo token={TOKEN}\necho half way\nexit 3\n")
    repair = await asked(world, "cron run audit-digest.sh --reason why")
    await repair.click(seed.PRIYA)
    card = (await repair.shows("failed: audit-digest.sh ended with exit code 3")).all_text()
    assert "half way" in card
    assert TOKEN not in card
    assert TOKEN not in world.bot.output()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nothing.sh", "There is no such script in /opt/scripts. There are: audit-digest.sh"),
        ("../bin/sh", "takes a name that cron scripts lists"),
        ("/opt/scripts/audit-digest.sh", "takes a name that cron scripts lists"),
        (".hidden", "takes a name that cron scripts lists"),
        ("'audit-digest.sh; reboot'", "takes a name that cron scripts lists"),
        ("audit-digest.sh --force", "takes less than what was typed"),
        ("audit-digest.sh more", "takes less than what was typed"),
    ],
)
async def test_only_a_listed_name_is_taken(world: World, line: str, said: str) -> None:
    assert said in (await world.ask(f"cron run --reason why {line}")).text


async def test_what_is_not_executable_is_refused_and_what_is_gone_voids_it(world: World) -> None:
    put(world, "exercise-cron.sh", "true\n", "-rw-r--r--")
    told = await world.ask("cron run exercise-cron.sh --reason why")
    assert told.first_line == "cron run is refused: exercise-cron.sh is gone, or not executable any more."
    put(world, "exercise-cron.sh", "true\n")
    repair = await asked(world, "cron run exercise-cron.sh --reason why")
    put(world, "exercise-cron.sh", None)
    await repair.click(seed.JONAS)
    await repair.shows("is void: exercise-cron.sh is gone, or not executable any more")


async def test_a_dry_run_shows_the_calls(world: World) -> None:
    told = (await world.ask("cron run audit-digest.sh --reason why --dry-run")).text
    assert '["/opt/scripts/audit-digest.sh"]' in told
    assert "within 300 s, at most once" in told
