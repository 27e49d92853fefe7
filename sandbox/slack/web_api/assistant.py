"""assistant.threads.*: what an assistant offers in the threads that people open with it."""

from __future__ import annotations

from sandbox.slack.errors import SlackError, invalid_arguments
from sandbox.slack.model import Json
from sandbox.slack.web_api.call import Call, Method

MOST = 4


def _prompts(call: Call) -> Json:
    if not call.core.manifest.assistant:
        raise SlackError("not_enabled")
    place, ts, prompts = call.channel("channel_id"), call.text("thread_ts"), call.structure("prompts")
    if call.core.store.public(place.id, ts) is None:
        raise SlackError("invalid_thread_ts")
    if not isinstance(prompts, list) or not 0 < len(prompts) <= MOST:
        raise invalid_arguments(f"must provide 1 to {MOST} prompts [json-pointer:/prompts]")
    if not all(isinstance(p, dict) and p.get("title") and p.get("message") for p in prompts):
        raise invalid_arguments("must have a title and a message [json-pointer:/prompts]")
    call.core.prompts[ts] = prompts
    return {}


METHODS = {"assistant.threads.setSuggestedPrompts": Method(_prompts, 4, "assistant:write")}
