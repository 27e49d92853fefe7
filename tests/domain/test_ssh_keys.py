"""SSH public keys: what is accepted, what is refused, and that errors never quote the key."""

from __future__ import annotations

import base64
import hashlib
import struct
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.probes import Verdict
from bot.domain.health.judge_ssh_keys import KeyFileUnread, judge
from bot.domain.health.ssh_keys import (
    MAX_KEYS,
    BadKey,
    added,
    as_bytes,
    as_text,
    is_last,
    keys,
    parse_file,
    parse_key,
    removed,
)

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
def test_no_part_of_the_entered_key_is_quoted(secret: str) -> None:
    for text in (secret, f"ssh-ed25519 {secret}", f"-----BEGIN PRIVATE KEY-----\n{secret}", f"{secret} {secret}"):
        with pytest.raises(BadKey) as refused:
            parse_key(text)
        assert secret not in str(refused.value)


def pack(*fields: bytes) -> str:
    """Base64 of fields, each with its length before it."""
    return base64.b64encode(b"".join(struct.pack(">I", len(one)) + one for one in fields)).decode()


def rsa_of(bits: int) -> str:
    """An RSA public key of arbitrary numbers, so that it has no private key."""
    modulus = (1 << (bits - 1)) | 1
    return "ssh-rsa " + pack(b"ssh-rsa", (65537).to_bytes(3, "big"), modulus.to_bytes(bits // 8 + 1, "big"))


NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
NUMBER = b"\x00" + b"\xff" * 128
ED = ed().split()[1]
CERTIFICATE = pack(b"ssh-ed25519-cert-v01@openssh.com", b"nonce", bytes(32), b"the rest")
ODD = {
    "RSA of 1,024 bits": (WEAK, "rsa 1024, weak", "yes"),
    "RSA of 2,047 bits": (rsa_of(2047), "rsa 2047, weak", "yes"),
    "RSA of 16,384 bits": (rsa_of(16_384), "rsa 16384", "yes"),
    "RSA of 512 bits": (rsa_of(512), "rsa 512", "no: sshd takes RSA keys from 1,024 bits on"),
    "RSA of 16,392 bits": (rsa_of(16_392), "rsa 16392", "no: sshd reads RSA keys up to 16,384 bits"),
    "DSA": (
        f"ssh-dss {pack(b'ssh-dss', NUMBER, NUMBER, NUMBER, NUMBER)}",
        "dss 1024",
        "no: OpenSSH takes no DSA keys since 7.0",
    ),
    "certificate": (
        f"ssh-ed25519-cert-v01@openssh.com {CERTIFICATE}",
        "ed25519 256, certificate",
        "no: a certificate lets nobody in from here; its authority's key does",
    ),
    "unknown type": (
        f"ssh-mldsa-65 {pack(b'ssh-mldsa-65', bytes(1952))}",
        "ssh-mldsa-65",
        "no: OpenSSH knows no such type",
    ),
    "hardware key": (sk(), "sk-ssh-ed25519 256", "yes"),
}


@pytest.mark.parametrize("name", ODD)
def test_every_kind_of_key_is_shown_as_sshd_treats_it_and_can_be_removed(name: str) -> None:
    line, kind, says = ODD[name]
    text = f"{GOOD['ssh-ed25519'][0]}\n{line} old\n"
    judged = judge(text, text, NOW)
    assert judged.rows[1][1:3] == (kind, says)
    assert removed(text, judged.rows[1][3]) == f"{GOOD['ssh-ed25519'][0]}\n"
    able = says.startswith("yes")
    assert is_last(text, judged.rows[0][3], NOW) is not able


@pytest.mark.parametrize(
    "line",
    [
        f"ssh-rsa {ED}",
        f"ssh-ed25519 {ED}AAAA",
        f"ssh-ed25519 {ED[:-8]}",
        f"ssh-ed25519\xa0{ED}",
        f"SSH-ED25519 {ED}",
        f"ed25519 {ED}",
        f"ssh-rsa {pack(b'ssh-rsa', b'x01', bytes([0x80]) * 256)}",
        f"ecdsa-sha2-nistp256 {pack(b'ecdsa-sha2-nistp256', b'nistp256', bytes([4]) + bytes(63) + bytes([1]))}",
        f"ecdsa-sha2-nistp256 {pack(b'ecdsa-sha2-nistp256', b'nistp384', bytes([4]) + bytes(64))}",
        f"ssh-dss {ED}",
        f"ssh-ed25519 {base64.b64encode(b'x' * 3).decode()}",
        f"ssh-ed25519 {base64.b64encode(bytes([255]) * 60).decode()}",
    ],
    ids=lambda _: "line",
)
def test_lines_that_sshd_rejects_are_no_keys(line: str) -> None:
    [entry] = parse_file(line)
    assert entry.key is None
    assert entry.problem


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_a_point_on_its_curve_is_a_key(curve: ec.EllipticCurve) -> None:
    line = ec.generate_private_key(curve).public_key().public_bytes(*OPENSSH).decode()
    assert parse_key(line).bits == curve.key_size


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 1_000_000, id="one line"),
        pytest.param('"' * 1_000_000, id="quotes"),
        pytest.param('\\",' * 300_000, id="escapes"),
        pytest.param("a " * 500_000, id="words"),
        pytest.param("\n" * 1_000_000, id="empty lines"),
        pytest.param("x\n" * 500_000, id="short lines"),
        pytest.param(f"ssh-ed25519 {'A' * 999_000}", id="base64"),
        pytest.param(f"{ed()}\n" * 10_000, id="keys"),
        pytest.param("pty," * 4_000 + f" {ed()}\n", id="options"),
    ],
)
def test_a_megabyte_of_anything_is_parsed_within_limits(text: str) -> None:
    judged = judge(text, text, NOW)
    assert len(judged.lines) < 30
    assert len(parse_file(text)) <= MAX_KEYS + 1


