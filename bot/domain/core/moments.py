"""Times in texts, in a form that each renderer can show in its reader's own zone.

A text such as ``kali restarted at 2026-11-30 22:41 UTC`` is made, and may be stored, long before anybody knows who
reads it where. So a moment is always written in full, between two invisible characters, with an invisible seal.
Slack's renderer makes a date of it, the terminal a time of its own zone, and everything else removes what is
invisible (`bare`) and is left with an unambiguous time.

The seal is a keyed digest of the time. Whatever a pod, a log or a person writes may look the same, but it has no
valid seal, so it stays text and is never taken for a time that the bot wrote.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from hashlib import blake2s

from bot.domain.core.lazy_dataclass import dataclass

MARK = "\u2063"
"""The invisible separator, which stands before and after a moment."""
_TAGS = 0xE0020
"""The first of Unicode's tag characters, which are invisible; six bits of the seal are one of them."""
_SEAL = 8
"""Characters of a seal: 48 bits."""
_WRITTEN = re.compile(
    f"{MARK}" r"(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)? UTC)" f"([\U000e0020-\U000e005f]{{{_SEAL}}}){MARK}"
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FAR = timedelta(days=180)
"""Dates this far away are shown with their year, since day and month alone would be read as this year's."""


class _Key:
    """The key of the seals: random until one is derived from the settings, which all replicas share."""

    value = secrets.token_bytes(16)
    others: frozenset[bytes] = frozenset()
    """The keys of other processes, whose seals are valid as well."""


def seal_by(values: Iterable[str]) -> None:
    """Derive the key of the seals from secrets: processes with the same ones accept each other's moments."""
    if given := sorted(values):
        _Key.value = blake2s("\n".join(given).encode(), person=b"moments").digest()


def key() -> str:
    """This process's key, for `accept` in another one."""
    return _Key.value.hex()


def accept(keys: Iterable[str]) -> None:
    """Accept the moments of processes with these keys, too."""
    _Key.others = _Key.others.union(bytes.fromhex(each) for each in keys if _HEX.fullmatch(each))


_HEX = re.compile(r"(?:[0-9a-f]{2}){16,32}")


def _seal(text: str) -> str:
    """The seal of a moment as it is written."""
    return _sealed(text, _Key.value)


def _is_sealed(text: str, seal: str) -> bool:
    return seal == _seal(text) or any(seal == _sealed(text, other) for other in _Key.others)


@lru_cache(maxsize=256)
def _sealed(text: str, key: bytes) -> str:
    number = int.from_bytes(blake2s(text.encode(), key=key, digest_size=6).digest())
    return "".join(chr(_TAGS + (number >> 6 * place & 63)) for place in range(_SEAL))


@dataclass(frozen=True)
class Moment:
    """A time that the bot wrote into a text."""

    at: datetime
    seconds: bool = False
    """Whether it was written with its seconds."""

    @property
    def full(self) -> str:
        """With its date, in UTC: ``2026-11-30 22:41 UTC``, or ``2026-11-30 22:41:07 UTC``."""
        here = self.at.astimezone(UTC).replace(tzinfo=None)
        return f"{here.isoformat(' ', 'seconds' if self.seconds else 'minutes')} UTC"

    def short(self, now: datetime | None, zone: tzinfo | None = UTC) -> str:
        """``22:41 UTC`` today, else ``Mon 30 Nov, 22:41 UTC``; in full where it is far away, or without ``now``.

        ``zone`` is the reader's; None for that of this machine.
        """
        here = self.at.astimezone(zone)
        time = f"{here:%H:%M:%S}" if self.seconds else f"{here:%H:%M}"
        time = f"{time} {_zone_name(here)}"
        if now is None or abs(now - self.at) >= FAR:
            return f"{here.date()} {time}"
        if here.date() == now.astimezone(zone).date():
            return time
        return f"{_DAYS[here.weekday()]} {here.day:02} {_MONTHS[here.month - 1]}, {time}"


def _zone_name(at: datetime) -> str:
    """``UTC``, ``CET``; ``UTC-03`` where a zone has no letters."""
    name = at.tzname() or ""
    return name if name[:1].isalpha() else f"UTC{name}"


def write(at: datetime, *, seconds: bool = False) -> str:
    """The text for a moment, for any text of the bot's own. It is cut to its minute, or its second."""
    full = Moment(at, seconds).full
    return f"{MARK}{full}{_seal(full)}{MARK}"


def parts(text: str) -> list[str | Moment]:
    """Split a text into its moments and what is between them. Marks that aren't the bot's own are left out."""
    if MARK not in text:
        return [text] if text else []
    found: list[str | Moment] = []
    end = 0
    for match in _WRITTEN.finditer(text):
        if _is_sealed(match[1], match[2]):
            found += [_unmarked(text[end : match.start()]), _read(match[1])]
            end = match.end()
    return [part for part in [*found, _unmarked(text[end:])] if part]


def shown(text: str, how: Callable[[Moment], str]) -> str:
    """The text with each moment shown by ``how``."""
    if MARK not in text:
        return text
    return "".join(part if isinstance(part, str) else how(part) for part in parts(text))


def bare(text: str) -> str:
    """The text with its moments in full, without anything invisible: for files, JSON and logs."""
    return shown(text, lambda moment: moment.full)


def short(text: str, now: datetime | None, zone: tzinfo | None = UTC) -> str:
    """The text with short times: see `Moment.short`."""
    return shown(text, lambda moment: moment.short(now, zone))


def between(text: str, change: Callable[[str], str]) -> str:
    """The text with its moments as they are, and what is between them changed."""
    return "".join(
        change(part) if isinstance(part, str) else write(part.at, seconds=part.seconds) for part in parts(text)
    )


def whole_until(text: str, end: int) -> int:
    """Where to cut a text before ``end``, so that no moment is cut into two."""
    begin = text.rfind(MARK, 0, end)
    return begin if text.count(MARK, 0, end) % 2 and begin > 0 else end


_CUT_OFF = re.compile(f"{MARK}|[\U000e0020-\U000e005f]+")


def _unmarked(text: str) -> str:
    """The text without the marks and seals of what is no moment, such as the rest of one that was cut off."""
    return _CUT_OFF.sub("", text)


def _read(full: str) -> Moment:
    at = datetime.fromisoformat(full.removesuffix(" UTC")).replace(tzinfo=UTC)
    return Moment(at, seconds=full.count(":") == 2)
