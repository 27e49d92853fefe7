"""The `Painter` port with Pillow: a day as a picture with a lane for each job, readable on a phone.

States differ by shape, not by colour alone, and are named beside the job: a run is a tick, late a thin hatched
band, down a full block with its duration, unknown a dotted one, maintenance a barred one, a restart a triangle,
a planned one in an empty block.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.domain.core import words
from bot.domain.core.intervals import Interval, What
from bot.domain.digest.day import MOST_LANES, NOTHING, Day, DayTrack, window
from bot.errors import Permanent

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

WIDTH = 1080
"""Pixels: three times a phone's width."""
EDGE, TOP = 40, 92
LANE, NAME = 78, 50
"""Heights of a lane's band with the gap below it, and of the name above it."""
FOOT = 64
"""Height of the hours below the lanes, and of each line of the legend."""
BAND = 54
INK, PAPER, GRID, FRAME = "#1d1c1d", "#ffffff", "#d5d5d8", "#b4b4bb"
GREEN, AMBER, RED, GREY, PALE, BLUE = "#1f7a48", "#b26a00", "#c01343", "#77777f", "#ececef", "#1d4ed8"
RUN, RESTART, PLANNED = "run", "pod restarted", "planned restart"
LEGEND = (RUN, What.LATE, What.DOWN, PLANNED, What.UNKNOWN, What.MAINTENANCE, RESTART)
IN_WORDS = {
    What.DOWN: "down",
    What.LATE: "late",
    What.UNKNOWN: "no data",
    What.MAINTENANCE: "maintenance",
    What.PAUSED: "paused",
}
"""The states' names in the picture, worst first."""
PER_LINE = 3
"""Legend entries in a line."""


