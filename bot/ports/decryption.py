"""The encrypted config files on the bot's file system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any, Protocol

from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Decrypted:
    """A decrypted file. Its document is never shown."""

    sha256: str
    """Of the encrypted file."""
    document: Any = field(repr=False)
    made_up: bool = False
    """Whether nothing was decrypted, as in a dry run."""


class Decryption(Protocol):
    """Decrypts config files with sops. No error and no log has any part of what is decrypted.

    Raises `NotFound` where a file is missing, `Permanent` where it can't be used, with the remedy, and `TimedOut`.
    """

    async def digest(self, spec: ConfigsRotateSpec) -> str:
        """The SHA-256 of the encrypted file as it is now."""

    async def decrypt(self, spec: ConfigsRotateSpec) -> Decrypted:
        """Decrypt the file as it is now, in memory only."""

    def problems(self, spec: ConfigsRotateSpec) -> Sequence[tuple[str, str]]:
        """What is wrong with program, key and file, each with its remedy; runs nothing."""
