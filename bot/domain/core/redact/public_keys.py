"""Leave SSH public keys whole: their base64 is random, and now and then has the shape of a token in it."""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from bot.domain.core.redact.engine import Span

LONGEST = 4096
"""Bytes of a public key's base64: RSA with 16,384 bits has 2,750."""
_BEGINNING = b"AAAA"
"""How each key's base64 begins: with the two upper bytes of its type's length."""
_KEY = re.compile(
    rb"AAAA(?:B3NzaC1yc2E|B3NzaC1kc3M|C3NzaC1lZDI1NTE5|E2VjZHNhLXNoYTIt|GnNrLXNzaC1lZDI1NTE5|InNrLWVjZHNhLXNoYTIt)"
    rb"[A-Za-z0-9+/]*+={0,2}+"
)
"""A key in base64, which begins with its type: RSA, DSA, Ed25519, ECDSA, and those of security keys."""
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_AFTER = re.compile(rb"[)\]},;.]{0,8}(?:[\s<]|\\{0,7}[\"'`]|\Z)")
"""What follows a key: closing signs, and then a blank, a quote or the end."""
_NAME_BEFORE = 80
"""Bytes before a key in which the word ``private`` shows that it is not meant to be public."""
_POINTS = {b"nistp256": 65, b"nistp384": 97, b"nistp521": 133}
"""The size of a public point on each curve."""


class PublicKeys:
    """The SSH public keys in a text."""

    def __init__(self, data: bytes) -> None:
        """Find them. The time is linear: a key is searched for only where its base64 begins."""
        self._spans: Sequence[Span] = list(_keys(data)) if _BEGINNING in data else ()

    def outside(self, spans: Iterable[Span]) -> Iterable[Span]:
        """The spans that are no part of a key."""
        return (span for span in spans if self._holding(*span) is None) if self._spans else spans

    def end_of_padding(self, position: int) -> int:
        """The key's end where the ``=`` at this position pads one and assigns nothing, else 0: ``…Pw= maya``."""
        key = self._holding(position, position + 1) if self._spans else None
        return key[1] if key else 0

    def _holding(self, start: int, end: int) -> Span | None:
        number = bisect_right(self._spans, start, key=lambda key: key[0]) - 1
        return self._spans[number] if number >= 0 and end <= self._spans[number][1] else None


def _keys(data: bytes) -> Iterator[Span]:
    for found in _KEY.finditer(data):
        start, end = found.span()
        if (start and data[start - 1] in _LETTERS) or end - start > LONGEST or not _AFTER.match(data, end):
            continue
        line = data[max(0, start - _NAME_BEFORE) : start].rpartition(b"\n")[2]
        if b"private" not in line.lower() and _is_public(found[0]):
            yield start, end


def _is_public(written: bytes) -> bool:
    """Whether it has a public key's fields and nothing more: Dropbear's private keys begin with the same ones."""
    try:
        raw = base64.b64decode(written, validate=True)
    except binascii.Error:
        return False
    fields = _fields(raw)
    sizes = [len(field) for field in fields]
    match fields:
        case [b"ssh-ed25519", _]:
            return sizes[1] == 32
        case [b"ssh-rsa", _, _]:
            return sizes[1] <= 8 and sizes[2] >= 128
        case [b"ssh-dss", _, _, _, _]:
            return sizes[2] <= 33
        case [b"sk-ssh-ed25519@openssh.com", _, application]:
            return sizes[1] == 32 and application.startswith(b"ssh:")
        case [kind, curve, _] if kind == b"ecdsa-sha2-" + curve:
            return sizes[2] == _POINTS.get(curve)
        case [b"sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", _, application]:
            return sizes[2] == _POINTS[b"nistp256"] and application.startswith(b"ssh:")
    return False


def _fields(raw: bytes) -> list[bytes]:
    """The fields, each with its length before it; none where a length is wrong."""
    found, position = [], 0
    while position < len(raw):
        size = int.from_bytes(raw[position : position + 4], "big")
        start, position = position + 4, position + 4 + size
        if position > len(raw):
            return []
        found.append(raw[start:position])
    return found
