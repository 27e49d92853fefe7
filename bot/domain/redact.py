"""Takes secrets out of text that is about to be shown, and control characters with them. Pure.

Two nets. Values that are known (the Secrets' own) are found wherever they stand, also written as JSON, URL or
base64. Everything else is found by its shape: vendors' token formats, ``password=…``, credentials in URLs and
private keys over several lines. What any of them covers becomes `PLACEHOLDER`; rather too much than too little.

Every pattern is linear: it starts at a fixed word and repeats nothing inside a repetition.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

PLACEHOLDER = "[redacted]"

SHORTEST = 6
"""Known values shorter than this many characters are left: they would be found in half of all words."""

_CHUNK = 64 * 1024
"""Characters searched at once, so that other threads get their turn between two chunks."""


@dataclass(frozen=True)
class Redacted:
    """The same number of lines, without secrets; ``count`` is how many places were replaced."""

    lines: tuple[str, ...]
    count: int


_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours and cursor (ECMA-48, 5.4)
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS, SOS, PM and APC with their strings
    r"|\x1b[ -/]*[0-~]"  # the other escapes
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_BREAKS = re.compile("[\r\n\v\f\x85\u2028\u2029]+")
# C0 and C1 without tab, and what makes text read otherwise than it is: bidi controls, zero width, BOM.
_CONTROLS = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)


def plain(line: str) -> str:
    """One line without ANSI escapes and control characters; a break inside it becomes a space."""
    return _BREAKS.sub(" ", _CONTROLS.sub("", _ESCAPES.sub("", line.rstrip("\r\n"))))


_NAMES = (
    r"(?:pass(?:word|wd|phrase)|(?<=_)pwd|secret(?:[_-]?key(?:[_-]base)?)?|token|credentials?"
    r"|(?:api|access|account|auth|encryption|private|signing|client)[_-]?key)"
)
_VALUE = (
    r"""(?P<secret>\\"[^"\n]*"?"""  # JSON inside JSON
    r"""|"(?:[^"\\\n]|\\.)*"?"""
    r"""|'[^'\n]*'?"""
    r"""|[^\s"'&]+)"""
)
_TOKENS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\bxox[a-z](?:\.xox[a-z])?-[\w-]{6,}",  # Slack tokens
        r"\bxapp-[\w-]{6,}",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[\w/-]{6,})",
        r"\bgh[a-z]_\w{10,}",  # GitHub
        r"\bgithub_pat_\w{10,}",
        r"\bglpat-[\w-]{10,}",  # GitLab
        r"\bnpm_[A-Za-z0-9]{20,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}",  # AWS access key ids
        r"\bAIza[\w-]{30,}",  # Google API keys
        r"\beyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)*",  # JWT (RFC 7519): a base64url object, always {"… first
        r"\bsk-[\w-]{12,}",  # Anthropic, OpenAI
    )
)
"""What nothing but a secret looks like."""
_PATTERNS = _TOKENS + tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<=://)[^\s/@:]*:(?P<secret>[^\s/]+)@",  # user:password in a URL
        r"(?<=://)(?P<secret>[^\s/@:]{16,})@",  # a token as the user of a URL
        rf"(?i){_NAMES}(?:[_-]?(?:value|hash|b64|base64)|\d{{1,2}})?(?:\\?[\"'])?[ \t]*[:=][>=]?[ \t]*{_VALUE}",
        rf"(?i)--[a-z-]{{0,20}}{_NAMES}[ \t]+(?!-){_VALUE}",
        r"(?i)authorization(?:\\?[\"'])?[ \t]*[:=][ \t]*(?:\\?[\"'])?"
        r"(?P<secret>(?:(?:bearer|basic|token|digest|negotiate|apikey)[ \t]+)?[^\s\"'\\]+)",
        r"(?i)\b(?:bearer|basic)[ \t]+(?P<secret>[\w.~+/=-]{12,})",
    )
)


def redact(lines: Iterable[str], secrets: Collection[str] = ()) -> Redacted:
    """Lines without control characters and without secrets: the known ones and those with a secret's shape."""
    cleaned, count = _without_keys([plain(line) for line in lines])
    known = known_forms(secrets)
    kept: list[str] = []
    for chunk in _chunks(cleaned):
        text, found = _redact_text("\n".join(chunk), known)
        kept += text.split("\n")
        count += found
    return Redacted(tuple(kept), count)


