"""Says on standard error why there is no answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bot.adapters.terminal.layout import Paragraph, console, local, sentences


def print_complaint(lines: Sequence[str], *, title: str = "") -> None:
    """Print what is wrong and then what to do; under a ``title``, a list of several problems."""
    first, *others = map(local(sys.stderr), [title, *lines] if title else lines)
    parts: list[RenderableType] = [Paragraph(Text(f"agentpod: {first}"))]
    for line in others:
        parts += [Paragraph(Text(line), "  - ")] if title else sentences(line)
    console(sys.stderr).print(Group(*parts), crop=False)
