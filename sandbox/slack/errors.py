"""Errors with Slack's own codes."""

from __future__ import annotations

from typing import Any


class SlackError(Exception):
    """An ``ok: false`` answer.

    ``word`` is Slack's error code; ``messages`` go to ``response_metadata``; ``fields`` are further keys of
    the answer (``needed``, ``provided``); ``status`` and ``headers`` are HTTP's.
    """

    def __init__(
        self,
        word: str,
        messages: list[str] | None = None,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(word)
        self.word = word
        self.messages = messages or []
        self.status = status
        self.headers = headers or {}
        self.fields = fields

    def body(self) -> dict[str, Any]:
        """The JSON answer."""
        body: dict[str, Any] = {"ok": False, "error": self.word, **self.fields}
        if self.messages:
            body["response_metadata"] = {"messages": self.messages}
        return body


def invalid_arguments(*messages: str) -> SlackError:
    """``invalid_arguments`` with Slack's ``[ERROR] …`` lines."""
    return SlackError("invalid_arguments", [f"[ERROR] {message}" for message in messages])


def rate_limited(retry_after: int) -> SlackError:
    """HTTP 429 with ``Retry-After`` in seconds."""
    return SlackError("ratelimited", status=429, headers={"Retry-After": str(retry_after)})
