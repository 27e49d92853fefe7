"""Says what is wrong with an expression that does not compile, and what to write instead. Pure."""

from __future__ import annotations

import re

from bot.domain.core import words
from bot.domain.runbook.expression import masked

_SENTENCE = re.compile(r"\w\S*\s+[A-Za-z]")
_CODE = re.compile(r"[\"+=&|?\[\]{}<>]|\w\(")
_WORD_OPERATORS = {"and": "&&", "or": "||", "not": "!"}
_WORD_OPERATOR = re.compile(r"(?<![\w.])(and|or|not)(?!\w)")
_OTHER_NAMES = {
    "len": "size(…)",
    "length": "size(…)",
    "str": "string(…)",
    "float": "double(…)",
    "True": "true",
    "False": "false",
    "None": "null",
}
"""What other languages call something → what to write."""
_FIELD = re.compile(r"expression of type '(.*)' cannot be the operand of a select operation")
_OVERLOAD = re.compile(r"found no matching overload for '(\w+|_.+_)' applied to '\((.*)\)'")
_TO_TEXT = re.compile(r"this is of type (int|double|bool), and string is needed")
_NUMBERS = ("int", "double")
_RIGHT = re.compile(r"\s*(-?\d+)(?![\w.])")
_LEFT = re.compile(r"(?<![\w.])(-?\d+)\s*$")
_NUMBER_AFTER = re.compile(r"""\s*['"](-?\d+(?:\.\d+)?)['"]""")
_NUMBER_BEFORE = re.compile(r"""['"](-?\d+(?:\.\d+)?)['"]\s*$""")


def hint(source: str, message: str, line: int, column: int, result: str) -> str:
    """Return what to write instead where the mistake is a common one; empty otherwise.

    ``message`` is the compiler's, for ``line`` and ``column`` (from 1); ``result`` is the type that is needed.
    """
    at = sum(len(row) + 1 for row in source.split("\n")[: line - 1]) + column - 1
    unknown = undeclared(message)
    if result == "string" and (_is_sentence(source) or (unknown == source.strip() and unknown.istitle())):
        return f"a text needs quotes inside the quotes: {quoted(source)}"
    if (said := _operator(source, at, message, unknown)) or (said := _other_name(source, at, message, unknown)):
        return said
    if match := _OVERLOAD.fullmatch(message):
        return _types(source, at, match[1].strip("_"), match[2].split(", "))
    return f"{message}: write string(…) around it" if _TO_TEXT.fullmatch(message) else ""


def undeclared(message: str) -> str | None:
    """Return the name that the compiler does not know, where that is its message."""
    start = "undeclared reference to '"
    return message.removeprefix(start).split("'")[0] if message.startswith(start) else None


def quoted(text: str) -> str:
    """Return the text as the file has to write it for an expression that gives it."""
    short = words.cut(text.strip(), 60)
    return '"' + f"'{short}'" + '"' if "'" not in short else f"'\"{short.replace(chr(39), chr(39) * 2)}\"'"


def _is_sentence(source: str) -> bool:
    """Whether it reads as words of a language rather than as an expression."""
    return _SENTENCE.search(source) is not None and _CODE.search(source) is None


def _operator(source: str, at: int, message: str, unknown: str | None) -> str:
    """An operator of another language."""
    if not message.startswith("Syntax error") and unknown not in _WORD_OPERATORS:
        return ""
    text = masked(source)
    if "token recognition error" in message and text[at : at + 1] == "=":
        return "write == to compare, not ="
    if "'>'" in message and text[max(0, at - 1) : at + 1] == "<>":
        return "write != where two differ, not <>"
    if found := _WORD_OPERATOR.search(text):
        return f"write {_WORD_OPERATORS[found[1]]}, not {found[1]!r}"
    return ""


def _other_name(source: str, at: int, message: str, unknown: str | None) -> str:
    """A function or a value by its name in another language."""
    if unknown in _OTHER_NAMES:
        return f"there is no {unknown!r} here; write {_OTHER_NAMES[unknown]}"
    if match := _FIELD.fullmatch(message):
        name = re.match(r"\.\s*(\w+)", source[at:])
        return f"{match[1]} has no {name[1] if name else 'part'!r}" + (
            "; write size(…)" if name is not None and name[1] in ("length", "len", "size", "count") else ""
        )
    return ""


def _types(source: str, at: int, name: str, types: list[str]) -> str:
    """What an operator or a function can't take, and what makes it fit."""
    if re.fullmatch(r"\w+", name):
        if types[0].startswith("list(") and name in ("contains", "startsWith", "endsWith", "matches"):
            return f"{name} is for one text, not a list: write lines.exists(l, l.{name}(…))"
        return f"{name} can't take {words.listed(types)}"
    start = f"{name} takes two of one type, and these are {words.listed(types)}"
    if sorted(types) == ["double", "int"]:
        whole = (
            _LEFT.search(source[:at]) if types[0] == "int" else _RIGHT.match(source[at + len(name) :])
        ) or None
        return f"{start}: write {whole[1]}.0" if whole else f"{start}: write double(…) around the int"
    if "string" in types and len(types) == 2 and types[1 - types.index("string")] in _NUMBERS:
        number = types[1 - types.index("string")]
        beside = _NUMBER_AFTER.match(source[at + len(name) :]) or _NUMBER_BEFORE.search(source[:at])
        if beside and name != "+":
            return f"{start}: write {beside[1]} without quotes"
        made = f"string(…) around the {number}" if name == "+" else f"{number}(…) around the text"
        return f"{start}: write {made}"
    return start
