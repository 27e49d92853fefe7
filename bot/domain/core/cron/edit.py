"""An edit of a crontab as it is stored: which lines stay, and which are new. Pure.

Whoever edits sees the crontab redacted. A line that is left as it was shown keeps its original, so no value of a
secret is in the edit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from bot.domain.core.cron.crontab import MOST_LINES
from bot.domain.core.redact import PLACEHOLDER

MOST_BYTES = 100_000
"""Largest crontab that is written."""


class BadEdit(ValueError):
    """What can't be done with the lines that were entered, as a sentence without its full stop."""


@dataclass(frozen=True)
class Part:
    """Lines of the new crontab: ``count`` of the old one from index ``start`` on, and then new ones."""

    start: int
    count: int
    added: tuple[str, ...] = ()


def digest(data: str | bytes) -> str:
    """The SHA-256 of a file, as ``sha256sum`` prints it."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def lines_of(text: str) -> list[str]:
    """The lines of a file, without their ends and without empty ones after the last."""
    found = [line.removesuffix("\r") for line in text.split("\n")]
    while found and not found[-1].strip():
        found.pop()
    return found


def text_of(lines: Sequence[str]) -> str:
    """The file of these lines: each ends in a line feed."""
    return "".join(f"{line}\n" for line in lines)


def edit_of(original: str, shown: Sequence[str], entered: str) -> tuple[Part, ...]:
    """Return the edit that makes the ``entered`` text of a file that was ``shown`` redacted, line by line.

    Raises BadEdit for a line with a redacted part that is none of those shown, for characters of no crontab, and
    for too many lines.
    """
    before, after = lines_of(original), lines_of(entered)
    if max(len(before), len(after)) > MOST_LINES:
        raise BadEdit(f"a crontab of more than {MOST_LINES:,} lines can't be checked: change it in the pod")
    known = {line: index for index, line in reversed(list(enumerate(shown)))}
    known |= {line: index for index, line in reversed(list(enumerate(before)))}
    parts: list[Part] = []
    for _, start, end, first, last in SequenceMatcher(None, list(shown), after, autojunk=False).get_opcodes():
        if list(shown[start:end]) == after[first:last]:
            parts.append(Part(start, end - start))
            continue
        for number, line in enumerate(after[first:last], first + 1):
            if line in known:
                parts.append(Part(known[line], 1))
            else:
                _check(line, number)
                parts.append(Part(0, 0, (line,)))
    return _joined(parts)


def _check(line: str, number: int) -> None:
    if PLACEHOLDER in line:
        raise BadEdit(
            f"line {number} has a redacted part, so it can't be changed here: leave it as shown, or change it "
            "in the pod"
        )
    if any(not c.isprintable() and c != "\t" for c in line):
        raise BadEdit(f"line {number} has a character that can't be shown: write it again")


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Fewer parts that say the same."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if last is not None and not part.count:
            found[-1] = Part(last.start, last.count, (*last.added, *part.added))
        elif last is not None and not last.added and last.start + last.count == part.start:
            found[-1] = Part(last.start, last.count + part.count, part.added)
        else:
            found.append(part)
    return tuple(part for part in found if part.count or part.added)


def applied(original: str, edit: Sequence[Part]) -> str:
    """The new text. Raises BadEdit where the edit is of another file."""
    before, after = lines_of(original), list[str]()
    for part in edit:
        if part.start < 0 or part.start + part.count > len(before):
            raise BadEdit("the edit is of another crontab")
        after += [*before[part.start : part.start + part.count], *part.added]
    return text_of(after)


def added(edit: Sequence[Part]) -> list[str]:
    """The lines that are new."""
    return [line for part in edit for line in part.added]
