"""Where a server is: a URL, or a Service of the target's namespace."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from bot.domain.runbook.kind import Doubt, FactSettings
from bot.domain.runbook.record import Record

Url = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^https?://[^\x00-\x20]+$")]
Name = Annotated[str, StringConstraints(max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]


class Served(FactSettings):
    """A server: ``url``, or ``service`` with ``port`` (default: its first) and ``path``."""

    url: Url | None = None
    """The whole address."""
    service: Name | None = None
    """A Service of the target's namespace."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """The Service's port; not set: its first one."""
    path: str = Field(default="/", pattern=r"^/[^\x00-\x20]*$", max_length=1_000)
    """The path at the Service."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url is None) == (self.service is None):
            raise ValueError("give either url or service")
        return self

    def doubt(self, record: Record) -> Doubt | None:
        """An error page is not what was asked for."""
        status = record.outcome.get("status", "")
        if not status or status.startswith("2"):
            return None
        return Doubt(f"{self.describe()} answered with status {status}", ("status",))

    def describe(self) -> str:
        """The URL, or the Service with port and path."""
        if self.url is not None:
            return self.url
        port = f":{self.port}" if self.port else ""
        return f"http://{self.service}{port}{self.path}"
