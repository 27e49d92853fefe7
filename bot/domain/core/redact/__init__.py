"""Redact secrets and remove control characters from text before it is shown. Pure.

There are two methods. Known values (from Secrets and settings) are found anywhere, in any encoding (`known`).
Unknown secrets are found by their shape: private keys (`keys`), vendors' tokens (`tokens`), values after a name
such as ``password=`` (`names`), and values that the words around them give away (`phrases`). All that is found is
replaced by `PLACEHOLDER`.

The time is linear in the length of the text: patterns are RE2's, or start at a fixed word and have no nested
repetition. RE2 releases the interpreter's lock while it searches.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.redact.engine import Span, merged
from bot.domain.core.redact.keys import LONGEST_KEY, has_key, may_have_key, open_key, without_keys
from bot.domain.core.redact.known import CUT_OFF, SHORTEST, KnownValues
from bot.domain.core.redact.names import named_spans
from bot.domain.core.redact.phrases import phrase_spans
from bot.domain.core.redact.plain import has_break, is_blank, plain, plain_text
from bot.domain.core.redact.public_keys import PublicKeys
from bot.domain.core.redact.tokens import random_spans, token_spans
from bot.domain.core.redact.words import PLACEHOLDER

__all__ = [
    "CUT_OFF",
    "LONGEST_KEY",
    "PLACEHOLDER",
    "SHORTEST",
    "KnownValues",
    "Redacted",
    "has_token",
    "is_blank",
    "open_key",
    "plain",
    "plain_text",
    "redact",
    "redact_groups",
]

_CHUNK = 1024 * 1024
"""Size of the chunks that are searched at once, in bytes: each pattern then keeps its cached states for a
while."""
_AROUND = 16 * 1024
"""Bytes on each side of a chunk's end that are searched again as one text, for secrets that cross the end."""


@dataclass(frozen=True)
class Redacted:
    """The redacted lines, as many as before; ``count`` is how many places were replaced."""

    lines: tuple[str, ...]
    count: int


def redact(lines: Iterable[str], secrets: Collection[str] | KnownValues = ()) -> Redacted:
    """Remove control characters from lines, and redact known values and whatever has the shape of a secret."""
    known = secrets if isinstance(secrets, KnownValues) else KnownValues(secrets)
    cleaned = [line if line.isascii() and line.isprintable() else _cleaned(line, known) for line in lines]
    if not cleaned:
        return Redacted((), 0)
    count = 0
    text = "\n".join(cleaned)
    if may_have_key(text):
        cleaned, count = without_keys(cleaned)
        text = "\n".join(cleaned)
    over: list[Span] = []
    first = 0
    for data, following in _chunks(text.encode()):
        here, over = _over_its_end(known, data, following, over)
        found = merged([*here, *_secrets(known, data)])
        _replace(cleaned, first, data, found)
        first += data.count(b"\n") + 1
        count += len(found)
    return Redacted(tuple(cleaned), count)


_BETWEEN = "---"
"""A line between groups of texts, so that none of one leads to another's."""


def redact_groups(groups: Sequence[Sequence[str]], known: KnownValues) -> list[tuple[str, ...]]:
    """Redact texts that belong together as one line, and return each without what is secret in it.

    The texts have no control characters. Where one does not end with a blank or ``=``, a blank follows it.
    """
    joined = ["".join(text if text[-1:] in _LEADING else f"{text} " for text in group) for group in groups]
    shown = redact([line for text in joined for line in (text, _BETWEEN)], known).lines[::2]
    found = [tuple(group) for group in groups]
    changed = [number for number, line in enumerate(joined) if shown[number] != line]
    data = _SEPARATOR.join(joined[number].encode() for number in changed)
    spans = _secrets(known, data) if changed else []
    ends, start = [end for _, end in spans], 0
    for number in changed:
        end = start + len(joined[number].encode())
        here = takewhile(lambda span: span[0] < end, islice(spans, bisect_right(ends, start), None))  # noqa: B023
        found[number] = _parts(groups[number], start, data, list(here))
        start = end + len(_SEPARATOR)
    return found


_LEADING = ("", " ", "=")
_SEPARATOR = f"\n{_BETWEEN}\n".encode()


