"""Renders replies as Block Kit: a few messages and files within Slack's limits. Pure.

Dynamic text goes into rich text elements, raw table cells or plain text objects, where ``<!channel>``, ``<@U…>``,
``*`` and backticks have no effect; the fallback text is escaped.

Times that the bot wrote (`bot.domain.core.moments`) become Slack's dates, which each reader sees in their own
zone. Plain text, code and the fallback text can't hold any: there a short time in UTC stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.adapters.slack import dates, inbound
from bot.adapters.slack.phone_tables import is_cut_off, two_lines
from bot.domain.core import links, moments, words
from bot.domain.core.moments import Moment
from bot.domain.core.outside import Outside, with_texts
from bot.domain.core.probes import SIGNS, Finding, Verdict, worst_first
from bot.domain.core.reply import Card, Excerpt, Line, Link, Mention, Reply, Table, parts
from bot.domain.core.reply import plain as plain_line
from bot.domain.core.summary import said_in

Json = dict[str, Any]

MAX_BLOCKS = 45
MAX_CHARACTERS = 9_500
"""Per message, before buttons (up to 25 × 75) and a note are added; Slack refuses about 13,200."""
MAX_BUTTONS = 20
MAX_ELEMENTS = 25
"""Slack's limit of buttons and menus in a block."""
MAX_MESSAGES = 3
"""Messages per answer: with two partial answers that makes the five uses of a response URL."""
MOST_TITLES = 20
"""Most checks that are listed by name where nothing is to be said of them."""
PIECE = 2_800
MAX_LINES = 20
"""Maximum rows of a further table that are shown as lines; longer ones become fixed-width text."""
MOST_OF_LINES = 4_500
"""Maximum characters of a table that is shown as two lines a row; of others Slack shows more in less room."""
EXCERPT = 2_500
MOST_BELOW = 700
"""Most characters of the fallback text below the headline and the problems."""
WORDS = {
    Verdict.OK: "Healthy",
    Verdict.WARN: "Warning",
    Verdict.FAIL: "Not healthy",
    Verdict.UNKNOWN: "Unknown",
}


SAYS_VERDICT = (*WORDS.values(), "Could not tell", "Yes:", "No:")
"""The beginnings of headlines that state the verdict themselves."""
_COUNTED = re.compile(r"\b\d+ checks? ok\b")
_COMMAND = re.compile(r"`(?!\s)([^`\n]{1,200})(?<!\s)`")
"""A command or a name that the bot writes as code."""
_MARKUP = re.compile(r"[*~`]|(?<!\w)_|_(?!\w)")
"""mrkdwn's formatting characters; an underscore inside a word is none."""


@dataclass(frozen=True)
class Message:
    """One Slack message: fallback text (escaped mrkdwn) and blocks."""

    text: str
    blocks: list[Json]


@dataclass(frozen=True)
class File:
    """A text that is attached in full: it is too long for a message, or meant as a file."""

    name: str
    content: str


@dataclass(frozen=True)
class Rendered:
    """An answer's messages, in order, and its files."""

    messages: tuple[Message, ...]
    files: tuple[File, ...] = ()


@dataclass
class _Draft:
    blocks: list[Json] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    attached: bool = True
    tables: bool = True
    now: datetime | None = None

    def rich(self, *parts: Json) -> None:
        """Add a rich text block, unless it would be empty."""
        if parts:
            self.blocks.append({"type": "rich_text", "elements": list(parts)})

    def spans(self, text: str, **style: bool) -> Iterator[Json]:
        """Yield a text's elements: its moments as dates, everything else as text."""
        for part in moments.parts(text):
            yield _element(part, **style) if isinstance(part, str) else dates.element(part, self.now, **style)

    def code(self, text: str, **style: bool) -> Json:
        """Return a text as code."""
        return _element(moments.short(text, self.now), **style, code=True)

    def elements(self, line: Line) -> Iterator[Json]:
        """Yield a line's elements: mentions as elements that show names, and the others of `spans`."""
        for part in parts(line):
            if isinstance(part, Mention):
                yield {"type": part.kind, f"{part.kind}_id": part.id}
            else:
                for number, text in enumerate(_COMMAND.split(part)):
                    for piece in pieces(text):
                        yield from [self.code(piece)] if number % 2 else self.spans(piece)


