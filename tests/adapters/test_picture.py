"""The digest's picture: readable without colour, and small enough for a phone and for the pod's memory."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from PIL import Image, ImageChops

from bot.adapters.picture import PLANNED, RESTART, RUN, Painter, _legend, _said
from bot.adapters.slack import blocks
from bot.domain.core.intervals import Interval, What
from bot.domain.core.reply import Image as Picture
from bot.domain.digest.alt_text import in_words
from bot.domain.digest.card import digest
from bot.domain.digest.day import MOST_LANES, Day, DayTrack, DigestFacts, window
from bot.errors import Permanent

BERLIN = "Europe/Berlin"
OF = window(date(2026, 11, 23), "UTC")


def span(what: What, start: float = 6, end: float = 12) -> Interval:
    return Interval(what, OF.start + timedelta(hours=start), OF.start + timedelta(hours=end))


def day(*jobs: DayTrack, pod: DayTrack | None = None) -> Day:
    return Day("pod", OF, pod or DayTrack("pod"), jobs)


def drawn(of: Day) -> Image.Image:
    return Image.open(io.BytesIO(Painter().day(of, "UTC"))).convert("RGB")


def band(of: Day) -> Image.Image:
    """The first job's band from 7 to 11, in greyscale."""
    return drawn(of).convert("L").crop((340, 124, 490, 216))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (day(DayTrack("a")), day(DayTrack("a", (span(What.LATE),)))),
        (day(DayTrack("a")), day(DayTrack("a", (span(What.DOWN),)))),
        (day(DayTrack("a", (span(What.LATE),))), day(DayTrack("a", (span(What.DOWN),)))),
        (day(DayTrack("a", (span(What.DOWN),))), day(DayTrack("a", (span(What.UNKNOWN),)))),
        (day(DayTrack("a", (span(What.LATE),))), day(DayTrack("a", (span(What.UNKNOWN),)))),
        (day(DayTrack("a")), day(DayTrack("a", (span(What.PAUSED),)))),
        *(
            (day(DayTrack("a", spans)), day(DayTrack("a", (span(What.MAINTENANCE),))))
            for spans in ((), *((span(what),) for what in What if what is not What.MAINTENANCE))
        ),
    ],
)
def test_states_differ_without_colour(one: Day, other: Day) -> None:
    assert ImageChops.difference(band(one), band(other)).getbbox() is not None


def test_a_restart_is_visible_without_colour_and_in_the_legend() -> None:
    pod = DayTrack("pod", runs=(OF.start + timedelta(hours=9),))
    plain, restarted = drawn(day()).convert("L"), drawn(day(pod=pod)).convert("L")
    lane = (340, 92, 490, 216)
    assert ImageChops.difference(plain.crop(lane), restarted.crop(lane)).getbbox() is not None
    assert restarted.height > plain.height, "a line of the legend"


def test_a_planned_restart_is_not_drawn_as_down() -> None:
    asked = replace(span(What.DOWN), planned=True)
    planned, down = (day(DayTrack("a", (one,)), pod=DayTrack("pod")) for one in (asked, span(What.DOWN)))
    assert ImageChops.difference(band(planned), band(down)).getbbox() is not None
    red = (0xC0, 0x13, 0x43)
    assert [red in {pixel for _, pixel in drawn(one).getcolors(2**20) or ()} for one in (planned, down)] == [
        False,
        True,
    ]
    assert _legend(planned.jobs, planned) == [PLANNED]
    assert "down for a planned restart 6 h" in in_words(planned, "UTC")


def test_a_lane_says_how_long_it_is_not_known_beside_its_worst_state() -> None:
    unknown, down = span(What.UNKNOWN), Interval(What.DOWN, OF.start, OF.start + timedelta(seconds=40))
    assert _said(DayTrack("a", (down, unknown)), day()) == "down 40 s, no data 6 h"
    assert _said(DayTrack("a", (unknown,)), day()) == "no data 6 h"
    assert _said(DayTrack("a", (down,)), day()) == "down 40 s"
    assert _said(DayTrack("a"), day()) == "good"


def test_a_run_that_ends_a_late_period_is_visible() -> None:
    without, with_run = (
        drawn(day(DayTrack("a", (span(What.LATE),), runs=(OF.start, *at))))
        for at in ((), (OF.start + timedelta(hours=9),))
    )
    lane = (340, 92, 490, 216)
    assert ImageChops.difference(without.crop(lane), with_run.crop(lane)).convert("L").getextrema()[1] > 40


