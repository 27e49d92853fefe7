"""Decodes the API server's lists object by object, so that one undecodable object does not hide the others.

Such an object is not left out: for pods, events and claims a placeholder with its name and unknown state takes its
place; for other kinds the whole list is refused with an error that names the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from bot.adapters.kubernetes import facts, shapes
from bot.domain.core import workload

S = TypeVar("S")
W = TypeVar("W")

WRONG = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises; RecursionError is for JSON that is nested too deeply."""
UNREADABLE = "Unreadable"
_MAX_REASON = 200


class _NameAndUid(Struct):
    name: str = ""
    uid: str = ""


class _Identified(Struct):
    metadata: _NameAndUid | None = None


class _Raws(Struct):
    items: list[Raw] | None = None


class UndecodableObject(Exception):
    """An object can't be decoded; the text names it and says why."""


def listed(
    body: bytes, shape: type[S], convert: Callable[[S], W], instead: Callable[[_NameAndUid, str], W] | None = None
) -> list[W]:
    """Return the converted objects of a list; ``instead`` makes the placeholder of one that can't be decoded.

    Raises one of `WRONG` if ``body`` is no list, and without ``instead`` `UndecodableObject` for such an object.
    """
    items = msgspec.json.decode(body, type=_Raws).items or ()
    return [_one(bytes(raw), shape, convert, instead) for raw in items]


def _one(
    raw: bytes, shape: type[S], convert: Callable[[S], W], instead: Callable[[_NameAndUid, str], W] | None
) -> W:
    try:
        return convert(msgspec.json.decode(raw, type=shape))
    except WRONG as error:
        named, why = _named(raw), str(error)[:_MAX_REASON]
        if instead is None:
            raise UndecodableObject(
                f"{named.name or 'an object without a name'} can't be understood: {why}"
            ) from error
        return instead(named, why)


def _named(raw: bytes) -> _NameAndUid:
    try:
        return msgspec.json.decode(raw, type=_Identified).metadata or _NameAndUid()
    except WRONG:
        return _NameAndUid()


def pod(raw: bytes) -> workload.Pod:
    """Decode a pod; if that fails, return its placeholder."""
    return _one(raw, shapes.Pod, facts.pod, unknown_pod)


def unknown_pod(named: _NameAndUid, why: str) -> workload.Pod:
    """Return the placeholder of a pod: its phase is Unknown."""
    name = named.name or "a pod without a name"
    message = f"what the API server says of it can't be understood: {why}"
    return workload.Pod(name, named.uid or name, "Unknown", reason=UNREADABLE, message=message)


def unknown_event(named: _NameAndUid, why: str) -> workload.Event:
    """Return the placeholder of an event."""
    message = f"what the API server says of it can't be understood: {why}"
    return workload.Event("Normal", UNREADABLE, message, f"event/{named.name}")


def unknown_claim(named: _NameAndUid, why: str) -> workload.Claim:  # noqa: ARG001 - why is the same for each kind
    """Return the placeholder of a claim: its phase is Unknown."""
    return workload.Claim(named.name or "a claim without a name", "Unknown", uid=named.uid or None)
