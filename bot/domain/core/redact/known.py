"""Find known secret values in text, in any of their encodings. Pure.

A value is searched for as it is, in hex and in base64 (also inside a longer base64 text, and of UTF-16). Programs
also escape values, in several and in nested ways: so text with escapes is searched again after unescaping, with
the values unescaped as well; and once more with its lines joined, since a log may have wrapped them.
"""

from __future__ import annotations

import base64
import json
import quopri
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote_plus

from bot.domain.core.redact import looks
from bot.domain.core.redact.engine import Span, bytes_finder
from bot.domain.core.redact.escapes import View, rewriter
from bot.domain.core.redact.plain import plain

SHORTEST = 6
"""Shortest known value that is redacted, in characters: shorter ones would match parts of ordinary words."""

DEPTH = 4
"""Most kinds of escapes that may be nested; one kind may be repeated any number of times."""

MOST = 4096
"""Bytes of a form that are compared; in base64, the rest of the run is redacted as well."""

CUT_OFF = "…".encode()
"""Ends a line that was cut."""

TOO_MANY = 2_000
"""Matches in one chunk above which all of it is redacted: it consists of little else than that value."""


class KnownValues:
    """A compiled set of known values. Create it once for many texts: it takes some milliseconds."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        """``values`` are matched as a whole and line by line; those shorter than `SHORTEST` are ignored."""
        self._values = tuple(sorted(set(values)))

    def __repr__(self) -> str:
        """Shows the number of values, never a value."""
        return f"Known({len(self._values)} values)"

    def spans(self, data: bytes) -> list[Span]:
        """All spans of all values in UTF-8 text, also overlapping ones."""
        if self._forms is None:
            return []
        views = [View(data)]
        while len(views) <= DEPTH and (further := self._rewrite(views[-1])) is not views[-1]:
            views.append(further)
        ends = {id(view): view for view in (views[0], views[-1])}
        joined = [view.joined(by) for view in ends.values() if b"\n" in data for by in self._joints]
        return [view.origin(*span) for view in (*views, *joined) for span in self._forms.found(view.data)]

    def divided(self, line: str, joined: str) -> bool:
        """Whether a value is only found in ``joined``, the line without the breaks inside it."""
        return line != joined and len(self.spans(joined.encode())) > len(self.spans(line.encode()))

    @cached_property
    def _joints(self) -> tuple[bytes, ...]:
        """The texts that a wrapped line break may stand for."""
        return (b"", b" ") if any(" " in value for value in self._values) else (b"",)

    @cached_property
    def _rewrite(self) -> Any:
        return rewriter("".join(self._values) + "+/=")

    @cached_property
    def _forms(self) -> _Forms | None:
        plainly = {self._canonical(form) for form in _texts(self._values)} | set(_texts(self._values))
        usable = {form[:MOST] for form in plainly if len(form.decode("utf-8", "replace")) >= SHORTEST}
        if not usable:
            return None
        encoded, spelt = (_written(write, self._values) - usable for write in (_encoded, _spelt))
        return _Forms(((usable, False), (encoded, True), (spelt, True)))

    def _canonical(self, form: bytes) -> bytes:
        view = View(form)
        for _ in range(DEPTH):
            view = self._rewrite(view)
        return view.data


BEGINNING = 8
"""Bytes of a form that RE2 searches for; the rest is compared. All bytes would take forty times the memory."""


class _Forms:
    """Forms of several kinds; for each kind, whether a match is extended to the whole run of base64 around it."""

    def __init__(self, kinds: Sequence[tuple[Collection[bytes], bool]]) -> None:
        self._wholes = tuple(whole for _, whole in kinds)
        self._by_beginning: dict[bytes, list[tuple[int, bytes]]] = {}
        for kind, (forms, _) in enumerate(kinds):
            for form in sorted(forms, key=len, reverse=True):  # the longest match at a position wins
                self._by_beginning.setdefault(form[:BEGINNING], []).append((kind, form))
        self._sizes = tuple({len(beginning) for beginning in self._by_beginning})
        self._beginnings = bytes_finder(b"|".join(map(re.escape, sorted(self._by_beginning))), memory=64 << 20)

    def found(self, data: bytes) -> Iterator[Span]:
        """Yield the spans of all forms, also overlapping ones."""
        find, start = self._beginnings.first, -1
        free, counts = [0] * len(self._wholes), [0] * len(self._wholes)
        while (start := find(data, start + 1)[0]) >= 0:
            for kind, end in self._at(data, start).items():
                if start < free[kind]:
                    continue
                counts[kind] += 1
                if counts[kind] > TOO_MANY:
                    yield 0, len(data)
                    return
                first, last = _run_around(data, start, end) if self._wholes[kind] else (start, end)
                free[kind] = last - MOST if self._wholes[kind] else 0
                yield first, last

    def _at(self, data: bytes, start: int) -> dict[int, int]:
        """For each kind, the end of the longest form that begins at ``start``."""
        ends: dict[int, int] = {}
        for size in self._sizes:
            for kind, form in self._by_beginning.get(data[start : start + size], ()):
                if ends.get(kind, 0) < start + len(form):
                    if data.startswith(form, start):
                        ends[kind] = start + len(form)
                    elif kind not in ends and (end := _cut_off(data, start, form)):
                        ends[kind] = end
        return ends


def _cut_off(data: bytes, start: int, form: bytes) -> int:
    """Where a line ends, or is cut, within a form that begins at ``start``; 0 where it doesn't.

    Without a mark that it was cut there must be half of the form, since some begin with an ordinary word.
    """
    line = data[start : start + len(form) + len(CUT_OFF)].partition(b"\n")[0]
    part, cut, _ = line.partition(CUT_OFF)
    ended = cut or len(line) < len(form)
    least = BEGINNING if cut else max(BEGINNING, (len(form) + 1) // 2)
    return start + len(part) if ended and len(part) >= least and form.startswith(part) else 0


def _written(write: Callable[[str], Iterator[bytes]], values: Iterable[str]) -> set[bytes]:
    return {form[:MOST] for value in values for form in write(value) if len(form) >= SHORTEST}


def _texts(values: Iterable[str]) -> Iterator[bytes]:
    """Plain forms of the values: whole, by line, and the secrets inside them, in each Unicode normal form."""
    for value in values:
        parts = {value.strip(), *(plain(line).strip() for line in value.splitlines()), *_inner(value)}
        for part in parts:
            if len(part) < SHORTEST:
                continue
            shown = plain(part) if "\n" not in part else part
            for text in {part, shown, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD"))}:
                yield text.encode("utf-8", "replace")
            for quote in "'\"":  # SQL, CSV
                if quote in part:
                    yield part.replace(quote, quote * 2).encode("utf-8", "replace")
            if " " in part:
                yield quote_plus(part).encode()
                yield part.replace(" ", "+").encode("utf-8", "replace")


_ASSIGNED = re.compile(r"(?:export[ ]+)?[\w.\-]{1,80}[ \t]*[=:][ \t]*[\"']?([^\"'\n]{8,})[\"']?")
_IN_URL = re.compile(r"://[^\s/:@]{0,200}:([^\s@]{6,})@")


def _inner(value: str) -> Iterator[str]:
    """The secrets inside a value that is a settings file, a JSON document or a URL."""
    yield from _IN_URL.findall(value[: 1 << 16])
    if "\n" in value:
        for line in value.splitlines():
            assigned = _ASSIGNED.fullmatch(line.strip())
            if assigned is not None and (looks.is_random(assigned[1], 8) or any(c.isdigit() for c in assigned[1])):
                yield assigned[1].strip()
    if value.lstrip()[:1] in ("{", "["):
        try:
            yield from _leaves(json.loads(value))
        except (ValueError, RecursionError):
            return


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if looks.is_random(value, 8) or looks.is_pair(value):
            yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)


def _spelt(value: str) -> Iterator[bytes]:
    """Forms as lists of bytes, in base32 and in quoted-printable."""
    for text in {value.strip(), *_inner(value)}:
        if len(text) >= SHORTEST:
            data = text.encode("utf-8", "replace")[:MOST]
            yield from (*_listed(data), *_base32(data), quopri.encodestring(data, quotetabs=True))


def _encoded(value: str) -> Iterator[bytes]:
    """Forms in hex, and in base64 of the value, of its JSON string, of its base64 and of UTF-16."""
    for text in {value.strip(), *_inner(value)}:
        if len(text) < SHORTEST:
            continue
        data = text.encode("utf-8", "replace")[:MOST]
        yield from (data.hex().encode(), data.hex().upper().encode())
        if (quoted := json.dumps(text)[1:-1]) != text:
            yield from _base64(quoted.encode()[:MOST])
        for inner in _base64(data):
            yield inner
            if len(inner) >= 8:
                yield from _base64(inner)
        yield from _base64(text.encode("utf-16-le", "replace")[:MOST])


LISTED = 256
"""Longest value that is also searched for as a list of bytes, as in dumps of byte arrays."""


def _listed(data: bytes) -> Iterator[bytes]:
    """Lists of bytes: Go's ``[115 51]``, Node's ``[115,51]``, Python's list, ``73 33``, C's ``0x73, 0x33``."""
    if len(data) > LISTED:
        return
    for between in (" ", ",", ", "):
        yield between.join(map(str, data)).encode()
    array = [f"0x{byte:02x}" for byte in data]
    written = (data.hex(" "), data.hex(":"), data.hex("-"), data.hex(","), data.hex(" ", -2), *_pairs(data))
    for text in (*written, *(between.join(array) for between in (" ", ",", ", "))):
        yield from (text.encode(), text.upper().encode())


def _pairs(data: bytes) -> Iterator[str]:
    """The output of xxd where the value begins in the middle of a pair of bytes."""
    if len(data) > SHORTEST:
        yield f"{data[:1].hex()} {data[1:].hex(' ', -2)}"


def _base32(data: bytes) -> Iterator[bytes]:
    """The base32 letters that don't depend on what is around, for each of the five alignments."""
    for before in range(5):
        first, whole = -(-before * 8 // 5), (before + len(data)) * 8 // 5
        text = base64.b32encode(bytes(before) + data)[first:whole]
        yield from (text, text.lower())


def _base64(data: bytes) -> Iterator[bytes]:
    """The base64 letters that don't depend on what is around, for each of the three alignments."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(data)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + data)[skipped:whole]


_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-=")


def _run_around(data: bytes, start: int, end: int) -> Span:
    """Extend a span to the whole run of base64 letters, by at most `MOST` bytes to each side."""
    first, last = max(0, start - MOST), min(len(data), end + MOST)
    while start > first and data[start - 1] in _LETTERS:
        start -= 1
    while end < last and data[end] in _LETTERS:
        end += 1
    return start, end
