"""Cards are never cut in half: one that finds no room is left out as a whole, and a line says what shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from bot.adapters.slack import blocks, home_tab, modal_answer
from bot.adapters.slack.pages import MESSAGE, VIEW
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Button, Card, Excerpt, Reply
from sandbox.slack.blocks import message_blocks, view
from tests.adapters.test_slack_blocks import shown


def of_cards(count: int, lines: int = 1) -> Reply:
    cards = (
        Card(
            tuple(f"card {n}, line {k} {'x' * 40}" for k in range(lines)), (Button("Details", f"incidents i-{n}"),)
        )
        for n in range(count)
    )
    return Reply("h", cards=tuple(cards), notes=("alpha · 12:00",), command="dashboard", again="Refresh")


def types(made: Sequence[dict[str, Any]]) -> list[str]:
    return [block["type"] for block in made]


def whole_cards(made: Sequence[dict[str, Any]], lines: int = 1) -> Iterator[bool]:
    """Whether each card of a message has all its lines and its buttons."""
    for at, block in enumerate(made):
        if block["type"] == "divider":
            yield types(made[at + 1 : at + 2 + lines]) == ["rich_text"] * lines + ["actions"]


@pytest.mark.parametrize("lines", [1, 3])
@pytest.mark.parametrize("count", [1, 14, 15, 16, 30, 44, 60])
def test_no_card_is_cut_in_half_between_messages(count: int, lines: int) -> None:
    rendered = blocks.render(of_cards(count, lines))
    for message in rendered.messages:
        message_blocks(message.blocks, lambda _: None)
        assert all(whole_cards(message.blocks, lines))
    assert types(rendered.messages[-1].blocks)[-2:] == ["context", "actions"], "small print, and Refresh"
    left_out = "There is more: all of it is in whole-answer.txt." in shown(rendered)
    assert left_out == (sum(types(m.blocks).count("divider") for m in rendered.messages) < count)
    assert f"card {count - 1}, line {lines - 1} " in shown(rendered), "at least in the file"


@pytest.mark.parametrize("count", [5, 31, 32, 33, 60, 200])
def test_home_leaves_whole_cards_out_and_says_what_shows_them(count: int) -> None:
    made = view(home_tab.view(of_cards(count)), lambda _: None)["blocks"]
    assert len(made) <= 100
    assert all(whole_cards(made))
    cards = types(made).count("divider")
    assert cards >= min(count, 31)
    assert types(made)[-2:] == ["context", "actions"], "small print, and Refresh"
    said = "".join(blocks._texts(made))
    assert ("There is more: /agentpod dashboard shows all of it." in said) == (cards < count)


@pytest.mark.parametrize("count", [5, 33, 60])
def test_a_window_is_never_over_slacks_limit(count: int) -> None:
    rendered = blocks.render(of_cards(count), tables=False, room=VIEW)
    window = view(modal_answer.modal("dashboard", rendered), lambda _: None)
    assert bool(rendered.files) == (types(window["blocks"]).count("divider") < count)


def test_a_message_of_the_bots_own_keeps_its_buttons_and_says_that_there_is_more() -> None:
    bad = tuple(Finding(f"p{n}", f"Check {n}", Verdict.FAIL, "is wrong " * 20, ("line",)) for n in range(60))
    reply = Reply("h", findings=bad, buttons=(Button("Approve", "approve r-1"),), notes=("r-1",))
    [message] = blocks.render(reply, attached=False, room=MESSAGE).messages
    message_blocks(message.blocks, lambda _: None)
    assert types(message.blocks)[-2:] == ["context", "actions"]
    assert "There is more." in shown(blocks.Rendered((message,)))


def test_what_is_too_large_for_a_message_is_divided_all_the_same() -> None:
    rendered = blocks.render(Reply("h", cards=(Card(tuple("x" * 2_000 for _ in range(8))),)))
    assert len(rendered.messages) == 2
    assert shown(rendered).count("x") == 16_000


def test_without_files_no_line_names_one() -> None:
    long = Excerpt("line\n" * 2_000, filename="output.txt")
    [message] = blocks.render(Reply("h", excerpts=(long,)), attached=False, room=MESSAGE).messages
    assert "output.txt" not in shown(blocks.Rendered((message,)))
