"""Lays text out in a terminal: wrapped at its width with its indent kept, but never within a command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import IO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from bot.domain.core import moments
from bot.domain.core.code import CODE
from bot.domain.core.probes import Verdict

PIPE_WIDTH = 1000
"""Maximum columns of a table if the output is no terminal."""
_NARROWEST = 20
"""Fewest columns that are left for a text beside its indent."""

MARKS = {
    Verdict.OK: ("✓", "green", "ok"),
    Verdict.WARN: ("!", "yellow", "warning"),
    Verdict.FAIL: ("✗", "red", "fail"),
    Verdict.UNKNOWN: ("?", "magenta", "unknown"),
}

_MARKED = re.compile(f"[{''.join(sign for sign, *_ in MARKS.values())}] ")
_SIGNS = {"✅": "✓ ", "🔴": "✗ ", "⚠️": "! ", "❓": "? ", **dict.fromkeys(("⚪", "🌤️", "🤫", "👀", "💤"), "")}
_SIGN = re.compile(f"^({'|'.join(_SIGNS)}) ?", re.MULTILINE)


def plain_signs(text: str) -> str:
    """Return a text with the terminal's marks for the emoji that begin its lines.

    Terminals disagree on how wide an emoji is. Those that only repeat what the words say are left out.
    """
    return _SIGN.sub(lambda found: _SIGNS[found[1]], text)


def console(stream: IO[str]) -> Console:
    """Return a console as wide as the terminal; a pipe has no width, so nothing is wrapped there."""
    if stream.isatty():
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, soft_wrap=True, width=PIPE_WIDTH)


def local(stream: IO[str]) -> Callable[[str], str]:
    """Return what shows the times in a text: in the zone of this machine, or in UTC if the output is no terminal.

    A pipe's reader may be anywhere, and scripts compare what they read.
    """
    now, zone = datetime.now(UTC), None if stream.isatty() else UTC
    return lambda text: moments.short(text, now, zone)


class Paragraph:
    """A text whose lines after the first are indented as well."""

    def __init__(self, text: Text, first: str | Text = "", rest: int | None = None) -> None:
        """``first`` stands before the first line; the others are indented by ``rest``, or as far as its text."""
        self._text = text
        self._first = Text(first, style=text.style) if isinstance(first, str) else first
        self._rest = len(first) if rest is None else rest

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, none wrapped where the output is no terminal."""
        width = max(options.max_width - max(self._rest, len(self._first)), _NARROWEST)
        before, indent = self._first, Text(" " * self._rest)
        for given in self._text.split(allow_blank=True):
            for line in _wrapped(given, console, width, wrap=not options.no_wrap):
                shown = Text.assemble(before, line) if line.plain or before is self._first else Text("")
                shown.rstrip()
                yield shown
                before = indent


def _wrapped(line: Text, console: Console, width: int, *, wrap: bool) -> Iterator[Text]:
    """Yield a line in parts of at most ``width``; what follows a verdict's mark stays beside it."""
    if not wrap or not line:
        yield line
        return
    if not _MARKED.match(line.plain):
        yield from line.wrap(console, width)
        return
    sign, rest = line[:2], line[2:].wrap(console, width - 2)
    yield from (Text.assemble("  " if number else sign, part) for number, part in enumerate(rest))


class Verbatim:
    """A command, or lines of raw text: each stays one line, so that it can be copied."""

    def __init__(self, text: str, blanks: int = 0, style: str = "") -> None:
        """Indent each line by ``blanks``."""
        self._lines, self._blanks, self._style = text.split("\n"), " " * blanks, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines as they are."""
        for line in self._lines:
            shown = self._blanks + line if line else ""
            yield Text(shown, style=self._style, no_wrap=True, overflow="ignore")


def mark(verdict: Verdict, title: str, summary: str) -> Paragraph:
    """Return a line that begins with the verdict's mark."""
    sign, colour, _ = MARKS[verdict]
    return Paragraph(Text.assemble((f"{sign} ", colour), (title, "bold"), summary), rest=2)


def remedy(text: str, blanks: int = 2) -> Iterator[RenderableType]:
    """Yield what to do, behind an arrow: see `sentences`."""
    yield from sentences(text, " " * blanks + "→ ")


def sentences(text: str, first: str = "") -> Iterator[RenderableType]:
    """Yield a paragraph, with each command that ends a sentence of it in a line of its own."""
    before = first
    for sentence, command in _with_commands(text):
        if sentence:
            yield Paragraph(prose(sentence), before)
            before = " " * len(before)
        if command:
            yield Verbatim(command, len(before) or 4, "cyan")


def prose(text: str, style: str = "") -> Text:
    """Return a text of the bot's own, with what stands in backquotes in a colour instead."""
    parts = CODE.split(text)
    return Text.assemble(*((part, "cyan" if number % 2 else "") for number, part in enumerate(parts)), style=style)


_PROGRAMS = "(?:kubectl|agentpod|sops|make|helm)"
_CODE = rf"`(?P<code>{_PROGRAMS}\s[^`]+|[a-z][^`]*? --[^`]+)`[.,;]?(?=\s|$)\s*"
_LAST = rf"(?P<last>{_PROGRAMS}\s(?:(?![.:]\s)[^`])+?)\.?$"
_COMMAND = re.compile(rf"(?<!Usage):\s+(?:{_CODE}|{_LAST})")
"""A command behind a colon: one in backticks, or what the text ends with. The full stop is not part of it."""
_PROGRAM = re.compile(rf"{_PROGRAMS}\s")


def _with_commands(text: str) -> Iterator[tuple[str, str]]:
    """The sentences of a text, each with the command that it ends in, or an empty one.

    A command of the bot, which Slack shows without its name, has the program's name here.
    """
    end = 0
    for found in _COMMAND.finditer(text):
        command = found["code"] or found["last"]
        program = "" if _PROGRAM.match(command) else "agentpod "
        yield text[end : found.start()] + ":", program + command
        end = found.end()
    yield text[end:], ""
