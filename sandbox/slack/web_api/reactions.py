"""reactions.*: the bot's own reactions."""

from __future__ import annotations

from sandbox.slack.errors import SlackError
from sandbox.slack.message import Message
from sandbox.slack.model import Json
from sandbox.slack.seed import BOT_USER
from sandbox.slack.web_api.call import Call, Method


def _target(call: Call) -> tuple[Message, str]:
    channel = call.channel()
    message = call.core.store.public(channel.id, call.text("timestamp"))
    if message is None:
        raise SlackError("message_not_found")
    if BOT_USER not in channel.members:
        raise SlackError("not_in_channel")
    return message, call.text("name").strip(":")


def _add(call: Call) -> Json:
    message, name = _target(call)
    if not name.replace("_", "").replace("-", "").replace("+", "").isalnum():
        raise SlackError("invalid_name")
    users = message.reactions.setdefault(name, [])
    if BOT_USER in users:
        raise SlackError("already_reacted")
    users.append(BOT_USER)
    call.core.store.changed(message)
    return {}


def _remove(call: Call) -> Json:
    message, name = _target(call)
    users = message.reactions.get(name, [])
    if BOT_USER not in users:
        raise SlackError("no_reaction")
    users.remove(BOT_USER)
    if not users:
        del message.reactions[name]
    call.core.store.changed(message)
    return {}


METHODS = {
    "reactions.add": Method(_add, 3, "reactions:write"),
    "reactions.remove": Method(_remove, 2, "reactions:write"),
}
