"""Redact private keys of several lines: PEM (RFC 7468), SSH2 (RFC 4716), OpenVPN and PuTTY. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.core.redact.words import PLACEHOLDER

_KIND = r"(?:[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?|OpenVPN (?:Static key V\d|tls-crypt-v2 (?:client|server) key))"
_BEGIN = re.compile(rf"-----BEGIN {_KIND}-----|---- BEGIN {_KIND} ----")
_PUTTY = re.compile(r"^Private-Lines: (\d{1,3})\s*$")
_END = re.compile(rf"-----END {_KIND}-----|---- END {_KIND} ----")
_BASE64_LINE = re.compile(r"(?:^|[\s\"'|])[A-Za-z0-9+/]{16,}={0,2}[\s\"',\\]*$")
_KEY_HEADER = re.compile(r"(?:^|\s)(?:Proc-Type|DEK-Info|Version|Comment): |^\s*$")

LONGEST_KEY = 250
"""Most lines of a key: RSA with 16,384 bits takes 200."""


def without_keys(lines: Sequence[str]) -> tuple[list[str], int]:
    """Replace each line of private keys, also of incomplete ones; returns the lines and the number of keys."""
    kept = list(lines)
    count = 0
    number = 0
    while number < len(kept):
        if begin := _BEGIN.search(kept[number]):
            number = _take_key(kept, number, begin.start())
            count += 1
        elif end := _END.search(kept[number]):
            _take_tail(kept, number, end.end())
            count += 1
            number += 1
        elif putty := _PUTTY.search(kept[number]):
            number = _take_lines(kept, number + 1, int(putty[1]))
            count += 1
        else:
            number += 1
    return kept, count


def may_have_key(text: str) -> bool:
    """A fast check whether the text may contain a private key: most text does not."""
    return "PRIVATE KEY" in text or "Private-Lines: " in text or "BEGIN OpenVPN " in text or "END OpenVPN " in text


def _take_lines(lines: list[str], first: int, many: int) -> int:
    """Replace the lines of PuTTY's private part; the index of the line to continue with."""
    last = min(len(lines), first + min(many, LONGEST_KEY))
    lines[first:last] = [PLACEHOLDER] * (last - first)
    return last


def has_key(text: str) -> bool:
    """Whether a private key begins in the text."""
    return _BEGIN.search(text) is not None


def open_key(lines: Sequence[str]) -> int | None:
    """The index of the line in which a key begins whose end is still to come; None where there is none."""
    for number in range(len(lines) - 1, max(-1, len(lines) - 1 - LONGEST_KEY), -1):
        if _END.search(lines[number]):
            return None
        if _BEGIN.search(lines[number]):
            return number
    return None


def _take_key(lines: list[str], first: int, start: int) -> int:
    """Replace a key that begins in line ``first``; the index of the line to continue with."""
    lines[first], open_ended = _on_one_line(lines[first], start)
    if not open_ended:
        return first + 1
    last = _last_of_key(lines, first)
    for number in range(first + 1, last + 1):
        end = _END.search(lines[number])
        lines[number] = PLACEHOLDER + (lines[number][end.end() :] if end else "")
    return max(last, first + 1)


def _on_one_line(line: str, start: int) -> tuple[str, bool]:
    """Redact the keys that begin in a line from ``start`` on; and whether the last one goes on after it."""
    kept, position = [], 0
    begin: re.Match[str] | None = _BEGIN.search(line, start)
    while begin:
        kept += [line[position : begin.start()], PLACEHOLDER]
        end = _END.search(line, begin.end())
        if end is None:
            return "".join(kept), True
        position = end.end()
        begin = _BEGIN.search(line, position)
    return "".join([*kept, line[position:]]), False


def _last_of_key(lines: Sequence[str], first: int) -> int:
    """The index of the line with the key's end marker; without one, of the last line that looks like base64."""
    for number in range(first + 1, min(len(lines), first + 1 + LONGEST_KEY)):
        if _BEGIN.search(lines[number]):
            break
        if _END.search(lines[number]):
            return number
    last = first
    for number in range(first + 1, min(len(lines), first + 1 + LONGEST_KEY)):
        if not (_BASE64_LINE.search(lines[number]) or _KEY_HEADER.search(lines[number])):
            break
        last = number
    return last


def _take_tail(lines: list[str], last: int, end: int) -> None:
    """Replace the end of a key whose beginning is not in the lines."""
    lines[last] = PLACEHOLDER + lines[last][end:]
    number = last - 1
    while number >= 0 and last - number <= LONGEST_KEY and _BASE64_LINE.search(lines[number]):
        lines[number] = PLACEHOLDER
        number -= 1