def escape(text: str) -> str:
    """Escape plain text for mrkdwn: entities, and zero-width spaces around formatting characters."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub("\u200b\\g<0>\u200b", text)


PATTERNS = Outside()
"""Redacts by the patterns of secrets, without known values."""


def render(
    reply: Reply,
    *,
    key: str = "",
    prefix: str = "/agentpod",
    buttons: bool = True,
    attached: bool = True,
    tables: bool = True,
    outside: Outside = PATTERNS,
    now: datetime | None = None,
) -> Rendered:
    """Render a reply, with the secrets that ``outside`` knows redacted.

    ``key`` names the kept answer and adds "Share in channel". ``buttons=False`` leaves out all buttons.
    ``attached=False`` leaves out the lines that refer to its files, ``tables=False`` makes lines of tables, which
    modals can't show. Times close to ``now`` are without their date;
    without ``now``, all have it.
    """
    reply = outside.reply(reply)
    draft = _Draft(attached=attached, tables=tables, now=now)
    _headline(draft, reply)
    if reply.proof is not None:
        _proof(draft, reply.proof)
    for paragraph in reply.body:
        _line(draft, paragraph)
    for number, one in enumerate(reply.cards):
        _card(draft, one, f"{inbound.RUN}:card{number}-" if buttons else "")
    _findings(draft, reply, {f"{prefix} {b.command}" for b in reply.buttons} if buttons else set())
    if reply.pending:
        _text(draft, "⏳ waiting for: " + ", ".join(_some(reply.pending)))
    _facts(draft, reply)
    for table in reply.tables:
        _table(draft, table)
    for excerpt in reply.excerpts:
        _excerpt(draft, excerpt)
    for image in reply.images:
        if image.file:
            alt = moments.short(image.alt, now)[:2000]
            draft.blocks.append({"type": "image", "slack_file": {"id": image.file}, "alt_text": alt})
    if reply.notify:
        draft.rich(_section(_element("For "), *_named(draft, reply.notify)))
    _notes(draft, reply.notes)
    flat = with_texts(reply, lambda text: moments.short(text, now))
    actions = list(_actions(flat, key)) if buttons and not reply.pending else []
    if buttons:
        _unclickable(draft, flat, prefix)
    return _pack(draft, flat, actions, prefix)


def heading(reply: Reply) -> str:
    """Return the first line: sign, verdict (unless it is ok or the headline states one) and headline."""
    if reply.verdict is None:
        return reply.headline if reply.headline.strip() else "(no answer)"
    sign, word = SIGNS[reply.verdict], WORDS[reply.verdict]
    said = reply.headline.casefold().startswith(tuple(phrase.casefold() for phrase in SAYS_VERDICT))
    return (
        f"{sign} {reply.headline}" if said or reply.verdict is Verdict.OK else f"{sign} {word}: {reply.headline}"
    )


def _element(text: str, **style: bool) -> Json:
    return {"type": "text", "text": text, "style": style} if style else {"type": "text", "text": text}


def _section(*elements: Json) -> Json:
    return {"type": "rich_text_section", "elements": list(elements)}


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """Split a text into pieces of at most ``size`` characters, at line ends where possible."""
    while len(text) > size:
        cut = text.rfind("\n", size // 2, size) + 1 or moments.whole_until(text, size)
        yield text[:cut]
        text = text[cut:]
    if text:
        yield text


def _text(draft: _Draft, text: str, **style: bool) -> None:
    for piece in pieces(text):
        draft.rich(_section(*draft.spans(piece, **style)))


def _prose(draft: _Draft, text: str, **style: bool) -> None:
    """Add a text of the bot's own, with what stands in backquotes as code."""
    for piece in pieces(text):
        elements: list[Json] = []
        for number, part in enumerate(_COMMAND.split(piece)):
            elements += [draft.code(part, **style)] if number % 2 else draft.spans(part, **style)
        draft.rich(_section(*elements))


