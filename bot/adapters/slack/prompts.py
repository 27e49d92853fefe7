"""Suggested prompts: what somebody who opens a thread with the assistant is offered, by what they may run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from bot.adapters.slack.api import Api
from bot.adapters.slack.claims import of_event
from bot.adapters.slack.request import SlackRequest
from bot.domain.core import labels
from bot.domain.rbac.access import Identity, decide_about
from bot.domain.rbac.scope import ANY
from bot.errors import AgentpodError
from bot.runbook.dispatch import Dispatcher

logger = logging.getLogger("agentpod.slack")
LINES = ("status", "incidents", "restart", "help", "whoami")
"""The lines that are offered, the most useful first."""
MOST = 4
"""Slack's limit of prompts."""
TITLE = "Try one of these, or type a command"


def read(body: Mapping[str, Any], event: Mapping[str, Any]) -> SlackRequest | None:
    """Return the request of an ``assistant_thread_started`` event."""
    thread = event.get("assistant_thread")
    if not isinstance(thread, dict):
        return None
    user, channel, ts = (str(thread.get(name) or "") for name in ("user_id", "channel_id", "thread_ts"))
    if not (user and channel and ts):
        return None
    key = f"event:{body.get('event_id') or channel + ts}"
    return SlackRequest("assistant", user, channel, None, key, thread_ts=ts, claims=of_event(body, event))


async def suggest(request: SlackRequest, who: Identity, dispatcher: Dispatcher, api: Api) -> None:
    """Set the prompts of the thread. A failure is logged: everything can be typed as well."""
    offered = [{"title": labels.of(line), "message": line} for line in _lines(who, dispatcher)][:MOST]
    try:
        await api.call(
            "assistant.threads.setSuggestedPrompts",
            10,
            channel_id=request.channel,
            thread_ts=request.thread_ts,
            title=TITLE,
            prompts=offered,
        )
    except AgentpodError as error:
        logger.warning("no prompts suggested: %s", error.message)


def _lines(who: Identity, dispatcher: Dispatcher) -> Iterator[str]:
    for line in LINES:
        command = dispatcher.command(line)
        if command is not None and decide_about(dispatcher.access, who, command.needs, ANY, ()).allowed:
            yield line
