"""The settings of `configs rotate`: the encrypted file, the key for it, and the Secret that is made of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

DEFAULT_SECRET = "agent-configs"  # noqa: S105 - a name
"""The handbook's Secret of the config files."""


def _absolute(value: str) -> str:
    if not value.startswith("/") or value.endswith("/") or not value.isprintable():
        raise ValueError(f"{value[:100]!r} is not a file's absolute path: it must begin with /")
    return value


def _supported(value: str) -> str:
    if not value.endswith((".yaml", ".yml", ".json")):
        raise ValueError(f"{value[:100]!r} must end in .yaml, .yml or .json: other formats are not decrypted")
    return value


FilePath = Annotated[str, Field(max_length=4000), AfterValidator(_absolute)]


class ConfigsRotateSpec(BaseModel):
    """How `configs rotate` makes the Secret of the config files. It needs deploy/options/configs-rotate.

    The files are on the bot's own file system, where its Deployment mounts them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encrypted_file: Annotated[FilePath, AfterValidator(_supported)]
    """The file that sops encrypted: the Secret's manifest, or a map of its keys to values."""
    key_file: FilePath
    """The file with the age key that decrypts it, which only the bot may read."""
    sops: FilePath = "/usr/local/bin/sops"
    """The sops program."""
    secret: str = Field(default=DEFAULT_SECRET, pattern=r"^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?$")
    """The Secret that holds the config files."""

    @property
    def format(self) -> str:
        """The file's format, as sops calls it."""
        return "json" if self.encrypted_file.endswith(".json") else "yaml"
