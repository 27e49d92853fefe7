"""What stands beside a value in JSON data gives it away, before each value becomes a line of its own."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.core.outside import Outside
from bot.domain.core.redact import PLACEHOLDER as GONE
from bot.domain.core.redact import redact
from bot.domain.core.redact.objects import MAX_DEPTH

SECRET = "hunter2secret"


@pytest.mark.parametrize(
    ("data", "clean"),
    [
        ({"name": "DB_PASSWORD", "value": SECRET}, {"name": "DB_PASSWORD", "value": GONE}),
        ({"name": "DB_PASSWORD", "value": "two words"}, {"name": "DB_PASSWORD", "value": GONE}),
        ({"key": "apiToken", "value": "9f8a7b6c5d4e3f2a"}, {"key": "apiToken", "value": GONE}),
        ({"name": "PIN_TOKEN", "value": 12345678}, {"name": "PIN_TOKEN", "value": GONE}),
        ([{"value": SECRET, "name": "PASSWORD"}], [{"value": GONE, "name": "PASSWORD"}]),
        (["--password", SECRET, "--verbose"], ["--password", GONE, "--verbose"]),
        (
            {"command": ["sshpass"], "args": ["-p", SECRET, "ssh"]},
            {"command": ["sshpass"], "args": ["-p", GONE, "ssh"]},
        ),
        (["sshpass", "-p", SECRET, "ssh"], ["sshpass", "-p", GONE, "ssh"]),
        ({"passwords": [SECRET, "other-99"]}, {"passwords": [GONE, GONE]}),
    ],
)
def test_a_value_is_redacted_by_what_is_beside_it(data: Any, clean: Any) -> None:
    assert Outside().data(data) == clean


@pytest.mark.parametrize(
    "data",
    [
        {"name": "LOG_LEVEL", "value": "debug"},
        {"name": "SECRET_NAME", "value": "agent-env"},
        {"name": "kali", "ready": True, "count": 3, "none": None},
        ["sleep", "infinity"],
        {"secretRef": {"name": "agent-env"}},
        [[], {}, [{}], ""],
    ],
)
def test_other_data_is_unchanged(data: Any) -> None:
    assert Outside().data(data) == data


def test_the_data_itself_stays_as_it_is() -> None:
    data = {"name": "DB_PASSWORD", "value": SECRET}
    Outside().data(data)
    assert data["value"] == SECRET


def test_only_the_values_with_a_secret_are_redacted_among_many() -> None:
    data = [{"name": f"N{n}" if n % 7 else f"PASSWORD_{n}", "value": f"äöü value {n}"} for n in range(100)]
    clean = Outside().data(data)
    assert [n for n in range(100) if clean[n] != data[n]] == list(range(0, 100, 7))


def test_deep_data_is_no_error() -> None:
    data: Any = SECRET
    for _ in range(MAX_DEPTH * 3):
        data = [data]
    assert Outside().data(data) == data


@pytest.mark.parametrize("quote", ['"', "'"])
def test_an_objects_key_is_no_value_of_the_word_before_it(quote: str) -> None:
    line = '{"app": "token-service", "k8s:io.kubernetes.pod.namespace": "auth"}'.replace('"', quote)
    assert redact([line]).lines == (line,)
    for secret in (
        '"app": "token", "password": "hunter2"',
        'set("token", "Hunter2xQ9")',
        '"token", "Hunter2xQ9": no',
    ):
        assert "unter2" not in redact([secret.replace('"', quote)]).lines[0]
