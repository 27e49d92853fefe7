"""The reply of a command, independent of Slack. All text is plain: each renderer escapes it for its medium."""

from __future__ import annotations

from dataclasses import field, replace

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.probes import Finding, Verdict, worst


@dataclass(frozen=True)
class Mention:
    """A mention by Slack id: a user (U…, W…), a user group (S…) or a channel (C…, G…)."""

    id: str

    @property
    def kind(self) -> str:
        """``user``, ``usergroup`` or ``channel``."""
        return {"S": "usergroup", "C": "channel", "G": "channel"}.get(self.id[:1], "user")

    @property
    def plain(self) -> str:
        """The id, behind the sign for its kind."""
        return f"{'#' if self.kind == 'channel' else '@'}{self.id}"


Line = str | tuple[str | Mention, ...]
"""Plain text that may contain mentions."""


def parts(line: Line) -> tuple[str | Mention, ...]:
    """Split a line into texts and mentions."""
    return (line,) if isinstance(line, str) else line


def plain(line: Line) -> str:
    """A line as plain text, with ids for mentions: ``@U…``, and ``#C…`` for a channel."""
    return "".join(part if isinstance(part, str) else part.plain for part in parts(line))


@dataclass(frozen=True)
class Fact:
    """A label and its value, shown side by side."""

    label: str
    value: Line
    verdict: Verdict | None = None
    code: bool = False
    """Whether to show the value in a fixed-width font."""
    under: str = ""
    """The heading that it stands under: facts with the same one follow each other."""


@dataclass(frozen=True)
class Table:
    """Rows of short cells. A phone shows only few columns: put what matters first."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    title: str = ""
    verdicts: tuple[Verdict | None, ...] = ()
    """One for each row, or empty."""
    wrapped: tuple[int, ...] = ()
    """Columns from 0 whose long texts go on in a second line, so that a phone shows the others beside them."""


@dataclass(frozen=True)
class Excerpt:
    """Lines of raw text (a log, a command's output), shown verbatim in a fixed-width font.

    Renderers show the last lines that fit; where that is not all, they attach the whole text as ``filename``.
    """

    text: str
    title: str = ""
    filename: str = "output.txt"
    redacted: bool = False
    """Whether ``text`` is redacted already: text that is searched must be redacted before the search."""
    attached: bool = False
    """Whether Slack gets it as a file only, and a terminal not at all: the reply is complete without it."""
    ends: bool = False
    """Whether the first lines matter as much as the last: what doesn't fit is then left out in the middle."""


@dataclass(frozen=True)
class Button:
    """A next step: a command line to run when clicked (without the leading ``/agentpod``)."""

    label: str
    command: str
    style: str = ""
    """``primary``, ``danger`` or empty."""
    confirm: str = ""
    """Text of the confirmation dialog; empty: the click counts at once."""


@dataclass(frozen=True)
class Link:
    """A page elsewhere: a button that opens it, in a terminal its address."""

    label: str
    url: str


@dataclass(frozen=True)
class Card:
    """One of several things in a reply that have next steps of their own, such as an open incident."""

    lines: tuple[Line, ...]
    buttons: tuple[Button, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Image:
    """A picture. ``alt`` describes it, and the reply is complete without it."""

    png: bytes = field(repr=False)
    alt: str
    filename: str
    file: str = ""
    """The id of the uploaded file in Slack; empty before the upload."""


@dataclass(frozen=True)
class Menu:
    """A select menu of next steps, where one button for each would be too many."""

    label: str
    options: tuple[Button, ...]


@dataclass(frozen=True)
class FormField:
    """One input of a form."""

    name: str
    label: str
    hint: str = ""
    multiline: bool = False
    required: bool = True
    max_length: int = 500
    secret: bool = False
    """Whether its value is a secret; the form then needs a ``sink``."""
    initial: str = ""
    split: bool = False
    """Whether it may be longer than one input takes: it is shown in several, of whole lines. It may be empty."""
    options: tuple[tuple[str, str], ...] = ()
    """The values to choose from, each with what it is called; empty: any text may be typed."""


@dataclass(frozen=True)
class Form:
    """A dialog whose answers complete a command line: ``--name "answer"`` is added for each field."""

    title: str
    """At most 24 characters."""
    command: str
    fields: tuple[FormField, ...]
    submit: str = "Go on"
    note: str = ""
    sink: str = ""
    """The name of the `SecretSink` (`bot.runbook.context`) that receives secret answers; they never become a
    command line."""


@dataclass(frozen=True)
class Reply:
    """A command's reply. The headline alone must answer; all else is evidence and next steps."""

    headline: str
    verdict: Verdict | None = None
    """None for replies without a judgement (`help`, `version`)."""
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
    """Titles of probes that are still running; a final reply has none."""
    command: str = ""
    """The command line that was run (without ``/agentpod``), for "run again" and sharing."""
    shareable: bool = True
    repeatable: bool = True
    """Whether to offer "run again": not for commands that made a request or decided on one."""
    left_undone: bool = False
    """Whether nothing was asked for or changed, though nothing failed: somebody else has to do it."""
    shows_log: bool = False
    """Whether it has lines of a container's log, so that the run is recorded in the audit trail."""
    posted: bool = False
    """Whether a message of the bot's own says it already: then only who waits for an answer gets this one."""
    form: Form | None = None
    """A form to fill in before the command can run."""
    receipt: str = ""
    """The repair request that it is the receipt for, whose progress it shows from then on."""
    notify: tuple[Mention, ...] = ()
    """Whom to mention in a channel, so that Slack notifies them."""
    menus: tuple[Menu, ...] = ()
    links: tuple[Link, ...] = ()
    """Pages of other tools, runbooks, and other messages."""
    images: tuple[Image, ...] = ()
    cards: tuple[Card, ...] = ()
    """Shown after the paragraphs."""
    again: str = "Run again"
    """The label of the button that `repeatable` offers."""
    proof: Excerpt | None = None
    """What proves the headline, directly under it; its title says where it comes from."""
    data: dict[str, object] = field(default_factory=dict)
    """Extra machine-readable facts for ``--output json``; JSON types only."""

    def with_command(self, command: str) -> Reply:
        """Copy the reply with the command line that was run."""
        return replace(self, command=command)

    def for_others(self) -> Reply:
        """The reply as it is shared: without lines of a log, which not everybody who sees it may read."""
        if not self.shows_log:
            return self
        left_out = "Log lines left out: others see this"
        return replace(self, excerpts=(), shows_log=False, notes=(*self.notes, left_out))

    @property
    def is_error(self) -> bool:
        """Whether it only says why there is no answer: a refusal, wrong usage, or a failure."""
        return "error" in self.data and self.verdict is None

    @property
    def exit_code(self) -> int:
        """Exit code in a terminal: 0 healthy, or done; 1 not healthy; 2 unknown, left undone, or an error."""
        if self.pending or self.left_undone or self.is_error:
            return Verdict.UNKNOWN.exit_code
        if self.verdict is None and self.findings:
            return worst(f.verdict for f in self.findings).exit_code
        return self.verdict.exit_code if self.verdict else 0
