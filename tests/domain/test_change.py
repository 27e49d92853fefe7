"""What a change says: the names of what changed, and when it was noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core import change as changes
from bot.domain.core.change import Change, bounded, keys_changed, lines_changed, pairs, when
from bot.domain.incidents import background
from tests.times import utc

NOW = datetime(2026, 11, 24, 4, 2, tzinfo=UTC)


def made(kind: str, subject: str, before: str, after: str, minutes: float = 0.2) -> Change:
    return Change("pod", kind, subject, before, after, NOW, NOW - timedelta(minutes=minutes), 7)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (made(changes.IMAGE, "kali", "r:5/kali:1 (sha256:a…)", "r:5/kali:2"), "image of kali: 1 (sha256:a…) → 2"),
        (
            made(changes.IMAGE, "kali", "r/kali:1@sha256:a…", "r/kali@sha256:b…"),
            "image of kali: 1@sha256:a… → sha256:b…",
        ),
        (made(changes.IMAGE, "kali", "r/kali", "r/kali:2"), "image of kali: r/kali → 2"),
        (made(changes.IMAGE, "kali", "r/kali:1", "s/kali:1"), "image of kali: r/kali:1 → s/kali:1"),
        (made(changes.IMAGE, "proxy", "r/proxy:1", ""), "image of proxy: r/proxy:1 is gone"),
        (made(changes.NODE, "", "node-1", "node-2"), "node: node-1 → node-2"),
        (made(changes.TEMPLATE, "", "", "env LOG of kali changed"), "pod template: env LOG of kali changed"),
        (made(changes.SECRET, "agent", "", "value of A changed"), "Secret agent: value of A changed"),
        (made(changes.ARGOCD, "app", "1a", "2b"), "Argo CD revision of app: 1a → 2b"),
        (made(changes.CRONTAB, "/a/crontab", "", "1 line added"), "crontab /a/crontab: 1 line added"),
        (
            made(changes.SETTINGS, "", "", "values of a and b changed"),
            "settings of the bot: values of a and b changed",
        ),
    ],
)
def test_text_names_what_changed(change: Change, text: str) -> None:
    assert change.text == text
    assert change.source == "change 7"


def test_a_change_while_the_bot_was_away_has_two_times() -> None:
    assert utc(when(made(changes.NODE, "", "a", "b")), NOW) == "04:02 UTC"
    assert utc(when(made(changes.NODE, "", "a", "b", 52)), NOW) == "between 03:10 UTC and 04:02 UTC"


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ({"A": "1"}, {"A": "1"}, ""),
        ({"A": "1"}, {"A": "2"}, "value of A changed"),
        ({"A": "1", "B": "1"}, {"A": "2", "B": "2"}, "values of A and B changed"),
        ({"A": "1", "C": "1"}, {"A": "1", "B": "1"}, "B new, C gone"),
        ({}, {f"K{n}": "1" for n in range(9)}, "K0, K1, K2, K3, K4, K5 and 3 more new"),
    ],
)
def test_keys_are_named_and_values_never(before: dict[str, str], after: dict[str, str], text: str) -> None:
    assert keys_changed(before, after) == text


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ({"a": "1"}, {"a": "1", "b": "2"}, "2 lines added"),
        ({"a": "2"}, {"a": "1"}, "1 line gone"),
        ({"a": "1"}, {"b": "1"}, "1 line added, 1 line gone"),
        ({"a": "1"}, {"a": "1"}, "lines in another order"),
    ],
)
def test_lines_are_counted(before: dict[str, str], after: dict[str, str], text: str) -> None:
    assert lines_changed(before, after) == text


STATES = st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=8)


@given(STATES, STATES)
def test_pairs_are_what_differs(before: dict[str, str], after: dict[str, str]) -> None:
    found = {name: (was, is_) for name, was, is_ in pairs(before, after)}
    for name in {*before, *after}:
        was, is_ = before.get(name, ""), after.get(name, "")
        assert found.get(name, (was, was)) == (was, is_ if name in found else was)
        assert (name in found) == (was != is_)


@given(st.text(), st.text(), st.text())
def test_every_text_is_bounded(subject: str, before: str, after: str) -> None:
    change = bounded(made(changes.IMAGE, subject * 50, before * 50, after * 50))
    assert all(len(text) <= changes.LONGEST for text in (change.subject, change.before, change.after))


@given(st.lists(st.integers(min_value=-60, max_value=60), max_size=9))
def test_the_background_of_an_incident_is_the_newest_of_the_half_hour_before_it(minutes: list[int]) -> None:
    found = [
        replace(made(changes.NODE, "", "a", "b"), at=NOW + timedelta(minutes=m)) for m in sorted(minutes)[::-1]
    ]
    known = background.of(NOW, found, None)
    near = [change for change in found if change.at >= NOW - background.BEFORE]
    if known is None:
        assert not near
    else:
        assert list(known.changes) == near[: background.NAMED]
        assert len(known.changes) + known.more == len(near)
        shown = background.changed_lines(known.changes, known.more)
        assert len(shown) == len(known.changes) + bool(known.more)
