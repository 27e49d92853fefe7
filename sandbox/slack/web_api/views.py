"""views.*: modals and Home tabs. These methods need no scope, but a trigger id or the right user."""

from __future__ import annotations

from typing import Any

from sandbox.slack.errors import SlackError, invalid_arguments
from sandbox.slack.model import Json
from sandbox.slack.web_api.call import Call, Method


def _body(call: Call) -> Any:
    body = call.structure("view")
    if body is None:
        raise invalid_arguments("missing required field: view")
    if call.core.faults.invalid_blocks and isinstance(body, dict) and body.get("blocks"):
        raise invalid_arguments(
            "invalid_blocks (the sandbox's fault slack-invalid-blocks) [json-pointer:/view/blocks]"
        )
    return body


def _trigger_id(call: Call) -> str:
    return call.text("trigger_id", "") or call.text("interactivity_pointer")


def _open(call: Call) -> Json:
    body = _body(call)
    trigger = call.core.triggers.take(_trigger_id(call))
    if call.core.faults.late_triggers:
        raise SlackError("expired_trigger_id")
    return {"view": call.core.views.open(trigger.user, body).wire()}


def _push(call: Call) -> Json:
    body = _body(call)
    trigger = call.core.triggers.take(_trigger_id(call))
    return {"view": call.core.views.push(trigger.user, body).wire()}


def _update(call: Call) -> Json:
    body = _body(call)
    view_id, external_id = call.text("view_id", ""), call.text("external_id", "")
    if bool(view_id) == bool(external_id):
        raise invalid_arguments("must provide exactly one of view_id, external_id")
    view = call.core.views.find(view_id or None, external_id or None)
    return {"view": call.core.views.update(view, body, call.text("hash", "")).wire()}


def _publish(call: Call) -> Json:
    if not call.core.manifest.home_tab:
        raise SlackError("not_enabled")
    user = call.text("user_id")
    person = call.core.store.users.get(user)
    if person is None or person.is_bot:
        raise invalid_arguments("user_id is not a member of the workspace")
    return {"view": call.core.views.publish(user, _body(call), call.text("hash", "")).wire()}


METHODS = {
    "views.open": Method(_open, 4),
    "views.push": Method(_push, 4),
    "views.update": Method(_update, 4),
    "views.publish": Method(_publish, 4),
}
