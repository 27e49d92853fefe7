"""Checks the parsed nodes of a YAML text, before any value is made of them. Pure."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

MAX_VALUES = 20_000
"""Most values after unfolding aliases."""
MAX_CHARACTERS = 16 * 1024 * 1024
"""Most characters of all values and dotted names after unfolding aliases."""
MAX_DEPTH = 30
MAX_NUMBER = 24
"""Most characters of a number."""

_PREFIX = "tag:yaml.org,2002:"
NULL, _STR, _MERGE = f"{_PREFIX}null", f"{_PREFIX}str", f"{_PREFIX}merge"
_SIGNS = {_MERGE: "<<", f"{_PREFIX}value": "="}
"""Tags of what YAML takes for a sign of its own, where it has no quotes."""
_LONGEST_NAME = 64
"""Most characters of a name that a message has."""
_KINDS = {
    "bool": "a truth value (yes, no, on, off, true or false)",
    "int": "a whole number",
    "float": "a number",
    "null": "an empty value (~ or null)",
    "timestamp": "a date",
}
"""Kinds of plain values beside texts, and what they are called."""
_SHAPES = frozenset(_PREFIX + kind for kind in ("map", "seq"))
_NO_PLAIN = frozenset(_PREFIX + kind for kind in ("binary", "omap", "pairs", "set"))
_PYTHON = f"{_PREFIX}python/"
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_EMPTY = frozenset({"", "~", "null", "Null", "NULL"})
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_UNUSABLE = (ValueError, ArithmeticError, LookupError, AttributeError, TypeError)
"""What PyYAML raises for a value that is not of the kind that its tag says."""


class UnreadableYaml(ValueError):
    """A text that is no YAML that is taken: what is wrong, without any value, and where."""

    def __init__(self, what: str, line: int = 0, column: int = 0, *, syntax: bool = False) -> None:
        """``line`` and ``column`` count from 1; 0: not known. ``syntax``: it is not valid YAML at all."""
        super().__init__(what)
        self.what, self.line, self.column, self.syntax = what, line, column, syntax


def too_deep(line: int) -> UnreadableYaml:
    """The error for a text that is nested too deeply."""
    return UnreadableYaml(f"it is nested more than {MAX_DEPTH} deep", line)


def too_many(line: int) -> UnreadableYaml:
    """The error for a text that has too many values."""
    return UnreadableYaml(f"with its aliases unfolded it has more than {MAX_VALUES:,} values", line)


class NodeCheck:
    """Walks the nodes, with aliases unfolded, and notes the line of each name."""

    def __init__(self, lines: dict[str, int], *, any_names: bool = False) -> None:
        """Note in ``lines``; see `load` for ``any_names``."""
        self._lines, self._any_names = lines, any_names
        self._values = self._characters = 0
        self._inside: set[int] = set()

    def check(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        """Check a node and all that is in it. Raises `UnreadableYaml` for anything that isn't plain."""
        if len(path) >= MAX_DEPTH:
            raise too_deep(_line(node))
        self._count(node, path)
        if id(node) in self._inside:
            raise UnreadableYaml("an alias stands for something that it is itself in", _line(node))
        if path:
            self._lines.setdefault(".".join(path), _line(node))
        if isinstance(node, yaml.ScalarNode):
            _check_scalar(node)
            if not self._any_names:
                _check_octal(node)
            return
        if node.tag not in _SHAPES:
            raise _no_tag(node)
        self._inside.add(id(node))
        self._children(node, path)
        self._inside.discard(id(node))

    def _count(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        self._values += 1
        self._characters += sum(map(len, path)) + len(path)
        self._characters += len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        if self._values > MAX_VALUES:
            raise too_many(_line(node))
        if self._characters > MAX_CHARACTERS:
            what = f"with its aliases unfolded it has more than {MAX_CHARACTERS:,} characters"
            raise UnreadableYaml(what, _line(node))

    def _children(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        if isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self.check(value, (*path, str(number)))
            return
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self._name(key)
            if key.tag == _MERGE:
                self._merged(value, path)
                continue
            if name in seen:
                what = f"{_shown(name)} is given twice, first in line {_line(seen[name])}: {_once(value)}"
                raise UnreadableYaml(what, _line(key))
            seen[name] = key
            self._lines[".".join((*path, name))] = _line(key)
            self.check(value, (*path, name))

    def _name(self, key: yaml.Node) -> str:
        if not isinstance(key, yaml.ScalarNode):
            raise UnreadableYaml("a list or mapping stands where a name is expected", _line(key))
        if key.tag not in (_STR, _MERGE):
            kind = _KINDS.get(key.tag.removeprefix(_PREFIX))
            if kind is None:
                raise _no_tag(key)
            if not self._any_names:
                what = f"{kind} stands where a name is expected: put it in quotes if it is one"
                raise UnreadableYaml(what, _line(key))
            key.tag = _STR
        _check_text(key)
        return str(key.value)

    def _merged(self, value: yaml.Node, path: tuple[str, ...]) -> None:
        for one in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if not isinstance(one, yaml.MappingNode):
                raise UnreadableYaml("'<<' takes the alias of a mapping", _line(one))
            self.check(one, path)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _once(value: yaml.Node) -> str:
    return "keep one" if isinstance(value, yaml.ScalarNode) else "put them together under one"


def _shown(name: str) -> str:
    """A name for a message, unless it may be a token."""
    from bot.domain.core.redact import has_token  # seldom wanted

    return repr(name) if len(name) <= _LONGEST_NAME and not has_token(name) else "a name"


def _no_tag(node: yaml.Node) -> UnreadableYaml:
    """The error for a tag. One that isn't YAML's own may be a value that lacks its quotes, so it is not shown."""
    if node.tag in _NO_PLAIN or node.tag.startswith(_PYTHON):
        tag = node.tag.replace(_PREFIX, "!!") if node.tag in _NO_PLAIN else "!!python"
        what = f"the tag {tag} is not taken: settings are plain texts, numbers, lists and mappings"
    elif node.tag in _SIGNS and node.value == _SIGNS[node.tag]:
        what = f"{node.value} alone is a sign of YAML: put it in quotes"
    else:
        what = "a tag is not taken: put a text that begins with ! in quotes"
    return UnreadableYaml(what, _line(node))


def _check_scalar(node: yaml.ScalarNode) -> None:
    kind = node.tag.removeprefix(_PREFIX)
    if node.tag != _STR and kind not in _KINDS:
        raise _no_tag(node)
    _check_text(node)
    if kind in ("int", "float") and len(node.value) > MAX_NUMBER:
        raise UnreadableYaml(f"a number of {len(node.value):,} characters is too long", _line(node))
    value = _made(node, kind) if kind != "str" else None
    if isinstance(value, float) and not math.isfinite(value):
        raise UnreadableYaml("a number such as .inf or .nan can't be used", _line(node))


def _check_octal(node: yaml.ScalarNode) -> None:
    """Refuse a number such as 022, which YAML 1.1 takes for 18."""
    if node.tag == f"{_PREFIX}int" and _OCTAL.fullmatch(node.value):
        what = "a number that begins with 0 is read as octal: leave out the 0, or put it in quotes"
        raise UnreadableYaml(what, _line(node))


def _made(node: yaml.ScalarNode, kind: str) -> Any:
    try:
        if kind != "null":
            return getattr(_CONSTRUCTOR, f"construct_yaml_{kind}")(node)
        if node.value in _EMPTY:
            return None
    except _UNUSABLE:
        pass
    what = f"this should be {_KINDS[kind]} and is none: put it in quotes if it is text"
    raise UnreadableYaml(what, _line(node))


def _check_text(node: yaml.ScalarNode) -> None:
    """Join the surrogate pairs that PyYAML's own parser takes from JSON's escapes. Raises for half of one."""
    try:
        node.value = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise UnreadableYaml("it holds an escape that stands for no character", _line(node)) from None
