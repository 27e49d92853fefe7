"""The bare stack, to compare with. ``echo``: a Bolt app that only acknowledges. ``idle``: imports, then waits."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys


async def echo() -> None:
    """Bolt's own way over Socket Mode, as its documentation shows it."""
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    client = AsyncWebClient(os.environ["ECHO_BOT_TOKEN"], base_url=os.environ["ECHO_API_URL"])
    app = AsyncApp(client=client)

    @app.command("/agentpod")
    async def answer(ack, command):  # type: ignore[no-untyped-def]
        await ack(command["text"])

    await AsyncSocketModeHandler(app, os.environ["ECHO_APP_TOKEN"]).start_async()


STACK = (
    "slack_bolt.async_app",
    "slack_bolt.adapter.socket_mode.aiohttp",
    "kubernetes.aio.client",
    "cel_expr_python.cel",
    "cel_expr_python.ext.ext_strings",
)


LATER = ("sqlalchemy.ext.asyncio", "sqlalchemy.dialects.sqlite", "httpx")
"""Libraries for approvals and heartbeats. The bot loads them in the background, so they count for memory only."""


def stack(*more: str) -> None:
    """Import the bot's essential libraries: the asyncio parts of Bolt and of the Kubernetes client."""
    for name in (*STACK, *more):
        importlib.import_module(name)


async def idle() -> None:
    """Import the stack, then wait."""
    stack(*LATER)
    print("ready", flush=True)  # noqa: T201 - the benchmark reads it
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "import":
        stack()
    else:
        asyncio.run({"echo": echo, "idle": idle}[sys.argv[1]]())