def test_the_pod_s_keys_are_compared_with_the_secret_s() -> None:
    one, two, new = (ed(who) for who in ("one", "two", "new"))
    assert judge(f"{one}\n{two}\n", f"# header\n{two}\r\n{one} other\n", NOW).verdict is Verdict.OK
    old = judge(f"{one}\n{new}\n", f"{one}\n{two}\n", NOW)
    assert old.headline == "The pod still has the old keys: copy them, or restart it"
    assert [row[2] for row in old.rows] == ["yes", "not in the pod yet: yes", "only in the pod: yes"]
    assert (old.verdict, old.restart, old.same) == (Verdict.WARN, True, False)
    gone = judge(f"{one}\n", f"{one}\n{two}\n", NOW)
    assert gone.headline == ("The pod still has 1 key that the Secret does not have: copy the keys, or restart it")
    changed = judge(f'expiry-time="20240101" {one}\n{two}\n', f"{one}\n{two}\n", NOW)
    assert changed.headline.startswith("The pod still has the old keys")


def test_an_unreadable_file_in_the_pod_makes_the_comparison_unknown() -> None:
    judged = judge(f"{ed()}\n", KeyFileUnread("exec is refused"), NOW)
    assert (judged.verdict, judged.same) == (Verdict.UNKNOWN, None)
    assert judged.headline == "Could not tell whether the pod has the Secret's keys: exec is refused"
    assert judged.lines == ("Once the pod has the Secret's keys: one key can sign in.",)
    useless = judge('expiry-time="20240101" ' + ed(), KeyFileUnread("exec is refused"), NOW)
    assert useless.headline == "Nobody can sign in: sshd refuses the only key"
    assert useless.lines == ("Not known whether the pod has the Secret's keys: exec is refused.",)
    assert judge(f"{ed()}\n", None, NOW).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (['expiry-time="20240101" {}'], "Nobody can sign in: sshd refuses the only key"),
        (["nonsense {}", 'from="" {}'], "Nobody can sign in: sshd refuses all 2 keys"),
        (["cert-authority {}"], "Only who has a certificate can sign in"),
        (["{}", "cert-authority {}"], "One key can sign in and who has a certificate of 1 authority"),
        (["{}", 'expiry-time="20240101" {}'], "One key can sign in; 1 key can't"),
        ([], "Nobody can sign in: there is no key"),
    ],
)
def test_the_headline_counts_who_can_sign_in(lines: list[str], says: str) -> None:
    assert judge("".join(line.format(ed()) + "\n" for line in lines), None, NOW).headline == says


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["{}", "{}"], "One key can sign in"),
        (['command="x" {}', "{}"], "One key can sign in"),
        (["{}", 'expiry-time="20240101" {}'], "One key can sign in"),
        (["nonsense {}", 'from="" {}'], "Nobody can sign in: sshd refuses the only key"),
        (
            ["cert-authority {}", "cert-authority {}", "{}"],
            "One key can sign in and who has a certificate of 1 authority",
        ),
    ],
)
def test_a_key_that_is_in_the_file_twice_counts_once(lines: list[str], says: str) -> None:
    key = ed()
    assert judge("".join(line.format(key) + "\n" for line in lines), None, NOW).headline == says


