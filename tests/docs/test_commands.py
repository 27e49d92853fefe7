"""Runs the commands of the documents, page by page, in the sandbox: see `tests.docs.blocks`."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.environment import Sandbox
from sandbox.slack import seed
from tests.docs import shims
from tests.docs.blocks import PAGES, ROOT, Block, blocks
from tests.scenarios.repairs import asked
from tests.scenarios.talk import World, shell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("documents")]
SHELL_PAGES = [page for page in PAGES if any(block.runs_here for block in blocks(page))]
SLACK_PAGES = [page for page in PAGES if any(block.slack_lines for block in blocks(page))]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """A sandbox with a bot, config files to rotate, and a ledger that holds a request."""
    target = {"egress": {"policy": "agent-egress", "restart_cilium": True}, "image_set": ["kali"]}
    async with Sandbox(rate_limits=False, pod_seconds=0.0, configs=True, target=target) as sandbox:
        world = World(sandbox, await sandbox.start_bot())
        await asked(world, 'restart --reason "for the record"')
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def names(world: World) -> Mapping[str, str]:
    """What the pages' placeholders stand for here."""
    code, exported = await shell(world.bot.env, "audit", "verify", "--output", "json")
    assert code == 0
    found = re.search(r'"head": "([0-9a-f]{64})"', exported)
    count = re.search(r'"records": (\d+)', exported)
    assert found
    assert count
    return {"N:DIGEST": f"{count[1]}:{found[1]}", "DIGEST": found[1]}


def _folder(tmp_path: Path, page: Path) -> Path:
    """A folder to type in: the repository's files, and those that the page tells its reader to write."""
    here = tmp_path / "here"
    shutil.copytree(ROOT / "deploy", here / "deploy")
    shutil.copytree(ROOT / "deploy/overlays/example", here / "deploy/overlays/mine", dirs_exist_ok=True)
    shutil.copytree(ROOT / "examples", here / "examples")
    for token in ("slack__bot_token", "slack__app_token"):
        (here / token).write_text("made-up\n")
    (here / "crontab").write_text("*/5 * * * * /opt/scripts/session-manager.sh\n")
    if page.name == "runbook.md":
        guide = "".join(block.text for block in blocks(page) if block.language == "yaml")
        (here / "my-pod.yaml").write_text(guide)
    return here


def _script(block: Block, names: Mapping[str, str]) -> str:
    text = block.text
    for name, value in names.items():
        text = re.sub(rf"(?<![\w:]){name}(?!\w)", value, text)
    return f"set -o pipefail\n{text}"


@pytest.mark.parametrize("page", SHELL_PAGES, ids=lambda page: page.name)
async def test_the_commands_of_a_page_do_what_they_are_for(
    page: Path, world: World, names: Mapping[str, str], tmp_path: Path
) -> None:
    here = _folder(tmp_path, page)
    shims.write(tmp_path / "bin")
    own = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "EDITOR": "editor",
        "HOME": str(tmp_path),
        "REPOSITORY": str(ROOT),
        shims.SOCKET: str(tmp_path / "socket"),
    }
    with shims.agentpod_served(tmp_path / "socket"):
        for block in (block for block in blocks(page) if block.runs_here):
            code, said = await _run(_script(block, names), here, {**world.bot.env, **own})
            assert code in block.exit_codes, f"{block} ended with {code}:\n{said}"


async def _run(script: str, folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a block's lines; stops at the first that could not do its work, with its exit code.

    Of what agentpod prints, 1 is a result too; of any other program it is a failure, and becomes 3.
    """
    trap = (
        'set -E\ntrap \'code=$?; case "$code $BASH_COMMAND" in "1 agentpod "*) ;; 1*) exit 3 ;; '
        "*) exit $code ;; esac' ERR\n"
    )
    process = await asyncio.create_subprocess_exec(
        "/bin/bash",
        "-c",
        trap + script,
        cwd=folder,
        env=dict(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return await process.wait(), said.decode()


@pytest.mark.parametrize("page", SLACK_PAGES, ids=lambda page: page.name)
async def test_what_a_page_says_to_type_in_slack_is_understood(page: Path, world: World) -> None:
    for block in blocks(page):
        for line in block.slack_lines:
            answer = await world.ask(f"{line} --dry-run", user=seed.JONAS)
            assert "nothing was sent" in answer.text, f"{block}: {line}: {answer.text}"
