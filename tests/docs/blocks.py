"""Finds the code blocks of a page, and the comment before each that says where its commands run.

A block of language ``sh`` holds commands. Without a comment before it, `test_commands` runs them in the sandbox.
These comments, which no rendered page shows, say otherwise:

- ``<!-- run on: a control plane -->``: `tests/controlplane/test_deploy.py` runs them on a real API server.
- ``<!-- not run: REASON -->``: no test runs them.
- ``<!-- exit code 2: REASON -->``: run in the sandbox, where they end with this code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLANE = "run on: a control plane"
NOT_RUN = "not run: "
_CODE = re.compile(r"exit code (\d+): ")
_FENCE = re.compile(r"( *)```(.*)")
_COMMENT = re.compile(r"<!-- (.+) -->")
_LIST = re.compile(r"(- |\d+\. )")
_PROGRAMS = ("agentpod", "kubectl", "make", "docker", "git", "helm", "sops", "psql", "sqlite3", "curl", ".venv/")
_TYPED = re.compile(rf"({'|'.join(map(re.escape, _PROGRAMS))})[ \w]")


@dataclass
class Block:
    """A fenced block."""

    page: Path
    line: int
    """The line of its opening fence."""
    language: str
    comment: str = ""
    """The comment right before it."""
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Where it is."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def text(self) -> str:
        """Its content."""
        return "\n".join(self.lines) + "\n"

    @property
    def is_shell(self) -> bool:
        """Whether it holds commands for a shell."""
        return self.language == "sh"

    @property
    def runs_here(self) -> bool:
        """Whether its commands run in the sandbox."""
        return self.is_shell and not self.comment.startswith((PLANE, NOT_RUN))

    @property
    def exit_codes(self) -> Sequence[int]:
        """How its commands may end: 1 is an answer as well, such as of what is not healthy."""
        said = _CODE.match(self.comment)
        return (int(said[1]),) if said else (0, 1)

    @property
    def reason(self) -> str:
        """What its comment says for a reason."""
        return _CODE.sub("", self.comment.removeprefix(NOT_RUN))

    @property
    def slack_lines(self) -> Sequence[str]:
        """What is to be typed in Slack, without ``/agentpod`` and without the explanation beside it."""
        typed = (line.strip() for line in self.lines if line.strip().startswith("/agentpod "))
        return [re.split(r" {2,}", line.removeprefix("/agentpod "))[0] for line in typed]

    @property
    def stray(self) -> Sequence[str]:
        """Its lines that are commands although it is no block of commands."""
        return [] if self.is_shell else [line for line in self.lines if _TYPED.match(line.strip())]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    block, margin, before = None, "", ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.fullmatch(line)
        if block is not None:
            if fence and not fence[2]:
                yield block
                block, before = None, ""
            else:
                block.lines.append(line.removeprefix(margin))
        elif fence:
            comment = _COMMENT.fullmatch(before.strip())
            margin = fence[1]
            block = Block(page, number, fence[2], comment[1] if comment else "")
        elif line.strip():
            before = line
    assert block is None, f"{page.name}: a block has no end"


def indented(page: Path) -> Sequence[str]:
    """Blocks that are only indented, which say no language: their first lines, outside lists."""
    found, last, blank, in_list, in_fence = [], "", True, False, False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if _FENCE.fullmatch(line):
            in_fence = not in_fence
        elif not in_fence and line.strip():
            if not line.startswith(" "):
                in_list = bool(_LIST.match(line))
            elif line.startswith("    ") and blank and not in_list:
                found.append(f"{page.name}:{number}: {line.strip()}")
        last = line
        blank = not last.strip()
    return found


def all_blocks() -> list[Block]:
    """The blocks of every page."""
    return [block for page in PAGES for block in blocks(page)]


def on_a_control_plane(*pages: str) -> list[str]:
    """The commands of these pages of docs/ that run on a control plane, in order, with continued lines joined."""
    found = []
    for page in pages:
        for block in blocks(ROOT / "docs" / page):
            if block.is_shell and block.comment == PLANE:
                found += [line for line in block.text.replace("\\\n", " ").splitlines() if line.strip()]
    return found
