"""SSH public keys and the files that list them. Pure. What somebody offers is never repeated in an error.

The format is sshd(8)'s AUTHORIZED_KEYS FILE FORMAT: options, type, base64, comment, one key a line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

MIN_RSA_BITS = 2048
"""As NIST SP 800-131A; OpenSSH itself takes 1024."""
MAX_LENGTH = 3000
"""Characters of one key: an RSA key of 16,384 bits has about 2,800."""
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
    """What was offered is no key that will do; the message says why, and holds nothing of it."""


@dataclass(frozen=True)
class Key:
    """One public key."""

    type: str
    bits: int
    comment: str
    fingerprint: str
    """As ``ssh-keygen -l`` prints it: ``SHA256:…``."""
    text: str
    """Type, base64 and comment, as offered."""
    options: str = ""

    @property
    def material(self) -> str:
        """The base64 part: the same key has the same, whatever its comment."""
        return self.text.split()[1]


@dataclass(frozen=True)
class Entry:
    """One line of a file of keys: a key, or what is wrong with the line."""

    line: int
    key: Key | None = None
    problem: str = ""


def parse_key(text: str) -> Key:
    """The one key that somebody offers. Raises BadKey that says what is wrong and repeats nothing of it."""
    if _is_private(text):
        raise BadKey(
            "that is a private key; it was not stored, but Slack has seen it: make a new pair, and give the "
            "public half, the line in the file that ends in .pub"
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
    words = line.split(None, 2)
    if words[0] not in TYPES:
        raise BadKey(_not_a_type(words[0], line))
    return _key(words, "")


def _is_private(text: str) -> bool:
    """Whether it is a private key, or the base64 lines of one without their header."""
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
"""How PKCS #1, PKCS #8 (RFC 5958) and SEC 1 (RFC 5915) private keys begin: a sequence of a version and a number,
an algorithm or a string of octets."""


def _not_a_type(word: str, line: str) -> str:
    if word == "ssh-dss":
        return "DSA keys are too weak, and OpenSSH takes none: make one with ssh-keygen -t ed25519"
    if "-cert-v01@openssh.com" in word:
        return "that is a certificate: give the plain public key"
    if any(f" {type_} " in f" {line} " for type_ in TYPES):
        return "it begins with options; only plain keys are taken here, so that whoever approves sees all of it"
    return f"it begins with no type of key that is known ({', '.join(TYPES[:3])}, …)"


def _key(words: list[str], options: str) -> Key:
    if len(words) < 2:
        raise BadKey("it ends after the type: the key itself is missing")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise BadKey("its base64 part is damaged: copy the line again") from None
    bits = _bits(f"{words[0]} {words[1]}", words[0])
    fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    comment = _shown(words[2].strip()) if len(words) > 2 else ""
    return Key(words[0], bits, comment, fingerprint, " ".join(w.strip() for w in words), options)


def _shown(comment: str) -> str:
    """A comment as it can be printed: a file may hold bytes that are no UTF-8 (surrogates here)."""
    return comment.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _bits(text: str, type_: str) -> int:
    # Imported when a key is looked at: it is 10 MiB that most processes never need.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(text.encode("ascii"))
    except UnsupportedAlgorithm:
        if type_.startswith("sk-"):
            return 256
        raise BadKey("its type is not supported") from None
    except (ValueError, TypeError, IndexError):
        raise BadKey("its base64 part is no key of that type: copy the line again") from None
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise BadKey(f"it is an RSA key of {key.key_size} bits; at least {MIN_RSA_BITS} are needed")
        return key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.key_size
    if isinstance(key, ed25519.Ed25519PublicKey):
        return 256
    raise BadKey("its type is not supported")


def parse_file(text: str) -> list[Entry]:
    """Every line that is not blank or a comment, by number from 1. Only a line feed ends a line, as for sshd."""
    return list(_entries(text))


def _lines(text: str) -> list[str]:
    """The lines with their endings."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop().removesuffix("\n")
    return [*lines, last] if last else lines


def _entries(text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        options, rest = _split_options(stripped)
        try:
            words = rest.split(None, 2)
            if not words or words[0] not in TYPES:
                raise BadKey(_not_a_type(words[0] if words else "", rest))
            yield Entry(number, _key(words, options))
        except BadKey as error:
            yield Entry(number, problem=str(error))


def _split_options(line: str) -> tuple[str, str]:
    """Options are before the type, and may have blanks in quotes."""
    if line.split(None, 1)[0] in TYPES:
        return "", line
    quoted = escaped = False
    for position, character in enumerate(line):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character.isspace() and not quoted:
            rest = line[position:].lstrip()
            return (
                (line[:position], rest)
                if rest.split(None, 1)[:1] and rest.split(None, 1)[0] in TYPES
                else ("", line)
            )
    return "", line


def as_text(value: bytes) -> str:
    """A file of keys as text; `as_bytes` gives the very same bytes back, also those that are no UTF-8."""
    return value.decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    """What `as_text` was made of, or a changed one."""
    return text.encode("utf-8", "surrogateescape")


def keys(text: str) -> list[Key]:
    """The keys of a file, in its order."""
    return [entry.key for entry in parse_file(text) if entry.key is not None]


def added(text: str, key: Key) -> str:
    """The file with one more key at its end; all else as it was. Raises BadKey when it is there already."""
    for known in keys(text):
        if known.material == key.material:
            raise BadKey(
                f"that key is there already ({known.fingerprint}{f', {known.comment}' if known.comment else ''})"
            )
    before = text if not text or text.endswith("\n") else text + "\n"
    return f"{before}{key.text}\n"


def removed(text: str, fingerprint: str) -> str:
    """The file without the key of that fingerprint; all else as it was. Raises BadKey where there is none."""
    gone = {e.line for e in parse_file(text) if e.key is not None and e.key.fingerprint == fingerprint}
    if not gone:
        raise BadKey(f"no key has the fingerprint {fingerprint[:60]}")
    return "".join(line for number, line in enumerate(_lines(text), start=1) if number not in gone)
