"""Forms as modals, and their submissions, including forged ones."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.slack import blocks, forms, inbound
from bot.adapters.slack.forms import CALLBACK, Origin
from bot.domain.core.reply import Fact, Form, FormField, Mention, Reply
from sandbox.slack.views import Views

FORM = Form(
    "Restart",
    "restart --force",
    (FormField("reason", "Why?", multiline=True), FormField("x", "X", required=False)),
)
ORIGIN = Origin("C07OPSPOD01", "http://127.0.0.1/url", "1.2", edits=True)


def body(view: dict[str, Any], **values: str | None) -> dict[str, Any]:
    """The payload that Slack sends for a submitted modal."""
    state = {name: {"value": {"type": "plain_text_input", "value": value}} for name, value in values.items()}
    return {
        "type": "view_submission",
        "user": {"id": "U1"},
        "view": {**view, "id": "V1", "state": {"values": state}},
    }


def test_a_form_is_a_modal_that_slack_takes() -> None:
    long = Form(
        "T" * 60, "c", tuple(FormField(f"f{n}", "L" * 3000, hint="h" * 3000) for n in range(3)), note="n" * 9000
    )
    for form in (FORM, long):
        Views(lambda _: None, lambda: 0.0).open("U1", forms.view(form, ORIGIN))


def test_what_was_filled_in_comes_back_with_where_it_was_asked() -> None:
    request = inbound.read(body(forms.view(FORM, ORIGIN), reason='two\nlines "q" --x', x=None), "B")
    assert request is not None
    assert (request.surface, request.line, request.channel) == ("modal", "restart --force", "C07OPSPOD01")
    assert dict(request.answers) == {"reason": 'two\nlines "q" --x'}
    assert (request.response_url, request.thread_ts, request.edits) == (ORIGIN.response_url, "1.2", True)
    assert "two" not in repr(request)


def test_a_secret_form_has_no_command_line() -> None:
    form = Form("V", "", (FormField("value", "V", secret=True, initial="never shown"),), sink="secret:r-22222222")
    view = forms.view(form, ORIGIN)
    assert "never shown" not in json.dumps(view)
    request = inbound.read(body(view, value="s3cret"), "B")
    assert request is not None
    assert (request.line, request.sink) == ("", "secret:r-22222222")
    assert "s3cret" not in repr(request)


@pytest.mark.parametrize(
    "metadata",
    ["", "x", "[]", "{}", '{"c":1,"s":"","ch":"","u":"","e":0}', '{"c":"","s":"","ch":"","u":"","e":0}', "null"],
)
def test_a_forged_form_makes_no_sense_and_is_answered(metadata: str) -> None:
    view = {**forms.view(FORM, ORIGIN), "private_metadata": metadata}
    request = inbound.read(body(view, reason="x"), "B")
    assert request is not None
    assert (request.line, request.channel) == (None, "U1")
    other = {**forms.view(FORM, ORIGIN), "callback_id": "another"}
    assert (inbound.read(body(other), "B") or request).line is None
    assert forms.submission({"view": None}) is None
    assert view["callback_id"] == CALLBACK


def test_people_are_named_and_text_stays_inert() -> None:
    reply = Reply(
        "<!channel> *x*",
        body=(("by ", Mention("U1"), " <@U2>"),),
        facts=(Fact("Who", (Mention("S1"), " in ", Mention("C1"))),),
        notify=(Mention("U9"), Mention("S9")),
    )
    [message] = blocks.render(reply).messages
    flat = json.dumps(message.blocks)
    for element in ('"user_id": "U1"', '"usergroup_id": "S1"', '"channel_id": "C1"', '"user_id": "U9"'):
        assert element in flat
    assert '"user_id": "U2"' not in flat
    assert message.text.endswith("<@U9> <!subteam^S9>")
    assert "<!channel>" not in message.text


LONG = "".join(f"{n % 60} * * * * /opt/scripts/job-{n}.sh\n" for n in range(150))


def split_view(text: str) -> dict[str, Any]:
    field = FormField("crontab", "Crontab", multiline=True, max_length=20_000, initial=text, split=True)
    return forms.view(Form("Edit", "cron edit", (FormField("reason", "Why?"), field)), forms.Origin())


def answered(view: dict[str, Any], **changes: str) -> dict[str, str]:
    """The answers of a submission in which only ``changes`` were made."""
    inputs = {b["block_id"]: b["element"].get("initial_value", "") for b in view["blocks"] if b["type"] == "input"}
    values = {name: {"value": {"value": changes.get(name, text) or None}} for name, text in inputs.items()}
    sent = forms.submission({"view": {**view, "state": {"values": values}}})
    assert sent is not None
    return dict(sent.answers)


def test_a_split_field_is_shown_in_inputs_of_whole_lines_and_put_together_again() -> None:
    view = split_view(LONG)
    inputs = [b for b in view["blocks"] if b["type"] == "input"][1:]
    assert len(inputs) > 2
    assert all(len(b["element"]["initial_value"]) <= 2_000 and b["optional"] for b in inputs)
    assert inputs[0]["label"]["text"].startswith("Crontab, lines 1 to ")
    assert answered(view, reason="why") == {"reason": "why", "crontab": LONG.rstrip("\n")}


def test_a_split_field_that_is_emptied_is_an_answer_all_the_same() -> None:
    assert answered(split_view("@daily x\n"), **{"crontab.1": ""}) == {"crontab": ""}
    view = split_view(LONG)
    left = answered(view, **{"crontab.2": ""})["crontab"].split("\n")
    assert set(left) < set(LONG.split("\n"))
    assert left[-1] == LONG.split("\n")[-2]
    assert "" not in left


def test_no_input_of_a_split_field_begins_with_blanks() -> None:
    inputs = split_view("x" * 1_790 + "\n\n  # indented\nnext\n")["blocks"][1:]
    assert [b["element"]["initial_value"] for b in inputs] == ["x" * 1_790 + "\n\n  # indented", "next"]


@pytest.mark.parametrize("needed", [True, False])
def test_a_split_field_that_fits_one_input_is_optional_only_where_the_field_is(*, needed: bool) -> None:
    field = FormField("crontab", "Crontab", multiline=True, initial="x\n", split=True, required=needed)
    [block] = [
        b
        for b in forms.view(Form("Edit", "cron edit", (field,)), forms.Origin())["blocks"]
        if b["type"] == "input"
    ]
    assert block["optional"] is not needed


def test_two_forms_share_no_input_into_which_something_is_typed() -> None:
    deny, glass = (forms.view(replace(FORM, command=f"{word} r-1"), ORIGIN) for word in ("deny", "break-glass"))
    views = Views(lambda _: None, lambda: 0.0)
    open_view = views.open("U1", deny)
    [typed] = open_view.values["reason"].values()
    typed["value"] = "needed until noon"
    views.update(open_view, deny)
    assert "needed until noon" in str(open_view.values)
    views.update(open_view, glass)
    assert "needed until noon" not in str(open_view.values)


CHOICE = FormField(
    "wake", "Critical alerts", initial="yes", options=(("no", "Held back"), ("yes", "Sent at once"))
)


def test_a_field_with_options_is_a_menu_with_the_initial_one_chosen() -> None:
    shown = forms.view(Form("Preferences", "preferences", (CHOICE,)), ORIGIN)
    Views(lambda _: None, lambda: 0.0).open("U1", shown)
    element = shown["blocks"][0]["element"]
    assert (element["type"], element["initial_option"]["value"]) == ("static_select", "yes")
    unknown = forms.view(Form("Preferences", "preferences", (replace(CHOICE, initial="maybe"),)), ORIGIN)
    assert "initial_option" not in unknown["blocks"][0]["element"]


@pytest.mark.parametrize(
    ("state", "answers"),
    [
        (
            {"selected_option": {"text": {"type": "plain_text", "text": "Held back"}, "value": "no"}},
            {"wake": "no"},
        ),
        ({"selected_option": None}, {}),
    ],
)
def test_what_was_chosen_comes_back(state: dict[str, Any], answers: dict[str, str]) -> None:
    sent = body(forms.view(Form("Preferences", "preferences", (CHOICE,)), ORIGIN))
    sent["view"]["state"]["values"] = {"wake": {"value": {"type": "static_select", **state}}}
    found = forms.submission(sent)
    assert found is not None
    assert found.answers == answers


@pytest.mark.parametrize(
    "state", [{}, {"selected_option": []}, {"selected_option": "no"}, {"selected_option": {"x": 1}}]
)
def test_a_forged_choice_is_not_read(state: dict[str, Any]) -> None:
    sent = body(forms.view(Form("Preferences", "preferences", (CHOICE,)), ORIGIN))
    sent["view"]["state"]["values"] = {"wake": {"value": {"type": "static_select", **state}}}
    found = forms.submission(sent)
    assert found is None or found.answers == {}
