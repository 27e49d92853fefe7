"""Pick the line of a container's termination message that says why it terminated. Pure.

The message is what the process wrote to its termination log, or the end of its log: one sentence, or a stack trace
that contains the sentence.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from bot.domain.core.redact import redact

LONGEST = 80
"""Most characters, since it is appended to the cause in a headline."""
_READ = 8_192
"""Characters that are examined, from the end of the message; the kubelet keeps half as many bytes."""
_NOISE = re.compile(
    r"[\s{}()\[\];,.^~*=_-]*$|\s|at \S|File \"|Traceback |goroutine \d|created by |exit status \d|Node\.js v\d|"
    r"\[signal |node:|npm ERR! A complete log|note: run with|stack backtrace",
    re.IGNORECASE,
)
"""Matches lines of a stack trace, and lines around it that don't name the error."""
_TELLING = re.compile(
    r"error|\berr\b|exception|panic|fatal|fail|can(?:not|.t)\b|could not|unable|denied|refused|invalid|missing|"
    r"not found|no such|already in use|timed? ?out|abort|out of memory|unknown|must ",
    re.IGNORECASE,
)
_STAMP = re.compile(
    r"(?:\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S{0,12}\]?|\[?\d\d:\d\d:\d\d\S{0,8}\]?|"
    r"time=\S{1,40}|\[?(?:level=)?(?:FATAL|ERROR|ERR|CRITICAL|error|fatal)\b\]?:?(?=\s)|msg=|[:|-](?=\s))\s*"
)
"""A logger's prefix: the level, and the time, which would make each crash's message different."""

_SAID_AS = ("msg", "message", "error", "err")


def _is_noise(line: str) -> bool:
    return line.rstrip().endswith(":") or _NOISE.match(line) is not None


@lru_cache(maxsize=64)
def last_words(message: str) -> str:
    """The last line about the error, in at most `LONGEST` characters; empty where no line helps.

    Secrets are redacted in the whole message before a line is chosen or cut. No word is cut in half, so that
    `Outside`, which knows more secrets, still finds them in the result.
    """
    lines = [line for line in redact(message[-_READ:].splitlines()).lines if not _is_noise(line)]
    telling = [line for line in lines if _TELLING.search(line)] or lines
    return _short(_bare(telling[-1])) if telling else ""


def _bare(line: str) -> str:
    """Strip a logger's prefix from a line, or extract the message of a JSON log line."""
    if line.startswith("{"):
        line = _said_in_json(line)
    while (match := _STAMP.match(line)) and match.end() < len(line):
        line = line[match.end() :]
    return line.strip().strip('"').rstrip(".").strip()


def _said_in_json(line: str) -> str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return line
    said = [found.get(name) for name in _SAID_AS] if isinstance(found, dict) else []
    return next((text for text in said if isinstance(text, str) and text), "")


def _short(line: str) -> str:
    """Shorten to `LONGEST` characters; keep the end of a chain ``a: b: cause``, where the cause is."""
    flat = " ".join(line.split())
    if len(flat) <= LONGEST:
        return flat
    if (begin := flat.find(": ", len(flat) - LONGEST - 2)) >= 0:
        return flat[begin + 2 :]
    kept = flat[:LONGEST].rpartition(" ")[0].rstrip(" ,;:(")
    return f"{kept}…" if kept else ""
