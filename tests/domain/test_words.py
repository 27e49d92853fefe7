"""Numbers in words, as read on a phone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core import moments, words

NOW = datetime(2026, 11, 23, 22, 41, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (93_600, "1 d 2 h"),
        (10_800, "3 h"),
        (90, "1 min 30 s"),
        (0.5, "0.5 s"),
        (0, "0 s"),
        (90_061, "1 d 1 h 1 min 1 s"),
    ],
)
def test_a_configured_duration_is_shown_exactly(seconds: float, text: str) -> None:
    assert words.exactly(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.9, "0 s"),
        (40, "40 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (24660, "6 h 51 min"),
        (3605, "1 h"),
        (259200, "3 d"),
        (90000, "1 d 1 h"),
    ],
)
def test_ages_show_their_two_largest_units(seconds: float, text: str) -> None:
    assert words.age(timedelta(seconds=seconds)) == text


def test_ago_knows_past_future_and_unknown() -> None:
    assert words.ago(NOW - timedelta(minutes=12), NOW) == "12 min ago"
    assert words.ago(NOW + timedelta(minutes=5), NOW) == "in 5 min"
    assert words.ago(NOW + timedelta(milliseconds=500), NOW) == "0 s ago"
    assert words.ago(None, NOW) == "at an unknown time"
    assert words.age_since(None, NOW) == "-"


def test_times_are_written_in_full_in_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=2)))
    assert moments.bare(words.clock(there)) == "2026-11-23 22:41:07 UTC"
    assert moments.bare(words.moment(there)) == "2026-11-23 22:41 UTC"
    assert words.moment(None) == "never"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1 MiB"),
        (20 * 1024**3, "20 GiB"),
        (1024**6, "1024 PiB"),
    ],
)
def test_sizes_have_a_binary_unit(count: int | None, text: str) -> None:
    assert words.size(count) == text


@given(st.integers(0, 1024**5))
def test_a_size_is_off_by_at_most_a_twentieth_of_its_unit(count: int) -> None:
    number, unit = words.size(count).split()
    scale = 1024 ** ("B", "KiB", "MiB", "GiB", "TiB", "PiB").index(unit)
    assert abs(float(number) * scale - count) <= scale * 0.0501
    assert float(number) < 1024


@given(st.integers(0, 400 * 86400))
def test_an_age_is_never_rounded_up(seconds: int) -> None:
    units = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    parts = words.age(timedelta(seconds=seconds)).split()
    shown = sum(int(n) * units[u] for n, u in zip(parts[::2], parts[1::2], strict=True))
    assert 0 <= seconds - shown < max(units[parts[-1]], 3600)


def test_counts_and_lists() -> None:
    assert words.plural(1, "check") == "1 check"
    assert words.plural(1200, "check") == "1,200 checks"
    assert words.plural(2, "process", "processes") == "2 processes"
    assert [words.listed("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert [words.either("abc"[:n]) for n in range(4)] == ["", "a", "a or b", "a, b or c"]
    assert words.seconds(3.0) == "3 s"
    assert words.seconds(0.41234) == "0.412 s"


@given(st.text(), st.integers(1, 50))
def test_cut_text_is_on_one_line_and_not_longer(text: str, length: int) -> None:
    cut = words.cut(text, length)
    assert len(cut) <= length
    assert len(cut.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "lowered"),
    [("The pod is gone.", "the pod is gone"), ("SSH is down.", "SSH is down"), ("Argo CD says", "Argo CD says")],
)
def test_sentences_are_adapted_to_follow_a_colon(text: str, lowered: str) -> None:
    assert words.lower_first(text) == lowered


def test_how_long_it_took_has_one_decimal_at_most() -> None:
    assert [words.took(s) for s in (-0.1, 0.004, 0.273, 3.04, 12.26, 125.4)] == [
        "took under 0.1 s",
        "took under 0.1 s",
        "took 0.3 s",
        "took 3 s",
        "took 12.3 s",
        "took 2 min 5 s",
    ]


def test_pod_names_are_removed_from_kubelet_messages() -> None:
    uid = "2c05a925-29e6-4949-befb-6e29fb5a0c40"
    said = f"back-off 1m20s restarting failed container=kali pod=secure-agent-pod-ff5gr_secure-agent-pod({uid})"
    assert words.without_pod_id(said) == "back-off 1m20s restarting failed container=kali"
    said = f"Back-off restarting failed container kali in pod a-b_c({uid}), again"
    assert words.without_pod_id(said) == "Back-off restarting failed container kali, again"
    assert words.without_pod_id("in pod a-b") == "in pod a-b"


@given(st.text(st.sampled_from("ab1 ,.;"), max_size=80), st.integers(10, 60))
def test_a_text_is_cut_at_a_word(text: str, length: int) -> None:
    flat = " ".join(text.split())
    found = words.cut_at_word(text, length)
    assert len(found) <= length
    if len(flat) <= length:
        assert found == flat
    elif found.endswith(" …"):
        assert flat.startswith(found.removesuffix(" …"))
        assert not flat.removeprefix(found.removesuffix(" …"))[:1].isalnum()


def test_a_number_is_not_cut() -> None:
    assert words.cut_at_word("Down for 1234567 s", 14) == "Down for …"


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(minutes=1), "the last minute"),
        (timedelta(hours=1), "the last hour"),
        (timedelta(days=1), "the last day"),
        (timedelta(hours=2), "the last 2 h"),
        (timedelta(hours=1, minutes=30), "the last 1 h 30 min"),
    ],
)
def test_a_single_unit_until_now_is_said_without_a_number(span: timedelta, said: str) -> None:
    assert words.the_last(span) == said
