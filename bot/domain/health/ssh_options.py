"""Parse the options before a key in authorized_keys as sshd does (OpenSSH's auth-options.c, misc.c). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from datetime import UTC, datetime, timedelta

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass

_FLAGS = (
    "port-forwarding",
    "agent-forwarding",
    "x11-forwarding",
    "pty",
    "user-rc",
    "touch-required",
    "verify-required",
)
"""Options that also exist with ``no-``."""
_PLAIN = (
    "cert-authority",
    "restrict",
    *_FLAGS,
    *(f"no-{name}" for name in _FLAGS),
)
_VALUED = (
    "command",
    "principals",
    "from",
    "expiry-time",
    "environment",
    "permitopen",
    "permitlisten",
    "tunnel",
)
_PORT = r"(?:\*|0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))"
_VALID = {
    "environment": re.compile(r"[A-Za-z0-9_]{1,200}=.*", re.DOTALL),
    "permitopen": re.compile(rf"(?:\[[^\]\s]{{1,255}}\]|[^:\s]{{1,255}}):{_PORT}"),
    "permitlisten": re.compile(rf"(?:(?:\[[^\]\s]{{1,255}}\]|[^:\s]{{1,255}}):)?{_PORT}"),
    "tunnel": re.compile(r"any|[0-9]{1,9}", re.IGNORECASE),
}
_ONCE = ("command", "principals", "from")
_SHOWN = 80
"""Most characters of an option's value that are shown."""


@dataclass(frozen=True)
class Options:
    """The meaning of the options of one key."""

    error: str = ""
    """Why sshd refuses the whole line."""
    expires: datetime | None = None
    """When the key expires. A time without a zone is in the pod's zone, which is taken as UTC here."""
    sources: str | None = None
    """``from=``: the allowed addresses."""
    authority: bool = False
    """``cert-authority``: the key itself can't sign in, but certificates signed by it can."""
    limits: tuple[str, ...] = field(default=())
    """Further restrictions, a phrase each."""

    def why_not(self, now: datetime) -> str:
        """Why the options allow nobody to sign in now; empty where they do."""
        if self.error:
            return f"sshd refuses its options: {self.error}"
        if self.expires is not None and self.expires < now:
            return f"expired on {words.moment(self.expires)}"
        if self.sources is not None and all(one[:1] in ("", "!") for one in self.sources.split(",")):
            return "its from= allows no address"
        return ""


class _InvalidOption(ValueError):
    pass


def end_of(line: str) -> int:
    """The end of the options at the beginning of a line: the first blank outside of quotes."""
    quoted, at = False, 0
    while at < len(line) and (quoted or line[at] not in " \t"):
        if line[at] == "\\" and line[at + 1 : at + 2] == '"':
            at += 1
        elif line[at] == '"':
            quoted = not quoted
        at += 1
    return at


def parse(text: str) -> Options:
    """Parse the options of a line. Where sshd refuses them, only ``error`` is set."""
    if not text:
        return Options()
    try:
        return _options(list(_each(text)))
    except _InvalidOption as error:
        return Options(error=str(error))


def _each(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each option's name in lower case and its value, None for an option without one."""
    at = 0
    while True:
        end = at
        while end < len(text) and text[end] not in ',="':
            end += 1
        name, valued = text[at:end].lower(), text[end : end + 1] == "="
        if not name and not valued and text[end : end + 1] in ("", ","):  # sshd skips empty ones
            if end == len(text):
                return
            at = end + 1
            continue
        if name not in (_VALUED if valued else _PLAIN):
            raise _InvalidOption(f"it does not know {words.cut(name or text[end:], 40)!r}")
        value = None
        if valued:
            value, end = _dequoted(text, end + 1, name)
        yield name, value
        if end == len(text):
            return
        if text[end] != ",":
            raise _InvalidOption(f"there is no comma after {name}")
        at = end + 1


def _dequoted(text: str, at: int, name: str) -> tuple[str, int]:
    """Parse a quoted value, in which only quotes can be escaped; the value, and the position after it."""
    if text[at : at + 1] != '"':
        raise _InvalidOption(f"the value of {name} does not begin with a quote")
    found: list[str] = []
    at += 1
    while at < len(text):
        if text[at] == '"':
            return "".join(found), at + 1
        if text[at] == "\\" and text[at + 1 : at + 2] == '"':
            at += 1
        found.append(text[at])
        at += 1
    raise _InvalidOption(f"the value of {name} has no quote at its end")


def _options(found: list[tuple[str, str | None]]) -> Options:
    for name in _ONCE:
        if sum(one == name for one, _ in found) > 1:
            raise _InvalidOption(f"{name} is there twice")
    for name, value in found:
        if name in _VALID and not _VALID[name].fullmatch(value or ""):
            raise _InvalidOption(f"the value of {name} is none")
    if any(name == "principals" for name, _ in found) and ("cert-authority", None) not in found:
        raise _InvalidOption("principals needs cert-authority")
    values = {name: value for name, value in found if value is not None}
    expiries = [_moment(value or "") for name, value in found if name == "expiry-time"]
    return Options(
        expires=min(expiries, default=None),
        sources=values.get("from"),
        authority=any(name == "cert-authority" for name, _ in found),
        limits=tuple(dict.fromkeys(said for name, value in found if (said := _limit(name, value or "")))),
    )


def _limit(name: str, value: str) -> str:
    said = words.cut(value, _SHOWN)
    if name == "expiry-time":
        return ""  # shown with its time elsewhere
    if name == "environment":  # its value may be a secret
        return f"sets {words.cut(value.partition('=')[0], 40)}"
    named = {"from": f"only from {said}", "command": f"runs only {said}", "principals": f"principals {said}"}
    return named.get(name) or (f"{name} {said}" if value else name)


_LENGTHS = (8, 12, 14)
"""YYYYMMDD, YYYYMMDDHHMM and YYYYMMDDHHMMSS."""


def _moment(text: str) -> datetime:
    """Parse a time as in sshd(8), optionally with ``Z`` or ``UTC`` at its end. Raises _InvalidOption."""
    plain = text[:20].upper().removesuffix("UTC").removesuffix("Z")
    if len(plain) not in _LENGTHS or not (plain.isascii() and plain.isdigit()) or len(text) > 20:
        raise _InvalidOption("the time of expiry-time is none (YYYYMMDD[HHMM[SS]][Z])")
    digits = plain.ljust(14, "0")
    year, rest = int(digits[:4]), [int(digits[n : n + 2]) for n in range(4, 14, 2)]
    month, day, hour, minute, second = rest
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        raise _InvalidOption("the time of expiry-time does not exist")
    return datetime(year, month, 1, hour, minute, tzinfo=UTC) + timedelta(days=day - 1, seconds=second)
