"""Reads settings and runbook files as `strict_yaml` takes them, and says what is wrong with file and line."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Any

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.strict_yaml import load
from bot.domain.core.yaml_nodes import UnreadableYaml
from bot.settings import regular_file

MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class Mistake:
    """Where a file is no YAML that is taken, and why."""

    what: str
    line: int
    """From 1."""
    column: int = 0
    """From 1; 0 where only the line is known."""


@dataclass(frozen=True)
class Parsed:
    """The file's data, the line of each dotted name, and the problems, each a sentence."""

    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    mistake: Mistake | None = None
    """The problem in its parts, where it is one of the file's text."""


def read(path: Path, named_by: str) -> Parsed:
    """Read and check the file. Never raises: what is wrong goes into ``problems``."""
    try:
        raw = regular_file.read(str(path), MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            return _unreadable(path, named_by, f"it has more than {MAX_BYTES // 1024} KiB, which no settings need")
        text = raw.decode("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return _unreadable(path, named_by, str(reason))
    return parse(text, str(path))


def _unreadable(path: Path, named_by: str, reason: str) -> Parsed:
    return Parsed(problems=(f"The settings file {path} (named by {named_by}) can't be read: {reason}.",))


def parse(text: str, name: str, what: str = "settings") -> Parsed:
    """Parse and check the text of the file ``name``; ``what`` it holds, for messages."""
    name = f"{what} file {name}"
    try:
        found = load(text)
    except UnreadableYaml as error:
        return _not_valid(name, error) if error.syntax else _refused(name, error)
    if not found.is_mapping:
        return Parsed(problems=(f"The {name} must hold names and values.",))
    return Parsed(found.data or {}, found.lines)


def _refused(name: str, error: UnreadableYaml) -> Parsed:
    problem = f"The {name} can't be used: {error.what} (line {error.line})."
    return Parsed(problems=(problem,), mistake=Mistake(error.what, error.line))


def _not_valid(name: str, error: UnreadableYaml) -> Parsed:
    where = f", at line {error.line}, column {error.column}" if error.line else ""
    problem = f"The {name} is not valid YAML: {error.what}{where}."
    mistake = Mistake(f"it is not valid YAML: {error.what}", error.line or 1, error.column)
    return Parsed(problems=(problem,), mistake=mistake)
