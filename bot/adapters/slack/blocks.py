"""Renders replies as Block Kit: a few messages and files within Slack's limits. Pure.

Dynamic text goes into rich text elements, raw table cells or plain text objects, where ``<!channel>``, ``<@U…>``,
``*`` and backticks have no effect; the fallback text is escaped.

Times that the bot wrote (`bot.domain.core.moments`) become Slack's dates, which each reader sees in their own
zone. Plain text, code and the fallback text can't hold any: there a short time in UTC stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.adapters.slack import dates, inbound, pages
from bot.adapters.slack.draft import PIECE, Draft, File, Json, element, pieces, section, some
from bot.adapters.slack.fallbacks import as_text, escape, fallback, heading, named
from bot.adapters.slack.pages import ANSWER, Room
from bot.adapters.slack.tables import add_table
from bot.domain.core import links, moments, words
from bot.domain.core.code import PROGRAM, typed
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.moments import Moment
from bot.domain.core.outside import Outside, with_texts
from bot.domain.core.probes import SIGNS, Finding, Verdict, worst_first
from bot.domain.core.reply import Card, Excerpt, Link, Mention, Reply
from bot.domain.core.reply import plain as plain_line
from bot.domain.core.summary import said_in, titled

MAX_BUTTONS = 20
MAX_ELEMENTS = 25
"""Slack's limit of buttons and menus in a block."""

_COUNTED = re.compile(r"\b\d+ checks? ok\b")


@dataclass(frozen=True)
class Message:
    """One Slack message: fallback text (escaped mrkdwn) and blocks."""

    text: str
    blocks: list[Json]


@dataclass(frozen=True)
class Rendered:
    """An answer's messages, in order, and its files."""

    messages: tuple[Message, ...]
    files: tuple[File, ...] = ()


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
    room: Room = ANSWER,
    shows_all: str = "",
    outside: Outside = PATTERNS,
    now: datetime | None = None,
    name_of: Callable[[str], str] = lambda _: "",
) -> Rendered:
    """Render a reply, with the secrets that ``outside`` knows redacted.

    ``key`` names the kept answer and adds "Share in channel". ``buttons=False`` leaves out all buttons.
    ``attached=False`` leaves out the lines that refer to its files, ``tables=False`` makes lines of tables, which
    views can't show. ``shows_all`` is the command that shows what finds no ``room``. Times close to ``now`` are
    without their date; without ``now``, all have it. ``name_of`` says what people are called: the fallback
    text has no mentions.
    """
    reply = _addressed(outside.reply(reply), prefix)
    draft = Draft(attached=attached, tables=tables, now=now)
    _headline(draft, reply)
    if reply.proof is not None:
        _proof(draft, reply.proof)
    for paragraph in reply.body:
        draft.line(paragraph)
    for number, one in enumerate(reply.cards):
        _card(draft, one, f"{inbound.RUN}:card{number}-" if buttons else "")
    _findings(draft, reply, {f"{prefix} {b.command}" for b in reply.buttons} if buttons else set())
    if reply.pending:
        draft.text("⏳ waiting for: " + ", ".join(some(reply.pending)))
    _facts(draft, reply)
    for table in reply.tables:
        with draft.together():
            add_table(draft, table)
    for excerpt in reply.excerpts:
        with draft.together():
            draft.excerpt(excerpt)
    for image in reply.images:
        if image.file:
            alt = moments.short(image.alt, now)[:2000]
            draft.blocks.append({"type": "image", "slack_file": {"id": image.file}, "alt_text": alt})
    if reply.notify:
        draft.rich(section(element("For "), *_named(draft, reply.notify)))
    flat = with_texts(reply, lambda text: moments.short(text, now))
    actions = list(_actions(flat, key)) if buttons and not reply.pending else []
    if buttons:
        _unclickable(draft, flat, prefix)
    divided = pages.divided(draft.units(), list(_notes(reply.notes, now)), _more(draft, shows_all), room)
    spoken = named(flat, lambda user: outside.text(name_of(user)))
    return _pack(draft, spoken, *divided, actions, prefix)


def _addressed(reply: Reply, prefix: str) -> Reply:
    """Return the reply with the commands in its texts as they have to be typed here."""
    if prefix == PROGRAM:
        return reply
    notes = tuple(note.replace(f" {PROGRAM} ", f" {prefix} ") for note in reply.notes)
    return with_texts(replace(reply, notes=notes), typed(prefix))


def _more(draft: Draft, shows_all: str) -> Json:
    """Return the line that says where to see what finds no room."""
    if shows_all:
        there = [element("There is more: "), draft.code(shows_all), element(" shows all of it.")]
    else:
        where = ": all of it is in whole-answer.txt" if draft.attached else ""
        there = [element(f"There is more{where}.", italic=True)]
    return {"type": "rich_text", "elements": [section(*there)]}


