"""Composition objects: texts, confirmations, options. Limits from Slack's Block Kit reference."""

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
    one_of,
    string,
    url,
)

block_id = string(255)


def plain_text(maximum: int, minimum: int = 1) -> Check:
    """A ``plain_text`` object."""
    return by_type(plain_text=fields({"text": string(maximum, minimum, counts=True)}, emoji=boolean))


def any_text(maximum: int = 3000, minimum: int = 1) -> Check:
    """A ``plain_text`` or ``mrkdwn`` object."""
    body = string(maximum, minimum, counts=True)
    return by_type(
        plain_text=fields({"text": body}, emoji=boolean),
        mrkdwn=fields({"text": body}, verbatim=boolean),
    )


def action_id(value: Any, where: str, report: Report) -> None:
    """Up to 255 characters and unique within its block."""
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        string(255)(value, where, report)
    elif value in report.action_ids:
        report.error(f'`action_id` "{value}" already exists for another element', where)
    else:
        report.action_ids.add(value)


confirm = fields(
    {"title": plain_text(100), "text": any_text(300), "confirm": plain_text(30), "deny": plain_text(30)},
    style=one_of("primary", "danger"),
)

option = fields(
    {"text": any_text(75), "value": string(150)},
    description=any_text(75),
    url=url(),
    accessibility_label=string(75),
)
plain_option = fields({"text": plain_text(75), "value": string(150)}, description=plain_text(75), url=url())
_slack_file = also(fields(id=string(50), url=url()), exactly_one("id", "url"))


def slack_file(value: Any, where: str, report: Report) -> None:
    """A processed image file; anything else is refused."""
    before = len(report.errors)
    _slack_file(value, where, report)
    if len(report.errors) > before:
        return
    reference = value.get("id") or value["url"].split("?")[0].rsplit("/", 2)[-2]
    file = report.find_file(reference)
    if file is None or not file.ready or not file.is_image:
        report.error("invalid slack file", where)


option_group = fields({"label": plain_text(75), "options": array(plain_option, 100)})

image = also(
    fields({"alt_text": string(2000)}, image_url=url(), slack_file=slack_file),
    exactly_one("image_url", "slack_file"),
)
