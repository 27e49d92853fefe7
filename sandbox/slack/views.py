"""Modals and Home tabs: a user's stack of open modals, their state, and the app's operations on them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.slack import blocks, seed
from sandbox.slack.errors import SlackError
from sandbox.slack.model import Json
from sandbox.slack.store import new_id

MAX_BYTES = 250_000
MAX_STACK = 3

ViewChange = Literal["view_opened", "view_updated", "view_pushed", "view_closed", "home"]
ViewListener = Callable[[ViewChange, "View"], None]


@dataclass(slots=True, eq=False)
class View:
    """An open modal or a published Home tab."""

    id: str
    user: str
    body: Json
    hash: str
    root_id: str
    previous_id: str | None = None
    values: Json = field(default_factory=dict)

    @property
    def type(self) -> str:
        """``modal`` or ``home``."""
        return str(self.body["type"])

    def wire(self) -> Json:
        """The ``view`` object of the Web API and of payloads."""
        return {
            "id": self.id,
            "team_id": seed.TEAM_ID,
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "title": None,
            "close": None,
            "submit": None,
            "clear_on_close": False,
            "notify_on_close": False,
            **self.body,
            "state": {"values": self.values},
            "hash": self.hash,
            "previous_view_id": self.previous_id,
            "root_view_id": self.root_id,
            "app_id": seed.APP_ID,
            "app_installed_team_id": seed.TEAM_ID,
            "bot_id": seed.BOT_ID,
        }


class Views:
    """All open modals (a stack per user) and Home tabs."""

    def __init__(self, find_file: blocks.FindFile, clock: Callable[[], float]) -> None:
        """``find_file`` resolves files that image blocks refer to."""
        self.homes: dict[str, View] = {}
        self.stacks: dict[str, list[View]] = {}
        self.listeners: set[ViewListener] = set()
        self._find_file = find_file
        self._clock = clock

    def open(self, user: str, body: Any) -> View:
        """Open a modal for ``user``, replacing any that are open. Raises SlackError."""
        checked = self._check(body, "modal")
        for old in reversed(self.stacks.pop(user, [])):
            self._notify("view_closed", old)
        view_id = new_id("V")
        view = View(view_id, user, checked, self._hash(), view_id)
        view.values = initial_values(checked["blocks"])
        self.stacks[user] = [view]
        self._notify("view_opened", view)
        return view

    def push(self, user: str, body: Any) -> View:
        """Put a modal on top of the open one. Raises SlackError not_found, push_limit_reached, …"""
        checked = self._check(body, "modal")
        stack = self.stacks.get(user)
        if not stack:
            raise SlackError("not_found")
        if len(stack) >= MAX_STACK:
            raise SlackError("push_limit_reached")
        view = View(new_id("V"), user, checked, self._hash(), stack[0].id, stack[-1].id)
        view.values = initial_values(checked["blocks"])
        stack.append(view)
        self._notify("view_pushed", view)
        return view

    def update(self, view: View, body: Any, expected_hash: str | None = None) -> View:
        """Replace a view's content. Raises SlackError hash_conflict, invalid_arguments, …"""
        checked = self._check(body, view.type, view)
        if expected_hash and expected_hash != view.hash:
            raise SlackError("hash_conflict")
        kept = view.values
        view.body, view.hash = checked, self._hash()
        view.values = _keep(initial_values(checked["blocks"]), kept)
        self._notify("home" if view.type == "home" else "view_updated", view)
        return view

    def publish(self, user: str, body: Any, expected_hash: str | None = None) -> View:
        """Set a user's Home tab. Raises SlackError."""
        existing = self.homes.get(user)
        if existing is not None:
            return self.update(existing, body, expected_hash)
        checked = self._check(body, "home")
        view_id = new_id("V")
        view = View(view_id, user, checked, self._hash(), view_id)
        view.values = initial_values(checked["blocks"])
        self.homes[user] = view
        self._notify("home", view)
        return view

    def find(self, view_id: str | None, external_id: str | None = None) -> View:
        """An open modal or Home by either id. Raises SlackError not_found."""
        for view in self._all():
            if view.id == view_id or (external_id and view.body.get("external_id") == external_id):
                return view
        raise SlackError("not_found")

    def _all(self) -> list[View]:
        return [*self.homes.values(), *(v for stack in self.stacks.values() for v in stack)]

    def close(self, view: View, *, whole_stack: bool = False) -> None:
        """Close a modal and those above it, or all of the user's modals."""
        stack = self.stacks.get(view.user, [])
        start = 0 if whole_stack else next((i for i, v in enumerate(stack) if v is view), len(stack))
        for closed in reversed(stack[start:]):
            self._notify("view_closed", closed)
        del stack[start:]

    def _check(self, body: Any, kind: str, replaced: View | None = None) -> Json:
        if len(json.dumps(body)) > MAX_BYTES:
            raise SlackError("view_too_large")
        checked = blocks.view(body, self._find_file)
        if checked["type"] != kind:
            raise SlackError("invalid_arguments", [f"[ERROR] must be of type {kind} [json-pointer:/view/type]"])
        external = checked.get("external_id")
        if external and any(v.body.get("external_id") == external and v is not replaced for v in self._all()):
            raise SlackError("duplicate_external_id")
        return checked

    def _hash(self) -> str:
        return f"{int(self._clock())}.{secrets.token_urlsafe(6)}"

    def _notify(self, change: ViewChange, view: View) -> None:
        for listener in tuple(self.listeners):
            listener(change, view)


