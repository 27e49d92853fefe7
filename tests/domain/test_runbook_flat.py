"""JSON as lines: what is taken away as a line is gone, and nothing else."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.runbook import flat

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner), max_leaves=15
)


@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_lines_hold_the_whole_object(data: dict[str, Any]) -> None:
    lines = list(flat.flattened(data))
    assert flat.inflated(lines) == data or data == {}
    assert all("\n" not in line for line in lines)


def test_a_value_that_is_taken_away_is_missing_and_the_others_stay() -> None:
    pod = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    lines = list(flat.flattened(pod))
    assert lines == [
        "status.phase: Running",
        "status.conditions[0].type: Ready",
        "status.conditions[0].status: True",
    ]
    assert flat.inflated(lines[:1] + lines[2:]) == {
        "status": {"phase": "Running", "conditions": [{"status": "True"}]}
    }


def test_malformed_lines_are_skipped() -> None:
    assert flat.inflated(["", "no value", ": x", "a.b: 1", "a.b.c: 2", "[0]: 3"]) == {"a": {"b": 1}, "0": 3}