FILE = f'# owners\n{ed("one")}\n\nno key at all\nfrom="10.0.0.*",command="a b" {ed("two")}\n'


def test_each_line_of_a_file_is_a_key_or_has_a_problem() -> None:
    entries = parse_file(FILE)
    assert [(e.line, e.key.comment if e.key else e.problem[:9]) for e in entries] == [
        (2, "one"),
        (4, "it begins"),
        (5, "two"),
    ]
    assert entries[2].key is not None
    assert entries[2].key.options == 'from="10.0.0.*",command="a b"'


@pytest.mark.parametrize("ending", ["", "\n"])
def test_a_key_is_appended_and_the_rest_is_unchanged(ending: str) -> None:
    key, before = parse_key(ed("new")), FILE.rstrip("\n") + ending
    after = added(before, key)
    assert after == f"{FILE}{key.text}\n"
    with pytest.raises(BadKey, match="there already"):
        added(after, parse_key(f"{key.type} {key.material} another comment"))
    assert removed(after, key.fingerprint) == FILE
    with pytest.raises(BadKey, match="no key has the fingerprint"):
        removed(FILE, key.fingerprint)


@given(st.lists(st.sampled_from(["# a", "", "junk", ed("x"), ed("y")]), max_size=8))
def test_adding_and_removing_restores_the_file(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    key = parse_key(ed("z"))
    assert removed(added(text, key), key.fingerprint) == text
    assert len(keys(added(text, key))) == len(keys(text)) + 1


@given(st.binary(max_size=300))
def test_a_file_of_any_bytes_is_preserved(raw: bytes) -> None:
    """Adding and removing a key keeps every byte, also bytes that are no UTF-8."""
    key = parse_key(GOOD["ssh-ed25519"][0])
    before = as_text(raw)
    after = removed(added(before, key), key.fingerprint)
    assert as_bytes(after) == raw + (b"" if not raw or raw.endswith(b"\n") else b"\n")


@pytest.mark.parametrize("odd", ["\u2028", "\x0b", "\x0c", "\x85", "\x1c", "\r"])
def test_only_a_line_feed_ends_a_line(odd: str) -> None:
    """sshd treats a key after any of these as part of the comment before it."""
    text = f"# a comment{odd}{ed('hidden')}\n{ed('shown')}\n"
    assert [k.comment for k in keys(text)] == ["shown"]
    [shown] = keys(text)
    assert removed(text, shown.fingerprint) == text.split("\n")[0] + "\n"
