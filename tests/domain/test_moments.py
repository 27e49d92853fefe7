"""Times in texts: written in full, shown in any zone, and never taken from text that the bot didn't write."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.core import moments, words
from bot.domain.core.moments import MARK, Moment
from bot.domain.core.outside import Outside
from bot.domain.core.redact import plain_text

NOW = datetime(2026, 11, 30, 22, 41, 7, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
TIMES = st.integers(0, 7_000_000_000_000).map(lambda ms: datetime.fromtimestamp(ms / 1000, BERLIN))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from([MARK, "\U000e0041"]), max_size=60)


@pytest.mark.parametrize(
    ("at", "seconds", "full", "short"),
    [
        (NOW, False, "2026-11-30 22:41 UTC", "22:41 UTC"),
        (NOW, True, "2026-11-30 22:41:07 UTC", "22:41:07 UTC"),
        (NOW.replace(hour=0, minute=0, second=0), True, "2026-11-30 00:00:00 UTC", "00:00:00 UTC"),
        (
            NOW.replace(hour=0, minute=0) - timedelta(minutes=1),
            False,
            "2026-11-29 23:59 UTC",
            "Sun 29 Nov, 23:59 UTC",
        ),
        (NOW + timedelta(hours=2), False, "2026-12-01 00:41 UTC", "Tue 01 Dec, 00:41 UTC"),
        (NOW - timedelta(days=3), True, "2026-11-27 22:41:07 UTC", "Fri 27 Nov, 22:41:07 UTC"),
        (NOW - timedelta(days=200), False, "2026-05-14 22:41 UTC", "2026-05-14 22:41 UTC"),
        (NOW + timedelta(days=380), False, "2027-12-15 22:41 UTC", "2027-12-15 22:41 UTC"),
        (NOW.astimezone(timezone(timedelta(hours=2))), False, "2026-11-30 22:41 UTC", "22:41 UTC"),
    ],
)
def test_a_moment_in_full_and_short(at: datetime, seconds: bool, full: str, short: str) -> None:
    text = f"since {moments.write(at, seconds=seconds)}."
    assert moments.bare(text) == f"since {full}."
    assert moments.short(text, NOW) == f"since {short}."
    assert moments.short(text, None) == f"since {full}."


def test_a_short_time_is_in_the_reader_s_zone_with_the_day_there() -> None:
    text = words.moment(NOW)
    assert moments.short(text, NOW, BERLIN) == "23:41 CET"
    assert moments.short(text, NOW + timedelta(hours=1), BERLIN) == "Mon 30 Nov, 23:41 CET"
    assert moments.short(text, NOW, timezone(timedelta(hours=-3))) == "19:41 UTC-03:00"
    assert moments.short(text, NOW, ZoneInfo("America/Sao_Paulo")) == "19:41 UTC-03"


@given(TIMES, st.booleans(), TEXTS, TEXTS)
def test_every_moment_is_read_as_it_was_written(at: datetime, seconds: bool, before: str, after: str) -> None:
    text = f"{before} {moments.write(at, seconds=seconds)} {after}"
    [found] = [part for part in moments.parts(text) if isinstance(part, Moment)]
    cut = at.astimezone(UTC).replace(microsecond=0)
    assert found == Moment(cut if seconds else cut.replace(second=0), seconds)
    clean = plain_text(text)
    assert [part for part in moments.parts(clean) if isinstance(part, Moment)] == [found], "cleaning keeps it"
    assert MARK not in moments.bare(text)


def forged() -> dict[str, str]:
    """Texts that look like a moment, or nearly, each with what it lacks."""
    own = moments.write(NOW)
    other = moments.write(NOW + timedelta(minutes=1))
    seal = own[-9:]
    return {
        "marks and seal": moments.bare(own),
        "marks": own.replace(MARK, ""),
        "the sealed time": own.replace("22:41", "22:42"),
        "seal": f"{MARK}2026-11-30 22:41 UTC{MARK}",
        "its own seal": f"{own[:-9]}{other[-9:]}",
        "a date": f"{MARK}2026-99-99 22:41 UTC{seal}",
        "the last mark": own[:-1],
        "the first mark": own[1:],
        "nothing but has more": own.replace(" UTC", " UTC\u200b"),
    }


@pytest.mark.parametrize("lacks", forged())
def test_what_only_looks_like_a_moment_is_text(lacks: str) -> None:
    text = forged()[lacks]
    found = moments.parts(f"a {text} b")
    assert all(isinstance(part, str) for part in found)
    assert moments.short(f"a {text} b", NOW) == "".join(map(str, found))
    assert MARK not in Outside().text(text)
    assert plain_text(text).isascii()


def test_another_process_accepts_a_stored_moment_only_with_the_same_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(moments._Key, "value", b"any")
    moments.seal_by(["b", "a"])
    stored = moments.write(NOW)
    moments.seal_by([])
    moments.seal_by(["a", "b"])
    assert isinstance(moments.parts(stored)[0], Moment)
    moments.seal_by(["a", "c"])
    assert moments.parts(stored) == ["2026-11-30 22:41 UTC"], "it stays readable"


def test_the_previous_version_shows_a_stored_moment_as_plain_text() -> None:
    unseen = "[\u2060-\u206f\U000e0000-\U000e0fff]"  # what it removed from every text

    assert (
        re.sub(unseen, "", f"no heartbeat since {words.moment(NOW)}") == "no heartbeat since 2026-11-30 22:41 UTC"
    )


@given(TEXTS, st.integers(1, 80))
def test_a_text_is_never_cut_within_a_moment(before: str, end: int) -> None:
    text = f"{before.replace(MARK, '')} {words.clock(NOW)} {before.replace(MARK, '')}"
    cut = moments.whole_until(text, end)
    assert 0 < cut <= end
    found = [p for half in (text[:cut], text[cut:]) for p in moments.parts(half) if isinstance(p, Moment)]
    assert found == [Moment(NOW, seconds=True)]


def test_what_is_left_of_a_moment_that_was_cut_is_readable() -> None:
    text = words.cut(f"no heartbeat since {words.moment(NOW)}", 30)
    assert moments.bare(text).startswith("no heartbeat since 2026-11-")
    assert moments.bare(text).replace("…", "").isascii()
