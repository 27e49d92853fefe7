"""Reads settings and runbook files: a strict subset of YAML. Everything else is refused, with its line.

Duplicate names, a second document, names that aren't text, tags for Python objects, numbers such as ``.nan``, and
aliases that unfold into millions of values are mistakes or attacks. PyYAML accepts most of them silently, or fails
with a traceback.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 256 * 1024
MAX_VALUES = 20_000
"""Most values after unfolding aliases."""
MAX_DEPTH = 30
MAX_NUMBER = 24
"""Most characters of a number."""

_PREFIX = "tag:yaml.org,2002:"
_PLAIN = frozenset(_PREFIX + kind for kind in ("str", "int", "float", "bool", "null", "timestamp"))
_SHAPES = frozenset(_PREFIX + kind for kind in ("map", "seq"))
_MERGE = f"{_PREFIX}merge"


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


class _YamlError(Exception):
    """A problem, with its line number (from 1)."""

    def __init__(self, what: str, node: yaml.Node | None = None, line: int = 0) -> None:
        super().__init__(what)
        self.what, self.line = what, node.start_mark.line + 1 if node is not None else line


def read(path: Path, named_by: str) -> Parsed:
    """Read and check the file. Never raises: what is wrong goes into ``problems``."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
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
        return _parsed(text, name)
    except _YamlError as wrong:
        return _refused(name, wrong.what, wrong.line)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return _refused(name, "it holds a character that is no text, so it may be a binary file", line)
    except yaml.YAMLError as error:
        return _not_yaml(name, text, error)
    except RecursionError:
        return _refused(name, "it is nested too deeply", 1)


def _refused(name: str, what: str, line: int) -> Parsed:
    return Parsed(problems=(f"The {name} can't be used: {what} (line {line}).",), mistake=Mistake(what, line))


def _not_yaml(name: str, text: str, error: yaml.YAMLError) -> Parsed:
    said = "it is not valid YAML"
    what, mark = _yaml_problem(error, text), getattr(error, "problem_mark", None)
    if mark is None:
        return Parsed(problems=(f"The {name} is not valid YAML: {what}.",), mistake=Mistake(f"{said}: {what}", 1))
    line, column = mark.line + 1, mark.column + 1
    problem = f"The {name} is not valid YAML: {what}, at line {line}, column {column}."
    return Parsed(problems=(problem,), mistake=Mistake(f"{said}: {what}", line, column))


def _yaml_problem(error: yaml.YAMLError, text: str) -> str:
    problem = getattr(error, "problem", None) or "it can not be parsed"
    if "'\\t'" in problem:
        return "a tab, where YAML takes blanks only"
    mark, rows = getattr(error, "problem_mark", None), [*text.split("\n"), ""]
    before = rows[mark.line][: mark.column].rstrip() if mark is not None and mark.line < len(rows) else ""
    hints = (hint for said, pattern, hint in _HINTS if said in problem and re.search(pattern, before))
    return ": ".join((problem, *islice(hints, 1)))


_HINTS = (
    ("mapping values are not allowed", ": ", "put a text that holds a colon in quotes"),
    ("mapping values are not allowed", "", "the line before it may lack its colon"),
    (
        "but found '<scalar>'",
        r"['\"\]}]$",
        "nothing can follow what ends a text, a list or a mapping: put the whole in quotes",
    ),
    ("expected ',' or", "", "a bracket is not closed, or a text that holds one needs quotes"),
    ("cannot start any token", "", "put a text that begins with it in quotes"),
    ("unknown escape character", "", "write '…' around a text with a backslash, or two backslashes"),
    ("unexpected end of stream", "", "a quote is not closed"),
)
"""What a parser's error says, a pattern for what stands before its place in the line, and what mostly helps."""


class _Loader(yaml.SafeLoader):
    """A safe loader with a limit on nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node as the base class does, which has no limit of its own."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _YamlError(f"it is nested more than {MAX_DEPTH} deep", line=self.line + 1)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _parsed(text: str, name: str) -> Parsed:
    try:
        return _loaded(_Loader(text) if _is_deep(text) else yaml.CSafeLoader(text), name)
    except yaml.YAMLError:
        return _loaded(_Loader(text), name)  # its errors say more


def _is_deep(text: str) -> bool:
    """Whether it is nested too deeply for libyaml's loader: ten times as fast, and recursive without a limit."""
    depth, events = 0, yaml.CSafeLoader(text)
    try:
        while depth <= MAX_DEPTH and events.check_event():
            event = events.get_event()
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
    finally:
        events.dispose()
    return depth > MAX_DEPTH


