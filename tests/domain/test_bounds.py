"""Untrusted text is limited before it is parsed, and truncation is reported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.bounds import LINE, LINES, bounded, number


def test_a_short_text_is_unchanged() -> None:
    assert bounded("a\nb\n").text == "a\nb\n"


@pytest.mark.parametrize("text", ["x" * 120_000, "1 " * 60_000, "a\n" + "y" * 99_999 + "\nb", "\u2028" * 9_000])
def test_only_the_long_line_is_cut(text: str) -> None:
    found = bounded(text)
    assert max(map(len, found.text.split("\n"))) == LINE
    assert (found.shortened, found.whole, found.text.count("\n")) == (1, True, text.count("\n"))


@pytest.mark.parametrize("text", ["\n".join("x" * 60_000), "row\n" * 60_000])
def test_surplus_lines_are_dropped_and_reported(text: str) -> None:
    found = bounded(text)
    assert (found.text.count("\n"), found.whole) == (LINES, False)


def test_the_maximum_number_of_lines_is_complete() -> None:
    assert bounded("x\n" * LINES) == bounded("x\n" * LINES, line=10)
    assert bounded("x\n" * LINES, line=0).whole


@given(st.text(alphabet="ab\n", max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_the_beginning_of_a_long_text_is_kept(text: str, line: int, lines: int) -> None:
    found = bounded(text, line, lines)
    kept = found.text.split("\n")
    assert all(whole.startswith(part) for whole, part in zip(text.split("\n"), kept, strict=False))
    assert len(found.text) <= len(text)
    assert not found.whole or found.text.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("12", 12), ("²", None), ("٣", None), ("", None), ("-1", None), ("1" * 5_000, None), ("1_0", None)],
)
def test_numbers_are_ascii_digits_of_a_bounded_length(text: str, value: int | None) -> None:
    assert number(text) == value
