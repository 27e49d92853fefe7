"""What Slack is told at once about a request, in Bolt's form and as a frame of Socket Mode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.response import BoltResponse


@dataclass(frozen=True)
class Acknowledgement:
    """The answer to an envelope; ``payload`` is a first reply or a form's complaints."""

    payload: Mapping[str, Any] | None = None
    accepted: bool = True
    """False where the bot is stopping: it is not acknowledged, so that Slack delivers it again or says so."""

    def bolt(self) -> BoltResponse:
        """As a middleware of Bolt gives it."""
        if not self.accepted:
            return BoltResponse(status=503, body="shutting down")
        return BoltResponse(status=200, body=dict(self.payload) if self.payload else "")

    def frame(self, envelope_id: str) -> str | None:
        """As Socket Mode sends it; None where nothing is to be sent."""
        if not self.accepted:
            return None
        answer: dict[str, Any] = {"envelope_id": envelope_id}
        if self.payload:
            answer["payload"] = self.payload
        return json.dumps(answer)
