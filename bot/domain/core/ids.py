"""Ids: our own short ones, and Slack's."""

from __future__ import annotations

import secrets

LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without those that are mistaken for each other when read out."""

_LETTER = bytes(ord(LETTERS[byte % len(LETTERS)]) for byte in range(256))
"""The letter for each byte; that the first ones come a little more often makes no double likely."""


def short(prefix: str, length: int) -> str:
    """A new id, short enough to type on a phone; the ledger refuses a double."""
    return prefix + secrets.token_bytes(length).translate(_LETTER).decode()


def people(value: tuple[str, ...]) -> tuple[str, ...]:
    """Users (U…, W…) and user groups (S…) by Slack's ids. Raises ValueError for anything else."""
    for one in value:
        if not (one.startswith(("U", "W", "S")) and one.isalnum() and one.isupper()):
            raise ValueError(f"takes Slack ids that begin with U, W or S, not {one!r}")
    return value
