"""Each rule finds what it is for in a bad message, and nothing in a good one."""

from __future__ import annotations

from typing import Any

import pytest

from bot.adapters.slack import blocks
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Button, Fact, Mention, Reply
from tests.messages import rules
from tests.messages.example import Example
from tests.messages.texts import DATE, texts

LONG = "Some " + " ".join(["word"] * 25) + "."


def shown(reply: Reply) -> dict[str, Any]:
    [message] = blocks.render(reply).messages
    return {"text": message.text, "blocks": message.blocks}


def found(rule: str, message: dict[str, Any]) -> list[str]:
    return list(rules.RULES[rule](message))


def section(text: str, kind: str = "mrkdwn", **more: Any) -> dict[str, Any]:
    return {"text": "x", "blocks": [{"type": "section", "text": {"type": kind, "text": text}, **more}]}


def button(**more: Any) -> dict[str, Any]:
    one = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "Go"}, "value": "v", **more}
    return {"text": "x", "blocks": [{"type": "actions", "elements": [one]}]}


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def modal(**more: Any) -> dict[str, Any]:
    field = {"type": "plain_text_input", "action_id": "value"}
    block = {"type": "input", "block_id": "b", "label": plain("Why?"), "element": field}
    return {"type": "modal", "title": plain("A form"), "submit": plain("Go"), "blocks": [block], **more}


GOOD = Reply(
    "Not healthy: Secret agent-ssh-keys is missing, so kali can't start",
    Verdict.FAIL,
    body=("Create it.",),
    facts=(Fact("Asked by", (Mention("U07MAYA0001"),)),),
    buttons=(Button("Status", "status"),),
)


def test_a_good_message_has_no_findings() -> None:
    assert rules.check(Example("f", "t", (shown(GOOD),))) == []
    assert rules.check(Example("f", "t", (modal(),))) == []


OVER: dict[str, dict[str, Any]] = {
    "blocks of a message": {"text": "x", "blocks": [{"type": "divider"}] * 51},
    "blocks of a view": modal(blocks=[*modal()["blocks"], *[{"type": "divider"}] * 100]),
    "a section's text": section("x" * 3001),
    "fields of a section": section("x", fields=[plain("x")] * 11),
    "a field's text": section("x", fields=[plain("x" * 2001)]),
    "a header": {"text": "x", "blocks": [{"type": "header", "text": plain("x" * 151)}]},
    "buttons of a message": {"text": "x", "blocks": [{"type": "actions", "elements": button()["blocks"] * 26}]},
    "a button's label": button(text=plain("x" * 76)),
    "a button's value": button(value="x" * 2001),
    "a dialog's text": button(
        confirm={"title": plain("x"), "text": plain("x" * 301), "confirm": plain("x"), "deny": plain("x")}
    ),
    "a context's elements": {"text": "x", "blocks": [{"type": "context", "elements": [plain("x")] * 11}]},
    "a modal's title": modal(title=plain("x" * 25)),
    "a modal's button": modal(submit=plain("x" * 25)),
    "a modal's metadata": modal(private_metadata="x" * 3001),
    "an input's label": modal(blocks=[{**modal()["blocks"][0], "label": plain("x" * 2001)}]),
    "all text of a message": {"text": "x", "blocks": section("x" * 2900)["blocks"] * 5},
    "no text besides the blocks": {**section("x"), "text": " "},
    "the text besides the blocks": {**section("x"), "text": "x" * 4001},
}


@pytest.mark.parametrize("name", OVER)
def test_what_is_over_slacks_limits_is_found(name: str) -> None:
    assert found("limit", OVER[name])


@pytest.mark.parametrize(
    "text",
    [
        "Asked by U07MAYA0001",
        "The card is in C07OPSPOD01.",
        "For <@U07MAYA0001>",
        "<!subteam^S07ONCALL01> was called",
        "the pod 0b1f2c3d-1111-2222-3333-444455556666 is gone",
        f"The image is sha256:{'a' * 64}",
        f"Revision {'b' * 40}",
    ],
)
def test_raw_ids_are_found(text: str) -> None:
    assert found("id", shown(Reply("Done", body=(text,)))) == [text]


def test_ids_that_are_shown_for_their_own_sake_are_none() -> None:
    assert not found("id", shown(Reply("Done", facts=(Fact("User", "U07MAYA0001"),))))
    assert not found("id", shown(Reply("Done", body=("Restarted secure-agent-pod-6d4cf56db6-x2k8p.",))))


@pytest.mark.parametrize("time", ["by 12:30 UTC", "at 03:00:00 UTC", "Since: 2026-11-23 22:41 UTC"])
def test_a_time_in_utc_only_is_found_with_the_word_before_it(time: str) -> None:
    assert found("utc", shown(Reply(f"It ended {time}"))) == [time]
    assert found("utc", shown(Reply("Done", notes=(f"x · {time}",)))) == [time]
    assert not found("utc", shown(Reply("Done", buttons=(Button(time, "x", confirm=time),))))


