"""Unescape text, and map positions in the result back to the original text. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property
from typing import Any

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.redact.engine import Span, compiled
from bot.domain.core.redact.plain import plain


@dataclass(frozen=True)
class _Rewriting:
    """The replacements of one rewriting: their spans in the new text and in the text before."""

    starts: list[int]
    ends: list[int]
    old_starts: list[int]
    old_ends: list[int]

    def before(self, start: int, end: int) -> Span:
        """Map a span of the new text to the text before."""
        first, last = bisect_right(self.starts, start) - 1, bisect_right(self.starts, end - 1) - 1
        if first >= 0:
            inside = start < self.ends[first]
            start = self.old_starts[first] if inside else self.old_ends[first] + start - self.ends[first]
        if last >= 0:
            end = self.old_ends[last] + max(0, end - self.ends[last])
        return start, end


class View:
    """A text (UTF-8), and the rewriting steps that it resulted from."""

    def __init__(self, data: bytes, steps: tuple[_Rewriting, ...] = ()) -> None:
        """``steps`` are in the order in which they were applied."""
        self.data, self._steps = data, steps

    def origin(self, start: int, end: int) -> Span:
        """Map a span to the original text."""
        for step in reversed(self._steps):
            start, end = step.before(start, end)
        return start, end

    def rewritten(self, pattern: Any, new: Callable[[Any], bytes]) -> View:
        """Return a view with every match replaced; the view itself where nothing matches."""
        pieces: list[bytes] = []
        step = _Rewriting([], [], [], [])
        position = length = 0
        for match in pattern.finditer(self.data):
            start, end = match.span()
            text = new(match)
            pieces += [self.data[position:start], text]
            length += start - position
            step.starts.append(length)
            length += len(text)
            step.ends.append(length)
            step.old_starts.append(start)
            step.old_ends.append(end)
            position = end
        if not pieces:
            return self
        pieces.append(self.data[position:])
        return View(b"".join(pieces), (*self._steps, step))

    def joined(self, by: bytes) -> View:
        """Return a view with its lines joined by ``by``, without their indentation."""
        return _Joined(self, by)


class _Joined(View):
    """A view with joined lines. Positions are computed on demand, since a match in it is rare."""

    def __init__(self, view: View, by: bytes) -> None:
        first, *others = view.data.replace(b"\\\n", b"\n").split(b"\n")
        self.data = by.join([first, *(line.lstrip(b" \t") for line in others)])
        self._view, self._by = view, by

    @cached_property
    def _steps(self) -> tuple[_Rewriting, ...]:  # type: ignore[override] # computed on demand
        return self._view.rewritten(_LINE_END, lambda _: self._by)._steps


_LINE_END = re.compile(rb"\\?\n[ \t]*")
_ENTITIES = {
    b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'", b"sol": b"/", b"equals": b"=",
    b"plus": b"+", b"num": b"#", b"percnt": b"%", b"dollar": b"$", b"excl": b"!", b"commat": b"@", b"colon": b":",
}  # fmt: skip
_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
# Invisible characters in UTF-8: combining marks, joiners, bidi controls, soft hyphens, the BOM.
_UNSEEN = (
    rb"\xcc[\x80-\xbf]|\xcd[\x80-\xaf]|\xe2\x83[\x90-\xbf]|\xef\xb8[\x80-\xaf]|\xe1\xb7[\x80-\xbf]"
    rb"|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xc2\xad|\xef\xbb\xbf"
)


def rewriter(special: str) -> Callable[[View], View]:
    """Return a function that removes one level of escapes: numeric ones, and backslashes before ``special`` signs.

    Other signs need no unescaping, since no known value contains them, and logs are full of escaped quotes.
    """
    signs = "".join(sorted({c for c in special if c.isascii() and not c.isalnum() and c not in "\\\n"}))
    letters = "nrt" if any(c in special for c in "\n\r\t") else ""
    by_sign = [rb"\\+(?P<sign>[" + re.escape(signs).encode() + rb"])"] if signs else []
    by_letter = [rb"\\+(?P<letter>[" + letters.encode() + rb"])"] if letters else []
    slashes = [rb"\\{2,}"] if "\\" in special else []
    pattern = compiled(
        b"|".join(
            [
                rb"'(?:\\+''|\"'\"')",  # a quote within a text that the shell quotes
                rb"(?:\\+|%(?:25)*)u(?P<pair>[dD][89abAB][0-9a-fA-F]{2}(?:\\+|%(?:25)*)u[dD][c-fC-F][0-9a-fA-F]{2})",
                rb"(?:\\+|%(?:25)*)u(?P<unicode>[0-9a-fA-F]{4})",  # with %: JavaScript's escape()
                rb"\\+[ux]\{(?P<braced>[0-9a-fA-F]{1,6})\}",
                rb"\\+U00(?P<long>[0-9a-fA-F]{6})",
                rb"\\+x(?P<byte>[0-9a-fA-F]{2})",
                rb"\\+0?(?P<octal>[0-3][0-7]{2})",
                rb"%(?:25)*(?P<percent>[0-9a-fA-F]{2})",
                rb"&(?:amp;)*(?:#0{0,6}(?P<decimal>\d{1,7})|#[xX]0{0,6}(?P<hex>[0-9a-fA-F]{1,6})|(?P<entity>[a-z]{2,6}));",
                *by_sign,
                *by_letter,
                *slashes,
                _UNSEEN,
            ]
        )
    )

    kinds = {index: name.decode() for name, index in pattern.groupindex.items()}
    return lambda view: view.rewritten(pattern, lambda match: _meant(match, kinds.get(match.lastindex or 0, "")))


def _meant(match: Any, kind: str) -> bytes:
    """The text that an escape stands for."""
    text: bytes = match.group(match.lastindex or 0)
    match kind:
        case "unicode" | "braced" | "long" | "hex":
            return _letter(int(text, 16))
        case "pair":
            return _letter(0x10000 + (int(text[:4], 16) - 0xD800) * 0x400 + int(text[-4:], 16) - 0xDC00)
        case "decimal":
            return _letter(int(text))
        case "byte" | "percent":
            return _byte(int(text, 16))
        case "octal":
            return _byte(int(text, 8))
        case "entity":
            return _ENTITIES.get(text, b"&" + text + b";")
        case "sign":
            return text
        case "letter":
            return _LETTERS[text]
        case _:
            return {b"'": b"'", b"\\": b"\\"}.get(text[:1], b"")


def _letter(number: int) -> bytes:
    """Encode a code point in UTF-8; surrogates and invisible characters become nothing."""
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        return b""
    return plain(chr(number)).encode() if number >= 0x80 else _byte(number)


def _byte(number: int) -> bytes:
    """A single byte; NUL becomes nothing, since UTF-16 has one beside each ASCII letter."""
    return bytes([number]) if number else b""
