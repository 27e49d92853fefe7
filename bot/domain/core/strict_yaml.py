"""Reads YAML that comes from outside: a strict subset, in bounded time and memory. Pure.

Duplicate names, a second document, names that aren't text, tags for Python objects, numbers such as ``.nan``, and
aliases that unfold into millions of values are mistakes or attacks. PyYAML accepts most of them silently; at
others it fails with any kind of exception, or ends the process. Here all of them raise `UnreadableYaml`, whose
message never has a value of the text: that may be a secret.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field
from typing import Any

import yaml

from bot.domain.core import yaml_syntax
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.yaml_nodes import MAX_DEPTH, MAX_VALUES, NULL, NodeCheck, UnreadableYaml, too_deep, too_many

MAX_EVENTS = 3 * MAX_VALUES + 10
"""Most of the parser's events that `MAX_VALUES` values can have: each has a name, a beginning and an end."""
MAX_TAG_LINES = 100
"""libyaml compares each declaration of a tag with all others."""


@dataclass(frozen=True)
class Document:
    """A document's data, and the line of each dotted name."""

    data: Any = None
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def is_mapping(self) -> bool:
        """Whether it has names and values; an empty document has none of them."""
        return self.data is None or isinstance(self.data, dict)


def load(text: str, *, any_names: bool = False, explain: bool = True) -> Document:
    """Read the one document of a text. Raises `UnreadableYaml`, and nothing else.

    ``any_names``: names such as ``on`` and ``8080``, which YAML takes for something else, are texts; otherwise
    they are refused. ``explain``: what the fast parser refuses is parsed by the slow one, whose errors say more.
    """
    try:
        text.encode()
        return _loaded(_without_empty_end(text), any_names, explain)
    except UnicodeEncodeError as error:
        raise _no_text(text, error.start) from None
    except yaml.reader.ReaderError as error:
        raise _no_text(text, error.position) from None
    except yaml.YAMLError as error:
        raise yaml_syntax.explained(error, text) from None
    except RecursionError:
        raise UnreadableYaml("it is nested too deeply", 1) from None


def _no_text(text: str, position: int) -> UnreadableYaml:
    line = text.count("\n", 0, position) + 1
    return UnreadableYaml("it holds a character that is no text, so it may be a binary file", line)


def _without_empty_end(text: str) -> str:
    """The text without a last ``---`` after which there are only comments: the document there is empty."""
    before, mark, after = text.rpartition("\n---")
    is_empty = not after.startswith("#") and all(map(_is_comment, after.splitlines()))
    holds_more = any(not line.startswith("%") and not _is_comment(line) for line in before.splitlines())
    return f"{before}\n" if mark and is_empty and holds_more else text


def _is_comment(line: str) -> bool:
    return line.strip(" \t")[:1] in ("", "#")


def _loaded(text: str, any_names: bool, explain: bool) -> Document:
    if text.count("%TAG") > MAX_TAG_LINES:
        raise UnreadableYaml(f"it declares more than {MAX_TAG_LINES} tags", 1)
    with suppress(*([yaml.YAMLError] if explain else [])):
        _check_size(text)
        return _document(yaml.CSafeLoader(text), any_names)
    return _document(_Loader(text), any_names)


def _check_size(text: str) -> None:
    """Raise for what is nested too deeply for libyaml's loader, which is recursive, or has too many values."""
    depth, line, events = 0, 1, yaml.CSafeLoader(text)
    try:
        for _ in range(MAX_EVENTS):
            if not events.check_event():
                return
            event: Any = events.get_event()
            line = event.start_mark.line + 1
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise too_deep(line)
        raise too_many(line)
    finally:
        events.dispose()


class _Loader(yaml.SafeLoader):
    """PyYAML's own loader, with a limit on nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node as the base class does, which has no limit of its own."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise too_deep(self.line + 1)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _document(loader: Any, any_names: bool) -> Document:
    try:
        node = _single(loader)
        if node is None:
            return Document()
        lines: dict[str, int] = {}
        NodeCheck(lines, any_names=any_names).check(node, ())
        return Document(None if node.tag == NULL else loader.construct_document(node), lines)
    finally:
        loader.dispose()


def _single(loader: Any) -> yaml.Node | None:
    try:
        node: yaml.Node | None = loader.get_single_node()
    except yaml.composer.ComposerError as error:
        if "another document" in str(error.problem) and error.problem_mark is not None:
            line = error.problem_mark.line + 1
            raise UnreadableYaml("it holds a second document ('---'), which nothing would read", line) from None
        raise
    return node
