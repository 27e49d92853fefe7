"""What a command answers, independent of Slack. All text is plain: each renderer escapes it for its medium."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bot.domain.core.probes import Finding, Verdict, worst


@dataclass(frozen=True)
class Mention:
    """Somebody in Slack, shown by name: a user (U…, W…), a user group (S…), a channel (C…, G…)."""

    id: str

    @property
    def kind(self) -> str:
        """``user``, ``usergroup`` or ``channel``."""
        return {"S": "usergroup", "C": "channel", "G": "channel"}.get(self.id[:1], "user")


Line = str | tuple[str | Mention, ...]
"""Text in which people can be named; the text itself is plain."""


def parts(line: Line) -> tuple[str | Mention, ...]:
    """A line's parts."""
    return (line,) if isinstance(line, str) else line


def plain(line: Line) -> str:
    """A line as plain text: ids where names would be."""
    return "".join(part if isinstance(part, str) else f"@{part.id}" for part in parts(line))


@dataclass(frozen=True)
class Fact:
    """A label and its value, shown side by side."""

    label: str
    value: Line
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
    redacted: bool = False
    """Whether ``text`` has no secrets any more: what is searched has to lose them before."""


@dataclass(frozen=True)
class Button:
    """A next step: a command line to run when clicked (without the leading ``/agentpod``)."""

    label: str
    command: str
    style: str = ""
    """``primary``, ``danger`` or empty."""
    confirm: str = ""
    """What is asked once more before it counts; empty: nothing."""


@dataclass(frozen=True)
class Image:
    """A picture. What it shows is said in ``alt`` as well, and the reply is whole without it."""

    png: bytes = field(repr=False)
    alt: str
    filename: str
    file: str = ""
    """The id of its file in Slack, once it is there."""


@dataclass(frozen=True)
class Menu:
    """Several next steps of which one is picked, where each with a button of its own would be too many."""

    label: str
    options: tuple[Button, ...]


@dataclass(frozen=True)
class Field:
    """One thing that a form asks for."""

    name: str
    label: str
    hint: str = ""
    multiline: bool = False
    required: bool = True
    max_length: int = 500
    secret: bool = False
    """Whether its value is a secret: then the form needs a ``sink``."""
    initial: str = ""


@dataclass(frozen=True)
class Form:
    """Questions whose answers complete a command line: ``--name "answer"`` is added to it for each."""

    title: str
    """At most 24 characters."""
    command: str
    fields: tuple[Field, ...]
    submit: str = "Go on"
    note: str = ""
    sink: str = ""
    """Who gets the answers instead of a command line, where they are secret; see `bot.runbook.SecretSink`."""


@dataclass(frozen=True)
class Reply:
    """A command's answer. The headline alone must be the answer; all else is evidence and next steps."""

    headline: str
    verdict: Verdict | None = None
    """None for answers that judge nothing (`help`, `version`)."""
    body: tuple[Line, ...] = ()
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
    repeatable: bool = True
    """Whether running the command again makes sense to offer: not for what asked for something or decided it."""
    form: Form | None = None
    """What has to be asked before it can be answered."""
    notify: tuple[Mention, ...] = ()
    """Who is to notice a message, in a channel."""
    menus: tuple[Menu, ...] = ()
    images: tuple[Image, ...] = ()
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
