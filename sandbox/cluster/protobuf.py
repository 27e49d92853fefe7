"""Request bodies in Kubernetes' protobuf form: typed clients (``kubectl auth can-i``) send it, with JSON as the
answer they also take. Only the messages that such clients send here are supported.

Field numbers: ``generated.proto`` of k8s.io/apimachinery (Unknown), k8s.io/api/authorization/v1,
k8s.io/api/authentication/v1 and k8s.io/api/core/v1 (Secret).
"""

from __future__ import annotations

import base64
from typing import Any

from sandbox.cluster.status import ApiError, bad_request

Object = dict[str, Any]
MAGIC = b"k8s\x00"
Schema = dict[int, tuple[str, Any]]
"""Field number → name and form: a nested schema, ``str``, ``bytes`` (base64 in JSON), or a tuple for a map."""

_META: Schema = {1: ("name", str), 2: ("generateName", str), 3: ("namespace", str), 11: ("labels", (str, str))}
_RESOURCE: Schema = {
    1: ("namespace", str),
    2: ("verb", str),
    3: ("group", str),
    4: ("version", str),
    5: ("resource", str),
    6: ("subresource", str),
    7: ("name", str),
}
_ACCESS: Schema = {
    1: ("resourceAttributes", _RESOURCE),
    2: ("nonResourceAttributes", {1: ("path", str), 2: ("verb", str)}),
}
_SCHEMAS: dict[str, Schema] = {
    "SelfSubjectAccessReview": {1: ("metadata", _META), 2: ("spec", _ACCESS)},
    "SelfSubjectRulesReview": {1: ("metadata", _META), 2: ("spec", {1: ("namespace", str)})},
    "SelfSubjectReview": {1: ("metadata", _META)},
    "TokenReview": {1: ("metadata", _META), 2: ("spec", {1: ("token", str)})},
    "Secret": {
        1: ("metadata", _META),
        2: ("data", (str, bytes)),
        3: ("type", str),
        4: ("stringData", (str, str)),
    },
    "DeleteOptions": {2: ("preconditions", {1: ("uid", str), 2: ("resourceVersion", str)})},
}


def decode(raw: bytes) -> Object:
    """The object in a body that begins with :data:`MAGIC`. Raises ApiError 400 or 415."""
    try:
        envelope = dict(_fields(raw[len(MAGIC) :]))
        kind = dict(_fields(envelope[1])).get(2, b"").decode()
        schema = _SCHEMAS.get(kind)
        if schema is None:
            words = f"the body of the request was in an unknown format: protobuf {kind}"
            raise ApiError(415, "UnsupportedMediaType", words)
        return {"kind": kind, **_message(envelope.get(2, b""), schema)}
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise bad_request("error decoding the body: not a protobuf message") from error


def _message(raw: bytes, schema: Schema) -> Object:
    result: Object = {}
    for number, value in _fields(raw):
        name, form = schema.get(number, ("", None))
        if isinstance(form, tuple):
            pair = dict(_fields(value))
            result.setdefault(name, {})[pair.get(1, b"").decode()] = _scalar(pair.get(2, b""), form[1])
        elif isinstance(form, dict):
            result[name] = _message(value, form)
        elif form is not None and value:
            result[name] = _scalar(value, form)
    return result


def _scalar(value: bytes, form: type) -> str:
    return base64.b64encode(value).decode() if form is bytes else value.decode()


def _fields(raw: bytes) -> list[tuple[int, bytes]]:
    """Number and bytes of each length-delimited field; numbers and fixed-width fields are skipped."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        wire = tag & 7
        if wire == 2:
            size, at = _varint(raw, at)
            found.append((tag >> 3, raw[at : at + size]))
            at += size
        elif wire == 0:
            _, at = _varint(raw, at)
        else:
            at += 8 if wire == 1 else 4
    return found


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