def _parts(group: Sequence[str], start: int, data: bytes, spans: Sequence[Span]) -> tuple[str, ...]:
    """Return texts, which stand in ``data`` from ``start`` on, without ``spans``. Without any, none is shown."""
    if not spans:
        return tuple(PLACEHOLDER for _ in group)
    found: list[str] = []
    for text in group:
        end = start + len(text.encode())
        pieces, position = [], start
        for first, last in spans:
            if first < end and last > start:
                pieces += [data[position : max(first, start)], _PLACEHOLDER]
                position = min(last, end)
        found.append(b"".join([*pieces, data[position:end]]).decode("utf-8", "replace") if pieces else text)
        start = end + (text[-1:] not in _LEADING)
    return tuple(found)


def _cleaned(line: str, known: KnownValues) -> str:
    """Clean a line; where a line break inside it divides a known value, without the break."""
    shown = plain(line)
    if not has_break(line):
        return shown
    joined = plain(line, "")
    return joined if known.divided(shown, joined) else shown


def _over_its_end(
    known: KnownValues, data: bytes, following: bytes, over: list[Span]
) -> tuple[list[Span], list[Span]]:
    """Find secrets that cross a chunk's end: their spans in this chunk, and in the following one.

    ``over`` are the spans that the chunk before found in this one.
    """
    if not following:
        return over, []
    last = len(data) - _AROUND
    offset = data.rfind(b"\n", last - _AROUND, last) + 1 or last
    before = data[offset:]
    size = len(before)
    found = _secrets(known, b"\n".join([before, following]))
    here = [(start + offset, min(end, size) + offset) for start, end in found if start < size]
    # A span that touches the end of what was searched may be cut off; the next chunk finds all of it.
    behind = [(s - size - 1, e - size - 1) for s, e in found if size + 1 < e < size + 1 + len(following)]
    return [*over, *here], [(max(0, start), end) for start, end in behind]


def has_token(text: str) -> bool:
    """Whether a text contains a private key or a known vendor's token; ``token: gone`` does not count."""
    return has_key(text) or any(True for _ in token_spans(plain_text(text).encode()))


def has_known(text: str, known: KnownValues) -> bool:
    """Whether a text contains a known value, in whatever form it is written."""
    return bool(known.spans(plain_text(text).encode()))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield whole lines of at least `_CHUNK` bytes, and the first `_AROUND` bytes of what follows them."""
    start = 0
    while (end := data.find(b"\n", start + _CHUNK - 1)) >= 0:
        yield data[start:end], data[end + 1 : end + 1 + _AROUND]
        start = end + 1
    yield data[start:], b""


def _secrets(known: KnownValues, data: bytes) -> list[Span]:
    """All spans to redact, sorted and not overlapping."""
    keys = PublicKeys(data)
    shapes = chain(token_spans(data), random_spans(data), named_spans(data, keys), phrase_spans(data))
    return _new(merged([*known.spans(data), *keys.outside(shapes)]), data)


def _replace(lines: list[str], number: int, data: bytes, spans: Sequence[Span]) -> None:
    """Put placeholders for ``spans`` of ``data`` into ``lines``, where ``data`` begins at index ``number``."""
    counted = index = 0
    while index < len(spans):
        begin = data.rfind(b"\n", 0, spans[index][0]) + 1
        number += data.count(b"\n", counted, begin)
        counted = position = begin
        end = begin - 1
        pieces: list[bytes] = []
        while index < len(spans) and (not pieces or spans[index][0] <= end):
            start, last = spans[index]
            pieces += [data[position:start], _in_place_of(data[start:last])]
            position = last
            if last > end:
                end = data.find(b"\n", last)
                end = len(data) if end < 0 else end
            index += 1
        shown = b"".join([*pieces, data[position:end]]).decode().split("\n")
        lines[number : number + len(shown)] = shown


def _new(spans: list[Span], data: bytes) -> list[Span]:
    """Drop spans that cover only placeholders of an earlier redaction."""
    if _PLACEHOLDER not in data:
        return spans
    return [span for span in spans if not _is_gone(data, *span)]


def _is_gone(data: bytes, start: int, end: int) -> bool:
    """Whether a span covers only placeholders, or a part of one."""
    size = len(_PLACEHOLDER)
    if end - start <= size and data.find(_PLACEHOLDER, max(0, end - size), start + size) >= 0:
        return True
    return not any(chr(c).isalnum() for c in data[start:end].replace(_PLACEHOLDER, b""))


_PLACEHOLDER = PLACEHOLDER.encode()


def _in_place_of(secret: bytes) -> bytes:
    """The replacement for a secret: a placeholder for each of its lines that is not blank."""
    return b"\n".join(_PLACEHOLDER if line.strip() else line for line in secret.split(b"\n"))
