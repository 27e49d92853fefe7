"""``agentpod completion`` and ``agentpod man``: they connect to nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bot.errors import AgentpodError
from bot.settings.model import Settings
from bot.wiring.command_line import completion, man_page
from bot.wiring.command_line.built import entries, known
from bot.wiring.command_line.entries import Entry, Known
from commands import registry

COMPLETION_USAGE = f"Usage: agentpod completion {'|'.join(completion.SHELLS)}"


def builtin() -> list[Entry]:
    """Return all that can be run whatever the settings say."""
    return entries(registry.build())


def completion_script(words: Sequence[str], settings: Callable[[], Settings]) -> str:
    """Return the script for a shell, with the settings' targets and declared commands where they can be read.

    Raises AgentpodError for wrong usage.
    """
    from bot.wiring.parts import commands_of

    if len(words) != 1 or words[0] not in completion.SHELLS:
        raise AgentpodError("For which shell?", remedy=COMPLETION_USAGE)
    try:
        found = settings()
        given, commands = known(found), commands_of(found)[0]
    except AgentpodError as error:
        sys.stderr.write(f"agentpod: without targets and declared commands: {error.message}\n")
        given, commands = Known(), registry.build()
    return completion.script(words[0], entries(commands, given), given)


def show_man(words: Sequence[str]) -> int:
    """Show the man page in a terminal, else print it; returns the exit code. Raises AgentpodError for any word."""
    if words:
        raise AgentpodError(f"agentpod man does not know {words[0]!r}.", remedy="Usage: agentpod man")
    page = man_page.page(builtin())
    program = shutil.which("man") if sys.stdout.isatty() else None
    if program is None:
        sys.stdout.write(page)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "agentpod.1"
        file.write_text(page, encoding="utf-8")
        return subprocess.run([program, str(file)], check=False).returncode  # noqa: S603 - found by its name
