"""What the bot's texts have in backquotes: names, and commands to type, which begin with `PROGRAM`."""

from __future__ import annotations

import re
from collections.abc import Callable

PROGRAM = "/agentpod"
"""How texts write the bot's name before a command; each renderer puts what its reader has to type there."""
CODE = re.compile(r"`(?!\s)([^`\n]{1,200})(?<!\s)`")
"""A command or a name that the bot writes as code."""
COMMAND = re.compile(rf"`{PROGRAM} ([^`\n]+)`")
"""A command line to type, without the bot's name."""
DIAGNOSIS = re.compile(rf"`(?:{PROGRAM} )?(diagnose(?: [\w-]+)?)`")
"""The diagnosis that a remedy names."""


def typed(prefix: str) -> Callable[[str], str]:
    """Return what puts ``prefix`` before the commands of a text."""
    return lambda text: text.replace(f"`{PROGRAM} ", f"`{prefix} ")
