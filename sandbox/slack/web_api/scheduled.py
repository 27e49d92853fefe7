"""chat.scheduleMessage and chat.deleteScheduledMessage."""

from __future__ import annotations

import asyncio

from sandbox.slack.errors import SlackError
from sandbox.slack.model import Json, Scheduled
from sandbox.slack.store import new_id
from sandbox.slack.web_api.call import Call, Method
from sandbox.slack.web_api.chat import MAX_POST_TEXT, message_content, need_content

FARTHEST_S = 120 * 86_400
CROWD, CROWD_S = 30, 300
"""At most so many scheduled messages per channel within so many seconds."""
SETTLED_S = 60
"""In these last seconds a scheduled message can't be deleted any more (documented)."""


def _schedule(call: Call) -> Json:
    at = _time(call)
    channel = call.destination()
    content = message_content(call, MAX_POST_TEXT)
    need_content(content)
    near = [s for s in call.core.scheduled.values() if s.channel == channel.id and abs(s.post_at - at) < CROWD_S]
    if len(near) >= CROWD:
        raise SlackError("restricted_too_many")
    id_ = new_id("Q")
    call.core.scheduled[id_] = Scheduled(channel.id, at)
    call.core.spawn(_post(call, id_, content, at - call.core.clock()), f"scheduled {id_}")
    message = {"type": "delayed_message", "text": content["text"]}
    return {"channel": channel.id, "scheduled_message_id": id_, "post_at": at, "message": message}


def _time(call: Call) -> int:
    if not call.text("post_at").isdigit():
        raise SlackError("invalid_time")
    at, now = int(call.text("post_at")), call.core.clock()
    if at <= now:
        raise SlackError("time_in_past")
    if at > now + FARTHEST_S:
        raise SlackError("time_too_far")
    return at


async def _post(call: Call, id_: str, content: Json, after_s: float) -> None:
    await asyncio.sleep(after_s)
    due = call.core.scheduled.pop(id_, None)
    if due is not None:
        call.core.store.add(call.core.bot_message(due.channel, **content))


def _unschedule(call: Call) -> Json:
    channel, id_ = call.channel(), call.text("scheduled_message_id")
    found = call.core.scheduled.get(id_)
    if found is None or found.channel != channel.id or found.post_at - call.core.clock() < SETTLED_S:
        raise SlackError("invalid_scheduled_message_id")
    del call.core.scheduled[id_]
    return {}


METHODS = {
    "chat.scheduleMessage": Method(_schedule, 3, "chat:write"),
    "chat.deleteScheduledMessage": Method(_unschedule, 3, "chat:write"),
}
