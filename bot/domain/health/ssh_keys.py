"""Parse and edit SSH public keys and authorized_keys files. Pure.

The format is sshd(8)'s AUTHORIZED_KEYS FILE FORMAT: options, type, base64, comment, one key on each line. Error
messages never quote a key that somebody entered, since it may be a private one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.health import ssh_blob, ssh_options
from bot.domain.health.ssh_options import Options

MAX_LENGTH = 3000
"""Longest key, in characters: an RSA key of 16,384 bits has about 2,800."""
MAX_LINE = 20_000
"""Longest line of a file, in characters: a certificate has some thousands."""
MAX_KEYS, MAX_LINES = 5_000, 50_000
"""Most keys and lines of a file that are read; a Secret has room for somewhat more."""
TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)


class BadKey(ValueError):
    """The text is no acceptable key; the message says why, and quotes nothing of it."""


@dataclass(frozen=True)
class Key:
    """One public key."""

    type: str
    bits: int
    """0 where the type is not known."""
    comment: str
    fingerprint: str
    """The fingerprint as printed by ``ssh-keygen -l``: ``SHA256:…``."""
    text: str
    """Type, base64 and comment, as given."""
    options: str = ""
    meaning: Options = field(default=Options())
    """The parsed options."""
    refused: str = ""
    """Why sshd never accepts it, whatever the options; empty where it does."""
    weak: str = ""
    """Why it should be replaced although sshd accepts it; else empty."""

    @property
    def material(self) -> str:
        """The base64 part, which identifies the key regardless of its comment."""
        return self.text.split()[1]

    def why_not(self, now: datetime) -> str:
        """Why nobody can sign in by it now; empty where somebody can, or for a usable authority's key."""
        return self.refused or self.meaning.why_not(now)

    def signs_in(self, now: datetime) -> bool:
        """Whether its owner can sign in with it now, even if only to run one command."""
        return not self.why_not(now) and not self.meaning.authority


@dataclass(frozen=True)
class Entry:
    """One line of an authorized_keys file: a key, or what is wrong with the line."""

    line: int
    key: Key | None = None
    problem: str = ""


def parse_key(text: str) -> Key:
    """Parse a single key that somebody entered. Raises BadKey, whose message quotes nothing of it."""
    if _is_private(text):
        raise BadKey(
            "that is a private key. It was not stored, but Slack has seen it: make a new pair, and give the "
            "line in the file that ends in .pub"
        )
    line = text.strip()
    if not line:
        raise BadKey("it is empty: give the line in the file that ends in .pub")
    if "\n" in line or "\r" in line:
        raise BadKey("it has more than one line: give one key, on one line, as in the file that ends in .pub")
    if len(line) > MAX_LENGTH:
        raise BadKey(f"it has {len(line):,} characters; a key has at most {MAX_LENGTH:,}")
    if not line.isprintable():
        raise BadKey("it has control characters inside: copy the line again")
    parts = line.split(None, 2)
    if parts[0] not in TYPES:
        raise BadKey(_not_a_type(parts[0], line))
    key = _key(parts, "")
    if key.refused or key.weak:
        least, most = ssh_blob.GOOD_RSA_BITS, ssh_blob.SSHD_RSA_BITS[1]
        raise BadKey(f"it is an RSA key of {key.bits} bits; at least {least} are needed, and at most {most}")
    return key


