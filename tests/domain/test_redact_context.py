"""Values that only the words around them give away, and ordinary text in such places."""

from __future__ import annotations

import base64
import hashlib

import pytest

from bot.domain.core.redact import PLACEHOLDER, redact

HEX64 = hashlib.sha256(b"volume").hexdigest()
FINGERPRINT = hashlib.sha1(b"key").hexdigest().upper()  # noqa: S324 - the form of a PGP fingerprint
STORAGE_KEY = base64.b64encode(hashlib.sha512(b"a storage key").digest()).decode()


def one(line: str, *known: str) -> str:
    return redact([line], known).lines[0]


@pytest.mark.parametrize(
    "line",
    [
        # Kubernetes names Secrets, their keys and attachments; none is a secret's value.
        "Error: couldn't find key GITHUB_TOKEN in Secret secure-agent-pod/agent-secrets-tier2",
        "failed to get secret team-a/agent-secrets-tier2.v10: timed out",
        'MountVolume.SetUp failed for volume "ssh" : references non-existent secret key: authorized_keys',
        "references non-existent secret key: ssh_host_ed25519_key",
        f"AttachVolume.Attach failed: attachmentID csi-{HEX64}",
        f"Memory cgroup out of memory in crio-{HEX64}",
        # Options of other commands than the one that a word before them names.
        "auth service: curl -k https://api.example.com:8443/v1/health",
        "checking the login, then nc -p Host2 Port2b",
        "secret sync; kubectl apply -k Overlay2Prod",
        "auth | tar -b Block20x",
        # Arguments that are no secrets.
        "git push origin main -b feature/ABC-123",
        "git push origin -b Release/2024-R2",
        "login curl -sS -o /dev/null -w %{http_code} http://127.0.0.1:8081/api/health",
        "auth curl -w 'Code%{http_code}in%{time_total}'",
        "auth check -w Db1.example.com:5432",
        "push -b 20480k",
        "openssl s_client -k https://Db1.example.com",
        # Results of tests.
        "--- PASS: TestAuthV2 (0.00s)",
        "    --- PASS: TestLogin2/with_V2_token (0.00s)",
        "PASS: tests/login2.sh",
        "PASS: auth::login2::renews",
        "pass: 12 fail: 0",
        "Tests: pass: 12345, fail: 0",
        # Public keys, and their fingerprints.
        "gpg: using RSA key 4AEE18F83AFDEB23",
        f"gpg:                using RSA key {FINGERPRINT}",
        f"integrity sha512-{STORAGE_KEY}",
        # Names and states where a value may stand.
        'secret "agent-secrets-tier2" not found',
        'Secret "TLS-cert2" updated, secret "Agent2Secrets" created',
        '"password", "userName2"',
        'passphrase "for the key" was wrong',
        "new secret value written",
        "login bob:1000 from 10.0.0.1",
        "OTP 27, OTP sent",
        "GET /styles.0123456789abcdef.css",
        "server.internalservices is up",
    ],
)
def test_ordinary_text_in_a_secret_s_context_stays(line: str) -> None:
    assert one(line) == line


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ('secret "Qwe123rty" stored', "Qwe123rty"),
        ("the token 'Qwe123rty' is stored", "Qwe123rty"),
        ('"password" "Qwe123rty"', "Qwe123rty"),
        ('"Password", "Qwe123rty"', "Qwe123rty"),
        ("login bob:Qwe123rty", "Qwe123rty"),
        ("credentials bob / Qwe123rty", "Qwe123rty"),
        ("new secret value Qwe123rtyZ8", "Qwe123rtyZ8"),
        ("password%3A%20Qwe123rty", "Qwe123rty"),
        ('passphrase "correct horse battery staple"', "correct horse battery staple"),
        ("OTP 482913 sent", "482913"),
        ("sent verification code 482913 to bob", "482913"),
        ("created abcdef.0123456789abcdef for the node", "abcdef.0123456789abcdef"),
        ("used 07401b.f395accd246ae52d now", "07401b.f395accd246ae52d"),
        (f"using {STORAGE_KEY} now", STORAGE_KEY),
        ("pass: Qwe123rty", "Qwe123rty"),
        ("pass: 4829133", "4829133"),
        ("gh secret set X --repo acme/agent -b Qwe123rty9", "Qwe123rty9"),
        ("vault login -p Qwe123rty9 bob", "Qwe123rty9"),
        ("secret key: Qwe123rty", "Qwe123rty"),
        ("secret kW3v9xQp2LmZ8tRb/aaaa", "kW3v9xQp2LmZ8tRb"),
    ],
)
def test_a_value_in_a_secret_s_context_is_redacted(line: str, hidden: str) -> None:
    assert hidden not in one(line)
    assert PLACEHOLDER in one(line)


@pytest.mark.parametrize("end", ["\r", "\v", "\u2028", "\r\n"])
@pytest.mark.parametrize("value", ["Zk39fjDk39dXX99", "Zk39 fjDk39dXX99"])
def test_a_known_value_is_found_across_a_line_break_within_a_line(value: str, end: str) -> None:
    assert one(f"a {value[:8]}{end}{value[8:]} b", value) == f"a {PLACEHOLDER} b"


def test_a_line_break_that_divides_no_known_value_becomes_a_space() -> None:
    assert one("50 %\r100 %", "Zk39fjDk39dXX99") == "50 % 100 %"
