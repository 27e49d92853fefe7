"""JSON is kept as it is unless one of its values is a secret, by itself, by its name or by what is beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.domain.approvals.kept_text import kept_text
from bot.domain.core.outside import Outside
from bot.domain.core.redact import PLACEHOLDER

KNOWN = "correct-horse-battery"
LABELS = {"app": "token-service", "k8s:io.kubernetes.pod.namespace": "auth", "secret": "vault"}
"""As one text, something in it is taken for a secret."""
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def kept(text: str) -> str:
    return kept_text(text, Outside([KNOWN]))


@pytest.mark.parametrize(
    "value",
    [
        {"matchLabels": LABELS},
        {"matchLabels": {"secret": "vault"}},
        {"matchLabels": {"app": "oauth2-token", **LABELS}},
        {"annotations": {APPLIED: json.dumps({"matchLabels": LABELS})}},
        {"matchLabels": LABELS, "annotations": {"note": "one\r\n\ttwo"}},
    ],
)
def test_what_has_no_secret_is_kept(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert Outside().text(text) != text
    assert kept(text) == text


@pytest.mark.parametrize(
    "value",
    [
        {"annotations": {"password": "hunter22"}},
        {"annotations": {"secret": "vault"}},
        {"annotations": {"password": 84629173}},
        {"matchLabels": {"token": "agent7"}},
        {"annotations": {"note": f"it is {KNOWN}"}},
        {"annotations": {KNOWN: {"a": "b"}}},
        {"annotations": {"note": f"first\nghp_{'a1B2c3' * 6}"}},
        {"annotations": {APPLIED: json.dumps({"password": "hunter22"})}},
        {"headerMatches": [{"name": "X-Token", "value": "hunter22abc"}]},
        [{"password": "hunter22"}],
    ],
)
def test_what_has_a_secret_is_redacted(value: Any) -> None:
    text = json.dumps({"matchLabels": LABELS, "rest": value}, ensure_ascii=False)
    outside = Outside([KNOWN])
    clean = json.dumps(outside.data(json.loads(text)), ensure_ascii=False)
    assert kept(text) == outside.text(clean)
    assert kept(text) != text


@pytest.mark.parametrize(
    "value",
    [
        {"args": ["--password", "hunter2hunter2X"]},
        {"command": ["curl", "-u", "admin:hunter2hunter2X", "https://h/"]},
        {"command": ["curl", "-H", "Authorization: Bearer", "hunter2hunter2X234567"]},
        {"env": [{"value": "hunter2hunter2X", "name": "DB_PASSWORD"}]},
        {"password": ["hunter2hunter2X"]},
        {"annotations": {APPLIED: json.dumps({"args": ["--password", "hunter2hunter2X"]})}},
    ],
)
def test_what_only_stands_beside_its_name_is_a_secret_all_the_same(value: Any) -> None:
    text = json.dumps(value)
    assert Outside().text(text) == text
    assert "hunter2" not in kept(text)
    assert PLACEHOLDER in kept(text)


def test_the_rest_of_data_with_a_secret_is_kept() -> None:
    text = json.dumps({"args": ["--password", "hunter2hunter2X"], "tty": False})
    assert json.loads(kept(text)) == {"args": ["--password", PLACEHOLDER], "tty": False}


def test_data_that_is_nested_too_deeply_for_a_judgement_is_not_kept() -> None:
    text = '{"a":' * 900 + json.dumps({"args": ["--password", "hunter2hunter2X"]}) + "}" * 900
    assert Outside().text(text) == text
    assert kept(text) == PLACEHOLDER


def test_a_name_that_is_given_twice_hides_no_value() -> None:
    text = f'{{"matchLabels": {json.dumps(LABELS)}, "note": "ghp_{"a1B2c3" * 6}", "note": "x"}}'
    assert "ghp_" not in kept(text)


def test_data_that_is_nested_too_deeply_is_judged_as_text() -> None:
    text = '{"a":' * 5_000 + json.dumps(LABELS) + "}" * 5_000
    assert kept(text) == Outside().text(text)


@pytest.mark.parametrize("text", ["zero\u200bwidth", json.dumps({"a": "zero\u200bwidth"}, ensure_ascii=False)])
def test_an_invisible_character_is_not_kept(text: str) -> None:
    assert kept(text) == text.replace("\u200b", "")


def test_what_is_no_json_is_judged_as_text() -> None:
    assert kept("password=hunter22") == "password=[redacted]"
