"""Which log a crash has, and how much of it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core.workload import Container, Pod, Termination
from bot.domain.health import crash_log

ENDED = Termination("Error", 1)


def seen(**state: object) -> Pod:
    made = {"name": "kali", "image": "i", **state}
    return Pod("pod", "uid", "Running", containers=(Container(**made),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "pod", "previous"),
    [
        ("logs --container kali --previous", seen(state="waiting", last_termination=ENDED), True),
        ("logs --container kali --previous", seen(state="running", last_termination=ENDED), True),
        ("logs --container kali", seen(state="terminated", terminated=ENDED), False),
        ("logs --container kali", seen(state="running", last_termination=ENDED), None),
        ("logs --container kali", seen(state="running"), None),
        ("logs --container kali --previous", seen(state="running"), None),
        ("logs --container other --previous", seen(last_termination=ENDED), None),
        ("events", seen(last_termination=ENDED), None),
        ("", seen(last_termination=ENDED), None),
        ("logs --container kali --previous", None, None),
    ],
)
def test_a_crash_has_the_log_of_the_run_that_ended(line: str, pod: Pod | None, previous: bool | None) -> None:
    found = crash_log.crashed(line, pod)
    assert (found[1] if found else None) == previous
    assert found is None or found[0].name == "kali"


@given(st.lists(st.text(st.characters(exclude_characters="\n"), max_size=500), max_size=40))
def test_an_excerpt_is_bounded_and_ends_with_the_last_line(lines: list[str]) -> None:
    shown = crash_log.excerpt("kali", lines, previous=True)
    said = [line for line in lines if line.strip()]
    assert (shown is None) == (not said)
    if shown is not None:
        cut = shown.text.split("\n")
        assert len(cut) == min(len(said), crash_log.SHOWN)
        assert all(len(line) <= crash_log.LONGEST for line in cut)
        assert said[-1].rstrip()[: crash_log.LONGEST - 1] == cut[-1][: crash_log.LONGEST - 1]


def test_the_indent_of_a_stack_trace_stays() -> None:
    shown = crash_log.excerpt("kali", ["Traceback:", '  File "x.py"', ""], previous=False)
    assert shown is not None
    assert shown.text == 'Traceback:\n  File "x.py"'
    assert shown.title == "The last 2 lines of kali's log"
