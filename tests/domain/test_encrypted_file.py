"""What of a decrypted file becomes a Secret's data, and what is refused without a word of its values."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.encrypted_file import UnusableFile, recipients, secret_data
from bot.domain.core.secret_data import difference, is_key, redactable

SOPS = {"age": [{"recipient": "age1abc", "enc": "x"}], "mac": "ENC[…]"}
VALUE = "hunter2-hunter2"


def manifest(**more: Any) -> dict[str, Any]:
    meta = {"name": "agent-configs", "namespace": "pods"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"a": VALUE}} | more


def data(document: Any) -> dict[str, bytes]:
    return dict(secret_data(document, "agent-configs", "pods").values)


def test_a_manifest_and_a_flat_map_are_taken() -> None:
    assert data(manifest()) == {"a": VALUE.encode()}
    assert data(manifest(data={"a": "b2xk", "b": base64.b64encode(b"\xff").decode()})) == {
        "a": VALUE.encode(),
        "b": b"\xff",
    }
    assert data({"kubeconfig": VALUE, "empty": ""}) == {"kubeconfig": VALUE.encode(), "empty": b""}
    assert data({"apiVersion": "v1", "kind": "Secret", "data": {"a": "YQ\n=="}}) == {"a": b"a"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "does not hold names and values"),
        ([VALUE], "does not hold names and values"),
        ({}, "It has no values"),
        (manifest(stringData={}), "It has no values"),
        (manifest(stringData=VALUE), "It has no values"),
        (manifest(kind="ConfigMap"), "not the manifest of a Secret"),
        (manifest(apiVersion="v2"), "not the manifest of a Secret"),
        (manifest(metadata={"name": "other"}), "another Secret: its name is not agent-configs"),
        (manifest(metadata={"namespace": "other"}), "another Secret: its namespace is not pods"),
        (manifest(data={"a": VALUE}), "The value of a, under data, is not base64"),
        (manifest(stringData={"a": 1}), "The value of a is not a text"),
        ({"a": {"b": VALUE}}, "The value of a is not a text"),
        ({"a": None}, "The value of a is not a text"),
        ({"a": "\ud800"}, "The value of a is not valid Unicode"),
        ({VALUE + "!": "a"}, "a key that no Secret can have"),
        ({"..": "a"}, "a key that no Secret can have"),
        ({"a": "x" * ((1 << 20) + 1)}, "larger than a Secret can be"),
    ],
)
def test_everything_else_is_refused(document: Any, said: str) -> None:
    with pytest.raises(UnusableFile) as refused:
        data(document)
    assert said in refused.value.message
    assert "hunter2" not in f"{refused.value.message}{refused.value.remedy}"
    assert refused.value.remedy


@pytest.mark.parametrize(
    "document",
    [
        manifest(sops=SOPS, stringData={"a": "ENC[…]", "empty": ""}),
        {"a": "ENC[…]", "sops": {"mac": "m", "key_groups": [{"age": [{"recipient": "age1abc"}]}]}},
    ],
)
def test_an_encrypted_document_says_for_whom(document: Any) -> None:
    assert recipients(document, "f") == ["age1abc"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (VALUE, "f is not a document"),
        (manifest(), "it is NOT ENCRYPTED"),
        (manifest(sops=VALUE), "it is NOT ENCRYPTED"),
        (manifest(sops={"age": SOPS["age"]}), "it is NOT ENCRYPTED"),
        (manifest(sops=SOPS), "only in part: a is in PLAIN TEXT"),
        (manifest(sops=SOPS, stringData={"a": 1}), "only in part: a is in PLAIN TEXT"),
        (manifest(sops=SOPS, stringData={VALUE + "!": "b"}), "one of its values is in PLAIN TEXT"),
        ({"a": "ENC[…]", "sops": {"mac": "m", "pgp": [{"fp": "x"}]}}, "not encrypted for an age key"),
        ({"a": "ENC[…]", "sops": {"mac": "m", "age": [{}, 1]}}, "not encrypted for an age key"),
    ],
)
def test_what_is_not_encrypted_for_an_age_key_is_refused(document: Any, said: str) -> None:
    with pytest.raises(UnusableFile) as refused:
        recipients(document, "f")
    assert said in refused.value.message
    assert "hunter2" not in refused.value.message


def test_keys_are_compared_by_name_and_value() -> None:
    found = difference({"a": b"1", "b": b"1", "c": b"1"}, {"b": b"1", "c": b"2", "d": b"1"})
    assert (found.added, found.changed, found.removed, found.unchanged) == (("d",), ("c",), ("a",), ("b",))
    assert found.any
    assert not difference({"a": b"1"}, {"a": b"1"}).any


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_any_document_is_taken_or_refused(document: Any) -> None:
    for judge in (lambda: data(document), lambda: recipients(document, "f")):
        with suppress(UnusableFile):
            judge()


def test_only_the_random_words_of_a_config_file_are_redacted() -> None:
    token, certificate, hexadecimal = "aB3" * 8, "LS0tLS1CRUdJTi" * 20 + "=", "0123456789abcdef" * 2
    text = f"apiVersion: client.authentication.k8s.io/v1beta1\nkind: Config\ntoken: {token}\nca: {certificate}\n"
    assert redactable([(text + f"id: {hexadecimal}\n").encode()]) == {token, certificate, hexadecimal}
    assert redactable([b"one line\n", b"short", b"\xff\xfe\xfd\xfc\xfb\xfa"]) == {"one line"}


@pytest.mark.parametrize(
    ("name", "valid"), [("a.b-c_D", True), ("", False), (".", False), ("..a", False), ("a/b", False)]
)
def test_names_of_keys(name: str, valid: bool) -> None:
    assert is_key(name) is valid
