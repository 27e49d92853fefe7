"""Leave SSH public keys whole: their base64 is random, and now and then has the shape of a token in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bot.domain.core.redact.engine import Span

LONGEST = 4096
"""Bytes of a public key's base64: RSA with 16,384 bits has 2,750."""
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_BEFORE = re.compile(rb".*[^A-Za-z0-9+/]", re.DOTALL)
_KEY = re.compile(
    rb"AAAA(?:B3NzaC1yc2E|B3NzaC1kc3M|C3NzaC1lZDI1NTE5|E2VjZHNhLXNoYTIt|GnNrLXNzaC1lZDI1NTE5|InNrLWVjZHNhLXNoYTIt)"
    rb"[A-Za-z0-9+/]*={0,2}"
)
"""A key in base64, which begins with its type: RSA, DSA, Ed25519, ECDSA, and those of security keys."""


def outside_keys(spans: Iterable[Span], data: bytes) -> Iterator[Span]:
    """Yield the spans that are no part of an SSH public key."""
    for span in spans:
        if not _is_inside(data, *span):
            yield span


def is_padding(data: bytes, position: int) -> bool:
    """Whether the ``=`` at this position pads a key, and assigns nothing: ``…Pw= maya@laptop``."""
    return data.startswith(b"=", position) and _key_at(data, position) is not None


def _is_inside(data: bytes, start: int, end: int) -> bool:
    if data[start : start + 4] != b"AAAA" and (start == 0 or data[start - 1] not in _LETTERS):
        return False  # the usual case: the span is a word of its own
    key = _key_at(data, start)
    return key is not None and end <= key.end()


def _key_at(data: bytes, position: int) -> re.Match[bytes] | None:
    """The base64 of the key that has a letter before this position, or begins at it."""
    first = max(0, position - LONGEST)
    before = _BEFORE.match(data, first, position)
    return _KEY.match(data, before.end() if before else first, position + LONGEST)
