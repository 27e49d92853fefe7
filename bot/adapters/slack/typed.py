"""Extracts the command line from a message: without Slack's markup and the bot's mention or name."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from bot.runbook.lexer import ZERO_WIDTH

_LINK = re.compile(r"<(?:https?|mailto|tel|ssh):[^<>|]*\|([^<>]*)>|<((?:https?|ssh)://[^<>|]*)>")
_SIGNS = ":;,.!：；，"
_BLANK = f" \t\r\n\xa0{ZERO_WIDTH}"
"""Whitespace, and zero-width characters, which copied text often contains."""
_WRAPPED = re.compile(r"(```|[`*_~])(.*)\1", re.DOTALL)


def plain(text: str) -> str:
    """Return a message's text as it was typed: links replaced by their label, entities unescaped."""
    return html.unescape(_LINK.sub(lambda m: m.group(1) or m.group(2), text)).strip()


def command_line(text: str, bot_user: str, names: Sequence[str] = ()) -> str:
    """Return the command line in a message.

    ``names`` are ways to address the bot besides a mention: ``/agentpod``, ``agentpod``.
    """
    if bot_user:
        text = re.sub(rf"<@{re.escape(bot_user)}(?:\|[^<>]*)?>", " ", text)
    rest = _bare(plain(text))
    known = "|".join(re.escape(bare) for name in names if (bare := name.lstrip("/@")))
    if known and (found := re.match(rf"[/@]?(?:{known})(?=[\s{_SIGNS}]|$)", rest, re.IGNORECASE)):
        rest = _bare(rest[found.end() :])
    return rest


def _bare(text: str) -> str:
    """Strip leading blanks and punctuation, and formatting characters around the text."""
    rest = text.lstrip(_SIGNS + _BLANK + "-–—").rstrip(_BLANK)
    found = _WRAPPED.fullmatch(rest)
    return found.group(2).strip(_BLANK) if found else rest
