"""The texts in the code and in the shipped runbooks that people may read, whatever shows them. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

import bot
from tests.messages.rules import FORBIDDEN_WORDS, MOST_WORDS, sentences, word_count

ROOT = Path(bot.__file__).parents[1]
SHIPPED = ROOT / "bot" / "runbook" / "shipped"
FOLDERS = ("bot", "commands")
SENTENCES = ("says", "remedy", "summary", "title", "effect", "help")
"""Keys of a runbook whose values people read."""
USAGE = "Usage: "
"""Begins what shows a syntax, which is no sentence."""
_HOLE = "x"
"""Stands for a value that is put into a text."""


@dataclass(frozen=True)
class CodeText:
    """A string literal, with the place it stands in."""

    place: str
    text: str

    @property
    def long(self) -> list[str]:
        """Its sentences of more words than one reads at once."""
        found = sentences(self.text.partition(USAGE)[0])
        return [one for one in found if word_count(one) > MOST_WORDS]

    @property
    def private(self) -> list[str]:
        """Its sentences with words that readers have to think about."""
        return [one for one in sentences(self.text) if FORBIDDEN_WORDS.search(one)]


def shipped_texts() -> Iterator[CodeText]:
    """The remedies, summaries and other sentences of the shipped runbooks."""
    for file in sorted(SHIPPED.glob("*.yaml")):
        for text in _strings(yaml.safe_load(file.read_text("utf-8"))):
            yield CodeText(f"{file.relative_to(ROOT)}: {text[:40]}", text)


def _strings(value: object) -> Iterator[str]:
    """The texts of the keys that hold sentences; others hold expressions, commands and recorded output."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key in SENTENCES and isinstance(part, str):
                yield part
            elif key == "remedies" and isinstance(part, dict):
                for remedy in part.values():
                    yield from [remedy] if isinstance(remedy, str) else map(str, remedy.values())
            elif key not in ("tests", "given"):
                yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def code_texts() -> Iterator[CodeText]:
    """All literals that read like sentences; docstrings are for those who read the code."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(file.read_text("utf-8"))
            for line, text in _literals(tree):
                if len(text.split()) >= 3:
                    yield CodeText(f"{file.relative_to(ROOT)}:{line}", text)


def _literals(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The literals below a node; of f-strings the whole, with values as one word."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # a docstring
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.lineno, child.value
        elif isinstance(child, ast.JoinedStr):
            yield child.lineno, "".join(_part(value) for value in child.values)
        else:
            yield from _literals(child)


def _part(value: ast.expr) -> str:
    return str(value.value) if isinstance(value, ast.Constant) else _HOLE
