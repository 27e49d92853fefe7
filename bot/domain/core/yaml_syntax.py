"""Says in plain words why a text is not valid YAML, without any value of it. Pure."""

from __future__ import annotations

import re
from itertools import islice

import yaml

from bot.domain.core.yaml_nodes import UnreadableYaml

_QUOTED = re.compile(r"((?:alias|anchor|handle|tag)) ['\"].*", re.DOTALL)
"""Where PyYAML's words quote what may be a value that lacks its quotes."""
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
    ("undefined alias", "", "put a text that begins with * in quotes"),
    ("undefined tag handle", "", "put a text that begins with ! in quotes"),
)
"""What a parser's error says, a pattern for what stands before its place in the line, and what mostly helps."""


def explained(error: yaml.YAMLError, text: str) -> UnreadableYaml:
    """The parser's error about a text, in plain words."""
    what, mark = _problem(error, text), getattr(error, "problem_mark", None)
    if mark is None:
        return UnreadableYaml(what, syntax=True)
    return UnreadableYaml(what, mark.line + 1, mark.column + 1, syntax=True)


def _problem(error: yaml.YAMLError, text: str) -> str:
    problem = _QUOTED.sub(r"\1", getattr(error, "problem", None) or "it can not be parsed")
    if "'\\t'" in problem:
        return "a tab, where YAML takes blanks only"
    mark, rows = getattr(error, "problem_mark", None), [*text.split("\n"), ""]
    before = rows[mark.line][: mark.column].rstrip() if mark is not None and mark.line < len(rows) else ""
    hints = (hint for said, pattern, hint in _HINTS if said in problem and re.search(pattern, before))
    return ": ".join((problem, *islice(hints, 1)))
