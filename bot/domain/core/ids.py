"""Short random ids of our own, and the check of Slack ids."""

from __future__ import annotations

import secrets

LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""The alphabet of short ids: no letters or digits that are easily confused, such as 0 and o, 1, i and l."""

_LETTER = bytes(ord(LETTERS[byte % len(LETTERS)]) for byte in range(256))
"""Maps each byte to a letter. The first few letters are slightly more frequent, which makes collisions no
likelier."""


def short(prefix: str, length: int) -> str:
    """Return a new random id: ``prefix`` and ``length`` letters, so short that it can be typed on a phone.

    Ids may collide; the ledger refuses a duplicate.
    """
    return prefix + secrets.token_bytes(length).translate(_LETTER).decode()


def people(value: tuple[str, ...]) -> tuple[str, ...]:
    """Validate Slack ids of users (U…, W…) and user groups (S…). Raises ValueError for anything else."""
    for one in value:
        if not (one.startswith(("U", "W", "S")) and one.isalnum() and one.isupper()):
            raise ValueError(f"takes Slack ids that begin with U, W or S, not {one!r}")
    return value
