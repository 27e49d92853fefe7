"""Tell an image's tag from a secret: the colon in ``ghcr.io/org/vault-token:1.4.2`` assigns nothing."""

from __future__ import annotations

import re

from bot.domain.core.images import reference
from bot.domain.core.redact import looks

LONGEST = 512
"""Bytes of an image's name before its tag that are read."""
_BEFORE = re.compile(rb".*[^A-Za-z0-9_./:\-]", re.DOTALL)
"""Everything up to the name of the image that ends where the text does."""
_NO_START = frozenset(b"@%~+&?#$!*\\")
"""Characters after which no image's name begins."""
_TAG = re.compile(
    rb"([A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}+)(@sha256:[0-9a-f]{64})?(?![A-Za-z0-9_@:/+=%$!#^*~&\\\-])"
)
_SCHEMES = ("", "oci", "docker", "docker-pullable")
_SUFFIX = r"(?:[.\-][a-z0-9]{1,12}){0,4}"
_VERSION = re.compile(rf"v?\d{{1,8}}(?:\.\d{{1,8}}){{2,3}}{_SUFFIX}")
_RELEASE = re.compile(rf"v?\d{{1,8}}(?:\.\d{{1,8}}){{0,3}}{_SUFFIX}|(?:git-|sha-)?[0-9a-f]{{7,40}}")


def is_tag(data: bytes, colon: int) -> bool:
    """Whether what follows the colon at this position is the tag of the image whose name ends there.

    A tag with a digest behind it is one. Without, the less of the name shows an image, the more the tag has to:
    any words after a name with a registry, a release after a path, a version of three numbers after a word alone.
    """
    tag = _TAG.match(data, colon + 1)
    if tag is None:
        return False
    start = max(0, colon - LONGEST)
    before = _BEFORE.match(data, start, colon)
    begin = before.end() if before else start
    if begin and data[begin - 1] in _NO_START:
        return False
    scheme, _, name = data[begin:colon].decode().rpartition("://")
    text = tag[1].decode().rstrip(".-")
    if scheme not in _SCHEMES or not reference(f"{name}:{text}").is_valid:
        return False
    if tag[2] is not None:
        return True
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return not _may_be_password(text)
    return (_RELEASE if slash else _VERSION).fullmatch(text) is not None


def _may_be_password(tag: str) -> bool:
    """Whether a part of a tag is neither words nor a number nor a hash."""
    kinds = (str.islower, str.isupper, str.isdigit)
    return any(
        looks.is_random(part, 12) or (len(part) > 5 and all(any(map(kind, part)) for kind in kinds))
        for part in re.split(r"[._\-]", tag)
    )
