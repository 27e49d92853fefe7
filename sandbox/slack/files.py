"""File uploads: an upload URL, the bytes, and then asynchronous processing, as on Slack."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Callable

from sandbox.slack import seed
from sandbox.slack.model import File
from sandbox.slack.store import new_id

_TEXT = {"log", "txt", "yaml", "yml", "json", "md", "csv", "conf", "sh", "py"}
_MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class Files:
    """All files, the last ``limit`` of them."""

    def __init__(self, clock: Callable[[], float], limit: int = 500) -> None:
        """``clock`` gives seconds since the epoch."""
        self._clock = clock
        self._limit = limit
        self._files: dict[str, File] = {}
        self._tickets: dict[str, File] = {}

    def get(self, file_id: str) -> File | None:
        """A file by id."""
        return self._files.get(file_id)

    def expect(self, name: str, length: int, alt_txt: str) -> tuple[File, str]:
        """Prepare an upload; returns the file and the secret part of its upload URL."""
        file = File(new_id("F"), name, length, int(self._clock()), seed.BOT_USER, alt_txt=alt_txt)
        ticket = secrets.token_urlsafe(24)
        self._files[file.id] = file
        self._tickets[ticket] = file
        if len(self._files) > self._limit:
            del self._files[next(iter(self._files))]
        return file, ticket

    def receive(self, ticket: str, content: bytes) -> File:
        """Receive the bytes. Raises KeyError for an unknown or used ticket, ValueError for a wrong length."""
        file = self._tickets[ticket]
        if len(content) != file.length:
            raise ValueError(f"{file.length} bytes were announced and {len(content)} came")
        del self._tickets[ticket]
        file.content = content
        return file

    def process(self, file: File) -> None:
        """Finish a file as Slack does some time after the upload: detect its type, make previews."""
        file.mimetype, file.filetype = _kind(file)
        file.ready = True


def _kind(file: File) -> tuple[str, str]:
    content = file.content or b""
    for magic, mimetype in _MAGIC.items():
        if content.startswith(magic):
            return mimetype, mimetype.removeprefix("image/")
    extension = file.name.rsplit(".", 1)[-1].lower() if "." in file.name else ""
    if extension in _TEXT:
        return "text/plain", "text" if extension in ("log", "txt") else extension
    guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if guessed.startswith("image/"):
        guessed = "application/octet-stream"  # an image by its name only
    return guessed, extension or "binary"
