"""What is wrong with the files that `configs rotate` needs, found without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.target import Target
from bot.ports.decryption import Decryption

Problems = Sequence[tuple[str, str]]
"""What is wrong, each with its remedy."""


def problems(targets: Sequence[Target], decryption: Decryption | None) -> Iterator[tuple[Target, Problems]]:
    """Each target that has the rotation, with its problems."""
    for target in targets:
        if target.configs_rotate is not None and decryption is not None:
            yield target, _of(target.configs_rotate, decryption)


def _of(spec: ConfigsRotateSpec, decryption: Decryption) -> Problems:
    """One target's problems. An unexpected error is one of them, so that it hides no other target's."""
    try:
        return decryption.problems(spec)
    except Exception as error:
        kind = type(error).__name__  # its text may have a value of the file
        said = f"{spec.encrypted_file} could not be checked: unexpected {kind}."
        return [(said, "Report this as a defect of agentpod, without the file's content.")]
