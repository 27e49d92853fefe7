"""Remove terminal escapes, control, invisible and bidi characters from untrusted text.

Every pattern takes linear time: it starts at a fixed character and has no nested repetition.
"""

from __future__ import annotations

import re
import unicodedata

from bot.domain.core import moments

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, clear screen (ECMA-48, 5.4)
    # OSC (title, clipboard), DCS and others with the string that belongs to them.
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"  # the other escapes
)
_BREAKS = re.compile("[\r\n\v\f\x85\u2028\u2029]+")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # C0 and C1 without tab
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # zero width, bidi controls, BOM
    "\ufe00-\ufe0e\U000e0000-\U000e0fff]"  # variation selectors, tags
    # The selector that asks for an emoji, where there is none before it.
    "|(?<![\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff])\ufe0f"
)
MOST_MARKS = 4
"""As many combining marks as a language has on one letter: more run into the lines around."""
_STACKED = re.compile(rf"[^\w\x00-\u02ff]{{{MOST_MARKS + 1},}}")
"""Where there may be more of them: marks are no letters."""
_MARKS = ("Mn", "Me")
_BLANK = "\u2800"
"""Letters and symbols with an empty glyph that stay in a line: the braille blank keeps a drawing's columns."""
_NO_GLYPH = ("Zs", "Zl", "Zp", "Cc", "Cf", *_MARKS)
_SURROGATES = re.compile("[\ud800-\udfff]")


def plain(line: str, instead: str = " ") -> str:
    """Clean one line; a line break inside it becomes a space, or what is given ``instead``.

    Only the marks of moments that the bot wrote itself stay: see `bot.domain.core.moments`.
    """
    if line.isascii() and line.isprintable():
        return line
    if moments.MARK in line:
        return moments.between(line, lambda part: _plain(part, instead))
    return _plain(line, instead)


def _plain(line: str, instead: str) -> str:
    line = _SURROGATES.sub("\ufffd", _ESCAPES.sub("", line.rstrip("\r\n")))
    return _STACKED.sub(_few_marks, _BREAKS.sub(instead, _UNSEEN.sub("", line)))


def _few_marks(found: re.Match[str]) -> str:
    kept, run = [], 0
    for c in found[0]:
        run = run + 1 if unicodedata.category(c) in _MARKS else 0
        if run <= MOST_MARKS:
            kept.append(c)
    return "".join(kept)


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen, whatever it is made of: spaces, fillers, controls, lone marks."""
    return all(c in _BLANK or unicodedata.category(c) in _NO_GLYPH for c in plain_text(text))


def has_break(line: str) -> bool:
    """Whether there is a line break inside a line."""
    return _BREAKS.search(line, 0, len(line.rstrip("\r\n"))) is not None


def plain_text(text: str) -> str:
    """Clean text of several lines; its line feeds stay."""
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(map(plain, text.split("\n")))
