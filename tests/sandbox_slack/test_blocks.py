"""Block Kit's rules as a table: what is accepted, what is refused, and the pointer in the error."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.slack import SlackError, blocks
from sandbox.slack.model import File


def plain(text: str = "x") -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str = "x") -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def section(**more: Any) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn(), **more}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain(), **more}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def option(value: str = "v") -> dict[str, Any]:
    return {"text": plain(), "value": value}


def rich(*parts: Any) -> dict[str, Any]:
    return {"type": "rich_text", "elements": list(parts)}


SECTION_PART = {"type": "rich_text_section", "elements": [{"type": "text", "text": "x", "style": {"bold": True}}]}
RAW = {"type": "raw_text", "text": "x"}
TABLE = {"type": "table", "rows": [[RAW, rich(SECTION_PART)]], "column_settings": [None, {"align": "right"}]}
IMAGE = {"type": "image", "alt_text": "x", "image_url": "https://example.com/x.png"}
SELECT = {"type": "static_select", "action_id": "s", "placeholder": plain(), "options": [option()]}

GOOD: list[Any] = [
    section(),
    section(text=mrkdwn("x" * 3000)),
    {"type": "section", "fields": [mrkdwn("x" * 2000)] * 5},
    section(accessory=button(value="v" * 2000, style="danger", url="https://example.com")),
    section(accessory=SELECT),
    section(accessory={"type": "overflow", "action_id": "o", "options": [option(str(n)) for n in range(5)]}),
    {"type": "header", "text": plain("x" * 150)},
    {"type": "divider", "block_id": "b" * 255},
    {"type": "context", "elements": [mrkdwn(), plain(), IMAGE]},
    actions(*[button(action_id=str(n)) for n in range(25)]),
    actions(button(confirm={"title": plain(), "text": mrkdwn(), "confirm": plain(), "deny": plain()})),
    actions(SELECT | {"initial_option": option()}),
    actions({"type": "datepicker", "action_id": "d", "initial_date": "2026-01-31"}),
    actions({"type": "checkboxes", "action_id": "c", "options": [{"text": mrkdwn(), "value": "v"}]}),
    IMAGE,
    {"type": "input", "label": plain(), "element": {"type": "plain_text_input", "action_id": "i"}},
    {"type": "markdown", "text": "**x**"},
    rich(
        SECTION_PART,
        {"type": "rich_text_list", "style": "bullet", "elements": [SECTION_PART]},
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x"}]},
        {"type": "rich_text_quote", "elements": [{"type": "user", "user_id": "U1"}]},
    ),
    TABLE,
    {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "positive_button": {"text": plain(), "value": "y"},
                "negative_button": {"text": plain(), "value": "n"},
            },
            {"type": "icon_button", "icon": "trash", "text": plain()},
        ],
    },
    {
        "type": "video",
        "alt_text": "x",
        "title": plain(),
        "thumbnail_url": "https://example.com/t",
        "video_url": "https://example.com/v",
    },
]


@pytest.mark.parametrize("block", GOOD, ids=lambda b: b["type"])
def test_what_slack_documents_is_accepted(block: dict[str, Any]) -> None:
    found = blocks.message_blocks([block], lambda _: None)[0]
    assert found["type"] == block["type"]
    assert found["block_id"]


BAD: list[tuple[Any, str, str]] = [
    ({"type": "nonsense"}, "unsupported type: nonsense", "/blocks/0/type"),
    ({"text": plain()}, "missing required field: type", "/blocks/0"),
    ("text", "must provide an object", "/blocks/0"),
    ({"type": "section"}, "missing required field: text", "/blocks/0"),
    (section(text=mrkdwn("x" * 3001)), "must be less than 3001 characters", "/blocks/0/text/text"),
    (section(text=mrkdwn("")), "must be more than 0 characters", "/blocks/0/text/text"),
    (section(text="x"), "must provide an object", "/blocks/0/text"),
    (section(fields=[mrkdwn()] * 11), "no more than 10 items allowed", "/blocks/0/fields"),
    (section(fields=[mrkdwn("x" * 2001)]), "must be less than 2001 characters", "/blocks/0/fields/0/text"),
    (section(colour="red"), "invalid additional property: colour", "/blocks/0"),
    (
        section(accessory={"type": "plain_text_input"}),
        "unsupported type: plain_text_input",
        "/blocks/0/accessory/type",
    ),
    ({"type": "header", "text": mrkdwn()}, "unsupported type: mrkdwn", "/blocks/0/text/type"),
    ({"type": "header", "text": plain("x" * 151)}, "must be less than 151 characters", "/blocks/0/text/text"),
    ({"type": "context", "elements": [plain()] * 11}, "no more than 10 items allowed", "/blocks/0/elements"),
    ({"type": "context", "elements": []}, "no fewer than 1 items allowed", "/blocks/0/elements"),
    (actions(*[button()] * 26), "no more than 25 items allowed", "/blocks/0/elements"),
    (actions(button(text=plain("x" * 76))), "must be less than 76 characters", "/blocks/0/elements/0/text/text"),
    (actions(button(value="x" * 2001)), "must be less than 2001 characters", "/blocks/0/elements/0/value"),
    (actions(button(style="green")), "must be one of primary, danger", "/blocks/0/elements/0/style"),
    (actions(button(action_id="x" * 256)), "must be less than 256 characters", "/blocks/0/elements/0/action_id"),
    (
        actions(button(action_id="a"), button(action_id="a")),
        '`action_id` "a" already exists for another element',
        "/blocks/0/elements/1/action_id",
    ),
    (
        actions(SELECT | {"options": [option(str(n)) for n in range(101)]}),
        "no more than 100 items allowed",
        "/blocks/0/elements/0/options",
    ),
    (
        actions(SELECT | {"initial_option": option("other")}),
        "invalid initial option",
        "/blocks/0/elements/0/initial_option/0",
    ),
    (
        actions({"type": "overflow", "options": [option(str(n)) for n in range(6)]}),
        "no more than 5 items allowed",
        "/blocks/0/elements/0/options",
    ),
    (
        actions({"type": "datepicker", "initial_date": "31.1."}),
        "invalid date",
        "/blocks/0/elements/0/initial_date",
    ),
    (
        actions(button(confirm={"title": plain()})),
        "missing required field: text",
        "/blocks/0/elements/0/confirm",
    ),
    ({"type": "image", "image_url": "https://x"}, "missing required field: alt_text", "/blocks/0"),
    (
        {"type": "image", "alt_text": "x", "slack_file": {"id": "F1"}},
        "invalid slack file",
        "/blocks/0/slack_file",
    ),
    ({"type": "markdown", "text": "x" * 12_001}, "must be less than 12001 characters", "/blocks/0/text"),
    ({"type": "table", "rows": [[RAW]] * 101}, "no more than 100 items allowed", "/blocks/0/rows"),
    ({"type": "table", "rows": [[RAW] * 21]}, "no more than 20 items allowed", "/blocks/0/rows/0"),
    ({"type": "table", "rows": [[plain()]]}, "unsupported type: plain_text", "/blocks/0/rows/0/0/type"),
    (rich({"type": "paragraph"}), "unsupported type: paragraph", "/blocks/0/elements/0/type"),
    (
        rich({"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}),
        "must be more than 0 characters",
        "/blocks/0/elements/0/elements/0/text",
    ),
    ({"type": "alert", "text": plain()}, "unsupported type: alert", "/blocks/0/type"),
]


@pytest.mark.parametrize(("block", "what", "where"), BAD, ids=[f"{what} at {where}" for _, what, where in BAD])
def test_what_slack_refuses_is_refused_with_a_pointer(block: Any, what: str, where: str) -> None:
    with pytest.raises(SlackError) as caught:
        blocks.message_blocks([block], lambda _: None)
    assert caught.value.word == "invalid_blocks"
    assert f"[ERROR] {what} [json-pointer:{where}]" in caught.value.messages[0]


def _message_refusal(*given: Any) -> SlackError:
    with pytest.raises(SlackError) as caught:
        blocks.message_blocks(list(given), lambda _: None)
    return caught.value


def test_a_message_holds_fifty_blocks() -> None:
    assert len(blocks.message_blocks([{"type": "divider"}] * 50, lambda _: None)) == 50
    assert "no more than 50 items" in _message_refusal(*[{"type": "divider"}] * 51).messages[0]


def test_a_message_holds_one_table_and_no_block_id_twice() -> None:
    assert "only one table" in _message_refusal(TABLE, TABLE).messages[0]
    twice = {"type": "divider", "block_id": "b"}
    assert "already exists" in _message_refusal(twice, twice).messages[0]


def test_an_action_id_may_repeat_in_another_block() -> None:
    assert blocks.message_blocks([actions(button(action_id="a"))] * 2, lambda _: None)


def test_all_text_together_is_limited() -> None:
    assert blocks.message_blocks([section(text=mrkdwn("x" * 2640))] * 5, lambda _: None)
    assert _message_refusal(*[section(text=mrkdwn("x" * 2641))] * 5).word == "msg_blocks_too_long"


@pytest.mark.parametrize(("ready", "mimetype", "accepted"), [
    (True, "image/png", True),
    (False, "image/png", False),
    (True, "text/plain", False),
])  # fmt: skip
def test_an_image_refers_to_a_processed_picture(ready: bool, mimetype: str, accepted: bool) -> None:
    file = File("F1", "x.png", 1, 0, "U1", mimetype=mimetype, ready=ready)
    given = [{"type": "image", "alt_text": "x", "slack_file": {"id": "F1"}}]
    if accepted:
        assert blocks.message_blocks(given, lambda _: file)
    else:
        with pytest.raises(SlackError, match="invalid_blocks"):
            blocks.message_blocks(given, lambda _: file)


def view(**more: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain(), "submit": plain(), "blocks": [{"type": "divider"}], **more}


INPUT = {"type": "input", "label": plain(), "element": {"type": "plain_text_input"}}
FOCUSED = {"type": "input", "label": plain(), "element": {"type": "plain_text_input", "focus_on_load": True}}


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (view(title=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
        (
            view(private_metadata="x" * 3001),
            "must be less than 3001 characters [json-pointer:/view/private_metadata]",
        ),
        (view(blocks=[{"type": "divider"}] * 101), "no more than 100 items allowed [json-pointer:/view/blocks]"),
        (view(submit=None, blocks=[INPUT]), "missing required field: submit"),
        (view(blocks=[TABLE]), "unsupported type: table"),
        (view(blocks=[FOCUSED, FOCUSED]), "only one element may have focus_on_load"),
        (view(title=None), "missing required field: title [json-pointer:/view]"),
        ({"type": "dialog"}, "unsupported type: dialog"),
        ({"type": "home", "title": plain(), "blocks": []}, "invalid additional property: title"),
    ],
)
def test_views_are_refused_as_invalid_arguments(given: dict[str, Any], what: str) -> None:
    with pytest.raises(SlackError) as caught:
        blocks.view(given, lambda _: None)
    assert caught.value.word == "invalid_arguments"
    assert what in caught.value.messages[0]


def test_modals_hold_a_hundred_blocks_and_alerts() -> None:
    alert = {"type": "alert", "text": mrkdwn(), "level": "warning"}
    checked = blocks.view(view(blocks=[alert] * 100), lambda _: None)
    assert len({b["block_id"] for b in checked["blocks"]}) > 90
