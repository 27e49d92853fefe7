"""An image's tag is no secret, whatever its repository is called; a value after such a word still is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.core.images import reference
from bot.domain.core.redact import PLACEHOLDER, redact

NAMES = (
    *("token", "auth", "key", "api-key", "session", "secret", "secrets", "credentials", "cookie", "bearer"),
    *(
        "webhook",
        "signature",
        "salt",
        "kali",
        "vault-token",
        "agent-auth",
        "access-keys",
        "ssh_key",
        "license.key",
    ),
)
PASSWORDS = ("password", "passwd", "pwd", "pw", "passphrase", "psk", "otp", "pin", "login", "password-manager")
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
numbers = st.integers(0, 9999)
three = st.builds("{}{}.{}.{}".format, st.sampled_from(["", "v"]), numbers, numbers, numbers)
suffixes = ["", "-alpine", "-rc.1", "-RC1", "-SNAPSHOT", "-bookworm-slim", "-14-g3f2a9c8", "-alpine3.20", ".4"]
versions = st.builds(str.__add__, three, st.sampled_from(suffixes))
commits = st.text(HEX, min_size=7, max_size=12)
releases = st.one_of(
    versions,
    st.builds("{}-{}".format, st.sampled_from(["main", "sha", "git", "release"]), commits),
    st.builds("v{}".format, numbers),
    st.builds("{}.{}".format, numbers, numbers),
    st.sampled_from(["latest", "main", "stable", "nightly-20261130", "20261130", "2026-11-30", "pr-12", "PR-7"]),
    st.sampled_from(["16-alpine", "feature-new-login"]),
)
folders = st.lists(st.sampled_from(["org", "team-a", "secrets", "vault", "x_y", "library"]), max_size=3)


def _paths(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.builds(lambda before, name: "/".join([*before, name]), folders, st.sampled_from(names))


paths = _paths((*NAMES, *PASSWORDS))
hosted = st.builds("{}/{}".format, st.sampled_from(REGISTRIES), paths)
hosted_names = st.builds("{}/{}".format, st.sampled_from(REGISTRIES), _paths(NAMES))
named = st.one_of(
    st.builds("{}:{}".format, hosted_names, releases),
    st.builds("{}:{}".format, hosted, st.one_of(versions, st.just("latest"))),
    st.builds("{}:{}".format, _paths(NAMES), versions),
)
tagged = st.builds(
    "{}:{}".format, st.one_of(hosted, paths), st.one_of(releases, st.text(HEX, min_size=7, max_size=40))
)
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
@example("ghcr.io/org/name:1.2.3", "{}")
@example("postgres:16", "{}")
@example("team/app:main-9f86d08", "{}")
@example("docker.io/team/token:main-9f86d08", "{}")
@example("team/token:main-9f86d08", "image: {}")
@example("team/password:1.4.2", "Pulling image {}")
@example("team/token:1.0.0-SNAPSHOT", "{}")
@example("team/token:v1.0.0-RC1", "{}")
@example("ghcr.io/org/passwd:1.4.2", "{}")
@example("ghcr.io/org/token:20261130.123456", "{}")
def test_no_reference_to_an_image_is_changed(image: str, place: str) -> None:
    assert reference(image).is_valid
    text = place.replace("{}", image).replace("{{", "{").replace("}}", "}")
    assert redact([text]).lines == (text,)


@pytest.mark.parametrize("before", ["image: ", "image=", '{"image": "', "Pulling image ", 'Pulling image \\"'])
def test_a_commit_is_a_tag_after_the_word_image(before: str) -> None:
    commit = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
    for name, tag in (("ghcr.io/org/vault-token", commit), ("kv/api-key", f"sha-{commit}")):
        line = f'{before}{name}:{tag}"'
        assert redact([line]).lines == (line,)
        assert tag not in redact([f"GET {name}:{tag}"]).lines[0]


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


HASH = "82483fd5c72eb4204b008ec2166e0f28f015cd16"


@pytest.mark.parametrize(
    "line",
    [
        # Hashes and numbers after a path.
        f"redis GET oauth2/access-token:{HASH}",
        f"DEL auth/session-token:{HASH[:32]}",
        f"kv/datadog/api-key:{HASH[:32]}",
        f"kv/prod/master-key:sha-{HASH}",
        f"kv/prod/master-key:main-{HASH}",
        f"kv/prod/api-key:dev-{HASH[:12]}",
        f"image: kv/password:{HASH}",
        "app/password:84629173",
        "app/token:1234-5678-9012-3456",
        "user/pass:20240911",
        "etc/app/pw:12345678",
        # Releases after a path without a registry.
        "admin/password:latest",
        "db/pass:10.20.30",
        "app/token:20260101-123456",
        "kv/token:2026-01-01",
        "config/secret:pr-12",
        "team/token:main-9f86d08",
        # Hosts, ports and files that are no registries.
        "settings.yaml/db/password:hunter2",
        "secrets.env/password:hunter2",
        "application.properties/password:letmein123",
        "path=a.b/password:hunter2",
        "a.b/password:CorrectHorse",
        "a.b/password:HUNTER2",
        "a.b/password:Abc1_Def2_Ghi3",
        "cfg.yaml/db_password:Sommer",
        "localhost/password:hunter2",
        "cfg:1/secret:hunter2",
        "db.internal:5432/app/password:summer2024",
        "vault.internal:8200/kv/db-password:correct-horse-battery-staple",
        "10.0.0.7:5432/app-password:wintersun",
        "login mail.example.com/app-password:abcd-efgh-ijkl-mnop",
        "redis.prod:6379/auth-token:7f3kz-9wq2x-p4mtb-8vnrc",
        "db.prod/session-token:550e8400-e29b-41d4-a716-446655440000",
        "git clone host.example.com/user/token:hunter2abc",
        "api.example.com/users/reset-password:482913",
        "mail.example.com/otp:482913",
        "api.example.com/verify/access-code:48291377",
        "registry.example.com:5000/robot-secret:kq3vz7wpxm",
        "nexus.local/admin/password:qwertzuiop1",
        "docker login reg.io/token:hunter2",
        "oci://user.x/token:hunter2",
        "docker://host.example.com/password:hunter2",
        "password:12345678.1.2-abcdefghijkl-9k2j3h4g5f6d",
        "password:10.20.30",
        # What does not end where a tag does.
        "ghcr.io/org/vault-token:1.4.2?hunter2",
        "ghcr.io/org/vault-token:1.4.2,hunter2",
        "ghcr.io/org/vault-token:1.4.2(hunter2)",
        "reg.io/app/token:abcd,Ef9$kq!",
        "reg.io/a/password:hunter2(Xy9$kq)",
        "reg.io/a/password:hunter2{Xy9}kq",
        "reg.io/a/password:hunter2ÄÖ9x",
        "example.com/password:geheim,Xy9kq!",
    ],
)
def test_a_value_after_a_path_is_redacted(line: str) -> None:
    for text in (line, f'run "{line}"', f"{line} status=ok"):
        before = line[: line.rindex(":") + 1]
        assert redact([text]).lines[0].replace("1.4.2", "") == text.replace(line, f"{before}{PLACEHOLDER}")


@pytest.mark.parametrize(
    "line",
    [
        "image=ghcr.io/org/vault-token:1.4.2|db_password=hunter2",
        "ghcr.io/org/vault-token:1.4.2?password=hunter2",
        "(vault-token:1.4.2)(password:hunter2)",
        "[image:ghcr.io/org/vault-token:1.4.2][password:hunter2]",
        "{image:ghcr.io/org/vault-token:1.4.2}{password:hunter2}",
        "image=ghcr.io/org/vault-token:1.4.2(password=hunter2)",
        "ghcr.io/org/vault-token:1.4.2;password=hunter2",
        "vault-token:1.4.2/password=hunter2",
        '"ghcr.io/org/vault-token:v1.4.2","password=hunter2"',
        "ghcr.io/org/vault-token:v1.4.2 password=hunter2",
    ],
)
def test_a_secret_beside_a_tag_is_redacted(line: str) -> None:
    assert "hunter2" not in redact([line]).lines[0]


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
