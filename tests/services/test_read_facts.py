"""Large facts are redacted and judged in a thread, so that nothing that a pod prints holds the others up."""

from __future__ import annotations

import threading

import pytest

from bot.domain.core.outside import LARGE
from bot.services.runbook.read_facts import PER_LINE, unblocked


@pytest.mark.parametrize(
    ("lines", "in_thread"),
    [
        (["x" * (LARGE - PER_LINE)], False),
        (["x" * (LARGE - PER_LINE + 1)], True),
        ([""] * (LARGE // PER_LINE), False),
        ([""] * (LARGE // PER_LINE + 1), True),
    ],
    ids=["long", "longer", "many", "more"],
)
async def test_work_on_long_lines_or_many_runs_in_a_thread(lines: list[str], in_thread: bool) -> None:
    ran_in = await unblocked(lines, threading.current_thread)
    assert (ran_in is not threading.main_thread()) is in_thread
