"""chat.*: post, update, delete, ephemeral, permalink."""

from __future__ import annotations

from typing import Any

from sandbox.slack.errors import SlackError, rate_limited
from sandbox.slack.limits import POST_PER_CHANNEL, POST_PER_WORKSPACE
from sandbox.slack.message import Message
from sandbox.slack.model import Json
from sandbox.slack.seed import BOT_ID, BOT_USER, TEAM_DOMAIN
from sandbox.slack.web_api.call import Call, Method

MAX_POST_TEXT = 40_000
MAX_UPDATE_TEXT = 4_000
MAX_MARKDOWN = 12_000
MAX_ATTACHMENTS = 100


def _post(call: Call) -> Json:
    channel = call.destination()
    _throttle(call, channel.id)
    content = message_content(call, MAX_POST_TEXT)
    need_content(content)
    message = call.core.bot_message(channel.id, thread_ts=_thread(call, channel.id), **content)
    message.broadcast = call.flag("reply_broadcast") and message.is_reply
    if "chat:write.customize" in call.core.scopes:
        message.username = call.text("username", "") or None
    message.metadata = _metadata(call)
    call.core.store.add(message)
    return {"channel": channel.id, "ts": message.ts, "message": call.core.wire(message)}


def _ephemeral(call: Call) -> Json:
    channel = call.destination()
    user = call.text("user")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    _throttle(call, channel.id)
    content = message_content(call, MAX_POST_TEXT)
    need_content(content)
    thread = _thread(call, channel.id)
    message = call.core.bot_message(channel.id, thread_ts=thread, ephemeral_for=user, **content)
    call.core.store.add(message)
    return {"message_ts": message.ts}


def _update(call: Call) -> Json:
    """Fields that are left out keep their value; an empty list removes blocks or attachments (documented)."""
    message = _own(call, "cant_update_message")
    content = message_content(call, MAX_UPDATE_TEXT)
    if call.args.get("blocks") is None:
        content["blocks"] = message.blocks
    if call.args.get("attachments") is None:
        content["attachments"] = message.attachments
    if call.args.get("text") is None and call.args.get("markdown_text") is None:
        content["text"] = message.text
    need_content(content)
    message.text, message.blocks = content["text"], content["blocks"]
    message.attachments = content["attachments"]
    message.metadata = _metadata(call) or message.metadata
    message.edited = {"user": BOT_USER, "ts": call.core.store.next_ts()}
    call.core.store.changed(message)
    wire = call.core.wire(message)
    return {"channel": message.channel, "ts": message.ts, "text": message.text, "message": wire}


def _delete(call: Call) -> Json:
    message = _own(call, "cant_delete_message")
    call.core.store.delete(message)
    return {"channel": message.channel, "ts": message.ts}


def _permalink(call: Call) -> Json:
    channel = call.channel()
    ts = call.text("message_ts")
    message = call.core.store.public(channel.id, ts)
    if message is None:
        raise SlackError("message_not_found")
    link = f"https://{TEAM_DOMAIN}.slack.com/archives/{channel.id}/p{ts.replace('.', '')}"
    if message.thread_ts and message.thread_ts != ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def _own(call: Call, refusal: str) -> Message:
    channel = call.channel()
    message = call.core.store.public(channel.id, call.text("ts"))
    if message is None:
        raise SlackError("message_not_found")
    if message.bot_id != BOT_ID:
        raise SlackError(refusal)
    return message


def _throttle(call: Call, channel: str) -> None:
    if not call.core.options.rate_limits:
        return
    limiter = call.core.limiter
    wait = limiter.take("post", channel, POST_PER_CHANNEL) or limiter.take("post", "", POST_PER_WORKSPACE)
    if wait:
        raise rate_limited(wait)


def message_content(call: Call, max_text: int) -> Json:
    """The call's text, blocks and attachments. Raises SlackError for what Slack refuses."""
    blocks, attachments = call.structure("blocks"), call.structure("attachments")
    text, markdown = call.text("text", ""), call.text("markdown_text", "")
    if markdown and (text or blocks):
        raise SlackError("markdown_text_conflict")
    if len(text) > max_text or len(markdown) > MAX_MARKDOWN:
        raise SlackError("msg_too_long")
    return {
        "text": text or markdown,
        "blocks": call.core.checked_blocks(blocks),
        "attachments": _attachments(call, attachments),
    }


def _attachments(call: Call, value: Any) -> list[Json]:
    if not value:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise SlackError("invalid_attachments")
    if len(value) > MAX_ATTACHMENTS:
        raise SlackError("too_many_attachments")
    return [{**a, "blocks": call.core.checked_blocks(a["blocks"])} if a.get("blocks") else a for a in value]


def need_content(content: Json) -> None:
    """Raise SlackError no_text if the message would be empty."""
    if not (content["text"].strip() or content["blocks"] or content["attachments"]):
        raise SlackError("no_text")


def _thread(call: Call, channel: str) -> str | None:
    """The thread to post in: a reply's ts means its parent; an unknown ts is ignored, as on Slack."""
    wanted = call.text("thread_ts", "")
    parent = call.core.store.public(channel, wanted) if wanted else None
    if parent is None:
        return None
    return parent.thread_ts or parent.ts


def _metadata(call: Call) -> Json | None:
    value = call.structure("metadata")
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("event_type"), str):
        raise SlackError("invalid_metadata_format")
    if not isinstance(value.get("event_payload", {}), dict):
        raise SlackError("invalid_metadata_schema")
    return value


METHODS = {
    # chat.postMessage has a rate limit per channel in place of a tier
    "chat.postMessage": Method(_post, 0, "chat:write"),
    "chat.postEphemeral": Method(_ephemeral, 0, "chat:write"),
    "chat.update": Method(_update, 3, "chat:write"),
    "chat.delete": Method(_delete, 3, "chat:write"),
    "chat.getPermalink": Method(_permalink, 0),
}
