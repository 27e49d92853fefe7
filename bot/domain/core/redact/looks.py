"""Estimate how random a text is. Pure; the work is bounded whatever the length."""

from __future__ import annotations

import base64
import binascii
import re
from operator import ne

MOST = 256
"""Characters of a value that are examined: what begins randomly continues so."""

_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER = re.compile(r"[-+]?[\d.,_:/%]+(?:[eE][-+]?\d+|[kKmMgGtT]i?[bB]?|[mun]?s|h|d|min|B)?")
_CLASS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "a" * 26 + "A" * 26 + "0" * 10
)


def is_number(text: str) -> bool:
    """Whether it is a count, a size, a duration, a fraction or a time."""
    return _NUMBER.fullmatch(text[:MOST]) is not None


def is_hex(text: str) -> bool:
    """Whether it has only hexadecimal digits: usually a hash."""
    return _HEX.fullmatch(text[:MOST]) is not None


def is_uuid(text: str) -> bool:
    """Whether it is a UUID and nothing else."""
    return _UUID.fullmatch(text) is not None


def changes(text: str) -> float:
    """The share of neighbouring characters of different kinds (lower, upper, digit, other), from 0 to 1.

    Random letters and digits have about 0.6, names in CamelCase 0.3, words with hyphens less.
    """
    kinds = text[:MOST].translate(_CLASS)
    pairs: int = sum(map(ne, kinds, kinds[1:]))
    return pairs / max(1, len(kinds) - 1)


_CAMEL = re.compile(r"(?:[A-Z]{2,5}[_/.-]|[A-Za-z][a-z]+(?:\d{0,2}|\d+(?![a-z]))[_/.-]?)+")


def is_camel(text: str) -> bool:
    """Whether it is a name in CamelCase, also with numbers: ``TestAuthV2``, ``Agent2Secrets``, ``Sha256``."""
    return _CAMEL.fullmatch(text) is not None


_UNSAID = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}", re.IGNORECASE)


def _is_unsaid(text: str) -> bool:
    """Whether it is unpronounceable: long, alphanumeric, and at least a quarter of it in runs of consonants."""
    return len(text) >= 20 and text.isalnum() and sum(map(len, _UNSAID.findall(text))) * 4 >= len(text)


def is_random(text: str, least: int = 16) -> bool:
    """Whether it looks randomly generated: letters and digits that form no words. Hashes and UUIDs don't count."""
    seen = text[:MOST]
    if len(text) < least or is_hex(seen) or is_uuid(text) or is_number(text):
        return False
    if (seen.count("/") + seen.count(".")) * 8 > len(seen):
        return False  # an address, a path, a version, a class
    digits = sum(map(str.isdigit, seen))
    letters = sum(map(str.isalpha, seen))
    mixed = any(map(str.islower, seen)) and any(map(str.isupper, seen))
    if digits == 0:
        return mixed and letters >= 0.8 * len(seen) and changes(seen) > 0.4
    if letters == 0 or digits >= 0.9 * len(seen):
        return False
    share = changes(seen)
    return share > (0.33 if mixed else 0.28) or (share > 0.15 and _is_unsaid(seen))


_BASE64 = re.compile("[A-Za-z0-9+/=]*")


def is_pair(text: str) -> bool:
    """Whether it is base64 of ``user:password``, as in ``Basic`` auth and a container registry's ``auth``."""
    if _BASE64.fullmatch(text[:MOST]) is None:
        return False
    try:
        decoded = base64.b64decode(text[:MOST] + "=" * (-len(text[:MOST]) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded[1:-1] and all(32 <= byte < 127 for byte in decoded[:64])
