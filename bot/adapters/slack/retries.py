"""Retries calls to Slack, never beyond the caller's deadline."""

from __future__ import annotations

import asyncio
import random
from contextvars import ContextVar
from datetime import UTC, datetime

from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState

from bot.domain.core import retry_after

until: ContextVar[float] = ContextVar("until")
"""The current call's deadline, as the event loop's time."""
UNKNOWN = 10.0
"""The deadline in seconds if the caller set none."""


class RateLimitRetryHandler(AsyncRetryHandler):
    """Waits as long as Slack asks for if that ends before the deadline; the SDK's handler has no limit."""

    async def _can_retry_async(
        self,
        *,
        state: RetryState,  # noqa: ARG002 - the SDK's signature
        request: HttpRequest,  # noqa: ARG002
        response: HttpResponse | None = None,
        error: Exception | None = None,  # noqa: ARG002
    ) -> bool:
        if response is None or response.status_code != 429:
            return False
        now = asyncio.get_running_loop().time()
        return now + _pause(response) < until.get(now + UNKNOWN)

    async def prepare_for_next_attempt_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,  # noqa: ARG002
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        """Wait as long as Slack asked for. Raises ``error`` if there is no response."""
        if response is None:
            raise error or AssertionError("neither an answer nor an error")
        state.next_attempt_requested = True
        jitter = random.uniform(0.0, 0.5)  # noqa: S311 - no secret
        await asyncio.sleep(_pause(response) + jitter)
        state.increment_current_attempt()


def _pause(response: HttpResponse) -> float:
    values = [values for name, values in response.headers.items() if name.lower() == "retry-after"]
    wanted = values[0][0] if values and values[0] else None
    return retry_after.seconds(wanted, datetime.now(UTC)) or 1.0


def handlers() -> list[AsyncRetryHandler]:
    """Return the retry handlers for calls that may be repeated."""
    return [
        AsyncConnectionErrorRetryHandler(max_retry_count=2),
        RateLimitRetryHandler(max_retry_count=3),
        AsyncServerErrorRetryHandler(max_retry_count=2),
    ]
