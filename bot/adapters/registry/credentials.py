"""Credentials for registries, from a ``config.json`` as `docker login` writes it."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import msgspec

from bot.domain.core.images import HUB
from bot.errors import Permanent
from bot.settings import regular_file

MAX_BYTES = 1024 * 1024
_HUB_KEYS = (HUB, f"index.{HUB}", f"registry-1.{HUB}")
_API_VERSIONS = ("v1", "v2")


class _Entry(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""


class _Config(msgspec.Struct):
    auths: dict[str, _Entry] = {}


def read(file: Path, host: str, repository: str) -> tuple[str, str] | None:
    """Return user and password for a repository of a registry's host; None where the file has none.

    Of several keys the one with the longest path that the repository lies in counts, as for a node's pulls.

    Raises Permanent for a file that can't be read. Its text never becomes part of a message.
    """
    try:
        content = regular_file.read(str(file), MAX_BYTES + 1)
    except regular_file.NotRegularError:
        raise _unusable("it is not a regular file") from None
    except OSError as error:
        raise _unusable(f"it can't be read ({error.strerror or type(error).__name__})") from None
    if len(content) > MAX_BYTES:
        raise _unusable("it is larger than 1 MiB")
    try:
        config = msgspec.json.decode(content, type=_Config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _unusable("it is no docker config.json") from None
    wanted = _HUB_KEYS if host in _HUB_KEYS else (host,)
    found = [(_place(key), entry) for key, entry in config.auths.items()]
    fitting = [(path, one) for (at, path), one in found if at in wanted and _is_in(repository, path)]
    return _pair(max(fitting, key=lambda each: len(each[0]))[1]) if fitting else None


def _place(key: str) -> tuple[str, str]:
    """Host and path of a key of ``auths``: reg.example.com/team, or https://index.docker.io/v1/ with the API's."""
    host, _, path = key.rpartition("://")[2].partition("/")
    return host, "" if path.partition("/")[0] in _API_VERSIONS else path.rstrip("/")


def _is_in(repository: str, path: str) -> bool:
    return not path or f"{repository}/".startswith(f"{path}/")


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
