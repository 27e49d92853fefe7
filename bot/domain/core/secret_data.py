"""The data of a Secret: how two versions differ by their keys, and which parts are redacted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from bot.domain.core.lazy_dataclass import dataclass

MOST_BYTES = 1 << 20
"""Most bytes of all values of a Secret, by the API server's rule."""
SHORTEST = 6
"""Shortest value that is redacted, in characters."""
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_WORD = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_HEX = re.compile(r"[0-9a-f]{32,}")
_LONG = 40
"""Characters from which a word of letters and digits counts as random."""


@dataclass(frozen=True)
class SecretData:
    """What a Secret is to hold. Never shown."""

    values: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class SecretDifference:
    """The keys of a Secret, by what a change of its data does to them; sorted."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether the change does anything."""
        return bool(self.added or self.changed or self.removed)


def difference(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> SecretDifference:
    """Compare the data of a Secret with what it is to be."""
    common = sorted(before.keys() & after.keys())
    return SecretDifference(
        tuple(sorted(after.keys() - before.keys())),
        tuple(key for key in common if before[key] != after[key]),
        tuple(sorted(before.keys() - after.keys())),
        tuple(key for key in common if before[key] == after[key]),
    )


def is_key(name: str) -> bool:
    """Whether the API server takes this as a key of a Secret."""
    return _KEY.fullmatch(name) is not None and name not in (".", "..") and not name.startswith("..")


def redactable(values: Iterable[bytes]) -> frozenset[str]:
    """The parts of config files that are redacted: one-line values whole, of others the words that look random.

    The lines of a file are not redacted whole, as those of another Secret are: "kind: Config" stands in every log.
    """
    return frozenset(part for value in values for part in _parts(value))


def _parts(value: bytes) -> Iterator[str]:
    try:
        text = value.decode().strip()
    except UnicodeDecodeError:
        return
    if "\n" not in text:
        if len(text) >= SHORTEST:
            yield text
        return
    yield from (word for word in _WORD.findall(text) if _is_random(word))


def _is_random(word: str) -> bool:
    digits, letters = any(c.isdigit() for c in word), any(c.isalpha() for c in word)
    mixed = any(c.isupper() for c in word) and any(c.islower() for c in word)
    return digits and letters and (len(word) >= _LONG or mixed or _HEX.fullmatch(word) is not None)
