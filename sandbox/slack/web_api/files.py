"""files.*: upload in three steps; sharing and processing follow a moment later."""

from __future__ import annotations

import asyncio
from typing import Any

from sandbox.slack.core import Core
from sandbox.slack.errors import SlackError, invalid_arguments
from sandbox.slack.message import Message
from sandbox.slack.model import Channel, File, Json
from sandbox.slack.seed import TEAM_ID
from sandbox.slack.web_api.call import Call, Method

MAX_BYTES = 64 * 1024 * 1024


def _get_url(call: Call) -> Json:
    name, length = call.text("filename"), call.number("length", 0)
    if not 0 < length <= MAX_BYTES:
        raise invalid_arguments(f"must be between 1 and {MAX_BYTES} [json-pointer:/length]")
    if "/" in name or len(name) > 255:
        raise invalid_arguments("invalid file name [json-pointer:/filename]")
    alt_text = call.text("alt_txt", "")
    if len(alt_text) > 1000:
        raise SlackError("alt_txt_too_large")
    file, ticket = call.core.files.expect(name, length, alt_text)
    return {"upload_url": f"{call.core.base_url}/upload/v1/{ticket}", "file_id": file.id}


def _complete(call: Call) -> Json:
    listed = call.structure("files")
    if not isinstance(listed, list) or not listed:
        raise invalid_arguments("missing required field: files")
    channels = _channels(call)
    files = [_uploaded(call, item) for item in listed]
    for file in files:
        file.completed = True
    shown = {
        "text": call.text("initial_comment", ""),
        "blocks": call.core.checked_blocks(call.structure("blocks")),
        "files": files,
    }
    thread = call.text("thread_ts", "") or None
    call.core.spawn(_share_later(call.core, channels, thread, shown), "file processing")
    return {"files": [{"id": f.id, "title": f.title or f.name} for f in files]}


def _uploaded(call: Call, item: Any) -> File:
    file = call.core.files.get(str(item.get("id"))) if isinstance(item, dict) else None
    if file is None or file.content is None or file.completed:
        raise SlackError("file_not_found")
    file.title = str(item.get("title") or file.name)
    return file


def _channels(call: Call) -> list[Channel]:
    listed = call.text("channels", "") or call.text("channel_id", "")
    return [Call(call.core, {"channel": one}).destination() for one in listed.split(",") if one]


async def _share_later(core: Core, channels: list[Channel], thread: str | None, shown: Json) -> None:
    """Process and share a file after the answer, as Slack does: files.info shows neither at once."""
    await asyncio.sleep(core.options.file_processing_s)
    for file in shown["files"]:
        core.files.process(file)
    for channel in channels:
        parent = core.store.public(channel.id, thread) if thread else None
        message: Message = core.bot_message(
            channel.id, thread_ts=(parent.thread_ts or parent.ts) if parent else None, **shown
        )
        for file in shown["files"]:
            file.shares[channel.id] = message.ts
        core.store.add(message)


def _info(call: Call) -> Json:
    file = call.core.files.get(call.text("file"))
    if file is None or not file.completed:
        raise SlackError("file_not_found")
    return {"file": file.wire(call.core.base_url, TEAM_ID), "comments": []}


METHODS = {
    "files.getUploadURLExternal": Method(_get_url, 4, "files:write"),
    "files.completeUploadExternal": Method(_complete, 4, "files:write"),
    "files.info": Method(_info, 4, "files:read"),
}
