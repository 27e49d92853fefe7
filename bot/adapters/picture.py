"""`bot.ports.Painter` with Pillow: a day as a picture, one lane a job; readable on a phone and without colour.

States differ by pattern and height, not by colour alone: a run is a tick, late is a thin hatched band, down a full
block with its duration, unknown a dotted one.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.domain import words
from bot.domain.digest import Day, Lane, Span, What

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

WIDTH = 1080
"""Pixels: a phone's width three times over."""
LEFT, RIGHT, TOP, BOTTOM = 40, 40, 84, 116
LANE, NAME = 92, 40
"""Heights of a lane's band and of the name above it."""
MOST_LANES = 12
"""Jobs in a picture: more would be no picture for a phone, and cost memory that the bot has not."""
INK, PAPER, GRID = "#1d1c1d", "#ffffff", "#d5d5d8"
GREEN, AMBER, RED, GREY, PALE = "#2e8b57", "#c77700", "#c01343", "#8d8d96", "#ececef"


class Painter:
    """Draws days."""

    def day(self, day: Day, zone: str) -> bytes:
        """A PNG of the day, with times of the zone."""
        from PIL import Image, ImageDraw

        jobs = _worst(day.jobs)
        lanes = (*jobs, day.pod)
        height = TOP + len(lanes) * (LANE + NAME) + BOTTOM
        image = Image.new("RGB", (WIDTH, height), PAPER)
        sheet = _Sheet(ImageDraw.Draw(image), day, zone, height)
        sheet.title(len(day.jobs) - len(jobs))
        sheet.hours(len(lanes))
        for number, lane in enumerate(lanes):
            sheet.lane(number, lane, is_pod=lane is day.pod)
        sheet.legend()
        out = io.BytesIO()
        image.quantize(64).save(out, "PNG", optimize=True)
        return out.getvalue()


class _Sheet:
    """One picture being drawn."""

    def __init__(self, draw: ImageDraw.ImageDraw, day: Day, zone: str, height: int) -> None:
        from bot.domain.digest import window

        self.draw, self.day, self.zone, self.height = draw, day, ZoneInfo(zone), height
        self.whole = window(day.window.day, zone)
        self.small, self.big = _font(26), _font(34)

    def x(self, at: object) -> float:
        """Where a moment is, from left to right."""
        part = (at - self.whole.start) / self.whole.length  # type: ignore[operator]  # datetimes
        return LEFT + float(part) * (WIDTH - LEFT - RIGHT)

    def title(self, left_out: int) -> None:
        text = f"{self.day.target} · {self.day.window.day:%a %d %b %Y}"
        if left_out:
            text += f" · the worst {MOST_LANES} of {MOST_LANES + left_out} jobs"
        self.draw.text((LEFT, 22), text, fill=INK, font=self.big)

    def hours(self, lanes: int) -> None:
        """A line every six hours, with the local time below."""
        bottom = TOP + lanes * (LANE + NAME)
        at = self.whole.start
        while at <= self.whole.end:
            x = self.x(at)
            self.draw.line((x, TOP, x, bottom), fill=GRID, width=2)
            text = "24" if at == self.whole.end else f"{at.astimezone(self.zone):%H}"
            anchor = "la" if at == self.whole.start else "ra" if at == self.whole.end else "ma"
            self.draw.text((x, bottom + 8), text, fill=INK, font=self.small, anchor=anchor)
            at += timedelta(hours=6)

    def lane(self, number: int, lane: Lane, *, is_pod: bool) -> None:
        """Its name with the sum of it, and the band below."""
        top = TOP + number * (LANE + NAME)
        self.draw.text((LEFT, top + 4), _name(lane), fill=INK, font=self.small)
        top += NAME
        end = self.x(self.day.window.end)
        middle = top + LANE // 2 - 10
        self.draw.line((LEFT, middle, end, middle), fill=GREEN if is_pod or lane.runs else GRID, width=4)
        for at in lane.runs:
            self.draw.line((self.x(at), middle - 16, self.x(at), middle + 16), fill=GREEN, width=3)
        for span in lane.spans:
            self._span(span, top)
        for span in self.day.blind:
            self._dotted(span, top)

    def _span(self, span: Span, top: int) -> None:
        left, right = self.x(span.start), max(self.x(span.end), self.x(span.start) + 4)
        if span.what is What.LATE:
            self._hatched(left, right, top + 22)
            return
        self.draw.rectangle((left, top + 4, right, top + LANE - 24), fill=RED)
        text = words.age(span.length)
        if self.draw.textlength(text, font=self.small) + 12 < right - left:
            at = ((left + right) / 2, top + (LANE - 20) / 2)
            self.draw.text(at, text, fill=PAPER, font=self.small, anchor="mm")

    def _hatched(self, left: float, right: float, top: int) -> None:
        self.draw.rectangle((left, top, right, top + 28), outline=AMBER, width=2)
        x = left
        while x < right:
            self.draw.line((x, top + 28, min(x + 14, right), top), fill=AMBER, width=3)
            x += 10

    def _dotted(self, span: Span, top: int) -> None:
        left, right = self.x(span.start), max(self.x(span.end), self.x(span.start) + 4)
        self.draw.rectangle((left, top + 4, right, top + LANE - 24), fill=PALE, outline=GREY, width=2)
        y = float(top + 12)
        while y < top + LANE - 28:
            x = left + 6
            while x < right - 4:
                self.draw.ellipse((x, y, x + 4, y + 4), fill=GREY)
                x += 12
            y += 12

    def legend(self) -> None:
        """What each pattern means, in words."""
        y = self.height - 58
        for number, (text, what) in enumerate(
            (("run", None), ("late", What.LATE), ("down", What.DOWN), ("not known", What.UNKNOWN))
        ):
            x = LEFT + number * 250
            sample = y - 26
            if what is None:
                self.draw.line((x, y + 10, x + 50, y + 10), fill=GREEN, width=4)
                for tick in (10, 40):
                    self.draw.line((x + tick, y - 6, x + tick, y + 26), fill=GREEN, width=3)
            elif what is What.LATE:
                self._hatched(x, x + 50, y - 4)
            elif what is What.DOWN:
                self.draw.rectangle((x, sample + 18, x + 50, sample + 56), fill=RED)
            else:
                self.draw.rectangle((x, sample + 18, x + 50, sample + 56), fill=PALE, outline=GREY, width=2)
                for dot in range(3):
                    self.draw.ellipse((x + 8 + dot * 14, y + 6, x + 12 + dot * 14, y + 10), fill=GREY)
            self.draw.text((x + 64, y + 10), text, fill=INK, font=self.small, anchor="lm")


def _worst(jobs: Sequence[Lane]) -> tuple[Lane, ...]:
    """The jobs that are drawn, in their order: those that were down or late for longest."""
    ranked = sorted(jobs, key=lambda lane: (lane.total(What.DOWN), lane.total(What.LATE)), reverse=True)
    chosen = {id(lane) for lane in ranked[:MOST_LANES]}
    return tuple(lane for lane in jobs if id(lane) in chosen)


def _name(lane: Lane) -> str:
    down, late = lane.total(What.DOWN), lane.total(What.LATE)
    if down:
        return f"{lane.subject}: down {words.age(down)}"
    return f"{lane.subject}: late {words.age(late)}" if late else lane.subject


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)
