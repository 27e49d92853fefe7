"""Renders forms as modals and reads their submissions. Pure.

The modal itself contains all that its submission needs: so any replica can handle it, and nothing is stored for a
form. Its submitter is authorised again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.core import moments
from bot.domain.core.reply import Form, FormField

Json = dict[str, Any]
CALLBACK = "agentpod:form"
MAX_METADATA = 3000
MAX_TITLE = 24
MAX_OPTION = 75
MAX_INPUT = 3000
"""Most characters of one input."""
_PART = 1_800
"""Characters of a split field that are shown in one input: the rest is room for what is added."""


@dataclass(frozen=True)
class Origin:
    """Where a form was requested, which is where its answer goes."""

    channel: str = ""
    response_url: str = ""
    thread_ts: str | None = None
    edits: bool = False
    """Whether the answer replaces the response URL's message."""
    message_ts: str = ""
    """The message whose button opened it."""
    since: int = 0
    """When the response URL was made, in seconds since the epoch."""
    home: bool = False
    """Whether it was asked for in the Home tab."""


@dataclass(frozen=True)
class Submission:
    """A submitted form: for a command line, or with secret values for a ``sink``."""

    line: str
    sink: str
    answers: Mapping[str, str]
    origin: Origin


def view(form: Form, origin: Origin) -> Json:
    """Return the modal for ``views.open``."""
    note = [{"type": "section", "text": plain_text(form.note, 3000)}] if form.note else []
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": plain_text(form.title, MAX_TITLE),
        "submit": plain_text(form.submit, MAX_TITLE),
        "close": plain_text("Cancel", MAX_TITLE),
        "private_metadata": _metadata(form, origin),
        "blocks": [*note, *(_input(part, _input_id(form)) for f in form.fields for part in _parts(f))],
    }


def _input_id(form: Form) -> str:
    """Return the action id of a form's inputs.

    Where one form takes another's place in a modal, Slack keeps what was typed into inputs whose ids are the same.
    """
    return hashlib.sha256(f"{form.command}\n{form.sink}".encode()).hexdigest()[:16]


def _metadata(form: Form, origin: Origin) -> str:
    kept = {"c": form.command, "s": form.sink, "ch": origin.channel, "u": origin.response_url, "e": origin.edits}
    if origin.thread_ts:
        kept["t"] = origin.thread_ts
    if origin.message_ts:
        kept["m"] = origin.message_ts
    if origin.home:
        kept["h"] = True
    if origin.response_url and origin.since:
        kept["at"] = origin.since
    text = json.dumps(kept, separators=(",", ":"))
    return text if len(text) <= MAX_METADATA else json.dumps({**kept, "u": "", "e": False}, separators=(",", ":"))


def plain_text(text: str, most: int) -> Json:
    """Return a plain text object of at most ``most`` characters."""
    text = moments.bare(text)
    return {"type": "plain_text", "text": text if len(text) <= most else text[: most - 1] + "…"}


def _parts(field: FormField) -> list[FormField]:
    """The inputs of a field: several for one that is split, called ``name.1``, ``name.2`` and so on."""
    if not field.split:
        return [field]
    chunks, size = [list[str]()], 0
    for line in field.initial.rstrip("\n").split("\n"):
        # Blanks at the edge of an input may get lost, so that no input begins with any.
        if chunks[-1] and size + len(line) + 1 > _PART and line[:1].strip():
            chunks.append([])
            size = 0
        chunks[-1].append(line)
        size += len(line) + 1
    first, parts = 1, []
    for number, chunk in enumerate(chunks, 1):
        last = first + len(chunk) - 1
        label = field.label if len(chunks) == 1 else f"{field.label}, lines {first} to {last}"
        hint = field.hint if number == 1 else ""
        text = "\n".join(chunk)
        needed = field.required and len(chunks) == 1  # of several inputs each may be emptied
        parts.append(
            replace(field, name=f"{field.name}.{number}", label=label, hint=hint, initial=text, required=needed)
        )
        first = last + 1
    return parts


def _joined(answers: Mapping[str, str]) -> dict[str, str]:
    """The answers by field, with the inputs of a split one put together, also where all are empty."""
    found = {name: value for name, value in answers.items() if value and "." not in name}
    parts: dict[str, dict[int, str]] = {}
    for name, value in answers.items():
        base, dot, number = name.partition(".")
        if dot and number.isdecimal() and len(number) < 4:
            parts.setdefault(base, {})[int(number)] = value
    for base, given in parts.items():
        found[base] = "\n".join(given[number].strip("\n") for number in sorted(given) if given[number])
    return found


def _input(field: FormField, action_id: str) -> Json:
    element = {"action_id": action_id} | (_choice(field) if field.options else _text(field))
    block: Json = {
        "type": "input",
        "block_id": field.name,
        "label": plain_text(field.label, 2000),
        "optional": not field.required,
        "element": element,
    }
    return block | ({"hint": plain_text(field.hint, 2000)} if field.hint else {})


def _choice(field: FormField) -> Json:
    options = [{"text": plain_text(called, MAX_OPTION), "value": value} for value, called in field.options]
    chosen = next((option for option in options if option["value"] == field.initial), None)
    made: Json = {"type": "static_select", "options": options}
    return made | ({"initial_option": chosen} if chosen is not None else {})


def _text(field: FormField) -> Json:
    element: Json = {
        "type": "plain_text_input",
        "multiline": field.multiline,
        "max_length": min(field.max_length, MAX_INPUT),
        "focus_on_load": False,
    }
    if field.initial and not field.secret:
        element["initial_value"] = field.initial
    return element


def submission(body: Mapping[str, Any]) -> Submission | None:
    """Read a submission; None for a modal that the bot did not create, or whose data can't be read."""
    view_ = body.get("view")
    if not isinstance(view_, dict) or view_.get("callback_id") != CALLBACK:
        return None
    try:
        kept = json.loads(view_["private_metadata"])
        line, sink = kept["c"], kept["s"]
        origin = Origin(
            str(kept["ch"]),
            str(kept["u"]),
            kept.get("t"),
            bool(kept["e"]),
            str(kept.get("m") or ""),
            int(kept.get("at") or 0),
            bool(kept.get("h")),
        )
        values = view_["state"]["values"]
        answers = {str(name): _value(block) for name, block in values.items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    if not isinstance(line, str) or not isinstance(sink, str) or not (line or sink) or not line.isprintable():
        return None
    return Submission(line, sink, _joined(answers), origin)


def _value(block: Mapping[str, Any]) -> str:
    [state] = block.values()
    if "selected_option" in state:
        state = state["selected_option"] or {"value": None}
    given = state["value"]
    return "" if given is None else str(given)


def refused(fields: Mapping[str, str], message: str) -> Json:
    """Return the response that keeps a modal open, with the reason under its first field.

    That is none that is split.
    """
    name = next(iter(fields), "")
    return {"response_action": "errors", "errors": {name: message[:200]}}
