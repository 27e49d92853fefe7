"""The API server's lists, an object at a time: one that can't be understood hides none of the others.

It is not left out either: it stands there by its name as something that nothing is known of, or where that can't
be said of its kind, the whole list is refused and the object named.
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
"""What decoding raises, for JSON that is nested too deeply as well."""
UNREADABLE = "Unreadable"
_SAID = 200


class _NameAndUid(Struct):
    name: str = ""
    uid: str = ""


class _Identified(Struct):
    metadata: _NameAndUid | None = None


class _Raws(Struct):
    items: list[Raw] | None = None


class UndecodableObject(Exception):
    """An object that can't be understood; the text names it and says why."""


def listed(
    body: bytes, shape: type[S], convert: Callable[[S], W], instead: Callable[[_NameAndUid, str], W] | None = None
) -> list[W]:
    """Each object of a list, converted; ``instead`` makes what stands for one that can't be understood.

    Raises one of `WRONG` where it is no list, and `UndecodableObject` for an object where there is no ``instead``.
    """
    items = msgspec.json.decode(body, type=_Raws).items or ()
    return [_one(bytes(raw), shape, convert, instead) for raw in items]


def _one(
    raw: bytes, shape: type[S], convert: Callable[[S], W], instead: Callable[[_NameAndUid, str], W] | None
) -> W:
    try:
        return convert(msgspec.json.decode(raw, type=shape))
    except WRONG as error:
        named, why = _named(raw), str(error)[:_SAID]
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
    """A pod; one that can't be understood is one of which nothing is known."""
    return _one(raw, shapes.Pod, facts.pod, unknown_pod)


def unknown_pod(named: _NameAndUid, why: str) -> workload.Pod:
    """A pod of which nothing is known."""
    name = named.name or "a pod without a name"
    message = f"what the API server says of it can't be understood: {why}"
    return workload.Pod(name, named.uid or name, "Unknown", reason=UNREADABLE, message=message)


def unknown_event(named: _NameAndUid, why: str) -> workload.Event:
    """An event that can't be understood: that it is there is known."""
    message = f"what the API server says of it can't be understood: {why}"
    return workload.Event("Normal", UNREADABLE, message, f"event/{named.name}")


def unknown_claim(named: _NameAndUid, why: str) -> workload.Claim:  # noqa: ARG001 - why is the same for each kind
    """A claim of which nothing is known."""
    return workload.Claim(named.name or "a claim without a name", "Unknown", uid=named.uid or None)
