"""An image's tag is no secret, whatever its repository is called; a value after such a word still is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.core.images import reference
from bot.domain.core.redact import PLACEHOLDER, redact

NAMES = (
    *(
        "token",
        "auth",
        "key",
        "api-key",
        "session",
        "secret",
        "secrets",
        "credentials",
        "cookie",
        "bearer",
        "passwd",
    ),
    *("password", "pwd", "pw", "passphrase", "psk", "otp", "pin", "webhook", "login", "signature", "salt", "kali"),
    *("password-manager", "vault-token", "agent-auth", "access-keys", "ssh_key", "license.key", "token-server2"),
)
REGISTRIES = (
    "ghcr.io",
    "localhost",
    "localhost:5000",
    "registry.local:5000",
    "10.0.0.5:30500",
    "eu.gcr.io",
    "docker.io",
)
HEX = "0123456789abcdef"
digests = st.text(HEX, min_size=64, max_size=64).map("sha256:{}".format)
numbers = st.integers(0, 99_999_999)
versions = st.builds("{}{}.{}.{}".format, st.sampled_from(["", "v"]), numbers, numbers, numbers)
commits = st.builds(str.__add__, st.sampled_from(["", "sha-", "git-"]), st.text(HEX, min_size=7, max_size=40))
releases = st.one_of(
    versions,
    commits,
    st.builds("{}-{}".format, versions, st.sampled_from(["alpine", "rc.1", "bookworm-slim", "14-g3f2a9c8"])),
    st.builds("v{}".format, numbers),
    st.builds("{}.{}".format, numbers, numbers),
)
words = st.sampled_from(
    ["latest", "main", "stable", "nightly-20261130", "pr-12", "feature-new-login", "PR-7", "amd64_2"]
)
folders = st.lists(st.sampled_from(["org", "team-a", "secrets", "vault", "x_y", "library"]), max_size=3)
paths = st.builds(lambda before, name: "/".join([*before, name]), folders, st.sampled_from(NAMES))
hosted = st.builds("{}/{}".format, st.sampled_from(REGISTRIES), paths)
named = st.one_of(
    st.builds("{}:{}".format, hosted, st.one_of(releases, words)),
    st.builds("{}:{}".format, paths.filter(lambda path: "/" in path), releases),
    st.builds("{}:{}".format, st.sampled_from(NAMES), versions),
)
tagged = st.one_of(hosted, paths).flatmap(lambda name: st.one_of(releases, words).map(lambda tag: f"{name}:{tag}"))
images = st.one_of(
    named,
    st.builds("{}@{}".format, tagged, digests),
    st.builds("{}@{}".format, st.one_of(hosted, paths), digests),
)
PLACES = st.sampled_from(
    [
        "{}",
        "image: {}",
        '{{"image": "{}"}}',
        "{} instead of {}",
        "Pulling image {}",
        'Successfully pulled image "{}" in 2s',
        "kubectl set image deployment/pod kali={}",
        "the image of kali was changed ({} → {})",
    ]
)


@given(images, PLACES)
@example("ghcr.io/org/vault-token:1.4.2@sha256:" + "3f2a9c81" * 8, "{}")
@example("ghcr.io/org/secret:sha-3f2a9c81d4e5", "{}")
@example("ghcr.io/org/passwd:1.4.2", "{}")
@example("ghcr.io/org/token:20261130.123456", "{}")
def test_no_reference_to_an_image_is_changed(image: str, place: str) -> None:
    assert reference(image).is_valid
    text = place.replace("{}", image).replace("{{", "{").replace("}}", "}")
    assert redact([text]).lines == (text,)


@given(
    st.sampled_from(["token", "password", "api_key", "client_secret", "DB_PASS", "vault-token", "passwd"]),
    st.sampled_from([": ", ":", "=", " = ", " : "]),
    st.from_regex(r"[A-Z][a-z]{3}[0-9]{3}[a-z]{2}[A-Z]{2}[0-9]{2}[a-z]{3}", fullmatch=True),
    st.sampled_from(
        ["{}", "the {} is wrong", "config/{}", "https://vault.example.com/{}", "user@host/{}", "ghcr.io/org/{}"]
    ),
)
def test_a_value_after_a_word_for_a_secret_is_redacted(name: str, sign: str, value: str, place: str) -> None:
    assert value not in redact([place.format(f"{name}{sign}{value}")]).lines[0]


@pytest.mark.parametrize(
    "line",
    [
        "token: 1.4.2-hunter2",  # with a blank it is an assignment
        "password:hunter22",
        "config/password:hunter22",
        "admin/password:v1.4.2@db",
        "https://ghcr.io/org/password:hunter22",
        "ghcr.io/org/password:Tr0ub4dor3",
        "ghcr.io/org/token:9xk2pqw7vb4mzt8rj3ls",
        "ghcr.io/org/password:1.4.2@sha256:3f2a",
        "user@ghcr.io/password:hunter22",
        "GHCR.io/Org/password:hunter22",
    ],
)
def test_what_is_no_reference_to_an_image_is_redacted(line: str) -> None:
    assert PLACEHOLDER in redact([line]).lines[0]