def test_a_digest_has_its_own_zone() -> None:
    window = "Mon 23 Nov 00:00 to Tue 24 Nov 00:00, UTC"
    assert not found("utc", shown(Reply("It ended 12:00 UTC", notes=(window,))))


def test_a_time_that_slack_shows_in_the_reader_s_zone_is_none() -> None:
    assert not found("utc", section("It ended <!date^1700000000^{time}|12:00 UTC>."))
    date = {"type": "date", "timestamp": 1700000000, "format": "{time}", "fallback": "12:00 UTC"}
    parts = [{"type": "text", "text": "It ended "}, date]
    message = {"text": "x", "blocks": [{"type": "rich_text", "elements": [_section(*parts)]}]}
    assert not found("utc", message)
    assert [text.text for text in texts(message)] == [f"It ended {DATE}"]


def test_small_print_that_begins_in_lower_case_is_found() -> None:
    assert found("capital", shown(Reply("Done", notes=("expires soon if nobody decides",))))
    for note in ("Expires soon if nobody decides", "r-2345abcd · asked today", "secure-agent-pod · took 0.1 s"):
        assert not found("capital", shown(Reply("Done", notes=(note,))))


def _section(*parts: Any) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(parts)}


def test_a_sentence_of_more_than_25_words_is_found() -> None:
    assert found("long", shown(Reply("Done", body=(f"Short. {LONG}",)))) == [LONG]
    assert not found("long", shown(Reply("Done", body=(LONG.replace("word word", "word", 1),))))
    assert found("long", modal(blocks=[{**modal()["blocks"][0], "hint": plain(LONG)}]))


def test_quotations_code_output_and_lists_count_as_one_word() -> None:
    listed = "May run: " + ", ".join(["status"] * 40)
    quoted = f"It says “{LONG}”"
    code = f"Now run this here and then there, if you want to: `{' '.join(['kubectl'] * 20)}` there."
    assert not found("long", shown(Reply("Done", body=(listed, quoted, code))))
    finding = Finding("a", "A", Verdict.FAIL, "bad", (LONG,))
    assert not found("long", shown(Reply("Done", Verdict.FAIL, findings=(finding,))))


@pytest.mark.parametrize(
    "text",
    [
        "That time counts for nothing.",
        "I could not hear anybody for 1 h",
        "still so, for 4 h now",
        "Say that you take care of an incident",
        "Who may: operators",
        "You are operator by on-call",
        "kali was killed for its memory",
        "The request is void, since the pod changed",
        "Nothing is known of the pod.",
        "Nobody is told of it.",
    ],
)
def test_private_words_are_found(text: str) -> None:
    assert found("word", shown(Reply("Done", body=(text,))))


def test_a_sentence_that_is_there_twice_is_found() -> None:
    twice = Reply("The pod is being restarted", body=("It is up. The pod is being restarted.",))
    assert found("twice", shown(twice)) == ["The pod is being restarted"]
    labelled = Reply(
        "Done", facts=(Fact("Evidence", "no space is left there"), Fact("Why", "no space is left there"))
    )
    assert found("twice", shown(labelled)) == ["no space is left there"]
    assert not found("twice", shown(Reply("Done now", body=("Done now.",))))


@pytest.mark.parametrize(
    ("first", "below"),
    [
        ("kali is in CreateContainerConfigError", 'secret "agent-ssh-keys" not found'),
        ("the pod is not ready", "kali was OOMKilled"),
        ("kali is in ImagePullBackOff", "manifest unknown"),
    ],
)
def test_a_symptom_before_a_cause_that_is_known_is_found(first: str, below: str) -> None:
    finding = Finding("pod", "Pod", Verdict.FAIL, first, (below,))
    bad = shown(Reply(f"Not healthy: {first}", Verdict.FAIL, findings=(finding,)))
    assert found("symptom", bad) == [f"🔴 Not healthy: {first}"]
    assert not found("symptom", shown(Reply(f"Not healthy: {first}", Verdict.FAIL)))
    assert not found("symptom", shown(Reply(f"Not healthy: {below}", Verdict.FAIL, body=(first,))))


def test_findings_are_the_same_from_run_to_run() -> None:
    first, second = (
        rules.Finding("utc", "x", f"asked {time} · {id_} on Mon 23 Nov").key
        for time, id_ in (("12:00 UTC", "r-7k2m9xwq"), ("9:41:07 UTC", "r-22222222"))
    )
    assert first == second


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Restart of kali is void: ", True),
        ("The pod is gone ()", True),
        ("It said “”", True),
        ("The runbook knows no cause for it:", False),
    ],
)
def test_what_announces_something_and_says_nothing_is_found(text: str, seen: bool) -> None:
    assert bool(found("empty", shown(Reply("Done", body=(text,))))) is seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Process: processes: no pod is running", True),
        ("VibeKanban: VibeKanban is not running", True),
        ("Logs: logs, logs stop", False),
        ("New pod: pod-2", False),
    ],
)
def test_a_label_that_is_said_twice_is_found(text: str, seen: bool) -> None:
    assert bool(found("double", shown(Reply("Done", body=(text,))))) is seen