_INITIAL = {
    "initial_option": "selected_option",
    "initial_options": "selected_options",
    "initial_user": "selected_user",
    "initial_users": "selected_users",
    "initial_channel": "selected_channel",
    "initial_channels": "selected_channels",
    "initial_conversation": "selected_conversation",
    "initial_conversations": "selected_conversations",
    "initial_date": "selected_date",
    "initial_time": "selected_time",
    "initial_date_time": "selected_date_time",
}
_LISTS = {"checkboxes": "selected_options", "multi_static_select": "selected_options"}
_NULLS = {
    "static_select": "selected_option",
    "radio_buttons": "selected_option",
    "users_select": "selected_user",
    "channels_select": "selected_channel",
    "conversations_select": "selected_conversation",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_STATELESS = frozenset({"button", "overflow", "image", "workflow_button", "feedback_buttons", "icon_button"})


def initial_values(found: list[Json]) -> Json:
    """``state.values`` of untouched blocks: each stateful element's initial value."""
    values: Json = {}
    for block in found:
        elements = [block.get("element"), block.get("accessory"), *(block.get("elements") or [])]
        for element in elements:
            if isinstance(element, dict) and element.get("action_id") and element["type"] not in _STATELESS:
                values.setdefault(block["block_id"], {})[element["action_id"]] = _initial(element)
    return values


def _initial(element: Json) -> Json:
    kind = element["type"]
    state: Json = {"type": kind}
    for name, key in _INITIAL.items():
        if name in element:
            return {**state, key: element[name]}
    if kind in _LISTS:
        return {**state, _LISTS[kind]: []}
    if kind in _NULLS:
        return {**state, _NULLS[kind]: None}
    if "initial_value" in element or kind.endswith("_input"):
        key = "rich_text_value" if kind == "rich_text_input" else "value"
        return {**state, key: element.get("initial_value")}
    return state


def _keep(fresh: Json, old: Json) -> Json:
    """Keep entered values across an update where block_id and action_id stay the same."""
    for block_id, actions in fresh.items():
        for action_id, state in actions.items():
            before = old.get(block_id, {}).get(action_id)
            if before is not None and before["type"] == state["type"]:
                actions[action_id] = before
    return fresh


def merged(base: Json, entered: Json) -> Json:
    """``state.values``, overridden by what the user entered."""
    result = {block_id: dict(actions) for block_id, actions in base.items()}
    for block_id, actions in entered.items():
        result.setdefault(block_id, {}).update(actions)
    return result


def unfilled(view: View, values: Json) -> dict[str, str]:
    """The validation errors that Slack's client shows before it submits, by block_id."""
    problems: dict[str, str] = {}
    for block in view.body["blocks"]:
        if block["type"] == "input":
            element = block["element"]
            complaint = _complaint(element, values.get(block["block_id"], {}).get(element["action_id"], {}))
            if complaint and not (block.get("optional") and not _entered(values, block)):
                problems[block["block_id"]] = complaint
    return problems


def _entered(values: Json, block: Json) -> bool:
    state = values.get(block["block_id"], {}).get(block["element"]["action_id"], {})
    return any(value for key, value in state.items() if key != "type")


def _complaint(element: Json, state: Json) -> str:
    entered = next((value for key, value in state.items() if key != "type" and value), None)
    if entered is None:
        return "Please complete this required field."
    if element["type"] == "plain_text_input" and isinstance(entered, str):
        if len(entered) < element.get("min_length", 0):
            return f"Please enter at least {element['min_length']} characters."
        if len(entered) > element.get("max_length", 3000):
            return f"Please enter at most {element.get('max_length', 3000)} characters."
    return ""
