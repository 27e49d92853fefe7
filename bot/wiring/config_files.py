"""What is wrong with the files that `configs rotate` needs, found without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.core.target import Target
from bot.ports.decryption import Decryption

Problems = Sequence[tuple[str, str]]
"""What is wrong, each with its remedy."""


def problems(targets: Sequence[Target], decryption: Decryption | None) -> Iterator[tuple[Target, Problems]]:
    """Each target that has the rotation, with its problems."""
    for target in targets:
        if target.configs_rotate is not None and decryption is not None:
            yield target, decryption.problems(target.configs_rotate)
