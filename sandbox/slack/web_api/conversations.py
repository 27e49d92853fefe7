"""conversations.*: channels, their members and their messages, as far as the bot can see them."""

from __future__ import annotations

from sandbox.slack.errors import SlackError
from sandbox.slack.message import Message
from sandbox.slack.model import Channel, Json
from sandbox.slack.seed import BOT_USER
from sandbox.slack.web_api.call import Call, Method

_TYPES = {"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}


def _readable(call: Call, right: str) -> Channel:
    """A visible channel, if the scope of its family is granted (``channels:read``, ``im:history``, …)."""
    raw = call.core.store.channels.get(call.text("channel"))
    family = raw.scope_family if raw is not None else "channels"
    call.core.require(f"{family}:{right}")
    return call.channel()


def _info(call: Call) -> Json:
    channel = _readable(call, "read")
    shared = call.core.is_shared(channel.id)
    return {"channel": {**channel.wire(BOT_USER), "is_shared": shared, "is_ext_shared": shared}}


def _list(call: Call) -> Json:
    kinds = [kind.strip() for kind in call.text("types", "public_channel").split(",")]
    if not set(kinds) <= set(_TYPES):
        raise SlackError("invalid_types")
    families = {_TYPES[kind] for kind in kinds}
    for family in sorted(families):
        call.core.require(f"{family}:read")
    core = call.core
    found = [c for c in core.store.channels.values() if c.scope_family in families and core.sees(c)]
    if call.flag("exclude_archived"):
        found = [c for c in found if not c.is_archived]
    some, more = call.page(found)
    return {"channels": [c.wire(BOT_USER) for c in some], "response_metadata": more}


def _members(call: Call) -> Json:
    some, more = call.page(_readable(call, "read").members)
    return {"members": some, "response_metadata": more}


def _open(call: Call) -> Json:
    call.core.require("im:write")
    users = call.text("users", "")
    named = call.text("channel", "")
    if named:
        return {"channel": {"id": call.channel().id}}
    if not users or "," in users:
        raise SlackError("users_list_not_supplied" if not users else "not_enough_users")
    if users not in call.core.store.users:
        raise SlackError("user_not_found")
    channel = call.core.store.dm_of(users)
    if channel is None:
        raise SlackError("cannot_dm_bot")
    return {"channel": {"id": channel.id}, "no_op": True, "already_open": True}


def _join(call: Call) -> Json:
    channel = call.channel()
    if channel.is_private or channel.is_im:
        raise SlackError("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise SlackError("is_archived")
    if BOT_USER in channel.members:
        return {"channel": channel.wire(BOT_USER), "warning": "already_in_channel"}
    channel.members.append(BOT_USER)
    return {"channel": channel.wire(BOT_USER)}


def _history(call: Call) -> Json:
    channel = _readable(call, "history")
    found = [m for m in call.core.store.messages(channel.id) if m.ephemeral_for is None]
    return _messages(call, channel, found[::-1])


def _replies(call: Call) -> Json:
    channel = _readable(call, "history")
    thread = call.text("ts")
    if call.core.store.public(channel.id, thread) is None:
        raise SlackError("thread_not_found")
    found = [m for m in call.core.store.messages(channel.id, thread_ts=thread) if m.ephemeral_for is None]
    return _messages(call, channel, found)


def _messages(call: Call, channel: Channel, found: list[Message]) -> Json:
    if BOT_USER not in channel.members:
        raise SlackError("not_in_channel")
    oldest, latest = call.text("oldest", "0"), call.text("latest", "")
    inclusive = call.flag("inclusive")
    kept = [m for m in found if _within(m.ts, oldest, latest, inclusive)]
    some, more = call.page(kept, maximum=999)
    answer: Json = {"messages": [call.core.wire(m) for m in some], "has_more": bool(more["next_cursor"])}
    if more["next_cursor"]:
        answer["response_metadata"] = more
    return answer


def _within(ts: str, oldest: str, latest: str, inclusive: bool) -> bool:
    stamp = float(ts)
    if inclusive:
        return float(oldest) <= stamp and (not latest or stamp <= float(latest))
    return float(oldest) < stamp and (not latest or stamp < float(latest))


METHODS = {
    "conversations.info": Method(_info, 3),
    "conversations.list": Method(_list, 2),
    "conversations.members": Method(_members, 4),
    "conversations.open": Method(_open, 3),
    "conversations.join": Method(_join, 3, "channels:join"),
    "conversations.history": Method(_history, 3),
    "conversations.replies": Method(_replies, 3),
}
