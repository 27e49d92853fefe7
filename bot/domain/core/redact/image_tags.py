"""Tell an image's tag from a secret: the colon in ``ghcr.io/org/vault-token:1.4.2`` assigns nothing."""

from __future__ import annotations

import re

from bot.domain.core.images import HUB, reference

LONGEST = 512
"""Bytes of an image's name before its tag that are read."""
_BEFORE = re.compile(rb".*[^A-Za-z0-9_./:\-]", re.DOTALL)
"""Everything up to the name of the image that ends where the text does."""
_NO_START = frozenset(b"@%~+&?#$!*\\")
"""Characters after which no image's name begins."""
_TAG = re.compile(
    rb"([A-Za-z0-9_](?:[A-Za-z0-9_.\-]{0,126}[A-Za-z0-9_])?+)(@sha256:[0-9a-f]{64})?+"
    rb"(?=[)\]},;:.!?]{0,8}(?:[\s<]|\\{0,7}[\"'`]|\Z))"
)
"""A tag with what has to follow it: closing signs, and then a blank, a quote or the end."""
_SCHEMES = ("", "oci", "docker", "docker-pullable")
_IMAGE = re.compile(rb"image\\{0,7}[\"']?[ \t]?[:=]?[ \t]?\\{0,7}[\"']?\Z", re.IGNORECASE)
"""Text before a name that shows it is an image's."""

_WORDS = (
    "alpha|beta|rc|ga|m|b|p|r|pre|post|dev|final|release|snapshot|build|hotfix|patch|debug|slim|base|full|rootless|nonroot"
    "|alpine|debian|deb|bookworm|bullseye|trixie|ubuntu|focal|jammy|noble|ubi|rhel|el|distroless|scratch|musl|linux"
    "|windows|amd|arm|arm64v|jdk|jre|java|python|py|node|go|php|cuda|cpu|gpu"
)
_WORD = rf"[.\-](?i:{_WORDS})\d{{0,3}}"
_SUFFIX = rf"(?:-\d{{1,4}}(?:-g[0-9a-f]{{7,12}})?)?(?:{_WORD}|\.\d{{1,5}}){{0,4}}(?:-20\d{{6}}|-\d{{1,3}})?"
_THREE = rf"v?\d{{1,5}}\.\d{{1,5}}\.\d{{1,8}}{_SUFFIX}"
_DATE = r"20\d\d(?P<dash>-?)(?:0[1-9]|1[0-2])(?P=dash)(?:0[1-9]|[12]\d|3[01])(?:[T.\-][\d\-]{1,9}Z?)?"
_BRANCH = r"(?:main|master|trunk|develop|release|stable|edge|nightly|latest|sha|git)"

_VERSION = re.compile(_THREE.encode())
_OF_PASSWORD = re.compile(rf"{_THREE}|latest".encode())
_RELEASE = re.compile(
    rf"{_THREE}|(?:v\d{{1,4}}|\d{{1,4}}\.\d{{1,5}}|\d{{1,4}}{_WORD}){_SUFFIX}|(?:{_BRANCH}-)?{_DATE}|{_BRANCH}(?:-[0-9a-f]{{7,12}})?"
    r"|latest|(?i:pr)-\d{1,6}".encode()
)
_COMMIT = re.compile(rb"(?:git-|sha-)?[0-9a-f]{7,40}")


def end_of_tag(data: bytes, colon: int, *, password: bool) -> int:
    """The end of the image's tag after the colon at this position; 0 where no tag follows it.

    A tag with a digest behind it is one. Without, it has to be a release: of three numbers where the name has no
    registry. A commit's whole hash is one only after the word ``image``, which stands for a registry too.
    ``password`` says that the image's name promises something that people choose or type, which may be a date, a
    number or a word.
    """
    tag = _TAG.match(data, colon + 1)
    if tag is None:
        return 0
    whole = tag[2] is not None
    commit = not whole and not password and _COMMIT.fullmatch(tag[1]) is not None
    release = _OF_PASSWORD if password else _RELEASE
    if not (whole or commit or release.fullmatch(tag[1])):
        return 0  # the usual case
    start = max(0, colon - LONGEST)
    before = _BEFORE.match(data, start, colon)
    begin = before.end() if before else start
    if begin and data[begin - 1] in _NO_START:
        return 0
    scheme, _, name = data[begin:colon].decode().rpartition("://")
    image = reference(f"{name}:{tag[1].decode()}")
    if scheme not in _SCHEMES or not image.is_valid:
        return 0
    if not whole:
        said = _IMAGE.search(data, max(0, begin - 32), begin) is not None
        hosted = image.registry != HUB or name.startswith(f"{HUB}/")
        doubtful = password or _VERSION.fullmatch(tag[1]) is None
        if doubtful and not hosted and not (said and "/" in name):
            return 0
        if commit and not release.fullmatch(tag[1]) and not said:
            return 0
    return tag.end()
