"""Reads what sops encrypts: whether a file is encrypted, for which keys, and the Secret's data in it. Pure.

Source: sops 3.13, README, "Encryption Protocol": the values of a document are ``ENC[…]``, and its key ``sops``
says for which keys. Empty texts stay empty.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from bot.domain.core import words
from bot.domain.core.secret_data import MOST_BYTES, SecretData, is_key

MOST_KEYS = 200
"""Most keys of one file."""
MOST_SHOWN = 5
"""Most names of keys in one message."""


class UnusableFile(ValueError):
    """The file can't be used. The message is a sentence; it has no value, and only names of valid keys."""

    def __init__(self, message: str, remedy: str, *, leaked: bool = False) -> None:
        """Keep all. ``leaked``: the file has values in plain text."""
        super().__init__(message)
        self.message, self.remedy, self.leaked = message, remedy, leaked


_PLAIN = "Make new ones, and encrypt the file with sops."


def recipients(document: Any, name: str) -> list[str]:
    """Check that a document is encrypted for age keys, value by value; returns these keys' public parts.

    Raises `UnusableFile` otherwise.
    """
    if not isinstance(document, dict):
        raise UnusableFile(f"{name} is not a document of names and values.", "Encrypt the Secret's manifest.")
    metadata = document.get("sops")
    if not isinstance(metadata, dict) or "mac" not in metadata:
        raise UnusableFile(
            f"Treat the values in {name} as leaked: it is NOT ENCRYPTED, so it is not used.", _PLAIN, leaked=True
        )
    if clear := sorted(_in_the_clear(document)):
        named = words.listed([key for key in clear if is_key(key)][:MOST_SHOWN]) or "one of its values"
        raise UnusableFile(
            f"Treat the values in {name} as leaked. It is encrypted only in part: {named} is in PLAIN TEXT.",
            _PLAIN,
            leaked=True,
        )
    found = [
        str(one["recipient"])[:100]
        for one in _groups(metadata)
        if isinstance(one, dict) and isinstance(one.get("recipient"), str)
    ]
    if not found:
        raise UnusableFile(
            f"{name} is not encrypted for an age key.",
            "Encrypt it for one: other kinds of keys are not supported.",
        )
    return found


def _groups(metadata: Mapping[str, Any]) -> Iterator[Any]:
    """All age keys in sops's metadata: its own, or those of its key groups."""
    groups = metadata.get("key_groups")
    for group in (metadata, *(groups if isinstance(groups, list) else ())):
        if isinstance(group, dict):
            found = group.get("age")
            yield from found if isinstance(found, list) else ()


def _in_the_clear(document: Mapping[str, Any]) -> Iterator[str]:
    """The keys whose values are not encrypted."""
    for _, values in _value_maps(document):
        for key, value in values.items():
            if value not in ("", None) and not (isinstance(value, str) and value.startswith("ENC[")):
                yield str(key)


def _value_maps(document: Mapping[str, Any]) -> list[tuple[str, Mapping[Any, Any]]]:
    """The maps of values in a manifest, with their names; in any other document all of it but sops's metadata."""
    if "kind" not in document and "apiVersion" not in document:
        return [("", {key: value for key, value in document.items() if key != "sops"})]
    found = [(name, document.get(name)) for name in ("data", "stringData")]
    return [(name, values) for name, values in found if isinstance(values, dict)]


def secret_data(document: Any, secret: str, namespace: str) -> SecretData:
    """The Secret's data in a decrypted document: its manifest, or a flat map of keys to texts.

    Raises `UnusableFile` for what is neither, for another Secret, and for what the API server would not take.
    """
    if not isinstance(document, dict):
        raise UnusableFile("It does not hold names and values.", "Encrypt the Secret's manifest.")
    if "kind" in document or "apiVersion" in document:
        _same_secret(document, secret, namespace)
    found: dict[str, bytes] = {}
    for name, values in _value_maps(document):
        for key, value in values.items():
            if not isinstance(key, str) or not is_key(key):
                raise UnusableFile(
                    "It has a key that no Secret can have.",
                    "Keys have letters, digits, dots, dashes and underscores, and at most 253 of them.",
                )
            found[key] = _value(key, value, encoded=name == "data")
    if len(found) > MOST_KEYS:
        raise UnusableFile(f"It has more than {MOST_KEYS} keys.", "Split it into several Secrets.")
    if not found:
        raise UnusableFile("It has no values, so the Secret would be empty.", "Look at its data and stringData.")
    if sum(map(len, found.values())) > MOST_BYTES:
        raise UnusableFile("Its values are larger than a Secret can be.", "A Secret holds 1 MiB at most.")
    return SecretData(found)


def _same_secret(document: Mapping[str, Any], secret: str, namespace: str) -> None:
    """Check that a manifest is that of the Secret."""
    if (document.get("kind"), document.get("apiVersion")) != ("Secret", "v1"):
        raise UnusableFile("It is not the manifest of a Secret.", "Encrypt the Secret's manifest.")
    metadata = document.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    for what, wanted in (("name", secret), ("namespace", namespace)):
        if named.get(what, wanted) != wanted:
            raise UnusableFile(
                f"It is the manifest of another Secret: its {what} is not {wanted}.",
                "Set targets[].configs_rotate to the Secret's file.",
            )


def _value(key: str, value: object, *, encoded: bool) -> bytes:
    if not isinstance(value, str):
        raise UnusableFile(f"The value of {key} is not a text.", "Quote it, then encrypt the file again.")
    if not encoded:
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise UnusableFile(f"The value of {key} is not valid Unicode.", "Encode it under data.") from None
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableFile(
            f"The value of {key}, under data, is not base64.", "Encode it, or put it under stringData."
        ) from None