def _loaded(loader: Any, name: str) -> Parsed:
    try:
        node = _single(loader)
        if node is None:
            return Parsed()
        lines: dict[str, int] = {}
        _Walk(lines).check(node, ())
        if not isinstance(node, yaml.MappingNode) and node.tag != f"{_PREFIX}null":
            what = f"The {name} must hold names and values."
            return Parsed(problems=(what,))
        data = loader.construct_document(node)
    finally:
        loader.dispose()
    return Parsed(data or {}, lines)


def _single(loader: Any) -> yaml.Node | None:
    try:
        node: yaml.Node | None = loader.get_single_node()
    except yaml.composer.ComposerError as error:
        if "another document" in str(error.problem) and error.problem_mark is not None:
            line = error.problem_mark.line + 1
            raise _YamlError("it holds a second document ('---'), which nothing would read", line=line) from None
        raise
    return node


class _Walk:
    """Walks the composed nodes, with aliases unfolded."""

    def __init__(self, lines: dict[str, int]) -> None:
        self._lines = lines
        self._values = 0
        self._inside: set[int] = set()

    def check(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        """Note each name\'s line. Raises `_YamlError` for anything that isn\'t a plain setting."""
        if len(path) >= MAX_DEPTH:
            raise _YamlError(f"it is nested more than {MAX_DEPTH} deep", node)
        self._values += 1
        if self._values > MAX_VALUES:
            raise _YamlError(f"with its aliases unfolded it has more than {MAX_VALUES:,} values", node)
        if id(node) in self._inside:
            raise _YamlError("an alias stands for something that it is itself in", node)
        if path:
            self._lines.setdefault(".".join(path), node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node)
            return
        if node.tag not in _SHAPES:
            raise _YamlError(_no_tag(node), node)
        self._inside.add(id(node))
        self._children(node, path)
        self._inside.discard(id(node))

    def _children(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        if isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self.check(value, (*path, str(number)))
            return
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = _name(key)
            if key.tag == _MERGE:
                self._merged(value, path)
                continue
            if name in seen:
                first = seen[name].start_mark.line + 1
                raise _YamlError(f"{name!r} is given twice, first in line {first}: {_once(value)}", key)
            seen[name] = key
            self._lines[".".join((*path, name))] = key.start_mark.line + 1
            self.check(value, (*path, name))

    def _merged(self, value: yaml.Node, path: tuple[str, ...]) -> None:
        for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if not isinstance(one, yaml.MappingNode):
                raise _YamlError("'<<' takes the alias of a mapping", one)
            self.check(one, path)


def _once(value: yaml.Node) -> str:
    return "keep one" if isinstance(value, yaml.ScalarNode) else "put them together under one"


def _name(key: yaml.Node) -> str:
    if not isinstance(key, yaml.ScalarNode) or key.tag not in (f"{_PREFIX}str", _MERGE):
        shown = repr(str(key.value)[:40]) if isinstance(key, yaml.ScalarNode) else "a list or mapping"
        raise _YamlError(f"{shown} stands where a name is expected, and YAML does not take it for text", key)
    return str(key.value)


def _no_tag(node: yaml.Node) -> str:
    tag = node.tag.replace(_PREFIX, "!!")[:60]
    if not node.tag.startswith(_PREFIX):
        return f"the tag {tag} is not taken: put a text that begins with ! in quotes"
    return f"the tag {tag} is not taken: settings are plain texts, numbers, lists and mappings"


def _check_scalar(node: yaml.ScalarNode) -> None:
    if node.tag not in _PLAIN:
        raise _YamlError(_no_tag(node), node)
    kind = node.tag.removeprefix(_PREFIX)
    if kind not in ("int", "float", "timestamp"):
        return
    if len(node.value) > MAX_NUMBER and kind != "timestamp":
        raise _YamlError(f"a number of {len(node.value):,} characters is too long", node)
    shown = node.value[:40]
    try:
        value = getattr(yaml.constructor.SafeConstructor(), f"construct_yaml_{kind}")(node)
    except (ValueError, OverflowError) as error:
        raise _YamlError(f"{shown} is no {kind}: put it in quotes if it is text", node) from error
    if isinstance(value, float) and not math.isfinite(value):
        raise _YamlError(f"{shown} is not a number that can be used", node)
