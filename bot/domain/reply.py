"""What a command answers, independent of Slack. All text is plain: each renderer escapes it for its medium."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bot.domain.probes import Finding, Verdict, worst


@dataclass(frozen=True)
class Fact:
    """A label and its value, shown side by side."""

    label: str
    value: str
    verdict: Verdict | None = None
    code: bool = False
    """Whether the value is to be set in a fixed-width font."""


@dataclass(frozen=True)
class Table:
    """Rows of short cells. On a phone only few columns fit: put what matters first."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    verdicts: tuple[Verdict | None, ...] = ()
    """One a row, or empty."""


@dataclass(frozen=True)
class Excerpt:
    """Lines of raw text (a log, a command's output), shown verbatim in a fixed-width font.

    Renderers show the last lines that fit and attach the whole as a file called ``filename`` when cut.
    """

    text: str
    title: str = ""
    filename: str = "output.txt"


@dataclass(frozen=True)
class Button:
    """A next step: a command line to run when clicked (without the leading ``/agentpod``)."""

    label: str
    command: str
    style: str = ""
    """``primary``, ``danger`` or empty."""


@dataclass(frozen=True)
class Reply:
    """A command's answer. The headline alone must be the answer; all else is evidence and next steps."""

    headline: str
    verdict: Verdict | None = None
    """None for answers that judge nothing (`help`, `version`)."""
    body: tuple[str, ...] = ()
    """Paragraphs under the headline."""
    findings: tuple[Finding, ...] = ()
    facts: tuple[Fact, ...] = ()
    tables: tuple[Table, ...] = ()
    excerpts: tuple[Excerpt, ...] = ()
    buttons: tuple[Button, ...] = ()
    notes: tuple[str, ...] = ()
    """Small print: where, when, how long it took."""
    pending: tuple[str, ...] = ()
    """Titles of probes that have not answered yet; a final reply has none."""
    command: str = ""
    """The command line that gave it (without ``/agentpod``), for "run again" and sharing."""
    shareable: bool = True
    data: dict[str, object] = field(default_factory=dict)
    """Extra machine-readable facts for ``--output json``; JSON types only."""

    def with_command(self, command: str) -> Reply:
        """The same reply, saying which command line gave it."""
        return replace(self, command=command)

    @property
    def exit_code(self) -> int:
        """A terminal's exit code: 0 healthy or nothing to judge, 1 not healthy, 2 could not tell."""
        if self.pending:
            return Verdict.UNKNOWN.exit_code
        if self.verdict is None and self.findings:
            return worst(f.verdict for f in self.findings).exit_code
        return self.verdict.exit_code if self.verdict else 0