def _line(draft: _Draft, line: Line) -> None:
    if isinstance(line, str):
        _prose(draft, line)
    else:
        draft.rich(_section(*draft.elements(line)))


def _named(draft: _Draft, mentions: Sequence[Mention]) -> Iterator[Json]:
    for number, mention in enumerate(mentions):
        if number:
            yield _element(" ")
        yield from draft.elements((mention,))


def _card(draft: _Draft, card: Card, action: str) -> None:
    """Add a card below a rule, with its buttons where ``action``, the beginning of their action ids, is given."""
    draft.blocks.append({"type": "divider"})
    for line in card.lines:
        _line(draft, line)
    given = [
        _button(f"{action}{n}", b.label, value, b.style, b.confirm)
        for n, b in enumerate(card.buttons)
        if action and (value := inbound.value(b.command)) is not None
    ]
    given += [_link(f"{inbound.LINK}:{n}", one) for n, one in enumerate(links.shown(card.links)) if action]
    if given:
        draft.blocks.append({"type": "actions", "elements": given[:MAX_ELEMENTS]})


def _headline(draft: _Draft, reply: Reply) -> None:
    _prose(draft, heading(reply), bold=True)


def _proof(draft: _Draft, proof: Excerpt) -> None:
    """Add the lines that prove the headline, and in small print where they come from."""
    _excerpt(draft, replace(proof, title=""))
    _notes(draft, (proof.title,) if proof.title else ())


def _findings(draft: _Draft, reply: Reply, clickable: Set[str]) -> None:
    """Add problems in full, then the rest in one line; ``clickable`` commands have buttons and are left out."""
    ordered = worst_first(reply.findings)
    for finding in ordered:
        if finding.verdict is not Verdict.OK:
            _finding(draft, finding, said_in(reply.headline, finding), clickable)
    fine = [f for f in ordered if f.verdict is Verdict.OK]
    if fine and len(fine) == len(ordered) and _COUNTED.search(reply.headline):
        _text(draft, " · ".join(_some([f.title for f in fine])))
    elif fine:
        _text(draft, f"✅ {len(fine)} ok: " + ", ".join(_some([f.title for f in fine])))


def _some(titles: Sequence[str]) -> list[str]:
    """At most `MOST_TITLES` titles, and how many more there are."""
    more = len(titles) - MOST_TITLES
    return [*titles[:MOST_TITLES], *([f"{more} more"] if more > 0 else [])]


def _finding(draft: _Draft, finding: Finding, said: bool, clickable: Set[str]) -> None:
    sign = SIGNS[finding.verdict]
    if said:
        _text(draft, f"{sign} {finding.title}", bold=True)
    elif len(finding.title) + len(finding.summary) <= PIECE:
        title = draft.spans(f"{sign} {finding.title}", bold=True)
        draft.rich(_section(*title, *draft.spans(f"  {finding.summary}")))
    else:
        _text(draft, f"{sign} {finding.title}", bold=True)
        _text(draft, finding.summary)
    for piece in pieces("\n".join(finding.evidence)):
        draft.rich({"type": "rich_text_quote", "elements": list(draft.spans(piece))})
    if finding.remedy:
        _prose(draft, finding.remedy)
    for piece in pieces("" if finding.run in clickable else finding.run or ""):
        draft.rich(_section(draft.code(piece)))


