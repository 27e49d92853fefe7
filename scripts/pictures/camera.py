"""Take a picture of messages, or of a part of the page, and refuse one on which something is wrong.

Each picture is cut to what it shows, so that no line is halved at its edge.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, BrowserContext, FloatRect, Locator, Page

from sandbox.slack import seed
from sandbox.slack.message import Message
from scripts.pictures.shot import Shot, View

TALL = 3000
"""Pixels of a window in which every message fits."""
WIDEST = 800.0
"""Pixels of a desktop's picture: Slack doesn't make messages wider either."""
SCALE = 2
MOST_BYTES = 120_000
SMALLER = ((1.0, 128), (1.0, 64), (0.5, 64))
"""The part of its size and the colours that a picture may have: the first with which the file is small enough."""
PATIENCE_MS = 20_000
FAULTS = (Path(__file__).parent / "faults.js").read_text("utf-8")
FIRST_LINE = (
    """root => (root.querySelector(".tour-title, .body, .modal-body") ?? root).innerText.trim().split("\\n")[0]"""
)
Act = Callable[[Page], Awaitable[object]]
"""What is done on the page before the picture is taken."""


class Faulty(Exception):
    """A picture that must not be shown."""


class Camera:
    """Takes those of one scene's pictures that are wanted."""

    def __init__(self, browser: Browser, base_url: str, wanted: Sequence[Shot]) -> None:
        """``base_url`` is the page's address."""
        self._contexts: dict[View, BrowserContext] = {}
        self._browser = browser
        self._base_url = base_url
        self.pending = {shot.name: shot for shot in wanted}
        self.faults: list[str] = []

    async def close(self) -> None:
        """Close its windows."""
        for context in self._contexts.values():
            await context.close()

    async def messages(
        self, name: str, *messages: Message, user: str = "", act: Act | None = None, also: str = ""
    ) -> None:
        """Take the picture of messages, as ``user`` sees them; ``also`` selects what else is on it."""
        first = messages[0]
        parts = ",".join(f'[data-message-ts="{one.ts}"]:visible' for one in messages)
        thread = f"&thread={first.thread_ts}" if first.is_reply else ""
        query = f"?user={user or _reader(first)}&channel={first.channel}{thread}"
        await self.page(name, ",".join(filter(None, (parts, also))), query, act=act)

    async def page(
        self, name: str, parts: str, query: str, *, height: int = TALL, margin: int = 0, act: Act | None = None
    ) -> None:
        """Take the picture of what ``parts`` selects on the page, with a ``margin``."""
        shot = self.pending.pop(name, None)
        if shot is None:
            return
        try:
            async with self._opened(shot.view, query, height) as page:
                if act is not None:
                    await act(page)
                _write(shot, await _picture(page, shot, parts, margin))
                print(shot.file, f"{shot.file.stat().st_size // 1000} kB", flush=True)
        except Faulty as fault:
            self.faults.append(f"{name}: {fault}")

    @asynccontextmanager
    async def _opened(self, view: View, query: str, height: int) -> AsyncIterator[Page]:
        page = await (await self._context(view)).new_page()
        page.set_default_timeout(PATIENCE_MS)
        try:
            await page.set_viewport_size({"width": view.width, "height": height})
            await page.goto(f"{self._base_url}/{query}&theme={view.theme}&panel=closed")
            await page.wait_for_selector('html[data-ready="true"]')
            await page.wait_for_selector('#app[data-live="open"]')
            yield page
        finally:
            await page.close()

    async def _context(self, view: View) -> BrowserContext:
        """A window with fixed language and zone, so that the machine's don't matter."""
        if view not in self._contexts:
            options: dict[str, Any] = {
                "locale": "en-GB",
                "timezone_id": "Europe/Berlin",
                "device_scale_factor": SCALE,
            }
            self._contexts[view] = await self._browser.new_context(**options, reduced_motion="reduce")
        return self._contexts[view]


def _reader(message: Message) -> str:
    """Who sees the message: the one it is for, the one whose direct messages these are, or Maya."""
    direct = {channel: user for user, channel in seed.DMS.items()}
    return message.ephemeral_for or direct.get(message.channel, seed.MAYA)


async def _picture(page: Page, shot: Shot, parts: str, margin: int) -> bytes:
    found = page.locator(parts)
    await found.first.wait_for()
    await page.wait_for_load_state("networkidle")
    await page.evaluate("() => document.fonts.ready")
    await page.mouse.move(0, 0)
    clip = await _clip(found, shot.view, margin)
    faults = [*await missing(found, shot), *await found.evaluate_all(FAULTS, clip)]
    picture = await page.screenshot(clip=clip, animations="disabled")
    if faults:
        bad = shot.file.parents[2] / "build" / "faulty-pictures" / shot.file.name
        bad.parent.mkdir(parents=True, exist_ok=True)
        bad.write_bytes(picture)
        raise Faulty("\n    ".join([f"see {bad}", *faults]))
    return picture


async def _clip(found: Locator, view: View, margin: int) -> FloatRect:
    """The smallest part of the page with all that is to be seen; messages in their usual width."""
    boxes = [box for one in await found.all() if (box := await one.bounding_box())]
    left, top = min(b["x"] for b in boxes) - margin, min(b["y"] for b in boxes) - margin
    widest = boxes[0]["width"] if view.is_phone else WIDEST
    right = max(b["x"] + min(b["width"], widest) for b in boxes) + margin
    bottom = max(b["y"] + b["height"] for b in boxes) + margin
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


async def missing(found: Locator, shot: Shot) -> list[str]:
    """The words that the table promises, and the picture doesn't show."""
    first = str(await found.first.evaluate(FIRST_LINE)).replace("\u00a0", " ")
    text = "\n".join(await found.all_inner_texts()).replace("\u00a0", " ")
    lost = [f"not in the first line: {shot.says!r}; that is {first!r}"] if shot.says not in first else []
    return lost + [f"not shown: {words!r}" for words in shot.shows if words not in text]


def _write(shot: Shot, picture: bytes) -> None:
    """Save it in as many pixels and colours as are small enough."""
    shot.file.parent.mkdir(parents=True, exist_ok=True)
    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    for part, colours in SMALLER:
        size = (round(whole.width * part), round(whole.height * part))
        small = whole.resize(size, Image.Resampling.LANCZOS) if part < 1 else whole
        _in_colours(small, colours).save(shot.file, optimize=True)
        if shot.file.stat().st_size < MOST_BYTES:
            return
    raise Faulty(f"{shot.file.stat().st_size} bytes are too many")


def _in_colours(picture: Image.Image, count: int) -> Image.Image:
    """The picture in so few colours, each the most frequent of those that it stands for: areas keep theirs."""
    few = picture.quantize(count, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    pixels, palette = picture.tobytes(), few.getpalette() or []
    meanings = Counter(zip(few.tobytes(), pixels[0::3], pixels[1::3], pixels[2::3], strict=True))
    for (index, *colour), _ in reversed(meanings.most_common(count)):
        palette[3 * index : 3 * index + 3] = colour
    few.putpalette(palette)
    return few
