"""SSH public keys are kept whole, also where a token's shape turns up in their base64."""

from __future__ import annotations

import base64
import random
import struct

from bot.domain.core.redact import PLACEHOLDER, KnownValues, redact


def _rng() -> random.Random:
    return random.Random(5)  # noqa: S311 - no secrets are made


def _line(rng: random.Random, kind: str, comment: str = "maya@laptop") -> str:
    parts = {
        "ssh-rsa": [b"\1\0\1", b"\0" + rng.randbytes(384)],
        "ssh-ed25519": [rng.randbytes(32)],
        "ecdsa-sha2-nistp521": [b"nistp521", b"\4" + rng.randbytes(132)],
        "sk-ssh-ed25519@openssh.com": [rng.randbytes(32), b"ssh:"],
    }[kind]
    raw = b"".join(struct.pack(">I", len(part)) + part for part in (kind.encode(), *parts))
    return f"{kind} {base64.b64encode(raw).decode()} {comment}".rstrip()


def test_no_public_key_is_changed() -> None:
    rng = _rng()
    kinds = ("ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com")
    made = tuple(_line(rng, kind, comment) for _ in range(60) for kind in kinds for comment in ("", "maya@laptop"))
    assert redact(made).lines == made


def test_what_stands_beside_a_public_key_is_redacted() -> None:
    key = _line(_rng(), "ssh-rsa", "")
    for line in (f"{key} token: hunter22x", f"{key} ghp_0123456789abcdefghij", f"password={key[40:60]} {key}"):
        assert redact([line]).lines[0].count(PLACEHOLDER) == 1, line
    private = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE" + key.split()[1]
    assert redact([private]).lines == (PLACEHOLDER,)


def test_a_known_value_is_redacted_in_a_public_key_too() -> None:
    key = _line(_rng(), "ssh-rsa")
    assert key[60:90] not in redact([key], KnownValues([key[60:90]])).lines[0]