def test_the_legend_has_what_is_in_the_picture_only() -> None:
    lanes = (DayTrack("pod", (span(What.DOWN), span(What.LATE)), runs=(OF.start,)),)
    assert _legend(lanes, day(pod=lanes[0])) == [What.LATE, What.DOWN, RESTART]
    assert _legend((DayTrack("a", runs=(OF.start,)),), day()) == [RUN]
    assert _legend((DayTrack("a", (span(What.MAINTENANCE),)),), day()) == [What.MAINTENANCE]


@pytest.mark.parametrize("on", [date(2027, 3, 28), date(2027, 10, 31)])
def test_hours_are_placed_correctly_on_days_of_a_clock_change(on: date) -> None:
    usual, changed = (
        Image.open(io.BytesIO(Painter().day(Day("pod", window(d, BERLIN), DayTrack("pod"), ()), BERLIN))).convert(
            "L"
        )
        for d in (date(2027, 5, 5), on)
    )
    of = window(on, BERLIN)
    noon = datetime.combine(on, time(12), ZoneInfo(BERLIN))
    places = [(1040.0, 1040.0), (540.0, 40 + (noon - of.start) / of.length * 1000)]
    for there, here in places:
        one, other = (
            p.crop((round(x) - 30, 222, round(x) + 30, 284)) for p, x in ((usual, there), (changed, here))
        )
        assert ImageChops.difference(one, other).getextrema()[1] < 140, "the same label, but for half a pixel"
        assert one.getextrema()[0] < 80, "there is one"


def test_the_alternative_text_names_restarts_of_the_pod() -> None:
    pod = DayTrack("pod", (span(What.DOWN),), runs=(OF.start + timedelta(hours=12),))
    spans = (span(What.UNKNOWN, 0, 2), span(What.LATE, 3, 4), span(What.MAINTENANCE, 4, 4.5))
    job = DayTrack("a", spans, runs=(OF.start,))
    assert in_words(day(job, pod=pod), BERLIN) == (
        "Timeline of pod on Mon 23 Nov: pod down 6 h, restarted at 13:00; a late 1 h, "
        "in maintenance 30 min, no data for 2 h, 1 run"
    )


def test_the_alternative_text_for_many_jobs_fits_and_has_the_worst() -> None:
    jobs = [DayTrack("n" * 200 + str(n)) for n in range(1000)]
    said = in_words(day(*jobs, DayTrack("worst", (span(What.DOWN),))), "UTC")
    assert len(said) < 2000, "as much as Slack takes"
    assert "; worst down 6 h, 0 runs; " in said
    assert said.endswith("; 989 other jobs not drawn")


def test_without_pillow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)  # Python's way to mark a module as not importable
    with pytest.raises(Permanent, match="Pillow is not installed"):
        Painter().day(day(), "UTC")


def test_a_long_name_leaves_room_for_the_summary() -> None:
    long = drawn(day(DayTrack("n" * 200, (span(What.DOWN),))))
    short = drawn(day(DayTrack("n", (span(What.DOWN),))))
    words = (890, 92, 1040, 140)
    assert max(high for _, high in ImageChops.difference(long.crop(words), short.crop(words)).getextrema()) < 40


def test_many_jobs_make_no_larger_picture_and_the_worst_are_in_it() -> None:
    jobs = [DayTrack(f"job-{n}") for n in range(1000)]
    most = drawn(day(*jobs[:MOST_LANES]))
    worst = DayTrack("worst", (span(What.DOWN),))
    assert drawn(day(*jobs)).size == most.size
    assert drawn(day(*jobs, worst)).getcolors(10_000_000) != drawn(day(*jobs)).getcolors(10_000_000)


@pytest.mark.parametrize("bad", [0, 1, 1000])
def test_a_digest_of_a_thousand_jobs_is_one_message_with_all_that_matters(bad: int) -> None:
    jobs = [DayTrack(f"job-{n:04}", (span(What.DOWN),) if n < bad else ()) for n in range(1000)]
    now = day(*jobs)
    facts = DigestFacts([now], [day(*(DayTrack(j.subject) for j in jobs))])
    reply = digest(facts, OF.end, [Picture(b"", "a day", "day.png", file="F1")])
    [message] = blocks.render(reply).messages
    kinds = [block["type"] for block in message.blocks]
    assert "image" in kinds
    assert "actions" in kinds
