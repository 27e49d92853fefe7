"""What docs/troubleshooting.md quotes is what the bot says, so that it is found by what somebody sees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
FOREIGN = ("dispatch_failed", "is not a valid command", "violates PodSecurity", 'secret "agentpod" not found')
"""Said by Slack and Kubernetes."""
SEEN = [row.split(" | ")[0] for row in re.findall(r"^\| (.+) \|$", PAGE, re.MULTILINE)]
QUOTED = sorted(
    {text for cell in SEEN for text in re.findall(r'"([^"]+)"', cell) if not cell.startswith("Container")}
)


@cache
def _literals() -> str:
    """All texts in the code; what an f-string fills in is an ellipsis."""
    return "\n".join(
        text
        for root in ("bot", "commands")
        for path in (ROOT / root).rglob("*.py")
        for text in _texts(ast.parse(path.read_text("utf-8")))
    )


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_there_are_texts_to_look_for() -> None:
    assert len(QUOTED) > 15


@pytest.mark.parametrize("text", QUOTED)
def test_a_quoted_text_is_in_the_code(text: str) -> None:
    if any(foreign in text for foreign in FOREIGN):
        return
    for part in re.split(r"\s*…\s*", text.strip(" .")):
        assert part.strip(" :.").lower() in _literals().lower(), (
            f"docs/troubleshooting.md quotes {part!r}, which no text has"
        )
