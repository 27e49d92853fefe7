"""Kubernetes quantities, such as ``20Gi``, ``500m`` or ``1e9``, as numbers. Pure."""

from __future__ import annotations

import re

_LONGEST = 40
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:[eE]([0-9]{1,2})|([KMGTPE]i|[mkMGTPE]))?")
_SUFFIXES = {"": 1.0, "m": 0.001, "k": 1e3} | {
    f"{letter}{kind}": float(base**power)
    for power, letter in enumerate("KMGTPE", start=1)
    for kind, base in (("", 1000), ("i", 1024))
}


def amount(value: str | int | float | None) -> float | None:
    """Convert a quantity to a number: bytes, or CPUs; None if it is no quantity."""
    match = _QUANTITY.fullmatch(str(value)[:_LONGEST])
    if match is None or len(str(value)) > _LONGEST:
        return None
    number, exponent, suffix = match.groups()
    return float(number) * 10.0 ** int(exponent or 0) * _SUFFIXES[suffix or ""]