def _facts(draft: _Draft, reply: Reply) -> None:
    """Add facts as the sections of one block, which Slack shows as lines without gaps."""
    lines: list[Json] = []
    size = 0
    heading = ""
    for fact in reply.facts:
        if fact.under != heading:
            draft.rich(*lines)
            lines, size, heading = [], 0, fact.under
            draft.blocks.append({"type": "header", "text": _plain(heading, MAX_HEADER)})
        sign = f"{SIGNS[fact.verdict]} " if fact.verdict else ""
        label, value = f"{sign}{fact.label}: ", plain_line(fact.value) or "-"
        if len(label) + len(value) > PIECE:
            _text(draft, label, bold=True)
            _text(draft, value)
            continue
        if size + len(label) + len(value) > PIECE:
            draft.rich(*lines)
            lines, size = [], 0
        shown = [draft.code(value)] if fact.code else list(draft.elements(fact.value or "-"))
        lines.append(_section(*draft.spans(label, bold=True), *shown))
        size += len(label) + len(value) + 1
    if lines:
        draft.rich(*lines)


def _table(draft: _Draft, table: Table) -> None:
    if table.title:
        _text(draft, table.title, bold=True)
    rows = list(_marked_rows(table))
    columns = max((len(r) for r in rows), default=0)
    header: list[list[Line]] = [list(table.columns)] if table.columns else []
    columns = max(columns, len(table.columns))
    if not rows or not columns:
        _text(draft, "(no rows)")
        return
    cells: list[list[Line]] = [[*r, *[""] * (columns - len(r))] for r in [*header, *rows]]
    sizes = [len(plain_line(c)) for r in cells for c in r]
    longest, characters = max(sizes), sum(size or 1 for size in sizes)
    lines = len(rows) <= MAX_LINES and characters <= MOST_OF_LINES
    flat = [[moments.short(plain_line(c), draft.now) for c in row] for row in cells]
    if lines and (is_cut_off(flat) or not draft.tables):
        _two_lines(draft, table, cells[len(header) :])
        return
    first = draft.tables and not any(b["type"] == "table" for b in draft.blocks)
    if first and len(cells) <= 100 and columns <= 20 and characters <= 9_000 and longest <= 2_000:
        settings = [{"is_wrapped": True} if n in table.wrapped else None for n in range(columns)]
        block: Json = {"type": "table", "rows": [[_cell(draft, c) for c in r] for r in cells]}
        draft.blocks.append({**block, "column_settings": settings} if table.wrapped else block)
        return
    if len(rows) <= MAX_LINES and characters <= PIECE:
        draft.rich(*(_row_line(draft, r) for r in rows))
        return
    _excerpt(draft, Excerpt(_fixed_width(flat), filename=_file_name(table.title or "table", ".txt")), tail=False)


def _two_lines(draft: _Draft, table: Table, rows: Sequence[Sequence[Line]]) -> None:
    """Add rows that a phone would cut off as a table, each as two lines."""
    sections: list[Json] = []
    size = 0
    for about, said in two_lines(table.columns, rows, table.wrapped):
        bold = draft.spans(plain_line(about) or "-", bold=True)
        section = _section(*bold, *(draft.elements(("\n", *parts(said))) if said else ()))
        length = _characters(section)
        if size + length > PIECE:
            draft.rich(*sections)
            sections, size = [], 0
        sections.append(section)
        size += length
    draft.rich(*sections)


def _row_line(draft: _Draft, cells: Sequence[Line]) -> Json:
    """Return a row as a line: Slack allows one table per message, and fixed columns break on a phone."""
    first = plain_line(cells[0]) if cells else ""
    rest = [part for cell in cells[1:] if cell for part in (" · ", *parts(cell))]
    others = draft.elements(("  ", *rest[1:]) if rest else "")
    return _section(*draft.spans(first or "-", bold=True), *others)


def _marked_rows(table: Table) -> Iterator[list[Line]]:
    for number, row in enumerate(table.rows):
        verdict = table.verdicts[number] if number < len(table.verdicts) else None
        cells = list(row)
        if verdict and cells:
            cells[0] = _joined(f"{SIGNS[verdict]} ", cells[0])
        yield cells


def _joined(before: str, line: Line) -> Line:
    return before + line if isinstance(line, str) else (before, *line)


