"""Redaction removes known values and anything with a secret's shape, and leaves ordinary lines unchanged."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.core.redact import PLACEHOLDER, has_token, is_blank, plain, redact
from bot.errors import NotFound

AWS = "AKIA" + "IOSFODNN7EXAMPLE"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"


def one(line: str, *secrets: str) -> str:
    return redact([line], secrets).lines[0]


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("posting with xoxb-1234567890-abcdefghijkl now", "xoxb-1234567890-abcdefghijkl"),
        ("socket xapp-1-A0B1C2-3456-deadbeef up", "xapp-1-A0B1C2-3456-deadbeef"),
        ("rotating xoxe.xoxp-1-Mi0yLTExMTExMTE", "Mi0yLTExMTExMTE"),
        ("POST https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXXXXXX", "B000/XXXXXXXXXXXXXXXX"),
        ("git uses ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
        ("git uses github_pat_11ABCDEFG0abcdefghij_klmnop", "github_pat_11ABCDEFG0abcdefghij_klmnop"),
        (f"signed by {AWS}", AWS),
        (f"cookie {JWT};", JWT),
        ("calls with sk-ant-api03-abcdefghijklmnop-qrstuvwxyz", "sk-ant-api03-abcdefghijklmnop-qrstuvwxyz"),
        ("calls with sk-proj1234567890abcdef", "sk-proj1234567890abcdef"),
        ("password=hunter2", "hunter2"),
        ("DB_PASSWORD=hunter2 started", "hunter2"),
        ("password: hunter2", "hunter2"),
        ('{"password": "hunter two", "user": "bob"}', "hunter two"),
        ("{'token': 'abc def'}", "abc def"),
        (r'{"msg": "{\"api_key\":\"abc123\"}"}', "abc123"),
        ('password="with \\" inside" next', "inside"),
        ("password='never closed", "never closed"),
        ("GET /x?access_token=abc123&page=2", "abc123"),
        ("api_key = abc123", "abc123"),
        ("ApiKey:abc123", "abc123"),
        ("client-secret=abc123", "abc123"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI", "wJalrXUtnFEMI"),
        ("SECRET_KEY_BASE=abc123", "abc123"),
        ("POSTGRES_PWD=abc123", "abc123"),
        ("secret := abc123", "abc123"),
        ("token=>abc123", "abc123"),
        ("ran mysql --password hunter2 -h db", "hunter2"),
        ("ran tool --api-key abc123", "abc123"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ('"authorization": "token abc123"', "abc123"),
        ("sent bearer abcdefghijklmnop", "abcdefghijklmnop"),
        ("cloning https://bob:hunter2@git.example/x.git", "hunter2"),
        ("cloning https://abcdefghijklmnopqrst@git.example/x.git", "abcdefghijklmnopqrst"),
        ("postgresql+asyncpg://u:p@ss@db:5432/x", "p@ss"),
        ("p\x1b[31mass\x1b[0mword=hun\x1b[1mter2", "hunter2"),
    ],
)
def test_what_has_a_secrets_shape_is_redacted(line: str, hidden: str) -> None:
    result = redact([line])
    assert hidden not in result.lines[0]
    assert PLACEHOLDER in result.lines[0]
    assert result.count == 1


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-23T22:41:07Z INFO Failed password for claude from 10.0.0.1 port 5022 ssh2",
        "Accepted publickey for claude from 10.0.0.1: RSA SHA256:abc",
        "input_tokens: 1500, output_tokens: 200",
        "PWD=/home/claude OLDPWD=/",
        "the secretary: away",
        "ssh://git@git.example/x.git and https://example.org:8080/path",
        "sshd: /usr/sbin/sshd -f /opt/sshd_config -D [listener]",
        "task-1234567890abcdef is done, risk-free-of-charge-offer",
        "basic auth is off",
        "a tab\tstays",
    ],
)
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert redact([line]).lines == (line,)
    assert redact([line]).count == 0


SHORT = "gT4k9-Qw7zXb"
LONG = "ol1BBxgfZiaZ2yEzUARskrhQv-avv2p4KqkCaavnIGt"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (text.replace("{}", hidden), hidden)
        for hidden, texts in (
            (
                SHORT,
                (
                    'new PasswordAuthentication("bob", "{}".toCharArray())',
                    'DriverManager.getConnection(url, "bob", "{}")',
                    "jwt.sign(payload, '{}')",
                    'hmac.new(b"{}", msg, sha256)',
                    "SELECT crypt('{}', gen_salt('bf'))",
                    "AES_ENCRYPT('x', '{}')",
                    "cy.get('#password').type('{}')",
                    'Content-Disposition: form-data; name="password"\n\n{}',
                    'Config { user: "bob", password: Some("{}") }',
                    '["password"]=>\n  string(12) "{}"',
                    's:8:"password";s:12:"{}";',
                    "password: !!str {}",
                    'password = """{}"""',
                    "password → {}",
                    "Password (again): {}",
                    "Passwort lautet {}",
                    "my pass is {}",
                    "use {} as the password",
                    "changed password from {} to x",
                    "Rejected credentials (bob, {})",
                    "INSERT INTO users (name, password) VALUES ('bob', '{}')",
                    "PRAGMA key = '{}';",
                    "echo '{}' > /run/secrets/db_password",
                    "a1 LOGIN bob {}",
                    "PRIVMSG NickServ :IDENTIFY bob {}",
                    "WIFI:T:WPA;S:home;P:{};;",
                    'bob : XAUTH "{}"',
                    "impdp bob/{} directory=x",
                    "isql -U sa -P {}",
                    "signtool sign /f x.pfx /p {} x.exe",
                    "keyctl add user x {} @u",
                    "pulumi config set --secret dbPassword {}",
                    "doctl -t {} account get",
                    "bob:{PLAIN}{}",
                    "334 UGFzc3dvcmQ6\n{}".replace("{}", SHORT.replace("-", "")),
                ),
            ),
            (
                LONG,
                (
                    '{"kty":"EC","crv":"P-256","d":"{}"}',
                    '{"k":"{}","kty":"oct"}',
                    "decrypting gAAAAABn{}abcdefghijklmnopqrstu",
                    "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.{}",
                ),
            ),
            ("n68edi6hjbdf95jeehwieh5wdn", ("POST https://mattermost.example/hooks/{}",)),
            (
                "27bf8ae127946d89e9723808e6dcd59a",
                (
                    '{"jsonrpc":"2.0","auth":"{}","method":"host.get"}',
                    "api_id=12345 api_hash={}",
                    'Authorization: Digest username="bob", realm="x", response="{}"',
                    "-----BEGIN OpenVPN Static key V1-----\n{}\n-----END OpenVPN Static key V1-----",
                    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----",
                ),
            ),
        )
        for text in texts
    ],
)
def test_secrets_are_redacted_by_their_context(text: str, hidden: str) -> None:
    shown = "\n".join(redact(text.split("\n")).lines)
    assert PLACEHOLDER in shown
    assert hidden not in shown


def test_the_text_around_a_secret_stays() -> None:
    assert one('{"password": "x y", "user": "bob"}') == '{"password": [redacted], "user": "bob"}'
    assert one("GET /x?token=abc&page=2") == "GET /x?token=[redacted]&page=2"
    assert one("https://bob:hunter2@git.example/x") == "https://bob:[redacted]@git.example/x"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("a\x00b\x08c\x7f", "abc"),
        ("50 %\r100 %\r", "50 % 100 %"),
        ("one\u2028two", "one two"),
        ("abc\u202edef", "abcdef"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_control_characters_are_removed(line: str, kept: str) -> None:
    assert plain(line) == kept


@pytest.mark.parametrize("mark", list("\u0301\u20dd\u0e49\u0483\u064b\u1dc0\U0001e8d0"))
def test_stacked_marks_are_cut_in_every_script(mark: str) -> None:
    assert plain(f"a{mark * 400}b") == f"a{mark * 4}b"
    assert is_blank(mark * 400)


def test_marks_of_a_language_stay() -> None:
    line = "น้ำ बुद्ध שָׁלוֹם مُحَمَّدٌ Việt ❤️❤️❤️❤️❤️ ═════"
    assert plain(line) == line


def test_overlapping_known_values_are_both_redacted_completely() -> None:
    assert one("<abcdefghi>", "abcdef", "defghi") == f"<{PLACEHOLDER}>"
    assert one("<ababababab>", "ababab") == f"<{PLACEHOLDER}>"
    assert one("password=abcdef-tail", "abcdef") == f"password={PLACEHOLDER}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("write", [json.dumps, quote, _base64])
def test_a_known_value_is_found_in_json_urls_and_base64(write: Callable[[str], str]) -> None:
    secret = 'pa"ss wörd/1'
    written = write(secret).strip('"')
    assert one(f"<{written}>", secret) == f"<{PLACEHOLDER}>"


def test_a_value_of_several_lines_is_found_line_by_line() -> None:
    lines = redact(["x first-line y", "x second-line y"], ["first-line\nsecond-line\n"]).lines
    assert lines == (f"x {PLACEHOLDER} y", f"x {PLACEHOLDER} y")


@pytest.mark.parametrize("line", ["-u bob:Hunter2x9q", "-setcookie Hunter2x9q", "a/b:Hunter2x9q!@host"])
@pytest.mark.parametrize("before", ["ran mysql --password Zk39fjDk39d", "a line of words", "unlock Zk39fjDk39d"])
def test_a_value_on_its_own_line_is_redacted_whatever_line_is_before(before: str, line: str) -> None:
    assert "Hunter2x9q" not in redact([before, line, "a line behind"]).lines[1]


@pytest.mark.parametrize(
    "line",
    ["vault login -t 12 y; unlock <<EOF", "login <<EOF -t Zk39fjDk39d", "login x -t Zk39fjDk39d, password:"],
)
def test_a_phrase_that_continues_in_the_next_line_is_found_after_another_one(line: str) -> None:
    assert "Hunter2x9q" not in redact([line, "Hunter2x9q"]).lines[1]


def test_lines_that_are_not_adjacent_are_searched_separately() -> None:
    lines = ["register -t Zk39fjDk39d the password:", "hello there you", "example.org/reset/Zk39fjDk39d"]
    assert redact(lines).lines[2] == "example.org/reset/[redacted]"


def test_values_of_five_characters_are_not_redacted() -> None:
    assert one("the value 12345", "12345") == "the value 12345"


KEY = [
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB",
    "AAAAMwAAAAtzc2gtZWQyNTUxOQAAACDXa1y",
    "-----END OPENSSH PRIVATE KEY-----",
]


@pytest.mark.parametrize("prefix", ["", "2026-11-23T22:41:07Z kali ", "    "])
@pytest.mark.parametrize(("first", "last"), [(0, 4), (0, 3), (1, 4), (0, 2)])
def test_a_private_key_is_redacted_over_lines_also_when_cut(prefix: str, first: int, last: int) -> None:
    lines = ["before", *(prefix + line for line in KEY[first:last]), "after it"]
    result = redact(lines)
    shown = "\n".join(result.lines)
    assert not any(line in shown for line in KEY[1:3])
    assert (result.lines[0], result.lines[-1]) == ("before", "after it")
    assert len(result.lines) == len(lines)
    assert result.count == 1


def test_keys_on_one_line_are_redacted_each() -> None:
    key = "\\n".join(KEY)
    assert one(f'a "{key}" b "{key}" c') == f'a "{PLACEHOLDER}" b "{PLACEHOLDER}" c'


def test_a_public_key_is_not_redacted() -> None:
    lines = ("-----BEGIN PUBLIC KEY-----", KEY[2], "-----END PUBLIC KEY-----")
    assert redact(lines).lines == lines


HOSTILE = (
    *(
        "a",
        "://a:",
        "password",
        "eyJ",
        "eyJ-",
        "xoxb-",
        "-----BEGIN ",
        "--token ",
        '\\"',
        "\x1b]",
        "\x9d",
        "bearer ",
    ),
    *("key=", "docker login pass:hunter22 ", "://a:&key=Ab1Ab1Ab1Ab1Ab1Ab1&", "%25", "&amp;", "aa_", "Cookie: "),
    *(
        "login x password ",
        "mysql -p",
        "\\\\u0026",
        "aaaaaaaa",
        "YWFhYWFhYWE",
        "\u0301",
        "hf_",
        "{",
        "password is ",
    ),
)


@pytest.mark.timeout(20)
def test_long_lines_take_linear_time() -> None:
    """In quadratic time, this would take minutes."""
    for piece in HOSTILE:
        line = piece * (32_000 // len(piece))
        assert len(redact([line], ["aaaaaaaa", 'x&y"z/w+q=']).lines) == 1


_TEXT = st.text(max_size=60)
# Without brackets, so that no value can be made of a placeholder and what stands beside it.
_SECRET = (
    st.text(st.characters(codec="utf-8", exclude_characters="[]", exclude_categories=("Cc", "Cf", "Zl", "Zp")))
    .map(str.strip)
    .filter(lambda s: len(plain(s)) >= 6 and s not in PLACEHOLDER)
)


@given(st.lists(_SECRET, min_size=1, max_size=4), st.lists(_TEXT, min_size=5, max_size=9), st.data())
def test_planted_values_never_survive(secrets: list[str], texts: list[str], data: st.DataObject) -> None:
    planted = [t + data.draw(st.sampled_from(secrets)) for t in texts]
    result = redact(["".join(planted).replace("\n", " "), *planted], secrets)
    assert not any(s in line for s in secrets for line in result.lines)
    assert result.count >= 1


@given(_SECRET, st.data())
def test_overlapping_values_never_survive(secret: str, data: st.DataObject) -> None:
    other = data.draw(_SECRET)
    cut = data.draw(st.integers(1, len(secret) - 1))
    crossing = (secret[cut:] + other).strip()
    assume(len(crossing) >= 6 and crossing not in PLACEHOLDER)
    lines = redact([f"{secret}{other}"], [secret, other, crossing]).lines
    assert not any(s in lines[0] for s in (secret, other, crossing))


_BASE64 = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", min_size=24, max_size=64)


@given(
    st.lists(_BASE64, min_size=1, max_size=30), st.sampled_from(["RSA ", "EC ", "ENCRYPTED ", ""]), _TEXT, _TEXT
)
def test_no_line_of_a_private_key_survives(body: list[str], kind: str, before: str, after: str) -> None:
    begin, end = f"-----BEGIN {kind}PRIVATE KEY-----", f"-----END {kind}PRIVATE KEY-----"
    assume(not any(line in text for line in body for text in (before, after)))
    shown = "\n".join(redact([before, before + begin, *body, end + after, after]).lines)
    assert not any(line in shown for line in body)


@given(st.lists(st.text(), max_size=8), st.sets(st.text(max_size=12), max_size=3))
def test_the_number_of_lines_stays_and_no_line_breaks(lines: list[str], secrets: set[str]) -> None:
    result = redact(lines, secrets)
    assert len(result.lines) == len(lines)
    assert all(len(line.splitlines()) <= 1 for line in result.lines)


@given(st.lists(st.text(), max_size=8))
def test_no_control_character_survives(lines: list[str]) -> None:
    assert not any(c in line for line in redact(lines).lines for c in "\x1b\x00\x07\x9b\u202e")


@pytest.mark.parametrize(
    "text",
    [f"with {AWS} now", JWT, "ghp_abcdefghijklmnopqrst", "xoxb-1234567890-a", "-----BEGIN RSA PRIVATE KEY-----"],
)
def test_a_vendors_token_and_a_private_key_are_known_by_their_shape(text: str) -> None:
    assert has_token(text)


@pytest.mark.parametrize(
    "text", ["token: expired", "the new password=see vault", "ghp_ is how they begin", "rotated"]
)
def test_words_about_secrets_are_no_tokens(text: str) -> None:
    assert not has_token(text)


@pytest.mark.parametrize(
    "line",
    [
        "Usage: /agentpod secrets set KEY [--secret NAME] [--new] [--reason REASON]",
        "secrets set GITHUB_TOKEN --secret agent-secrets-tier1 --reason rotated",
        'restart --reason "agent-secrets-tier2/GITHUB_TOKEN was changed" --target "x"',
        f"agent-secrets-tier2: {NotFound('The API server refused.').within('cluster west').message}",
        f"✗ Token: {NotFound('There is no kubeconfig /nowhere.').within('cluster west').message}",
        "agent-secrets-tier2: There is no kubeconfig /nowhere.",
    ],
)
def test_the_bot_s_own_texts_are_not_redacted(line: str) -> None:
    assert redact([line]).lines == (line,)


@pytest.mark.parametrize(
    "line",
    [
        "app --secret hunter2",
        "app --secret=Zk39fjDk39d",
        "-secret abcdefghi",
        "--my-secret abcdefghi",
        "(--secret abc)",
    ],
)
def test_a_secret_given_as_an_option_is_redacted_all_the_same(line: str) -> None:
    assert "[redacted]" in redact([line]).lines[0]
