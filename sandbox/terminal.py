"""`agentpod` in a terminal beside the sandbox: it goes by the sandbox's settings, pod and time."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bot.__main__ import entry
from sandbox.moved_time import VARIABLE, MovedTime

if TYPE_CHECKING:
    from sandbox.moved_clock import MovedClock

NAMES = ("AGENTPOD_CONFIG", "KUBECONFIG", "AGENTPOD_KUBERNETES__CONTEXT", "PYTHONPATH", VARIABLE)
"""The variables of the bot's environment that its terminal needs."""
_SETTINGS = r"$(env | sed -n 's/^\(AGENTPOD_[A-Za-z0-9_]*\)=.*/\1/p')"
_UNSET = f"for name in {VARIABLE} {_SETTINGS}; do unset $name; done"


def write_script(file: Path, env: Mapping[str, str]) -> None:
    """Write the program that people start in a terminal. ``env`` is the bot's environment.

    Variables of their shell don't leak in: they could name another ledger, or move the time beside a real cluster.
    """
    variables = [f"{name}={shlex.quote(env[name])}" for name in NAMES if name in env]
    command = f"{shlex.quote(sys.executable)} -m sandbox.terminal"
    file.write_text(f'#!/bin/sh\n{_UNSET}\nexec env {" ".join(variables)} {command} "$@"\n', encoding="utf-8")
    file.chmod(0o700)


def main() -> None:
    """Run a command, as `agentpod` does. A real cluster's time is never moved."""
    ahead = os.environ.get(VARIABLE)
    entry(_clock(Path(ahead)) if ahead else None)


def _clock(ahead: Path) -> MovedClock:
    from sandbox.moved_clock import (
        MovedClock,
    )  # with it comes most of the bot, which the sandbox's start can spare

    return MovedClock(MovedTime(ahead))


if __name__ == "__main__":
    main()
