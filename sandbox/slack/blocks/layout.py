"""Layout blocks: what each may contain and on which surfaces it may appear."""

from __future__ import annotations

from typing import Any

from sandbox.slack.blocks.check import (
    Check,
    Report,
    also,
    array,
    boolean,
    by_type,
    exactly_one,
    fields,
    number,
    one_of,
    string,
    url,
)
from sandbox.slack.blocks.elements import ELEMENTS, IN_ACTIONS, IN_INPUT, IN_SECTION, MODAL_ONLY
from sandbox.slack.blocks.objects import any_text, block_id, image, plain_text, slack_file
from sandbox.slack.blocks.rich_text import rich_text

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100


def _among(names: list[str]) -> Check:
    return by_type(**{name: ELEMENTS[name] for name in names})


def _section_has_text(value: Any, where: str, report: Report) -> None:
    if value.get("text") is None and not value.get("fields"):
        report.error("missing required field: text", where)


def _one_table(value: Any, where: str, report: Report) -> None:  # noqa: ARG001 - a Check's signature
    report.tables += 1
    if report.tables > 1:
        report.error("only one table allowed per message", where)


def _input_surface(value: Any, where: str, report: Report) -> None:
    kind = value["element"]["type"]
    if kind in MODAL_ONLY and report.surface != "modal":
        report.error(f"unsupported type: {kind}", f"{where}/element/type")


_cell = by_type(
    raw_text=fields({"text": string(10_000, counts=True)}),
    raw_number=fields({"value": number}),
    rich_text=rich_text,
)
_column = fields(align=one_of("left", "center", "right"), is_wrapped=boolean)


def _column_or_null(value: Any, where: str, report: Report) -> None:
    if value is not None:
        _column(value, where, report)


_BLOCKS: dict[str, Check] = {
    "section": also(
        fields(
            text=any_text(3000),
            fields=array(any_text(2000), 10),
            accessory=_among(IN_SECTION),
            expand=boolean,
            block_id=block_id,
        ),
        _section_has_text,
    ),
    "header": fields({"text": plain_text(150)}, block_id=block_id),
    "divider": fields(block_id=block_id),
    "image": also(
        fields(
            {"alt_text": string(2000)},
            image_url=url(),
            slack_file=slack_file,
            title=plain_text(2000),
            block_id=block_id,
        ),
        exactly_one("image_url", "slack_file"),
    ),
    "context": fields(
        {"elements": array(by_type(image=image, plain_text=any_text(3000), mrkdwn=any_text(3000)), 10)},
        block_id=block_id,
    ),
    "actions": fields({"elements": array(_among(IN_ACTIONS), 25)}, block_id=block_id),
    "context_actions": fields(
        {"elements": array(_among(["feedback_buttons", "icon_button"]), 5)}, block_id=block_id
    ),
    "input": also(
        fields(
            {"label": plain_text(2000), "element": _among(IN_INPUT)},
            hint=plain_text(2000),
            optional=boolean,
            dispatch_action=boolean,
            block_id=block_id,
        ),
        _input_surface,
    ),
    "rich_text": rich_text,
    "markdown": fields({"text": string(12_000, counts=True)}, block_id=block_id),
    "video": fields(
        {
            "alt_text": string(2000),
            "title": plain_text(200),
            "thumbnail_url": url(),
            "video_url": url(),
        },
        author_name=string(50),
        description=plain_text(200),
        provider_icon_url=url(),
        provider_name=string(255),
        title_url=url(),
        block_id=block_id,
    ),
    "file": fields({"external_id": string(255), "source": one_of("remote")}, block_id=block_id),
    "table": also(
        fields(
            {"rows": array(array(_cell, 20), 100)},
            column_settings=array(_column_or_null, 20, 0),
            block_id=block_id,
        ),
        _one_table,
    ),
    "alert": fields(
        {"text": any_text(3000)},
        level=one_of("default", "info", "warning", "error", "success"),
        block_id=block_id,
    ),
}

_NOT_IN = {
    "message": {"alert"},
    "modal": {"markdown", "table", "context_actions", "file"},
    "home": {"markdown", "table", "context_actions", "file", "alert"},
}
_BY_SURFACE = {
    surface: by_type(**{name: check for name, check in _BLOCKS.items() if name not in refused})
    for surface, refused in _NOT_IN.items()
}


def _block(value: Any, where: str, report: Report) -> None:
    report.action_ids.clear()  # an action_id is unique within its block only
    _BY_SURFACE[report.surface](value, where, report)
    name = value.get("block_id") if isinstance(value, dict) else None
    if isinstance(name, str):
        if name in report.block_ids:
            report.error(f'`block_id` "{name}" already exists', f"{where}/block_id")
        report.block_ids.add(name)


MESSAGE = array(_block, MESSAGE_BLOCKS, 0)
VIEW = array(_block, VIEW_BLOCKS, 0)
