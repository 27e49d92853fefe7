"""The list of commands in ``agentpod --help``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from bot.wiring.command_line.entries import EXIT_CODES, OWN

_COLUMN = 22
"""Where the second column begins."""


def listing(commands: Iterable[tuple[str, str]], width: int | None) -> str:
    """Return the terminal's own words, the commands (name, summary) and the exit codes, wrapped at ``width``.

    None: not wrapped.
    """
    lines = ["commands:"]
    for entry in OWN:
        words = [place.name for place in entry.places if place.required]
        lines += _row(" ".join([entry.name, *words]), entry.about, width)
    lines += [line for name, about in commands if name for line in _row(name, about, width)]
    lines += ["", "exit codes:"]
    lines += [line for code, about in EXIT_CODES for line in _row(code, about, width)]
    return "\n".join([*lines, "", "agentpod COMMAND --help says more about one of them; agentpod man about all."])


def _row(name: str, about: str, width: int | None) -> Iterator[str]:
    text = f"  {name:{_COLUMN - 3}} {about}"
    yield from textwrap.wrap(text, width, subsequent_indent=" " * _COLUMN) if width else [text]
