"""Block Kit validation: :func:`message_blocks` for messages, :func:`view` for modals and Home."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from sandbox.slack.blocks import layout
from sandbox.slack.blocks.check import Report, boolean, fields, one_of, string
from sandbox.slack.blocks.objects import plain_text
from sandbox.slack.errors import SlackError
from sandbox.slack.model import File, Json

MESSAGE_CHARACTERS = 13_200
"""All text of a message's blocks together: reported by users, not documented by Slack."""

FindFile = Callable[[str], File | None]


def message_blocks(blocks: Any, find_file: FindFile) -> list[Json]:
    """The blocks with their missing ids filled in. Raises SlackError invalid_blocks or msg_blocks_too_long."""
    report = Report("message", find_file)
    layout.MESSAGE(blocks, "/blocks", report)
    if report.errors:
        raise SlackError("invalid_blocks", report.errors)
    if report.characters > MESSAGE_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    return _with_ids(blocks)


def view(value: Any, find_file: FindFile) -> Json:
    """The view with its missing ids filled in. Raises SlackError invalid_arguments with the reasons."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("modal", "home"):
        raise SlackError("invalid_arguments", ["[ERROR] unsupported type: " + f"{kind} [json-pointer:/view/type]"])
    report = Report(kind, find_file)
    (_MODAL if kind == "modal" else _HOME)(value, "/view", report)
    if kind == "modal" and not report.errors and value.get("submit") is None:
        _submit_if_inputs(value, report)
    if report.errors:
        raise SlackError("invalid_arguments", report.errors)
    return {**value, "blocks": _with_ids(value["blocks"])}


def _submit_if_inputs(value: Json, report: Report) -> None:
    if any(block["type"] == "input" for block in value["blocks"]):
        report.error("missing required field: submit (a view with input blocks needs it)", "/view")


_COMMON = {
    "private_metadata": string(3000, 0),
    "callback_id": string(255, 0),
    "external_id": string(255, 0),
}
_HOME = fields({"type": one_of("home"), "blocks": layout.VIEW}, **_COMMON)
_MODAL = fields(
    {"type": one_of("modal"), "title": plain_text(24), "blocks": layout.VIEW},
    submit=plain_text(24),
    close=plain_text(24),
    clear_on_close=boolean,
    notify_on_close=boolean,
    submit_disabled=boolean,
    **_COMMON,
)


def _with_ids(blocks: list[Json]) -> list[Json]:
    return [_identified(block) for block in blocks]


def _identified(block: Json) -> Json:
    found = {**block, "block_id": block.get("block_id") or secrets.token_urlsafe(4)[:5]}
    for key in ("accessory", "element"):
        if isinstance(found.get(key), dict) and found[key]["type"] != "image":
            found[key] = _with_action_id(found[key])
    if block["type"] in ("actions", "context_actions"):
        found["elements"] = [_with_action_id(element) for element in found["elements"]]
    return found


def _with_action_id(element: Json) -> Json:
    return element if element.get("action_id") else {**element, "action_id": secrets.token_urlsafe(4)[:5]}