def _is_private(text: str) -> bool:
    """Whether the text is a private key, also only the base64 lines of one."""
    lowered = text.lower()
    if "private key" in lowered or lowered.lstrip().startswith("putty-user-key-file"):
        return True
    body = "".join(text.split())
    try:
        start = base64.b64decode(body[: len(body[:64]) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return False
    return start.startswith(b"openssh-key-v1\0") or _PRIVATE_DER.match(start) is not None


_PRIVATE_DER = re.compile(rb"\x30(?:[\x00-\x7f]|\x81.|\x82..)\x02\x01(?:\x00[\x02\x30]|\x01[\x04\x30])", re.DOTALL)
"""The beginning of PKCS #1, PKCS #8 (RFC 5958) and SEC 1 (RFC 5915) private keys: a sequence of a version, and a
number, an algorithm or an octet string."""


def _not_a_type(word: str, line: str) -> str:
    if word == "ssh-dss":
        return "DSA keys are too weak, and OpenSSH takes none: make one with ssh-keygen -t ed25519"
    if "-cert-v01@openssh.com" in word:
        return "that is a certificate: give the plain public key"
    if any(f" {type_} " in f" {line} " for type_ in TYPES):
        return "it begins with options; only plain keys are taken here, so that whoever approves sees all of it"
    return f"it begins with no type of key that is known ({', '.join(TYPES[:3])}, …)"


def _key(parts: list[str], options: str) -> Key:
    """Parse type, base64 and optional comment, for any type. Raises BadKey."""
    if len(parts) < 2:
        raise BadKey("it ends after the type: the key itself is missing")
    blob = _decoded(parts[1])
    if blob is None:
        raise BadKey("its base64 part is damaged: copy the line again")
    try:
        found = ssh_blob.facts(parts[0], blob)
    except ssh_blob.Malformed:
        raise BadKey("its base64 part is no key of that type: copy the line again") from None
    fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    comment = _shown(parts[2].strip()) if len(parts) > 2 else ""
    text = " ".join(part.strip() for part in parts)
    meaning = ssh_options.parse(options)
    return Key(parts[0], found.bits, comment, fingerprint, text, options, meaning, found.refused, found.weak)


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _shown(comment: str) -> str:
    """Make a comment printable: bytes that are no UTF-8 (surrogates here) become replacement characters."""
    return comment.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def parse_file(text: str) -> list[Entry]:
    """Parse every line that is not blank or a comment. As for sshd, only a line feed ends a line."""
    return list(_entries(text))


def _lines(text: str) -> list[str]:
    """Split into lines, with their line feeds."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def _entries(text: str) -> Iterator[Entry]:
    read = 0
    for number, line in enumerate(text.split("\n", MAX_LINES), start=1):
        bare = line.lstrip(_BLANKS).rstrip()
        if not bare or (bare.startswith("#") and number <= MAX_LINES):
            continue
        read += 1
        if read > MAX_KEYS or number > MAX_LINES:
            yield Entry(number, problem=f"this line and those after it were not read ({MAX_KEYS:,} keys at most)")
            return
        try:
            yield Entry(number, _line(bare))
        except BadKey as error:
            yield Entry(number, problem=str(error))


_BLANKS = " \t"
"""The only characters that sshd accepts as blanks."""
_SPACES = re.compile(r"[ \t]+")


def _line(line: str) -> Key:
    """Parse one line as sshd does: a key at its beginning, else options and a key. Raises BadKey."""
    if len(line) > MAX_LINE:
        raise BadKey(f"it has {len(line):,} characters; a line with a key has at most {MAX_LINE:,}")
    parts = _SPACES.split(line, 2)
    if _is_type(parts):
        return _key(parts, "")
    end = ssh_options.end_of(line)
    rest = _SPACES.split(line[end:].lstrip(_BLANKS), 2)
    if _is_type(rest):
        return _key(rest, line[:end])
    raise BadKey(_no_key(parts, rest, line))


def _is_type(parts: list[str]) -> bool:
    """Whether the parts begin with a type: a known one, or the one named inside the key."""
    if parts[0] in TYPES:
        return True
    blob = _decoded(parts[1][:80]) if len(parts) > 1 else None
    return blob is not None and ssh_blob.type_of(blob) == parts[0] != ""


def _no_key(parts: list[str], rest: list[str], line: str) -> str:
    """The error message for a line without a readable key."""
    if any(part in TYPES for part in _SPACES.split(line)[1:]):
        return "sshd reads no key in it: its options have a space or an open quote before the key"
    word = rest[0] or parts[0]
    if word == "ssh-dss" or ssh_blob.CERTIFICATE in word:
        return "its base64 part is no key of that type: copy the line again"
    return f"it begins with no type of key that is known ({', '.join(TYPES[:3])}, …)"


def as_text(value: bytes) -> str:
    """Decode a file of keys; `as_bytes` restores the same bytes, also those that are no UTF-8."""
    return value.decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """Encode a text from `as_text`, also after changes."""
    return text.encode("utf-8", "surrogateescape")


def keys(text: str) -> list[Key]:
    """The keys of a file, in order."""
    return [entry.key for entry in parse_file(text) if entry.key is not None]


def added(text: str, key: Key) -> str:
    """Append a key to the file's text, leaving the rest unchanged. Raises BadKey if it is there already."""
    for known in keys(text):
        if known.fingerprint == key.fingerprint:
            comment = f", {words.cut(known.comment, 80)}" if known.comment else ""
            limited = ", with options of its own: remove it first to change them" if known.options else ""
            raise BadKey(f"that key is there already ({known.fingerprint}{comment}){limited}")
    before = text if not text or text.endswith("\n") else text + "\n"
    return f"{before}{key.text}\n"


def ways_in(text: str, now: datetime) -> frozenset[str]:
    """Fingerprints of all keys that can sign in now.

    An authority's key (``cert-authority``) doesn't count: it is not known whether anybody has a certificate of it.
    """
    return frozenset(k.fingerprint for k in keys(text) if k.signs_in(now))


def is_last(text: str, fingerprint: str, now: datetime) -> bool:
    """Whether nobody could sign in without the key of that fingerprint."""
    return ways_in(text, now) == {fingerprint}


@dataclass(frozen=True)
class Difference:
    """The difference of two files of keys, options included."""

    missing: tuple[Key, ...] = ()
    """Keys in the Secret that are not in the pod's own file yet."""
    extra: tuple[Key, ...] = ()
    """Keys in the pod's own file that are not in the Secret (any more)."""

    def __bool__(self) -> bool:
        """Whether the files differ."""
        return bool(self.missing or self.extra)


def difference(secret: Sequence[Key], pod: Sequence[Key]) -> Difference:
    """Compare the Secret's keys with those of the pod's own file, ignoring order and comments."""
    here, there = {_same(k): k for k in secret}, {_same(k): k for k in pod}
    return Difference(
        tuple(key for same, key in here.items() if same not in there),
        tuple(key for same, key in there.items() if same not in here),
    )


def _same(key: Key) -> tuple[str, str]:
    return key.fingerprint, key.options


def removed(text: str, fingerprint: str) -> str:
    """Remove the key of that fingerprint, leaving the rest unchanged. Raises BadKey where there is none."""
    gone = {e.line for e in parse_file(text) if e.key is not None and e.key.fingerprint == fingerprint}
    if not gone:
        raise BadKey(f"no key has the fingerprint {fingerprint[:60]}")
    return "".join(line for number, line in enumerate(_lines(text), start=1) if number not in gone)
