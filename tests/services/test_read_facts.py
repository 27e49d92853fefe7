"""Large facts are redacted and judged in a thread, so that nothing that a pod prints holds the others up."""

from __future__ import annotations

import threading

import pytest

from bot.domain.core.outside import LARGE
from bot.services.runbook.read_facts import unblocked


@pytest.mark.parametrize(("length", "in_thread"), [(LARGE, False), (LARGE + 1, True)])
async def test_work_on_long_lines_runs_in_a_thread(length: int, in_thread: bool) -> None:
    ran_in = await unblocked(["x" * length], threading.current_thread)
    assert (ran_in is not threading.main_thread()) is in_thread
