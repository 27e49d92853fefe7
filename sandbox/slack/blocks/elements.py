"""Interactive elements, each with the fields and limits of Slack's Block Kit reference."""

from __future__ import annotations

from typing import Any

from sandbox.slack.blocks.check import (
    Check,
    Report,
    also,
    array,
    boolean,
    exactly_one,
    fields,
    integer,
    one_of,
    pattern,
    string,
    url,
)
from sandbox.slack.blocks.objects import action_id, confirm, image, option, option_group, plain_option, plain_text

_placeholder = plain_text(150)
_date = pattern(r"\d{4}-\d{2}-\d{2}", "date")
_time = pattern(r"([01]\d|2[0-3]):[0-5]\d", "time")
_id = string(50)


def _focus(value: Any, where: str, report: Report) -> None:
    """Only one element of a view may have the initial focus."""
    boolean(value, where, report)
    report.focused += value is True
    if report.focused > 1:
        report.error("only one element may have focus_on_load set to true", where)


def _initial_known(value: Any, where: str, report: Report) -> None:
    """An initial option must equal one of the options."""
    options = list(value.get("options") or [])
    for group in value.get("option_groups") or []:
        options += group["options"]
    initial = value.get("initial_options") or [o for o in [value.get("initial_option")] if o]
    for index, chosen in enumerate(initial):
        if chosen not in options:
            report.error("invalid initial option", f"{where}/initial_option/{index}")
    values = [o["value"] for o in options]
    if len(set(values)) != len(values):
        report.error("options must have unique values", f"{where}/options")


def _interactive(required: dict[str, Check] | None = None, /, **optional: Check) -> Check:
    return fields(required or {}, action_id=action_id, confirm=confirm, focus_on_load=_focus, **optional)


def _select(maximum_selected: bool, **kind: Check) -> Check:
    more: dict[str, Check] = {"max_selected_items": integer(1, 1000)} if maximum_selected else {}
    return _interactive({}, placeholder=_placeholder, **kind, **more)


def _static(multi: bool) -> Check:
    initial: dict[str, Check] = (
        {"initial_options": array(plain_option, 100)} if multi else {"initial_option": plain_option}
    )
    return also(
        also(
            _select(multi, options=array(plain_option, 100), option_groups=array(option_group, 100), **initial),
            exactly_one("options", "option_groups"),
        ),
        _initial_known,
    )


_filter = fields(
    include=array(one_of("im", "mpim", "private", "public"), 4),
    exclude_external_shared_channels=boolean,
    exclude_bot_users=boolean,
)
_dispatch = fields(trigger_actions_on=array(one_of("on_enter_pressed", "on_character_entered"), 2))


def _text_input(**more: Check) -> Check:
    return also(
        _interactive({}, placeholder=_placeholder, dispatch_action_config=_dispatch, **more), _length_bounds
    )


def _length_bounds(value: Any, where: str, report: Report) -> None:
    low, high = value.get("min_length"), value.get("max_length")
    if low is not None and high is not None and low > high:
        report.error("min_length must not exceed max_length", f"{where}/min_length")


def _choices(maximum: int, **initial: Check) -> Check:
    return also(_interactive({"options": array(option, maximum)}, **initial), _initial_known)


def _any_rich_text(value: Any, where: str, report: Report) -> None:
    from sandbox.slack.blocks.rich_text import rich_text

    rich_text(value, where, report)


_feedback = fields({"text": plain_text(75), "value": string(2000)}, accessibility_label=string(75))

BUTTON = _interactive(
    {"text": plain_text(75)},
    url=url(),
    value=string(2000),
    style=one_of("primary", "danger"),
    accessibility_label=string(75),
)
OVERFLOW = _interactive({"options": array(plain_option, 5)})

ELEMENTS: dict[str, Check] = {
    "button": BUTTON,
    "overflow": OVERFLOW,
    "static_select": _static(False),
    "multi_static_select": _static(True),
    "external_select": _select(False, min_query_length=integer(0, 1000), initial_option=plain_option),
    "multi_external_select": _select(
        True, min_query_length=integer(0, 1000), initial_options=array(plain_option, 100)
    ),
    "users_select": _select(False, initial_user=_id),
    "multi_users_select": _select(True, initial_users=array(_id, 100)),
    "conversations_select": _select(
        False,
        initial_conversation=_id,
        default_to_current_conversation=boolean,
        response_url_enabled=boolean,
        filter=_filter,
    ),
    "multi_conversations_select": _select(
        True, initial_conversations=array(_id, 100), default_to_current_conversation=boolean, filter=_filter
    ),
    "channels_select": _select(False, initial_channel=_id, response_url_enabled=boolean),
    "multi_channels_select": _select(True, initial_channels=array(_id, 100)),
    "datepicker": _interactive({}, placeholder=_placeholder, initial_date=_date),
    "timepicker": _interactive({}, placeholder=_placeholder, initial_time=_time, timezone=string(60)),
    "datetimepicker": _interactive({}, initial_date_time=integer(0, 9_999_999_999)),
    "checkboxes": _choices(10, initial_options=array(option, 10)),
    "radio_buttons": _choices(10, initial_option=option),
    "plain_text_input": _text_input(
        initial_value=string(3000, 0),
        multiline=boolean,
        min_length=integer(0, 3000),
        max_length=integer(1, 3000),
    ),
    "email_text_input": _text_input(initial_value=string(3000)),
    "url_text_input": _text_input(initial_value=url()),
    "number_input": _text_input(
        is_decimal_allowed=boolean, initial_value=string(50), min_value=string(50), max_value=string(50)
    ),
    "rich_text_input": _text_input(initial_value=_any_rich_text),
    "file_input": _interactive({}, filetypes=array(string(20), 100), max_files=integer(1, 10)),
    "workflow_button": _interactive(
        {
            "text": plain_text(75),
            "workflow": fields(
                {
                    "trigger": fields(
                        {"url": url()},
                        customizable_input_parameters=array(
                            fields({"name": string(255), "value": string(2000)}), 100
                        ),
                    )
                }
            ),
        },
        style=one_of("primary", "danger"),
        accessibility_label=string(75),
    ),
    "feedback_buttons": fields({"positive_button": _feedback, "negative_button": _feedback}, action_id=action_id),
    "icon_button": _interactive(
        {"icon": one_of("trash"), "text": plain_text(75)},
        value=string(2000),
        accessibility_label=string(75),
        visible_to_user_ids=array(_id, 10),
    ),
    "image": image,
}

_SELECTS = [name for name in ELEMENTS if name.endswith("_select")]
_SINGLE_SELECTS = [name for name in _SELECTS if not name.startswith("multi_")]
_PICKERS = ["datepicker", "timepicker", "checkboxes", "radio_buttons"]

IN_SECTION = ["button", "overflow", "image", "workflow_button", *_SELECTS, *_PICKERS]
IN_ACTIONS = [
    "button",
    "overflow",
    "workflow_button",
    *_SINGLE_SELECTS,
    *_PICKERS,
    "datetimepicker",
    "rich_text_input",
]
IN_INPUT = [
    *_SELECTS,
    *_PICKERS,
    "datetimepicker",
    "plain_text_input",
    "email_text_input",
    "url_text_input",
    "number_input",
    "rich_text_input",
    "file_input",
]
MODAL_ONLY = {"file_input"}