def _named(draft: Draft, mentions: Sequence[Mention]) -> Iterator[Json]:
    for number, mention in enumerate(mentions):
        if number:
            yield element(" ")
        yield from draft.elements((mention,))


def _card(draft: Draft, card: Card, action: str) -> None:
    """Add a card below a rule, with its buttons where ``action``, the beginning of their action ids, is given."""
    with draft.together():
        draft.blocks.append({"type": "divider"})
        for line in card.lines:
            draft.line(line)
        draft.blocks += _card_actions(card, action)


def _card_actions(card: Card, action: str) -> Iterator[Json]:
    given = [
        _button(f"{action}{n}", b.label, value, b.style, b.confirm)
        for n, b in enumerate(card.buttons)
        if action and (value := inbound.value(b.command)) is not None
    ]
    given += [_link(f"{inbound.LINK}:{n}", one) for n, one in enumerate(links.shown(card.links)) if action]
    if given:
        yield {"type": "actions", "elements": given[:MAX_ELEMENTS]}


def _headline(draft: Draft, reply: Reply) -> None:
    draft.prose(heading(reply), bold=True)


def _proof(draft: Draft, proof: Excerpt) -> None:
    """Add the lines that prove the headline, and in small print where they come from."""
    with draft.together():
        draft.excerpt(replace(proof, title=""))
        draft.blocks += _notes((proof.title,) if proof.title else (), draft.now)


def _findings(draft: Draft, reply: Reply, clickable: Set[str]) -> None:
    """Add problems in full, then the rest in one line; ``clickable`` commands have buttons and are left out."""
    ordered = worst_first(reply.findings)
    for finding in ordered:
        if finding.verdict is not Verdict.OK:
            with draft.together():
                _finding(draft, finding, said_in(reply.headline, finding), clickable)
    fine = [f for f in ordered if f.verdict is Verdict.OK]
    if fine and len(fine) == len(ordered) and _COUNTED.search(reply.headline):
        draft.text(" · ".join(some([f.title for f in fine])))
    elif fine:
        draft.text(f"✅ {len(fine)} ok: " + ", ".join(some([f.title for f in fine])))


def _finding(draft: Draft, finding: Finding, said: bool, clickable: Set[str]) -> None:
    sign = SIGNS[finding.verdict]
    if said:
        draft.text(f"{sign} {finding.title}", bold=True)
    elif len(finding.title) + len(finding.summary) <= PIECE:
        title = draft.spans(f"{sign} {finding.title}", bold=True)
        after = titled(finding)[1]
        draft.rich(
            section(*title, *draft.spans(f" {after.removeprefix(':')}" if after.startswith(":") else after))
        )
    else:
        draft.text(f"{sign} {finding.title}", bold=True)
        draft.text(finding.summary)
    for piece in pieces("\n".join(finding.evidence)):
        draft.rich({"type": "rich_text_quote", "elements": list(draft.spans(piece))})
    if finding.remedy:
        draft.prose(finding.remedy)
    for piece in pieces("" if finding.run in clickable or finding.names_run else finding.run or ""):
        draft.rich(section(draft.code(piece)))


def _facts(draft: Draft, reply: Reply) -> None:
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
            draft.text(label, bold=True)
            draft.text(value)
            continue
        if size + len(label) + len(value) > PIECE:
            draft.rich(*lines)
            lines, size = [], 0
        shown = [draft.code(value)] if fact.code else list(draft.elements(fact.value or "-"))
        lines.append(section(*draft.spans(label, bold=True), *shown))
        size += len(label) + len(value) + 1
    if lines:
        draft.rich(*lines)


MAX_HEADER = 150
"""Slack's limit of characters in a header."""
NOTES = 4
"""Elements of a context block: Slack allows ten, but not the text of ten full ones in one message."""


def _notes(notes: Sequence[str], now: datetime | None) -> Iterator[Json]:
    cut = [p for note in notes for p in pieces(note, 1_900)]
    for start in range(0, len(cut), NOTES):
        yield {"type": "context", "elements": [note(part, now) for part in cut[start : start + NOTES]]}


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


def _unclickable(draft: Draft, reply: Reply, prefix: str) -> None:
    """Add the commands of buttons that don't fit, as lines to type."""
    for number, button in enumerate(reply.buttons):
        if number >= MAX_BUTTONS or inbound.value(button.command) is None:
            draft.text(f"{button.label}: {prefix} {button.command}")


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


def _pack(
    draft: Draft, reply: Reply, divided: list[list[Json]], whole: bool, actions: list[Json], prefix: str
) -> Rendered:
    """Add the buttons to the last message; where not all found room, attach the whole answer as a file."""
    if actions:
        divided[-1].append({"type": "actions", "elements": actions})
    messages = [Message(fallback(reply, number, prefix), page) for number, page in enumerate(divided)]
    files = () if whole else (File("whole-answer.txt", as_text(reply)),)
    return Rendered(tuple(messages), (*draft.files, *files))


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
