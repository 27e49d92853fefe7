"""Prints the report of `agentpod check`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Protocol

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from bot.adapters.terminal.layout import MARKS, Paragraph, Verbatim, console, local, mark, remedy
from bot.domain.core.probes import Verdict

_VERDICTS = {True: Verdict.OK, False: Verdict.FAIL, None: Verdict.WARN}


class CheckLine(Protocol):
    """One line of the report."""

    @property
    def title(self) -> str:
        """What was checked."""

    @property
    def ok(self) -> bool | None:
        """Whether it is in order; None for a note."""

    @property
    def detail(self) -> str:
        """What was found."""

    @property
    def remedy(self) -> str | None:
        """What to do about it."""

    @property
    def run(self) -> str | None:
        """The command that mends it, or shows more."""


class SettingLine(Protocol):
    """A setting in force."""

    @property
    def called(self) -> str:
        """Its name for people."""

    @property
    def value(self) -> str:
        """Its value, unless it is a secret."""

    @property
    def origin(self) -> str:
        """Where the value comes from."""

    @property
    def differs(self) -> bool:
        """Whether somebody set it to another value than its default."""


def print_check(
    headline: str, checks: Sequence[CheckLine], settings: Sequence[SettingLine], *, whole: bool = False
) -> None:
    """Print the verdict, each check with its remedy, and the settings: those that differ, or the ``whole``."""
    failed = any(check.ok is False for check in checks)
    sign, colour, _ = MARKS[Verdict.FAIL if failed else Verdict.OK]
    shown = local(sys.stdout)
    parts: list[RenderableType] = [Paragraph(Text(f"{sign} {headline}", style=f"bold {colour}"), rest=2), ""]
    for check in checks:
        parts.append(mark(_VERDICTS[check.ok], f"{check.title}: ", shown(check.detail)))
        parts += remedy(shown(check.remedy)) if check.remedy else ()
        parts += [Verbatim(check.run, 4, "cyan")] if check.run else []
    if settings:
        parts += ["", *_settings(settings, whole=whole)]
    console(sys.stdout).print(Group(*parts), crop=False)


class _SettingLine:
    """A setting and its origin, which has a line of its own where both don't fit into one."""

    def __init__(self, setting: Text, origin: Text) -> None:
        self._setting, self._origin = setting, origin

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        both = Text.assemble(self._setting, self._origin)
        if options.no_wrap or both.cell_len <= options.max_width:
            yield both
            return
        yield Paragraph(self._setting, rest=6)
        if self._origin:
            yield Paragraph(Text(self._origin.plain.strip(), style=self._origin.style), " " * 6)


def _settings(settings: Sequence[SettingLine], *, whole: bool) -> Iterator[RenderableType]:
    shown = [one for one in settings if whole or one.differs]
    if whole:
        yield Text("Settings", style="bold")
    elif shown:
        yield Text("Settings that differ from their defaults", style="bold")
    for one in shown:
        origin = "" if one.origin == "default" else f"   ({one.origin})"
        style = "dim" if whole and not one.differs else ""
        yield _SettingLine(Text(f"  {one.called} = {one.value}", style=style), Text(origin, style="cyan"))
    if not whole:
        left = len(settings) - len(shown)
        yield Text(f"{left} others have their defaults: agentpod check --all shows them.", style="dim")
