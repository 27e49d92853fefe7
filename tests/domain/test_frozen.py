"""What is made and changed the fast way is what the usual way gives."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from bot.domain import alerting
from bot.domain.alerting import Incident, Kind, Problem, State
from bot.domain.frozen import make, replace

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PROBLEM = Problem("pod:t", Kind.POD, "t", "the pod", "is down", "critical", NOW)
USUAL = Incident("i-1", PROBLEM, State.PENDING, NOW)


def test_one_that_is_made_has_all_fields_and_is_written_alike() -> None:
    fast = make(Incident, id="i-1", problem=PROBLEM, state=State.PENDING, opened_at=NOW)
    assert fast == USUAL
    assert vars(fast) == vars(USUAL)
    assert alerting.to_json(fast) == alerting.to_json(USUAL)


def test_one_that_is_changed_leaves_the_other_as_it_was() -> None:
    fast = replace(USUAL, group="g-1", apart=True)
    assert fast == dataclasses.replace(USUAL, group="g-1", apart=True)
    assert alerting.to_json(fast) == alerting.to_json(dataclasses.replace(USUAL, group="g-1", apart=True))
    assert USUAL.group == ""


def test_neither_can_be_changed_in_place() -> None:
    for fast in (
        replace(USUAL, group="g-1"),
        make(Incident, id="i", problem=PROBLEM, state=State.ACKED, opened_at=NOW),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            fast.group = "g-2"  # type: ignore[misc]
