"""Parse the binary part of an SSH public key (RFC 4253, 6.6; OpenSSH's PROTOCOL.u2f and PROTOCOL.certkeys). Pure.

A library would not do: a file may have keys that libraries refuse and sshd accepts, or that neither accepts any
more. Each of them must be shown with its type, size and fingerprint, and be removable.
"""

from __future__ import annotations

from bot.domain.core.lazy_dataclass import dataclass

SSHD_RSA_BITS = (1024, 16_384)
"""The smallest size that sshd accepts (RequiredRSASize), and the largest that it can read."""
GOOD_RSA_BITS = 2048
"""The minimum by NIST SP 800-131A."""
CERTIFICATE = "-cert-v01@openssh.com"


class Malformed(ValueError):
    """The content is no key of the given type."""


@dataclass(frozen=True)
class KeyFacts:
    """Facts about a key from its binary part."""

    bits: int
    """0 where the type is not known."""
    refused: str = ""
    """Why sshd never accepts it; empty where it does."""
    weak: str = ""
    """Why it should be replaced although sshd accepts it; else empty."""


class _KeyFieldReader:
    """Reads the fields of a key one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def string(self) -> bytes:
        start = self._at + 4
        end = start + int.from_bytes(self._data[self._at : start], "big")
        if start > len(self._data) or end > len(self._data):
            raise Malformed("it ends too early")
        self._at = end
        return self._data[start:end]

    def number(self) -> int:
        """Read a non-negative integer; sshd refuses negative ones."""
        raw = self.string()
        if raw and raw[0] & 0x80:
            raise Malformed("a number in it is negative")
        return int.from_bytes(raw, "big")

    def end(self) -> None:
        if self._at != len(self._data):
            raise Malformed("something follows it")


def type_of(blob: bytes) -> str:
    """The type named inside the key; empty where there is none."""
    try:
        return _KeyFieldReader(blob).string()[:200].decode("ascii")
    except (Malformed, UnicodeDecodeError):
        return ""


def facts(type_: str, blob: bytes) -> KeyFacts:
    """Parse a key of that type. Raises `Malformed`."""
    fields = _KeyFieldReader(blob)
    if fields.string() != type_.encode():
        raise Malformed("it names another type")
    if type_.endswith(CERTIFICATE):
        fields.string()  # the nonce, before the key's own fields
        found = _known(type_.removesuffix(CERTIFICATE), fields)
        return KeyFacts(
            found.bits if found else 0, "a certificate lets nobody in from here; its authority's key does"
        )
    found = _known(type_, fields)
    if found is None:
        return KeyFacts(0, "OpenSSH knows no such type")
    fields.end()
    return found


def _known(type_: str, fields: _KeyFieldReader) -> KeyFacts | None:
    """Parse the fields of a known type; None for a type that OpenSSH does not have."""
    plain = type_.removesuffix("@openssh.com")
    if plain in ("ssh-ed25519", "sk-ssh-ed25519"):
        found = _ed25519(fields)
    elif plain == "ssh-rsa":
        found = _rsa(fields)
    elif plain == "ssh-dss":
        found = _dsa(fields)
    elif plain.removeprefix("sk-") in _CURVE_OF:
        found = _ecdsa(_CURVE_OF[plain.removeprefix("sk-")], fields)
    else:
        return None
    if plain.startswith("sk-"):
        fields.string()  # the application that the hardware key was made for
    return found


def _ed25519(fields: _KeyFieldReader) -> KeyFacts:
    if len(fields.string()) != 32:
        raise Malformed("its point has another length")
    return KeyFacts(256)


def _rsa(fields: _KeyFieldReader) -> KeyFacts:
    exponent, modulus = fields.number(), fields.number()
    bits, (least, most) = modulus.bit_length(), SSHD_RSA_BITS
    if exponent < 3 or not modulus & 1:
        raise Malformed("its numbers are no RSA key's")
    if bits < least:
        return KeyFacts(bits, f"sshd takes RSA keys from {least:,} bits on")
    if bits > most:
        return KeyFacts(bits, f"sshd reads RSA keys up to {most:,} bits")
    return KeyFacts(bits, weak="weak" if bits < GOOD_RSA_BITS else "")


def _dsa(fields: _KeyFieldReader) -> KeyFacts:
    bits = fields.number().bit_length()
    for _ in range(3):
        fields.number()
    return KeyFacts(bits, "OpenSSH takes no DSA keys since 7.0")


@dataclass(frozen=True)
class _Curve:
    """A NIST curve (SEC 2): ``y² = x³ - 3x + b`` over the field of the prime ``p``."""

    name: bytes
    bits: int
    p: int
    b: int


_CURVES = (
    _Curve(
        b"nistp256",
        256,
        2**256 - 2**224 + 2**192 + 2**96 - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    _Curve(
        b"nistp384",
        384,
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
    _Curve(
        b"nistp521",
        521,
        2**521 - 1,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
    ),
)
_CURVE_OF = {f"ecdsa-sha2-{curve.name.decode()}": curve for curve in _CURVES}


def _ecdsa(curve: _Curve, fields: _KeyFieldReader) -> KeyFacts:
    name, point = fields.string(), fields.string()
    size = (curve.bits + 7) // 8
    if name != curve.name or len(point) != 1 + 2 * size or point[0] != 4:
        raise Malformed("its point is on another curve")
    x, y = int.from_bytes(point[1 : 1 + size], "big"), int.from_bytes(point[1 + size :], "big")
    if x >= curve.p or y >= curve.p or (y * y - (x * x - 3) * x - curve.b) % curve.p:
        raise Malformed("its point is not on the curve")
    return KeyFacts(curve.bits)
