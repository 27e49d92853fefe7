"""When an open request's reminder is due, and what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import ApprovalPolicy, Request, RequestState, Snapshot
from bot.domain.approvals.reminder import due_at, is_due, reminder
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.reply import Mention
from tests.times import utc

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
SPANS = st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=1))


def repair(lasts: timedelta, state: RequestState = RequestState.OPEN, needed: int = 1) -> RepairRequest:
    return RepairRequest(
        Request("r-22222222", "U0ASKER", NOW, NOW + lasts, Snapshot("d", 1), needed, state), "a", RESTART
    )


@pytest.mark.parametrize(
    ("lasts", "setting", "left"),
    [
        ("30m", None, "5m"),
        ("6h", None, "1h"),
        ("10m", None, "2m"),  # a sixth would be too short to act on
        ("2m", None, "1m"),  # half of its time at most
        ("30m", "10m", "10m"),
        ("30m", "2h", "15m"),
        ("30m", "0", None),
    ],
)
def test_the_reminder_comes_in_good_time(lasts: str, setting: str | None, left: str | None) -> None:
    policy = ApprovalPolicy.model_validate({"expires_after": lasts, "remind_before": setting})
    one = repair(policy.expires_after)
    at = due_at(one, policy)
    shown = None if at is None else f"{(one.request.expires_at - at).total_seconds():.0f}"
    seconds = {"m": 60, "h": 3600}
    assert shown == (None if left is None else str(int(left[:-1]) * seconds[left[-1]]))


def test_a_negative_time_and_one_without_a_unit_are_refused() -> None:
    for wrong in ("-5m", "5", "soon"):
        with pytest.raises(ValueError, match="remind_before"):
            ApprovalPolicy.model_validate({"remind_before": wrong})


@given(SPANS, st.none() | SPANS, st.timedeltas(min_value=timedelta(), max_value=timedelta(days=2)))
def test_only_an_open_request_in_the_second_half_of_its_time_is_due(
    lasts: timedelta, setting: timedelta | None, later: timedelta
) -> None:
    policy = ApprovalPolicy(remind_before=setting)
    one = repair(lasts)
    due = is_due(one, policy, NOW + later)
    assert not due or lasts / 2 <= later < lasts
    assert not is_due(replace(one, reminded_at=NOW), policy, NOW + later)
    for state in RequestState:
        assert state is RequestState.OPEN or not is_due(one.in_state(state), policy, NOW + later)


def test_it_names_who_can_decide_and_the_time_left() -> None:
    one = replace(repair(timedelta(minutes=30)), reason="it hangs")
    said = reminder(one, [Mention("U0ONE")], "", NOW + timedelta(minutes=25))
    assert said.headline == "⏰ Restart of a: expires in 5 min"
    asked, needed = utc(said.body, NOW)
    assert asked == ("Asked by ", Mention("U0ASKER"), ": it hangs")
    assert needed == "1 approval still needed by 03:30:00 UTC. The buttons are on the card above."
    assert said.notify == (Mention("U0ONE"),)


def test_where_nobody_can_approve_it_says_so_and_calls_nobody() -> None:
    said = reminder(repair(timedelta(minutes=30)), [Mention("U0ONE")], "Nobody is left", NOW)
    assert (said.body[1:], said.notify) == (("Nobody is left",), ())


@pytest.mark.parametrize("state", [s for s in RequestState if s is not RequestState.OPEN])
def test_it_calls_nobody_once_the_request_is_decided(state: RequestState) -> None:
    said = reminder(repair(timedelta(minutes=30), state), [Mention("U0ONE")], "", NOW)
    assert (said.body, said.notify) == ((), ())
    assert "expires in" not in said.headline
