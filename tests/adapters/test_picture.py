"""The digest's picture: readable without colour, and no larger than a phone and the pod's memory take."""

from __future__ import annotations

import io
from datetime import date, timedelta

import pytest
from PIL import Image, ImageChops

from bot.adapters.picture import MOST_LANES, Painter
from bot.adapters.slack import blocks
from bot.domain.digest import Day, Lane, Span, What, window
from bot.domain.digest_card import Facts, digest
from bot.domain.reply import Image as Picture

OF = window(date(2026, 11, 23), "UTC")


def span(what: What, start: float = 6, end: float = 12) -> Span:
    return Span(what, OF.start + timedelta(hours=start), OF.start + timedelta(hours=end))


def day(*jobs: Lane, blind: tuple[Span, ...] = ()) -> Day:
    return Day("pod", OF, Lane("pod"), jobs, blind)


def drawn(of: Day) -> Image.Image:
    return Image.open(io.BytesIO(Painter().day(of, "UTC"))).convert("RGB")


def band(of: Day) -> Image.Image:
    """The first job's band from 7 to 11, as somebody without colours sees it."""
    return drawn(of).convert("L").crop((340, 124, 490, 216))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (day(Lane("a")), day(Lane("a", (span(What.LATE),)))),
        (day(Lane("a")), day(Lane("a", (span(What.DOWN),)))),
        (day(Lane("a", (span(What.LATE),))), day(Lane("a", (span(What.DOWN),)))),
        (day(Lane("a", (span(What.DOWN),))), day(Lane("a"), blind=(span(What.UNKNOWN),))),
        (day(Lane("a", (span(What.LATE),))), day(Lane("a"), blind=(span(What.UNKNOWN),))),
    ],
)
def test_states_differ_without_colour(one: Day, other: Day) -> None:
    assert ImageChops.difference(band(one), band(other)).getbbox() is not None


def test_many_jobs_make_no_larger_picture_and_the_worst_are_in_it() -> None:
    jobs = [Lane(f"job-{n}") for n in range(1000)]
    most = drawn(day(*jobs[:MOST_LANES]))
    worst = Lane("worst", (span(What.DOWN),))
    assert drawn(day(*jobs)).size == most.size
    assert drawn(day(*jobs, worst)).getcolors(10_000_000) != drawn(day(*jobs)).getcolors(10_000_000)


@pytest.mark.parametrize("bad", [0, 1, 1000])
def test_a_digest_of_a_thousand_jobs_is_one_message_with_all_that_matters(bad: int) -> None:
    jobs = [Lane(f"job-{n:04}", (span(What.DOWN),) if n < bad else ()) for n in range(1000)]
    now = day(*jobs)
    facts = Facts([now], [day(*(Lane(j.subject) for j in jobs))])
    reply = digest(facts, OF.end, [Picture(b"", "a day", "day.png", file="F1")])
    [message] = blocks.render(reply).messages
    kinds = [block["type"] for block in message.blocks]
    assert "image" in kinds
    assert "actions" in kinds
