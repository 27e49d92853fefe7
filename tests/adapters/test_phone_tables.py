"""Tables that a phone would cut off, as two lines a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.slack.phone_tables import is_cut_off, two_lines
from bot.domain.core.reply import Line, Mention, plain


@pytest.mark.parametrize(
    ("cells", "cut_off"),
    [
        ([("Process", "PID", "Running for"), ("supercronic", "62", "22 h 45 min")], False),
        ([("Folder", "Size"), (".ssh-host-keys", "139.6 MiB")], False),
        (
            [("Who", "Type", "Can sign in", "Fingerprint"), ("phone", "ed25519 256", "yes", "SHA256:L6YP2EkbttB")],
            True,
        ),
        ([("Job", "Last success", "State"), ("exercise-reminder", "2 min 4 s ago", "up")], True),
        ([("Script",), ("push-heartbeat.sh",)], False),
    ],
)
def test_a_table_is_cut_off_where_a_phone_is_narrower(cells: list[tuple[str, ...]], cut_off: bool) -> None:
    assert is_cut_off(cells) is cut_off


def test_a_row_begins_with_what_it_is_about_and_names_the_rest() -> None:
    rows = [("pulse", "4 s ago", "up"), ("digest", "-", "")]
    lines = [(plain(first), plain(second)) for first, second in two_lines(("Job", "Last success", "State"), rows)]
    assert lines == [("pulse", "Last success: 4 s ago · State: up"), ("digest", "")]


def test_a_number_stands_beside_the_second_cell_and_a_sentence_needs_no_name() -> None:
    rows: list[tuple[Line, ...]] = [("7", "16:30 UTC", (Mention("U1"), " asked"), "restart")]
    [(first, second)] = two_lines(("#", "When", "Who and what", "About"), rows, sentences=(2,))
    assert first == ("7", " · ", "16:30 UTC")
    assert second == (Mention("U1"), " asked", " · ", "About: ", "restart")


_ROWS = st.integers(2, 6).flatmap(
    lambda n: st.lists(st.tuples(*[st.text(st.characters(categories=["L", "N"]), min_size=1)] * n), min_size=1)
)


@given(_ROWS)
def test_no_cell_is_lost(rows: list[tuple[str, ...]]) -> None:
    columns = [f"c{n}" for n in range(len(rows[0]))]
    for row, (first, second) in zip(rows, two_lines(columns, rows), strict=True):
        shown = plain(first) + plain(second)
        assert all(cell in shown for cell in row)
