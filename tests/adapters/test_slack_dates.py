"""Times in Slack: dates wherever one can stand, short times in UTC elsewhere, and none in text from outside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.slack import blocks, forms, pages
from bot.adapters.slack.delivery import noted
from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Button, Excerpt, Fact, Form, FormField, Image, Mention, Menu, Reply, Table
from sandbox.slack.blocks import message_blocks
from tests.domain.test_moments import TEXTS, TIMES, forged

NOW = datetime(2026, 11, 30, 22, 41, 7, tzinfo=UTC)
AGO = NOW - timedelta(minutes=3)
AT = words.moment(AGO)
NEAR = {"type": "date", "timestamp": 1796078280, "format": "{time}", "fallback": "22:38 UTC"}
MARKUP = re.compile(r"<!date\^(\d+)\^([^|^>]*)\|([^>]*)>")


def dates(value: Any) -> Iterator[tuple[int, str, str]]:
    """The dates in blocks: when, how they are shown, and what stands there otherwise."""
    if isinstance(value, dict):
        if value.get("type") == "date":
            yield value["timestamp"], value["format"], value["fallback"]
        elif value.get("type") == "mrkdwn":
            yield from ((int(t), f, b) for t, f, b in MARKUP.findall(value["text"]))
        else:
            yield from (found for part in value.values() for found in dates(part))
    elif isinstance(value, list):
        yield from (found for part in value for found in dates(part))


def render(reply: Reply) -> blocks.Message:
    message = blocks.render(reply, now=NOW).messages[0]
    message_blocks(message.blocks, lambda _: None)  # Slack takes them
    return message


PLACES = {
    "headline": lambda at: Reply(f"Down since {at}", Verdict.FAIL),
    "body": lambda at: Reply("h", body=(f"since {at}, run `x y`",)),
    "line": lambda at: Reply("h", body=((Mention("U1"), f" did it at {at}"),)),
    "finding": lambda at: Reply("h", findings=(Finding("p", "T", Verdict.FAIL, f"since {at}"),)),
    "evidence": lambda at: Reply("h", findings=(Finding("p", "T", Verdict.FAIL, "s", evidence=(f"at {at}",)),)),
    "remedy": lambda at: Reply("h", findings=(Finding("p", "T", Verdict.FAIL, "s", remedy=f"by {at}"),)),
    "label": lambda at: Reply("h", facts=(Fact(at, "firing"),)),
    "fact": lambda at: Reply("h", facts=(Fact("Since", at),)),
    "cell": lambda at: Reply("h", tables=(Table(("A", "B"), (("x", at),)),)),
    "line of a second table": lambda at: Reply(
        "h", tables=(Table(("A",), (("x",),)), Table(("A", "B"), ((f"{at}", "y"),)))
    ),
    "title": lambda at: Reply("h", proof=Excerpt("x", f"read at {at}")),
    "note": lambda at: Reply("h", notes=(f"r-1 · asked {at}",)),
}


@pytest.mark.parametrize("place", PLACES)
@given(at=TIMES, seconds=st.booleans())
def test_a_moment_is_a_date_everywhere(place: str, at: datetime, seconds: bool) -> None:
    message = render(PLACES[place](words.clock(at) if seconds else words.moment(at)))
    [(timestamp, shown, fallback)] = dates(message.blocks)
    cut = at.astimezone(UTC).replace(microsecond=0)
    assert datetime.fromtimestamp(timestamp, UTC) == (cut if seconds else cut.replace(second=0))
    assert ("{time_secs}" in shown) is seconds
    assert fallback.endswith(" UTC")
    assert "UTC" not in json.dumps(message.blocks).replace(fallback, "")
    assert all(ord(c) < 0x2060 or ord(c) > 0x206F for c in str(message))


def test_a_date_has_its_day_unless_it_is_near_the_message_s() -> None:
    [first] = render(Reply(f"Down since {AT}")).blocks
    assert first["elements"][0]["elements"][1] == NEAR | {"style": {"bold": True}}
    for hours, shown in (
        (2.9, "{time}"),
        (0, "{time}"),
        (-2.9, "{time}"),
        (-3.1, "{date_pretty}, {time}"),
        (11.9, "{date_pretty}, {time}"),
        (-99, "{date_pretty}, {time}"),
        (179 * 24, "{date_pretty}, {time}"),
        (180 * 24 + 1, "{date_short}, {time}"),
        (-180 * 24, "{date_short}, {time}"),
    ):
        message = render(Reply(words.moment(NOW + timedelta(hours=hours))))
        assert [found[1] for found in dates(message.blocks)] == [shown]
    unknown = blocks.render(Reply(AT)).messages[0]
    assert list(dates(unknown.blocks)) == [(1796078280, "{date_short}, {time}", "2026-11-30 22:38 UTC")]


def test_where_no_date_can_stand_the_time_is_short_and_in_utc() -> None:
    reply = Reply(
        f"Down since {AT}",
        Verdict.FAIL,
        body=(f"Run `logs --since {AT}`",),
        facts=(Fact("Id", AT, code=True),),
        buttons=(Button(f"Until {AT}", "x", confirm=f"Until {AT}?"),),
        menus=(Menu(f"Until {AT}", (Button(f"To {AT}", "y"),)),),
        excerpts=(Excerpt(f"first {AT}", filename="a.md"), Excerpt(f"whole {AT}", filename="b.md", attached=True)),
        images=(Image(b"", f"a day until {AT}", "x.png", file="F1"),),
    )
    rendered = blocks.render(reply, now=NOW)
    [message] = rendered.messages
    assert message.text.splitlines()[0] == "🔴 Not healthy: Down since 22:38 UTC"
    text = json.dumps(message.blocks, ensure_ascii=False)
    for part in (
        "logs --since 22:38 UTC",
        "Until 22:38 UTC",
        "Until 22:38 UTC?",
        "To 22:38 UTC",
        "until 22:38 UTC",
    ):
        assert f'"{part}"' in text or part in text
    assert "first 2026-11-30 22:38 UTC" in text, "as in a file"
    assert rendered.files[-1].content == "whole 2026-11-30 22:38 UTC"
    assert "Down since 22:38 UTC" in blocks.plain(message)
    form = Form("Go", "x", (FormField("a", f"By {AT}"),), note=f"It ends {AT}")
    assert "2063" not in json.dumps(forms.view(form, forms.Origin()))


FOREIGN = {"a link": "<!date^1^{time}^http://evil|x>", "markup": "<!date^1^{time}|x>", **forged()}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("place", PLACES)
def test_text_from_outside_never_becomes_a_date_or_a_link(place: str, what: str) -> None:
    text = {**FOREIGN, **forged()}[what]
    message = render(PLACES[place](text))
    assert not list(dates(message.blocks))
    assert "<!date" not in message.text
    mixed = render(Reply("h", notes=(f"{text} · {AT}",)))
    assert list(dates(mixed.blocks)) == [(1796078280, "{time}", "22:38 UTC")]
    assert "evil" not in re.sub(r"&lt;.*?&gt;", "", json.dumps(mixed.blocks))


@given(TEXTS)
def test_a_log_line_keeps_every_character_that_can_be_seen(text: str) -> None:
    line = f"2026-11-30 22:41 UTC {text}"
    message = render(Reply("h", excerpts=(Excerpt(line),)))
    assert not list(dates(message.blocks))


def test_small_print_with_a_date_is_as_plain_as_without() -> None:
    [_, note] = render(Reply("h", notes=(f"*a* :tada: <@U1> {AT}",))).blocks
    [element] = note["elements"]
    assert (element["type"], element["verbatim"]) == ("mrkdwn", True)
    assert ":tada:" not in element["text"]
    assert "<@U1>" not in element["text"]
    assert "*a*" not in element["text"]
    assert blocks.plain(blocks.Message("t", [note])).endswith("22:38 UTC")


def test_the_markup_counts_towards_the_limits() -> None:
    rows = tuple((f"row {n}", " ".join([words.clock(AGO)] * 20)) for n in range(19))
    rendered = blocks.render(Reply("h", facts=tuple(Fact(a, b) for a, b in rows)), now=NOW)
    sizes = [
        sum(len(f"<!date^{t}^{f}|{b}>") for t, f, b in dates(message.blocks)) for message in rendered.messages
    ]
    assert sum(len(list(dates(m.blocks))) for m in rendered.messages) == 380
    assert max(sizes) <= pages.MAX_CHARACTERS


def test_a_late_answer_says_since_when_in_the_reader_s_zone() -> None:
    late = noted(render(Reply("h")), f"It is as of {AT}.")
    assert [found[0] for found in dates(late.blocks)] == [1796078280]
    assert noted(blocks.Message("h", []), f"As of {words.moment(AGO.replace(year=2024))}.").text == (
        "h\nAs of 2024-11-30 22:38 UTC."
    )
