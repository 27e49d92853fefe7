"""What a program of the simulated container sees of it, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sandbox.cluster.files import File


@dataclass(frozen=True)
class Result:
    """A command's result: its output as bytes, and ``code``, its exit status."""

    out: bytes = b""
    err: bytes = b""
    code: int = 0


class Files(Protocol):
    """The files of a container, as its user may change them."""

    @property
    def user(self) -> str:
        """The user's name."""

    @property
    def full(self) -> bool:
        """Whether the home has no room left."""

    @property
    def files(self) -> Mapping[str, File]:
        """Path to file."""

    def absolute(self, path: str) -> str:
        """``path`` resolved against the home folder."""

    def may_write(self, path: str) -> bool:
        """Whether the user may write a file."""

    def write(self, path: str, file: File | None) -> None:
        """Write a file that stays, or remove it."""
