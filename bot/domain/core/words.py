"""Format durations, times, sizes, counts and lists for people. Plain text throughout."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from bot.domain.core import moments

_AGE_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_POD_ID = re.compile(r"\s{0,4}(?:in pod |pod=)[^\s_=]{1,253}_[^\s_=]{1,63}\([0-9a-f-]{36}\)")
"""How the kubelet names a pod in messages and events: ``pod=NAME_NAMESPACE(UID)``, ``in pod …``."""
_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@lru_cache(maxsize=256)
def age(span: timedelta) -> str:
    """A duration in its two largest units: ``6 h 51 min``, ``3 d``, ``40 s``. Negative ones are ``0 s``."""
    left = max(0, int(span.total_seconds()))
    if left == 0:
        return "0 s"
    for place, (seconds, unit) in enumerate(_AGE_STEPS):
        if left < seconds:
            continue
        first, rest = divmod(left, seconds)
        if place + 1 == len(_AGE_STEPS):
            return f"{first} {unit}"
        next_seconds, next_unit = _AGE_STEPS[place + 1]
        second = rest // next_seconds
        return f"{first} {unit}" + (f" {second} {next_unit}" if second else "")
    return "0 s"


def the_last(span: timedelta) -> str:
    """A time until now: "the last hour", "the last 6 h"."""
    said = age(span)
    return f"the last {_WHOLE.get(said, said)}"


_WHOLE = {"1 d": "day", "1 h": "hour", "1 min": "minute", "1 s": "second"}


def exactly(span: timedelta) -> str:
    """A duration in all its units, for settings: ``1 d 2 h``, ``1 min 30 s``, ``0.5 s``."""
    left, parts = span.total_seconds(), []
    for seconds, unit in _AGE_STEPS[:-1]:
        count, left = divmod(left, seconds)
        parts += [f"{count:.0f} {unit}"] if count else []
    return " ".join([*parts, *([f"{left:g} s"] if left or not parts else [])])


def age_since(moment: datetime | None, now: datetime) -> str:
    """How long ago ``moment`` was; ``-`` where it is not known."""
    return "-" if moment is None else age(now - moment)


def ago(moment: datetime | None, now: datetime) -> str:
    """``12 min ago``; ``in 5 min`` for a future time; ``at an unknown time`` for None."""
    if moment is None:
        return "at an unknown time"
    return f"in {age(moment - now)}" if moment > now + timedelta(seconds=1) else f"{age(now - moment)} ago"


def moment(at: datetime | None) -> str:
    """A time to its minute, as each reader's renderer shows it; ``never`` for None. See `moments.write`.

    Unlike an age, it stays true in an old message.
    """
    return "never" if at is None else moments.write(at)


def clock(at: datetime) -> str:
    """A time to its second, as each reader's renderer shows it."""
    return moments.write(at, seconds=True)


def moment_of(text: str | None) -> datetime | None:
    """Parse an ISO 8601 time; None for None, and for anything that is no time with a time zone.

    Nor is one near the limits of datetime, where arithmetic would raise OverflowError.
    """
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo is not None and 1900 <= at.year <= 9000 else None


def iso(at: datetime | None) -> str | None:
    """Write a time as ISO 8601; None for None."""
    return at.isoformat() if at is not None else None


def seconds(value: float) -> str:
    """A deadline or a duration in seconds: ``3 s``, ``0.4 s``."""
    return f"{value:.3g} s"


def took(value: float) -> str:
    """How long it took, as precise as anybody cares: ``took under 0.1 s``, ``took 4 s``, ``took 2 min 5 s``."""
    return f"took {span(value)}"


def span(value: float) -> str:
    """A span of seconds, as precise as `took`: ``4 s``, ``2 min 5 s``."""
    if value < 0.05:
        return "under 0.1 s"
    tenths = round(value, 1)
    if tenths >= 60:  # after rounding: 59.96 s is a minute, as 60.04 s is
        return age(timedelta(seconds=tenths))
    return f"{f'{tenths:.1f}'.removesuffix('.0')} s"


def without_pod_id(text: str) -> str:
    """Remove the pod's name, namespace and uid from a kubelet message: the reader has no use for them."""
    return _POD_ID.sub("", text)