def _cell(draft: _Draft, line: Line) -> Json:
    """Return a cell; one with mentions or moments is rich text, so that Slack shows names and local times."""
    if any(isinstance(part, Mention) or moments.MARK in part for part in parts(line)):
        return {"type": "rich_text", "elements": [_section(*draft.elements(line))]}
    return {"type": "raw_text", "text": plain_line(line) or "\u2013"}


def _fixed_width(rows: Sequence[Sequence[Line]]) -> str:
    flat = [[" ".join(plain_line(c).split()) for c in row] for row in rows]
    widths = [min(40, max(len(row[i]) for row in flat)) for i in range(len(flat[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in flat)


def _file_name(title: str, suffix: str) -> str:
    kept = "".join(c if c.isalnum() and c.isascii() else "-" for c in title.lower()).strip("-")[:60]
    return (kept or "output") + suffix


def _excerpt(draft: _Draft, excerpt: Excerpt, *, tail: bool = True) -> None:
    if excerpt.attached:
        draft.files.append(File(excerpt.filename, moments.bare(excerpt.text)))
        return
    if excerpt.title:
        _text(draft, excerpt.title, bold=True)
    text = moments.bare(excerpt.text).rstrip("\n")
    shown = _ends(text) if excerpt.ends else _fitting(text, tail)
    if shown != text:
        draft.files.append(File(excerpt.filename or "output.txt", moments.bare(excerpt.text)))
        count, total = shown.count("\n") + (0 if excerpt.ends else 1), text.count("\n") + 1
        which = "first and last" if excerpt.ends else "last" if tail else "first"
        where = f"; all of it is in {excerpt.filename}" if draft.attached else ""
        _text(draft, f"The {which} {count:,} of {total:,} lines{where}.", italic=True)
    body = [_element(shown)] if shown else [_element("(empty)")]
    draft.rich({"type": "rich_text_preformatted", "elements": body})


def _ends(text: str) -> str:
    """The first and the last lines that fit; between them how many are left out."""
    if len(text) <= EXCERPT:
        return text
    half = EXCERPT // 2 - 40
    first, last = text[:half].rpartition("\n")[0], text[-half:].partition("\n")[2]
    left_out = text.count("\n") - first.count("\n") - last.count("\n") - 1
    return f"{first}\n… {words.plural(left_out, 'line')} left out …\n{last}"


def _fitting(text: str, tail: bool) -> str:
    if len(text) <= EXCERPT:
        return text
    if tail:
        part = text[-EXCERPT:]
        return part.partition("\n")[2] or part
    part = text[:EXCERPT]
    return part.rpartition("\n")[0] or part


MAX_HEADER = 150
"""Slack's limit of characters in a header."""
NOTES = 4
"""Elements of a context block: Slack allows ten, but not the text of ten full ones in one message."""


def _notes(draft: _Draft, notes: Sequence[str]) -> None:
    cut = [p for note in notes for p in pieces(note, 1_900)]
    for start in range(0, len(cut), NOTES):
        elements = [note(part, draft.now) for part in cut[start : start + NOTES]]
        draft.blocks.append({"type": "context", "elements": elements})


def note(text: str, now: datetime | None) -> Json:
    """Return an element of small print: plain text, or mrkdwn where it has dates."""
    found = moments.parts(text)
    if not any(isinstance(part, Moment) for part in found):
        return {"type": "plain_text", "text": "".join(map(str, found)), "emoji": False}
    shown = (
        _EMOJI.sub(":\u200b", escape(part)) if isinstance(part, str) else dates.in_mrkdwn(part, now)
        for part in found
    )
    return {"type": "mrkdwn", "text": "".join(shown), "verbatim": True}


_EMOJI = re.compile(r":(?=[\w+'-]+:)")
"""What mrkdwn takes for the beginning of an emoji."""


MAX_OPTION = 150
"""Slack's limit of characters in an option's value."""


def _unclickable(draft: _Draft, reply: Reply, prefix: str) -> None:
    """Add the commands of buttons that don't fit, as lines to type."""
    for number, button in enumerate(reply.buttons):
        if number >= MAX_BUTTONS or inbound.value(button.command) is None:
            _text(draft, f"{button.label}: {prefix} {button.command}")


def _button(action_id: str, label: str, value: str, style: str = "", confirm: str = "") -> Json:
    text = label if len(label) <= 75 else label[:74] + "…"
    button: Json = {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": text or "Run", "emoji": True},
        "value": value,
    }
    if style in ("primary", "danger"):
        button["style"] = style
    if confirm:
        button["confirm"] = {
            "title": _plain(label, 100),
            "text": _plain(confirm, 300),
            "confirm": _plain(label, 30),
            "deny": _plain("Back", 30),
        }
        if style == "danger":
            button["confirm"]["style"] = style
    return button


def _link(action_id: str, link: Link) -> Json:
    return {"type": "button", "action_id": action_id, "text": _plain(link.label, 75), "url": link.url}


def _plain(text: str, most: int) -> Json:
    return {"type": "plain_text", "text": words.cut_at_word(text, most)}


def _actions(reply: Reply, key: str) -> Iterator[Json]:
    for number, button in enumerate(reply.buttons[:MAX_BUTTONS]):
        value = inbound.value(button.command)
        if value is not None:
            yield _button(f"{inbound.RUN}:{number}", button.label, value, button.style, button.confirm)
    for number, menu in enumerate(reply.menus):
        options = [
            {"text": _plain(option.label, 75), "value": given}
            for option in menu.options
            if (given := inbound.value(option.command)) is not None and len(given) <= MAX_OPTION
        ]
        if options:
            yield {
                "type": "static_select",
                "action_id": f"{inbound.RUN}:menu{number}",
                "placeholder": _plain(menu.label, 150),
                "options": options,
            }
    room = MAX_ELEMENTS - 2 - len(reply.menus) - min(len(reply.buttons), MAX_BUTTONS)
    for number, link in enumerate(links.shown(reply.links)[: max(room, 0)]):
        yield _link(f"{inbound.LINK}:{number}", link)
    again = inbound.value(reply.command)
    if reply.command and reply.repeatable and again is not None:
        yield _button(inbound.AGAIN, reply.again, again)
    share = inbound.value(reply.command, key)
    if key and reply.shareable and reply.command and share is not None:
        yield _button(inbound.SHARE, "Share in channel", share)


def _characters(value: Any) -> int:
    """Return the characters of a block's texts; a date's are those of its markup."""
    if isinstance(value, list):
        return sum(map(_characters, value))
    if not isinstance(value, dict):
        return 0
    if value.get("type") == "date":
        return len(dates.markup(value))
    return sum(len(v) if k == "text" and isinstance(v, str) else _characters(v) for k, v in value.items())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value.get("type") == "date":
        yield value["fallback"]
    elif isinstance(value, dict):
        for name, part in value.items():
            if name == "text" and isinstance(part, str):
                yield part
            else:
                yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _pack(draft: _Draft, reply: Reply, actions: list[Json], prefix: str) -> Rendered:
    """Divide blocks among messages; if they don't fit, attach the whole answer as a file, and say so in a line."""
    pages: list[list[Json]] = [[]]
    size = tables = 0
    files = list(draft.files)
    for block in draft.blocks:
        length, is_table = _characters(block), block["type"] == "table"
        full = len(pages[-1]) >= MAX_BLOCKS or size + length > MAX_CHARACTERS or (is_table and tables)
        if full and len(pages) == MAX_MESSAGES:
            files.append(File("whole-answer.txt", as_text(reply)))
            more = "There is more: all of it is in whole-answer.txt." if draft.attached else "There is more."
            note = _section(_element(more, italic=True))
            pages[-1].append({"type": "rich_text", "elements": [note]})
            break
        if full:
            pages.append([])
            size = tables = 0
        pages[-1].append(block)
        size, tables = size + length, tables + is_table
    if actions:
        pages[-1].append({"type": "actions", "elements": actions})
    messages = [Message(fallback(reply, number, prefix), page) for number, page in enumerate(pages)]
    return Rendered(tuple(messages), tuple(files))


def fallback(reply: Reply, number: int = 0, prefix: str = "/agentpod") -> str:
    """Return the text for notifications, screen readers and old clients, most important first.

    Headline, problems, then what a card or an alert says below its headline. People are left out there: they would
    be notified again.
    """
    if number:
        return escape(f"{reply.headline[:300]} (continued, part {number + 1})")
    lines = [heading(reply)[:1500]]
    lines += [
        f"{SIGNS[f.verdict]} {f.title}: {f.summary}"[:200]
        for f in reply.findings
        if f.verdict != Verdict.OK and not said_in(reply.headline, f)
    ]
    lines += [] if reply.findings else _said_below(reply)
    text = escape("\n".join(lines))[:3000] or escape(prefix)
    return " ".join([text, *(_markup(m) for m in reply.notify)])


def _said_below(reply: Reply) -> list[str]:
    """The lines of the body and the facts that are plain text, up to `MOST_BELOW` characters."""
    lines = [line for line in reply.body if isinstance(line, str)]
    lines += [f"{fact.label}: {fact.value}" for fact in reply.facts if isinstance(fact.value, str)]
    kept, left = [], MOST_BELOW
    for line in lines:
        if left > 0:
            kept.append(words.cut_at_word(line, left))
            left -= len(line)
    return kept


def _markup(mention: Mention) -> str:
    return f"<!subteam^{mention.id}>" if mention.kind == "usergroup" else f"<@{mention.id}>"


def as_text(reply: Reply) -> str:
    """Return the whole reply as plain text."""
    lines = [heading(reply)]
    lines += [f"    {reply.proof.text}", f"    {reply.proof.title}"] if reply.proof is not None else []
    lines += map(plain_line, reply.body)
    lines += [plain_line(line) for card in reply.cards for line in card.lines]
    for finding in worst_first(reply.findings):
        lines.append(f"{SIGNS[finding.verdict]} {finding.title}: {finding.summary}")
        lines += [f"    {line}" for line in finding.evidence]
        lines += [f"    {part}" for part in (finding.remedy, finding.run) if part]
    if reply.pending:
        lines.append("waiting for: " + ", ".join(_some(reply.pending)))
    for number, fact in enumerate(reply.facts):
        lines += (
            ["", fact.under] if fact.under and (not number or reply.facts[number - 1].under != fact.under) else []
        )
        lines.append(f"{fact.label}: {plain_line(fact.value)}")
    for table in reply.tables:
        lines += [
            "",
            table.title,
            "\t".join(table.columns),
            *("\t".join(map(plain_line, r)) for r in _marked_rows(table)),
        ]
    for excerpt in reply.excerpts:
        lines += [] if excerpt.attached else ["", excerpt.title, excerpt.text]
    lines += [f"{link.label}: {link.url}" for link in links.shown(reply.links)]
    lines += ["", *reply.notes]
    return "\n".join(lines)


def plain(message: Message) -> str:
    """Return a message's text, escaped, at most 39,000 characters, for servers that refuse its blocks."""
    lines: list[str] = []
    for block in message.blocks:
        if block["type"] == "rich_text":
            lines += [escape("".join(_texts(section))) for section in block["elements"]]
        elif block["type"] == "table":
            lines += [escape("  ".join("".join(_texts(cell)) for cell in row)) for row in block["rows"]]
        elif block["type"] == "context":
            lines.append("  ".join(map(_without_dates, block["elements"])))
        elif block["type"] != "actions":
            lines.append(escape("  ".join(_texts(block))))
    return "\n".join(lines)[:39_000] or message.text


def _without_dates(note: Json) -> str:
    """An element of small print as mrkdwn, with times in UTC."""
    text: str = note["text"]
    return dates.without(text) if note["type"] == "mrkdwn" else escape(text)
