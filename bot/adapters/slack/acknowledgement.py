"""The acknowledgement of a request, as Bolt's response and as a Socket Mode frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.response import BoltResponse


@dataclass(frozen=True)
class Acknowledgement:
    """The acknowledgement; ``payload`` is a first reply or a form's errors."""

    payload: Mapping[str, Any] | None = None
    accepted: bool = True
    """False if the bot is stopping: without acknowledgement Slack redelivers the request or reports a failure."""

    def bolt(self) -> BoltResponse:
        """Return it as the response of a Bolt middleware."""
        if not self.accepted:
            return BoltResponse(status=503, body="shutting down")
        return BoltResponse(status=200, body=dict(self.payload) if self.payload else "")

    def frame(self, envelope_id: str) -> str | None:
        """Return it as a Socket Mode frame; None if nothing must be sent."""
        if not self.accepted:
            return None
        answer: dict[str, Any] = {"envelope_id": envelope_id}
        if self.payload:
            answer["payload"] = self.payload
        return json.dumps(answer)
