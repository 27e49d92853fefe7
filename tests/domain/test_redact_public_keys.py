"""SSH public keys are kept whole, also where a token's shape turns up in their base64."""

from __future__ import annotations

import base64
import random
import struct

import pytest

from bot.domain.core.redact import PLACEHOLDER, KnownValues, redact


def _rng() -> random.Random:
    return random.Random(5)  # noqa: S311 - no secrets are made


def _blob(*fields: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(field)) + field for field in fields)).decode()


def _line(rng: random.Random, kind: str, comment: str = "maya@laptop") -> str:
    fields = {
        "ssh-rsa": [b"\1\0\1", b"\0" + rng.randbytes(384)],
        "ssh-dss": [rng.randbytes(129), rng.randbytes(21), rng.randbytes(128), rng.randbytes(128)],
        "ssh-ed25519": [rng.randbytes(32)],
        "ecdsa-sha2-nistp521": [b"nistp521", b"\4" + rng.randbytes(132)],
        "sk-ssh-ed25519@openssh.com": [rng.randbytes(32), b"ssh:"],
    }[kind]
    return f"{kind} {_blob(kind.encode(), *fields)} {comment}".rstrip()


def test_no_public_key_is_changed() -> None:
    rng = _rng()
    kinds = ("ssh-rsa", "ssh-dss", "ssh-ed25519", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com")
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


RNG = _rng()
PRIVATE = {
    "rsa": _blob(b"ssh-rsa", b"\1\0\1", *(b"\0" + RNG.randbytes(size) for size in (256, 256, 128, 128))),
    "ed25519": _blob(b"ssh-ed25519", RNG.randbytes(64)),
    "ecdsa": _blob(b"ecdsa-sha2-nistp256", b"nistp256", b"\4" + RNG.randbytes(64), RNG.randbytes(32)),
}
"""Dropbear's private keys: they begin with what a public key has."""


@pytest.mark.parametrize("kind", PRIVATE)
@pytest.mark.parametrize("name", ["SSH_PRIVATE_KEY=", "dropbear_host_key: ", "dropbear_private_key: ", "token="])
def test_a_private_key_of_dropbear_is_redacted(name: str, kind: str) -> None:
    assert redact([f"{name}{PRIVATE[kind]}"]).lines == (f"{name}{PLACEHOLDER}",)


def test_a_key_that_is_called_private_is_redacted() -> None:
    for kind in ("ssh-ed25519", "ssh-rsa"):
        key = _line(_rng(), kind).split()[1]
        assert redact([f"SSH_PRIVATE_KEY={key}"]).lines == (f"SSH_PRIVATE_KEY={PLACEHOLDER}",)
        assert redact(["a private note", f"SSH_PUBLIC_KEY={key}"]).lines[1] == f"SSH_PUBLIC_KEY={key}"


def test_a_token_right_after_a_public_key_is_redacted() -> None:
    key = _line(_rng(), "ssh-ed25519", "")
    for sign in "/+|":
        assert "AKIAIOSFODNN7EXAMPLE" not in redact([f"{key}{sign}AKIAIOSFODNN7EXAMPLE"]).lines[0]


def test_a_value_after_a_keys_padding_is_redacted() -> None:
    rng = _rng()
    keys = (_line(rng, "ssh-rsa", "") for _ in range(3000))
    padded = [key for key in keys if key.endswith(("pw=", "Pw="))]
    assert redact(padded).lines == tuple(padded)
    for key in padded:
        assert redact([f"{key} maya@laptop"]).lines == (f"{key} maya@laptop",)
        assert redact([f"{key} token:hunter22"]).lines == (f"{key} token:{PLACEHOLDER}",)
