"""Credentials for registries, from a ``config.json`` as `docker login` writes it."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import msgspec

from bot.domain.core.images import HUB
from bot.errors import Permanent

MAX_BYTES = 1024 * 1024
_HUB_KEYS = (HUB, f"index.{HUB}", f"registry-1.{HUB}")


class _Entry(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""


class _Config(msgspec.Struct):
    auths: dict[str, _Entry] = {}


def read(file: Path, host: str) -> tuple[str, str] | None:
    """Return user and password for a registry's host; None where the file has none.

    Raises Permanent for a file that can't be read. Its text never becomes part of a message.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unusable(f"it can't be read ({error.strerror or type(error).__name__})") from None
    if len(content) > MAX_BYTES:
        raise _unusable("it is larger than 1 MiB")
    try:
        config = msgspec.json.decode(content, type=_Config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _unusable("it is no docker config.json") from None
    wanted = _HUB_KEYS if host in _HUB_KEYS else (host,)
    entry = next((one for key, one in config.auths.items() if _host(key) in wanted), None)
    return None if entry is None else _pair(entry)


def _host(key: str) -> str:
    """The host of a key of ``auths``: a host, or an address such as https://index.docker.io/v1/."""
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


def _pair(entry: _Entry) -> tuple[str, str] | None:
    if not entry.auth:
        return (entry.username, entry.password) if entry.username else None
    try:
        user, colon, password = base64.b64decode(entry.auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise _unusable("an auth in it is no user and password in base64") from None
    return (user, password.strip("\x00")) if colon else None


def _unusable(why: str) -> Permanent:
    return Permanent(
        f"The registries' credentials can't be used: {why}.",
        remedy="Check the file that registry.credentials names.",
    )
