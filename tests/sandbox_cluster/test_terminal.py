"""The sandbox's `agentpod` in a terminal goes by the sandbox's settings alone, whatever the shell has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.environment import Sandbox
from sandbox.terminal import write_script

SHELL = {
    "AGENTPOD_LEDGER__URL": "sqlite+aiosqlite:///of-the-real-bot.db",
    "AGENTPOD_SLACK__CHANNEL": "C1\nAGENTPOD_ODD=1",
    "SANDBOX_AHEAD": "/of/the/shell",
}


def test_no_variable_of_the_shell_gets_into_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "a python"
    python.write_text("#!/bin/sh\nenv\n", encoding="utf-8")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    write_script(tmp_path / "agentpod", {"AGENTPOD_CONFIG": "ours.yaml", "PYTHONPATH": "/ours"})
    done = subprocess.run(
        [tmp_path / "agentpod"], env={"PATH": "/usr/bin:/bin", **SHELL}, capture_output=True, text=True, check=True
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(("AGENTPOD_", "SANDBOX_"))]
    assert found == ["AGENTPOD_CONFIG=ours.yaml"]


async def test_no_variable_of_the_shell_gets_into_the_bot(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)
    async with Sandbox() as sandbox:
        assert not SHELL.keys() & sandbox.env().keys()
