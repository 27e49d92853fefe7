"""Renders forms as modals and reads their submissions. Pure.

The modal itself contains all that its submission needs: so any replica can handle it, and nothing is stored for a
form. Its submitter is authorised again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.core.reply import Form, FormField

Json = dict[str, Any]
CALLBACK = "agentpod:form"
MAX_METADATA = 3000
MAX_TITLE = 24


@dataclass(frozen=True)
class Origin:
    """Where a form was requested, which is where its answer goes."""

    channel: str = ""
    response_url: str = ""
    thread_ts: str | None = None
    edits: bool = False
    """Whether the answer replaces the response URL's message."""


@dataclass(frozen=True)
class Submission:
    """A submitted form: for a command line, or with secret values for a ``sink``."""

    line: str
    sink: str
    answers: Mapping[str, str]
    origin: Origin


def view(form: Form, origin: Origin) -> Json:
    """Return the modal for ``views.open``."""
    note = [{"type": "section", "text": {"type": "plain_text", "text": form.note[:3000]}}] if form.note else []
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": _plain(form.title, MAX_TITLE),
        "submit": _plain(form.submit, MAX_TITLE),
        "close": _plain("Cancel", MAX_TITLE),
        "private_metadata": _metadata(form, origin),
        "blocks": [*note, *(_input(f) for f in form.fields)],
    }


def _metadata(form: Form, origin: Origin) -> str:
    kept = {"c": form.command, "s": form.sink, "ch": origin.channel, "u": origin.response_url, "e": origin.edits}
    if origin.thread_ts:
        kept["t"] = origin.thread_ts
    text = json.dumps(kept, separators=(",", ":"))
    return text if len(text) <= MAX_METADATA else json.dumps({**kept, "u": "", "e": False}, separators=(",", ":"))


def _plain(text: str, most: int) -> Json:
    return {"type": "plain_text", "text": text if len(text) <= most else text[: most - 1] + "…"}


def _input(field: FormField) -> Json:
    element: Json = {
        "type": "plain_text_input",
        "action_id": "value",
        "multiline": field.multiline,
        "max_length": min(field.max_length, 3000),
        "focus_on_load": False,
    }
    if field.initial and not field.secret:
        element["initial_value"] = field.initial
    block: Json = {
        "type": "input",
        "block_id": field.name,
        "label": _plain(field.label, 2000),
        "optional": not field.required,
        "element": element,
    }
    return block | ({"hint": _plain(field.hint, 2000)} if field.hint else {})


def submission(body: Mapping[str, Any]) -> Submission | None:
    """Read a submission; None for a modal that the bot did not create, or whose data can't be read."""
    view_ = body.get("view")
    if not isinstance(view_, dict) or view_.get("callback_id") != CALLBACK:
        return None
    try:
        kept = json.loads(view_["private_metadata"])
        line, sink = kept["c"], kept["s"]
        origin = Origin(str(kept["ch"]), str(kept["u"]), kept.get("t"), bool(kept["e"]))
        values = view_["state"]["values"]
        answers = {str(name): _value(block) for name, block in values.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(line, str) or not isinstance(sink, str) or not (line or sink) or not line.isprintable():
        return None
    return Submission(line, sink, {n: v for n, v in answers.items() if v}, origin)


def _value(block: Mapping[str, Any]) -> str:
    given = block["value"]["value"]
    return "" if given is None else str(given)


def refused(fields: Mapping[str, str], message: str) -> Json:
    """Return the response that keeps a modal open, with the reason under its first field."""
    name = next(iter(fields), "")
    return {"response_action": "errors", "errors": {name: message[:200]}}
