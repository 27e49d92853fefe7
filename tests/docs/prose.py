"""The sentences of a page: what is neither code, nor a heading, nor markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_ENDS = re.compile(r"(?:(?<=[.!?:;])|(?<=[.!?:;][)\"”*]))\s+")
_ITEM = re.compile(r"\s*(?:- |\d+\. )")
_MARKUP = (
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"`[^`]*`"), "code"),
    (re.compile(r"\*+"), ""),
    (re.compile(r"code(?:, (?:and )?code)+"), "code"),  # a list of names is looked through, not read
)


def sentences(page: Path) -> Iterator[str]:
    """Yield the sentences; a cell of a table and an item of a list end one."""
    for text in _paragraphs(page.read_text(encoding="utf-8")):
        for pattern, instead in _MARKUP:
            text = pattern.sub(instead, text)
        yield from _ENDS.split(text)


def _paragraphs(text: str) -> Iterator[str]:
    lines: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        fence = line.strip().startswith("```")
        fenced = fenced != fence
        ends = fence or fenced or not line.strip() or line.startswith(("#", "<!--", "|")) or _ITEM.match(line)
        if ends and lines:
            yield " ".join(lines)
            lines = []
        if fence or fenced or line.startswith(("#", "<!--")):
            continue
        if line.startswith("|"):
            yield from (cell.strip() for cell in line.strip("|").split(" | "))
        elif line.strip():
            lines.append(_ITEM.sub("", line).strip())


def words(sentence: str) -> int:
    """How many words a sentence has."""
    return sum(1 for word in sentence.split() if re.search(r"\w", word))
