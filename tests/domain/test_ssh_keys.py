"""SSH public keys: what is taken, what is refused, and that nothing of what was offered is repeated."""

from __future__ import annotations

import base64
import hashlib
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ssh_keys import BadKey, added, as_bytes, as_text, keys, parse_file, parse_key, removed

OPENSSH = (Encoding.OpenSSH, PublicFormat.OpenSSH)


def ed(comment: str = "maya@laptop") -> str:
    made = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*OPENSSH).decode()
    return f"{made} {comment}".strip()


def sk() -> str:
    """A hardware key's public half, put together by its format (PROTOCOL.u2f)."""
    parts = [b"sk-ssh-ed25519@openssh.com", bytes(range(32)), b"ssh:"]
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return f"sk-ssh-ed25519@openssh.com {base64.b64encode(blob).decode()} yubikey"


RSA = rsa.generate_private_key(65537, 2048)
GOOD = {
    "ssh-ed25519": (ed(), 256),
    "ssh-rsa": (RSA.public_key().public_bytes(*OPENSSH).decode() + " a b c", 2048),
    "ecdsa-sha2-nistp384": (
        ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(*OPENSSH).decode(),
        384,
    ),
    "sk-ssh-ed25519@openssh.com": (sk(), 256),
}


@pytest.mark.parametrize("type_", GOOD)
def test_a_good_key_is_known_by_type_bits_and_fingerprint(type_: str) -> None:
    text, bits = GOOD[type_]
    key = parse_key(f"  {text}\n")
    assert (key.type, key.bits, key.text) == (type_, bits, text)
    assert key.fingerprint.startswith("SHA256:")
    assert not key.fingerprint.endswith("=")


def test_the_fingerprint_is_ssh_keygens() -> None:
    """The digest of the decoded part, as `ssh-keygen -l` has it: without padding."""
    key = parse_key(ed())
    digest = hashlib.sha256(base64.b64decode(key.material)).digest()
    assert key.fingerprint == "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


PRIVATE = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
WEAK = rsa.generate_private_key(65537, 1024).public_key().public_bytes(*OPENSSH).decode()  # noqa: S505 - refused
DSA = "ssh-dss AAAAB3NzaC1kc3MAAACBAO"
BAD = {
    "empty": ("", "empty"),
    "blank": (" \n\t ", "empty"),
    "two lines": (f"{ed()}\n{ed()}", "more than one line"),
    "private": (PRIVATE.decode(), "private key"),
    "putty": ("PuTTY-User-Key-File-2: ssh-rsa", "private key"),
    "too short": (WEAK, "1024 bits; at least 2048"),
    "dsa": (DSA, "too weak"),
    "certificate": ("ssh-ed25519-cert-v01@openssh.com AAAA", "certificate"),
    "options": (f'command="rm" {ed()}', "begins with options"),
    "damaged": (ed("")[:-7] + "!!!", "base64 part is damaged"),
    "cut": (ed("")[:-12], "base64 part"),
    "no key": ("ssh-ed25519", "key itself is missing"),
    "other type inside": (f"ssh-rsa {ed('').split()[1]}", "no key of that type|base64 part"),
    "words": ("hello world", "no type of key that is known"),
    "control": (f"{ed()}\x07", "control characters"),
    "endless": ("ssh-rsa " + "A" * 5000, "characters"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_key_is_refused_with_the_reason(name: str) -> None:
    text, words = BAD[name]
    with pytest.raises(BadKey, match=words):
        parse_key(text)


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=9, max_size=200))
def test_nothing_of_what_was_offered_is_repeated(secret: str) -> None:
    for text in (secret, f"ssh-ed25519 {secret}", f"-----BEGIN PRIVATE KEY-----\n{secret}", f"{secret} {secret}"):
        with pytest.raises(BadKey) as refused:
            parse_key(text)
        assert secret not in str(refused.value)


FILE = f'# owners\n{ed("one")}\n\nno key at all\nfrom="10.0.0.*",command="a b" {ed("two")}\n'


def test_a_file_s_lines_are_keys_or_named() -> None:
    entries = parse_file(FILE)
    assert [(e.line, e.key.comment if e.key else e.problem[:9]) for e in entries] == [
        (2, "one"),
        (4, "it begins"),
        (5, "two"),
    ]
    assert entries[2].key is not None
    assert entries[2].key.options == 'from="10.0.0.*",command="a b"'


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_key_is_added_at_the_end_and_all_else_stays(ending: str) -> None:
    key, before = parse_key(ed("new")), FILE.rstrip("\n") + ending
    after = added(before, key)
    assert after == f"{FILE}{key.text}\n"
    with pytest.raises(BadKey, match="there already"):
        added(after, parse_key(f"{key.type} {key.material} another comment"))
    assert removed(after, key.fingerprint) == FILE
    with pytest.raises(BadKey, match="no key has the fingerprint"):
        removed(FILE, key.fingerprint)


@given(st.lists(st.sampled_from(["# a", "", "junk", ed("x"), ed("y")]), max_size=8))
def test_adding_and_removing_is_as_if_nothing_happened(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    key = parse_key(ed("z"))
    assert removed(added(text, key), key.fingerprint) == text
    assert len(keys(added(text, key))) == len(keys(text)) + 1


@given(st.binary(max_size=300))
def test_a_file_of_any_bytes_comes_back_as_it_was(raw: bytes) -> None:
    """A key added and taken away again leaves every byte, also of what is no UTF-8."""
    key = parse_key(GOOD["ssh-ed25519"][0])
    before = as_text(raw)
    after = removed(added(before, key), key.fingerprint)
    assert as_bytes(after) == raw + (b"" if not raw or raw.endswith(b"\n") else b"\n")


@pytest.mark.parametrize("odd", ["\u2028", "\x0b", "\x0c", "\x85", "\x1c", "\r"])
def test_only_a_line_feed_ends_a_line(odd: str) -> None:
    """sshd reads a key after any of these as a part of the comment before it."""
    text = f"# a comment{odd}{ed('hidden')}\n{ed('shown')}\n"
    assert [k.comment for k in keys(text)] == ["shown"]
    [shown] = keys(text)
    assert removed(text, shown.fingerprint) == text.split("\n")[0] + "\n"
