"""A bounded record of the wire traffic, for tests, benchmarks and the curious."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sandbox.slack.model import Json


@dataclass(slots=True)
class ApiCall:
    """One Web API or response URL call. ``args`` never hold the token.

    ``seconds`` is the time it took, ``retry_after`` the pause in seconds that the answer asked for.
    """

    method: str
    args: Json
    at: float
    status: int = 200
    result: Json = field(default_factory=dict)
    seconds: float = 0.0
    retry_after: int = 0

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return bool(self.result.get("ok"))

    @property
    def error(self) -> str | None:
        """Slack's error code, if the call failed."""
        return self.result.get("error")


@dataclass(slots=True)
class Envelope:
    """One delivery to the app; ``ack_seconds`` is None until it is acknowledged."""

    id: str
    type: str
    payload: Json
    at: float
    connection: str
    retry_attempt: int = 0
    retry_reason: str = ""
    ack_seconds: float | None = None
    ack: Json | None = None


class Record:
    """The last calls and envelopes."""

    def __init__(self, limit: int = 5000) -> None:
        """Keep up to ``limit`` of each."""
        self.calls: deque[ApiCall] = deque(maxlen=limit)
        self.envelopes: deque[Envelope] = deque(maxlen=limit)

    def of(self, method: str) -> list[ApiCall]:
        """The calls of ``method``, oldest first."""
        return [call for call in self.calls if call.method == method]

    def clear(self) -> None:
        """Forget everything so far."""
        self.calls.clear()
        self.envelopes.clear()