class Painter:
    """Draws the pictures of days."""

    def day(self, day: Day, zone: str) -> bytes:
        """Return a PNG of the day, with times in ``zone``. Raises Permanent if Pillow is not installed."""
        try:
            from PIL import Image, ImageDraw
        except ImportError:
            remedy = "Install it (pip install pillow), or set digest.picture: false."
            raise Permanent("Pillow is not installed.", remedy=remedy) from None
        jobs = day.worst_jobs()
        lanes = (*jobs, day.pod)
        legend = _legend(lanes, day)
        lines = -(-len(legend) // PER_LINE)
        height = TOP + len(lanes) * (LANE + NAME) + FOOT * (1 + lines)
        image = Image.new("RGB", (WIDTH, height), PAPER)
        sheet = _Sheet(ImageDraw.Draw(image), day, zone)
        sheet.draw.rectangle((0, 0, WIDTH - 1, height - 1), outline=FRAME, width=2)
        sheet.title(len(day.jobs) - len(jobs))
        sheet.hours(len(lanes))
        for number, lane in enumerate(lanes):
            sheet.lane(number, lane, is_pod=lane is day.pod)
        sheet.legend(legend, height - lines * FOOT)
        out = io.BytesIO()
        image.quantize(64).save(out, "PNG", optimize=True)
        return out.getvalue()


class _Sheet:
    """One picture being drawn."""

    def __init__(self, draw: ImageDraw.ImageDraw, day: Day, zone: str) -> None:
        self.draw, self.day, self.zone = draw, day, ZoneInfo(zone)
        self.whole = window(day.window.day, zone)
        self.small, self.big = _font(33), _font(40)

    def x(self, at: datetime) -> float:
        """Return the horizontal position of a time, in pixels."""
        return EDGE + (at - self.whole.start) / self.whole.length * (WIDTH - 2 * EDGE)

    def title(self, left_out: int) -> None:
        """Draw the target and date, an unfinished day's end, and how many jobs are shown if not all are."""
        shown, end = f"{self.day.window.day:%a %d %b}", self.day.window.end
        hours = self.whole.length / timedelta(hours=1)
        if hours != 24:
            shown += f" ({hours:g} hours)"
        if end < self.whole.end:
            shown += f", until {end.astimezone(self.zone):%H:%M %Z}"
        if left_out:
            shown += f" · worst {MOST_LANES} of {MOST_LANES + left_out} jobs"
        room = WIDTH - 2 * EDGE - self.draw.textlength(f" · {shown}", font=self.big)
        name = self._fitting(self.day.target, room, self.big)
        self.draw.text((EDGE, 24), f"{name} · {shown}", fill=INK, font=self.big)

    def hours(self, lanes: int) -> None:
        """Draw a line with its hour every six hours of local time, also on days when the clock changes."""
        bottom = TOP + lanes * (LANE + NAME)
        for hour in (0, 6, 12, 18, 24):
            at = datetime.combine(self.whole.day, time(hour), self.zone) if hour < 24 else self.whole.end
            x = self.x(at)
            self.draw.line((x, TOP, x, bottom), fill=GRID, width=2)
            anchor = {0: "la", 24: "ra"}.get(hour, "ma")
            self.draw.text((x, bottom + 8), f"{hour:02}", fill=INK, font=self.small, anchor=anchor)

    def lane(self, number: int, lane: DayTrack, *, is_pod: bool) -> None:
        """Draw a lane: its name and summary, and the band below."""
        top = TOP + number * (LANE + NAME)
        said = _said(lane, self.day)
        self.draw.text((WIDTH - EDGE, top + 6), said, fill=INK, font=self.small, anchor="ra")
        room = WIDTH - 2 * EDGE - self.draw.textlength(said, font=self.small) - 30
        self.draw.text((EDGE, top + 6), self._fitting(lane.subject, room, self.small), fill=INK, font=self.small)
        top += NAME
        end, middle = self.x(self.day.window.end), top + BAND // 2
        self.draw.line((EDGE, middle, end, middle), fill=GREEN if is_pod or lane.runs else GRID, width=5)
        for span in lane.spans:
            self._span(span, top)
        for at in lane.runs:
            if is_pod:
                self._restart(self.x(at), top)
            else:
                self.draw.line((self.x(at), middle - 17, self.x(at), middle + 17), fill=GREEN, width=4)

    def _fitting(self, text: str, room: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
        cut = text
        while len(cut) > 1 and self.draw.textlength(cut, font=font) > room:
            cut = cut[: len(cut.rstrip("…")) - 1] + "…"
        return cut

    def _span(self, span: Interval, top: int) -> None:
        left, right = self.x(span.start), max(self.x(span.end), self.x(span.start) + 5)
        if span.what is What.PAUSED:
            self.draw.rectangle((left, top, right, top + BAND), fill=PAPER)
        self.sample(PLANNED if span.planned else span.what, left, right, top)
        inside = BLUE if span.planned else PAPER
        written = {What.DOWN: (words.age(span.length), inside), What.PAUSED: ("paused", GREY)}
        text, fill = written.get(span.what, ("", PAPER))
        if self.draw.textlength(text, font=self.small) + 16 < right - left:
            self.draw.text(((left + right) / 2, top + BAND / 2), text, fill=fill, font=self.small, anchor="mm")

    def sample(self, what: What | str, left: float, right: float, top: float) -> None:
        """Draw a piece of a band in the style of a state."""
        if what == PLANNED:
            self.draw.rectangle((left, top, right, top + BAND), fill=PAPER, outline=BLUE, width=3)
        elif what is What.DOWN:
            self.draw.rectangle((left, top, right, top + BAND), fill=RED)
        elif what is What.LATE:
            self._hatched(left, right, top + 12)
        elif what is What.UNKNOWN:
            self._dotted(left, right, top)
        elif what is What.MAINTENANCE:
            self._barred(left, right, top)

    def _hatched(self, left: float, right: float, top: float) -> None:
        self.draw.rectangle((left, top, right, top + 30), fill=PAPER, outline=AMBER, width=3)
        x = left
        while x < right:
            self.draw.line((x, top + 30, min(x + 15, right), top), fill=AMBER, width=4)
            x += 13

    def _dotted(self, left: float, right: float, top: float) -> None:
        self.draw.rectangle((left, top, right, top + BAND), fill=PALE, outline=GREY, width=2)
        for row in range(4):
            x = left + 8
            while x < right - 7:
                y = top + 7 + row * 12
                self.draw.ellipse((x, y, x + 5, y + 5), fill=GREY)
                x += 14

    def _barred(self, left: float, right: float, top: float) -> None:
        self.draw.rectangle((left, top, right, top + BAND), fill=PAPER, outline=GREY, width=3)
        for x in range(round(left) + 9, round(right) - 4, 12):
            self.draw.line((x, top, x, top + BAND), fill=GREY, width=3)

    def _restart(self, x: float, top: float) -> None:
        """Draw a triangle, with a white edge so that it shows on a full block as well."""
        corners = [(x, top + 2), (x - 17, top + 38), (x + 17, top + 38)]
        self.draw.polygon(corners, fill=BLUE, outline=PAPER, width=3)

    def legend(self, wanted: Sequence[What | str], top: int) -> None:
        """Draw the legend: each shape with its meaning."""
        for number, what in enumerate(wanted):
            left = EDGE + number % PER_LINE * 320
            y = top + number // PER_LINE * FOOT - 6
            middle = y + BAND // 2
            if isinstance(what, What) or what == PLANNED:
                self.sample(what, left, left + 60, y)
            elif what == RUN:
                self.draw.line((left, middle, left + 60, middle), fill=GREEN, width=5)
                for tick in (14, 46):
                    self.draw.line((left + tick, middle - 17, left + tick, middle + 17), fill=GREEN, width=4)
            else:
                self._restart(left + 30, y + 6)
            text = IN_WORDS[what] if isinstance(what, What) else what
            self.draw.text((left + 74, middle), text, fill=INK, font=self.small, anchor="lm")


def _legend(lanes: Sequence[DayTrack], day: Day) -> list[What | str]:
    """Return the shapes that occur in the picture."""
    kinds: set[What | str] = {PLANNED if s.planned else s.what for lane in lanes for s in lane.spans}
    kinds |= {RUN} if any(lane.runs for lane in lanes if lane is not day.pod) else set()
    kinds |= {RESTART} if day.pod.runs else set()
    return [what for what in LEGEND if what in kinds]


def _said(lane: DayTrack, day: Day) -> str:
    """Return a lane's summary: its worst state with that one's total time, and how long it is not known."""
    if not day.knows(lane):
        return IN_WORDS[What.UNKNOWN]
    worst, unknown = _worst(lane), lane.total(What.UNKNOWN)
    unseen = f"{IN_WORDS[What.UNKNOWN]} {words.age(unknown)}" if unknown > NOTHING else ""
    return ", ".join(part for part in (worst, unseen) if part) or "good"


def _worst(lane: DayTrack) -> str:
    """Return the worst known state, with its total time; empty where all was good."""
    for what, word in IN_WORDS.items():
        if what is not What.UNKNOWN and (long := lane.unplanned.total(what)) > NOTHING:
            return f"{word} {words.age(long)}"
        if what is What.DOWN and lane.planned:
            return f"{PLANNED} {words.age(lane.total(what))}"
    return ""


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)
