"""An answer as text: escaped for notifications and old clients, and plain for files. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from bot.adapters.slack.draft import some
from bot.adapters.slack.tables import marked_rows
from bot.domain.core import links, words
from bot.domain.core.frozen import replace
from bot.domain.core.probes import SIGNS, Verdict, worst_first
from bot.domain.core.reply import Line, Mention, Reply, parts
from bot.domain.core.reply import plain as plain_line
from bot.domain.core.summary import said_in, titled

MOST_BELOW = 700
"""Most characters of the fallback text below the headline and the problems."""
WORDS = {
    Verdict.OK: "Healthy",
    Verdict.WARN: "Warning",
    Verdict.FAIL: "Not healthy",
    Verdict.UNKNOWN: "Could not tell",
}
SAYS_VERDICT = (*WORDS.values(), "Could not", "Nothing was asked for", "Critical", "Yes:", "No:")
"""The beginnings of headlines that state the verdict themselves."""
_MARKUP = re.compile(r"[*~`]|(?<!\w)_|_(?!\w)")
"""mrkdwn's formatting characters; an underscore inside a word is none."""


def escape(text: str) -> str:
    """Escape plain text for mrkdwn: entities, and zero-width spaces around formatting characters."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub("\u200b\\g<0>\u200b", text)


def heading(reply: Reply) -> str:
    """Return the first line: sign, verdict (unless it is ok or the headline states one) and headline."""
    if reply.verdict is None:
        return reply.headline if reply.headline.strip() else "(no answer)"
    sign, word = SIGNS[reply.verdict], WORDS[reply.verdict]
    said = reply.headline.casefold().startswith(tuple(phrase.casefold() for phrase in SAYS_VERDICT))
    if said or reply.verdict is Verdict.OK:
        return f"{sign} {reply.headline}"
    return f"{sign} {word}: {words.lower_first(reply.headline)}"


def fallback(reply: Reply, number: int = 0, prefix: str = "/agentpod") -> str:
    """Return the text for notifications, screen readers and old clients, most important first.

    Headline, problems, then what a card or an alert says below its headline. People whose names are not known
    (see `named`) are "somebody": a mention would notify them again.
    """
    if number:
        return escape(f"{reply.headline[:300]} (continued, part {number + 1})")
    lines = [heading(reply)[:1500]]
    lines += [
        f"{SIGNS[f.verdict]} {''.join(titled(f))}"[:200]
        for f in reply.findings
        if f.verdict != Verdict.OK and not said_in(reply.headline, f)
    ]
    lines += [] if reply.findings else _said_below(reply)
    text = escape("\n".join(lines))[:3000] or escape(prefix)
    return " ".join([text, *(_markup(m) for m in reply.notify)])


def named(reply: Reply, name_of: Callable[[str], str]) -> Reply:
    """Return the reply with the names of people instead of mentions, as far as they are known."""

    def of(line: Line) -> Line:
        known = (part if isinstance(part, str) else _name(part, name_of) or part for part in parts(line))
        return line if isinstance(line, str) else tuple(known)

    facts = tuple(replace(fact, value=of(fact.value)) for fact in reply.facts)
    return replace(reply, body=tuple(map(of, reply.body)), facts=facts)


def _name(who: Mention, name_of: Callable[[str], str]) -> str:
    return name_of(who.id) if who.kind == "user" else ""


def _said_below(reply: Reply) -> list[str]:
    """The lines of the body and the facts that say more than who, up to `MOST_BELOW` characters."""
    lines = [_unnamed(line) for line in reply.body if _says(line)]
    lines += [f"{fact.label}: {_unnamed(fact.value)}" for fact in reply.facts if _says(fact.value)]
    kept, left = [], MOST_BELOW
    for line in lines:
        if left > 0:
            kept.append(words.cut_at_word(line, left))
            left -= len(line)
    return kept


def _says(line: Line) -> bool:
    """Whether there is any text in it, besides mentions and what stands between them."""
    return any(isinstance(part, str) and part.strip(" ,") for part in parts(line))


def _unnamed(line: Line) -> str:
    return "".join(part if isinstance(part, str) else _SOMEBODY[part.kind] for part in parts(line))


_SOMEBODY = {"user": "somebody", "usergroup": "a group", "channel": "a channel"}


def _markup(mention: Mention) -> str:
    return f"<!subteam^{mention.id}>" if mention.kind == "usergroup" else f"<@{mention.id}>"


def as_text(reply: Reply) -> str:
    """Return the whole reply as plain text."""
    lines = [heading(reply)]
    lines += [f"    {reply.proof.text}", f"    {reply.proof.title}"] if reply.proof is not None else []
    lines += map(plain_line, reply.body)
    lines += [plain_line(line) for card in reply.cards for line in card.lines]
    for finding in worst_first(reply.findings):
        lines.append(f"{SIGNS[finding.verdict]} {''.join(titled(finding))}")
        lines += [f"    {line}" for line in finding.evidence]
        lines += [f"    {part}" for part in (finding.remedy, finding.run) if part]
    if reply.pending:
        lines.append("waiting for: " + ", ".join(some(reply.pending)))
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
            *("\t".join(map(plain_line, r)) for r in marked_rows(table)),
        ]
    for excerpt in reply.excerpts:
        lines += [] if excerpt.attached else ["", excerpt.title, excerpt.text]
    lines += [f"{link.label}: {link.url}" for link in links.shown(reply.links)]
    lines += ["", *reply.notes]
    return "\n".join(lines)
