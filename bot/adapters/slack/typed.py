"""What people type to the bot, as a command line: without Slack's markup, and without whom it is addressed to."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

_LINK = re.compile(r"<(?:https?|mailto|tel|ssh):[^<>|]*\|([^<>]*)>|<((?:https?|ssh)://[^<>|]*)>")
_SIGNS = ":;,.!：；，"
_BLANK = " \t\r\n\xa0\u200b\u200c\u200d\u2060\ufeff"
"""Blanks, and the signs without width that copied text brings along."""
_WRAPPED = re.compile(r"(```|[`*_~])(.*)\1", re.DOTALL)


def plain(text: str) -> str:
    """A message's text as it was typed: links by their label, entities undone."""
    return html.unescape(_LINK.sub(lambda m: m.group(1) or m.group(2), text)).strip()


def command_line(text: str, bot_user: str, names: Sequence[str] = ()) -> str:
    """The command line in a message.

    ``names`` are how people address the bot besides a mention: ``/agentpod``, ``agentpod``.
    """
    if bot_user:
        text = re.sub(rf"<@{re.escape(bot_user)}(?:\|[^<>]*)?>", " ", text)
    rest = _bare(plain(text))
    known = "|".join(re.escape(bare) for name in names if (bare := name.lstrip("/@")))
    if known and (found := re.match(rf"[/@]?(?:{known})(?=[\s{_SIGNS}]|$)", rest, re.IGNORECASE)):
        rest = _bare(rest[found.end() :])
    return rest


def _bare(text: str) -> str:
    """Without blanks and signs before it, and without the marks of a format around it."""
    rest = text.lstrip(_SIGNS + _BLANK + "-–—").rstrip(_BLANK)
    found = _WRAPPED.fullmatch(rest)
    return found.group(2).strip(_BLANK) if found else rest
