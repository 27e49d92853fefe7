"""Whether a server accepts connections, and its first line."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bot.domain.runbook.kind import Doubt, FactKind, FactSettings
from bot.domain.runbook.record import Record

NO_LINE = "none"
"""What is read of a server that says nothing before it is spoken to: ``banner: none``."""


class Tcp(FactSettings):
    """A host and a port to connect to; ``banner`` reads the first line that the server sends."""

    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._:-]+$")
    """A host name or an IP address."""
    port: int = Field(ge=1, le=65535)
    """The port."""
    banner: bool = False
    """Whether the server's first line is read, for up to a second: of whatever protocol, and there may be none."""

    def doubt(self, record: Record) -> Doubt | None:
        """Without a connection nothing is known of the first line."""
        if record.outcome.get("connected", "true") == "true":
            return None
        return Doubt(f"{self.describe()}: {record.outcome.get('error', 'no connection')}", ("connected", "error"))

    def describe(self) -> str:
        """The address."""
        return f"{self.host}:{self.port}"


def values(record: Record) -> dict[str, Any]:
    """Return whether the connection was made, or why not; and the server's first line, empty if it sent none."""
    connected = record.outcome.get("connected")
    found: dict[str, Any] = {"banner": record.lines[0] if record.lines else ""}
    if connected is not None:
        found |= {"connected": connected == "true", "error": record.outcome.get("error", "")}
    return found


KIND = FactKind(
    "tcp",
    "Whether a server accepts a TCP connection, and its first line: `banner: none` where it sends none",
    Tcp,
    {"connected": "bool", "error": "string", "banner": "string"},
    values,
    {"connected": "true"},
    ("connected", "error"),
)
