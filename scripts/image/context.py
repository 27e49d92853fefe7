"""What a builder would be given: the project's files without what `.dockerignore` leaves out.

Docker's rules: patterns are of whole paths, `**` is any number of folders, one that fits a folder fits all in it,
and the last one that fits decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pattern:
    """One line: what fits it is left out, or taken back in (`!`)."""

    text: str
    back: bool
    expression: re.Pattern[str]

    def fits(self, path: str) -> bool:
        """Whether it fits the path or a folder that the path is in."""
        parts = path.split("/")
        return any(self.expression.fullmatch("/".join(parts[:n])) for n in range(1, len(parts) + 1))


def read(text: str) -> list[Pattern]:
    """The patterns of a `.dockerignore`."""
    lines = (line.strip() for line in text.splitlines())
    return [_pattern(line) for line in lines if line and not line.startswith("#")]


def _pattern(line: str) -> Pattern:
    back = line.startswith("!")
    text = line.removeprefix("!").strip().strip("/")
    return Pattern(text, back, re.compile(_expression(text)))


def _expression(text: str) -> str:
    """Go's filepath.Match with `**`, as a regular expression."""
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|.", text)
    return "".join(pieces.get(t, t if t.startswith("[") and len(t) > 1 else re.escape(t)) for t in tokens)


def ignored(path: str, patterns: Sequence[Pattern]) -> bool:
    """Whether the builder is not given that path, which is relative to the context with slashes."""
    answer = False
    for pattern in patterns:
        if answer is pattern.back and pattern.fits(path):
            answer = not pattern.back
    return answer


def files(root: Path, source: str, patterns: Sequence[Pattern]) -> Iterator[str]:
    """The files that `COPY source` takes, relative to the context. None where it is missing or left out."""
    start = root / source
    found = sorted(p for p in start.rglob("*") if p.is_file()) if start.is_dir() else [start]
    for file in found:
        path = file.relative_to(root).as_posix()
        if file.is_file() and not ignored(path, patterns):
            yield path