def has_token(text: str) -> bool:
    """Whether a text has a private key or a known vendor's token in it; words such as ``token: gone`` are none."""
    return _BEGIN.search(text) is not None or any(pattern.search(text) for pattern in _TOKENS)


def known_forms(secrets: Collection[str]) -> tuple[str, ...]:
    """How known values may be written: as they are and line by line, in JSON, percent-encoded, in base64."""
    forms: set[str] = set()
    for secret in secrets:
        if len(secret.strip()) >= SHORTEST:
            forms.update(_encoded(secret.strip()))
        for line in secret.splitlines():
            text = plain(line).strip()
            if len(text) >= SHORTEST:
                forms.update((text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]))
    return tuple(sorted(forms))


def _encoded(secret: str) -> tuple[str, ...]:
    data = secret.encode("utf-8", "surrogatepass")
    texts = (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode())
    return (*(t.rstrip("=") for t in texts), json.dumps(secret)[1:-1], quote(data), quote(data, safe=""))


def _chunks(lines: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    length = 0
    for line in lines:
        chunk.append(line)
        length += len(line) + 1
        if length >= _CHUNK:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk


def _redact_text(text: str, known: Sequence[str]) -> tuple[str, int]:
    spans = [*_known_spans(text, known), *_shaped_spans(text)]
    merged = _merge(spans)
    pieces: list[str] = []
    position = 0
    for start, end in merged:
        pieces += [text[position:start], PLACEHOLDER]
        position = end
    return "".join([*pieces, text[position:]]), len(merged)


def _known_spans(text: str, known: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Every place of every value, overlapping ones too."""
    for value in known:
        start = text.find(value)
        while start >= 0:
            yield start, start + len(value)
            start = text.find(value, start + 1)


def _shaped_spans(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _PATTERNS:
        group = "secret" if "secret" in pattern.groupindex else 0
        for match in pattern.finditer(text):
            yield match.span(group)


def _merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order; those that overlap become one, so that no part of either is left."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_BASE64_LINE = re.compile(r"(?:^|[\s\"'|])[A-Za-z0-9+/]{16,}={0,2}[\s\"',\\]*$")
_KEY_HEADER = re.compile(r"(?:^|\s)(?:Proc-Type|DEK-Info|Version|Comment): |^\s*$")

LONGEST_KEY = 250
"""Lines in which a key that began must end: RSA with 16,384 bits takes 200."""


def _without_keys(lines: Sequence[str]) -> tuple[list[str], int]:
    """Without private keys in PEM (RFC 7468), each line of one replaced. Halves of one count too."""
    kept = list(lines)
    count = 0
    number = 0
    while number < len(kept):
        if begin := _BEGIN.search(kept[number]):
            number = _take_key(kept, number, begin.start())
            count += 1
        elif end := _END.search(kept[number]):
            _take_tail(kept, number, end.end())
            count += 1
            number += 1
        else:
            number += 1
    return kept, count


def _take_key(lines: list[str], first: int, start: int) -> int:
    """Replace a key that begins in line ``first``; the number of the line to go on with."""
    head = lines[first][:start]
    if end := _END.search(lines[first], start):
        lines[first] = head + PLACEHOLDER + lines[first][end.end() :]
        # A second key may be on the same line.
        return first
    lines[first] = head + PLACEHOLDER
    last = _last_of_key(lines, first)
    for number in range(first + 1, last + 1):
        end = _END.search(lines[number])
        lines[number] = PLACEHOLDER + (lines[number][end.end() :] if end else "")
    return max(last, first + 1)


def _last_of_key(lines: Sequence[str], first: int) -> int:
    """The line with the key's end; where there is none, the last one that looks like a part of it."""
    for number in range(first + 1, min(len(lines), first + 1 + LONGEST_KEY)):
        if _BEGIN.search(lines[number]):
            break
        if _END.search(lines[number]):
            return number
    last = first
    for number in range(first + 1, min(len(lines), first + 1 + LONGEST_KEY)):
        if not (_BASE64_LINE.search(lines[number]) or _KEY_HEADER.search(lines[number])):
            break
        last = number
    return last


def _take_tail(lines: list[str], last: int, end: int) -> None:
    """Replace the end of a key whose beginning was not read."""
    lines[last] = PLACEHOLDER + lines[last][end:]
    number = last - 1
    while number >= 0 and last - number <= LONGEST_KEY and _BASE64_LINE.search(lines[number]):
        lines[number] = PLACEHOLDER
        number -= 1