def size(count: int | None) -> str:
    """A number of bytes with a binary unit: ``12.4 GiB``; ``-`` where it is not known."""
    if count is None:
        return "-"
    value = float(count)
    for unit in _SIZE_UNITS:
        if value < 1023.95 or unit == _SIZE_UNITS[-1]:
            text = f"{value:.0f}" if unit == "B" else f"{value:.1f}".removesuffix(".0")
            return f"{text} {unit}"
        value /= 1024
    return "-"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 check``, ``12 checks``, ``2 processes`` (give ``many`` where an s is not enough)."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return _joined(words, "and")


def either(words: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return _joined(words, "or")


def _joined(words: Sequence[str], last: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def of_target(subject: str, target: str) -> str:
    """Name the target after a subject, unless the subject names it already: ``the disk (west)``."""
    named = re.search(rf"(?<![\w.-]){re.escape(target)}(?![\w.-])", subject)
    return subject if named else f"{subject} ({target})"


def with_article(noun: str) -> str:
    """``an operator``, ``a viewer``."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def cut(text: str, length: int) -> str:
    """``text`` on one line, at most ``length`` characters, with an ellipsis where something is left out."""
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: max(0, length - 1)].rstrip() + "…"


def cut_at_word(text: str, length: int) -> str:
    """As `cut`, but never within a word or a number."""
    flat = " ".join(text.split())
    if len(flat) <= length:
        return flat
    whole = flat[:length].rpartition(" ")[0].rstrip(" ,;:(")
    return f"{whole} …" if 0 < len(whole) <= length - 2 else cut(flat, length)


_STRAIGHT = str.maketrans({**dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‘’", "'")})
"""Typographic quotes to plain ones: phones type them, and the command grammar takes both for the same."""


def straight(text: str) -> str:
    """The text with plain quotes for typographic ones."""
    return text.translate(_STRAIGHT)


def quoted(text: str) -> str:
    """Quote a text so that the command grammar reads it as one word."""
    plain = straight(" ".join(text.split()))
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def argument(text: str) -> str:
    """A word of a command line as a person would type it: in quotes only where the grammar needs them."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


_PLAIN = re.compile(r"[\w:./@+=%,-]+")


def verbatim(text: str) -> str:
    """Quote a text so that the command grammar reads exactly it, with its line ends and curly quotes."""
    return '"' + re.sub(r'([\\"“”„«»‘’])', r"\\\1", text) + '"'


def innermost(text: str, length: int) -> str:
    """``text`` on one line; where it is longer than ``length``, the inner end of a chain ``a: b: cause``.

    The kubelet and the runtimes wrap errors in what they were doing, so the cause comes last.
    """
    flat = _WRAPPING.sub("", " ".join(text[:_MOST_SAID].split())).removesuffix(": unknown")
    if len(flat) <= length:
        return flat
    begin = flat.find(": ", len(flat) - length)
    begin = begin if begin >= 0 else flat.rfind(": ")
    return cut(flat[begin + 2 :] if begin >= 0 else flat, length)


_MOST_SAID = 8_000
_WRAPPING = re.compile(r'rpc error: code = \w{1,30} desc = |time="[^"]{1,40}" level=\w{1,10} msg=')


def upper_first(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """Make a sentence fit after a colon: no full stop; lower case unless it begins with a name or acronym."""
    text = text.rstrip().removesuffix(".")
    if len(text) > 1 and text[0].isupper() and text[1].islower() and text.split()[0] in _LOWERED:
        return text[0].lower() + text[1:]
    return text


_LOWERED = frozenset(
    {
        "The",
        "A",
        "An",
        "No",
        "It",
        "There",
        "This",
        "Nothing",
        "Could",
        "Not",
        "Nobody",
        "One",
        "Only",
        "Something",
    }
)


_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols with an empty glyph."""


def visible(name: str) -> str:
    """Write a name with each character that can't be seen by its code point: ``sl<U+202E>ack``."""
    return "".join(c if _is_seen(c) else f"<U+{ord(c):04X}>" for c in name)


def hides(text: str) -> str:
    """Why people can't read a text as it is; empty where they can. Lines and joined emoji are no reason."""
    if not any(_is_seen(c) and not c.isspace() for c in text):
        return "it shows nothing: only blanks and characters that can't be seen"
    hidden = [c for c in text if not c.isprintable() and not c.isspace() and c not in _JOINERS]
    return f"it has characters that can't be seen, here in <>: {visible(cut(text, 60))}" if hidden else ""


_JOINERS = "\u200c\u200d"
"""Between two letters or emoji they change how these look."""


def _is_seen(c: str) -> bool:
    return c.isprintable() and c not in _FILLERS and unicodedata.category(c) not in ("Mn", "Me")
