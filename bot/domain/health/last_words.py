"""The one line of a container's termination message that says why it ended. Pure.

A message is what the process wrote to its termination log, or the end of its log: one sentence, or a stack trace
with the sentence somewhere in it.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from bot.domain.core.redact import redact

LONGEST = 80
"""Characters: it stands behind the cause in a first line."""
_READ = 8_192
"""Characters of a message that are looked at, its end; the kubelet keeps half as many bytes."""
_NOISE = re.compile(
    r"[\s{}()\[\];,.^~*=_-]*$|\s|at \S|File \"|Traceback |goroutine \d|created by |exit status \d|Node\.js v\d|"
    r"\[signal |node:|npm ERR! A complete log|note: run with|stack backtrace",
    re.IGNORECASE,
)
"""Lines of a stack trace, and what stands around one."""
_TELLING = re.compile(
    r"error|\berr\b|exception|panic|fatal|fail|can(?:not|.t)\b|could not|unable|denied|refused|invalid|missing|"
    r"not found|no such|already in use|timed? ?out|abort|out of memory|unknown|must ",
    re.IGNORECASE,
)
_STAMP = re.compile(
    r"(?:\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S{0,12}\]?|\[?\d\d:\d\d:\d\d\S{0,8}\]?|"
    r"time=\S{1,40}|\[?(?:level=)?(?:FATAL|ERROR|ERR|CRITICAL|error|fatal)\b\]?:?(?=\s)|msg=|[:|-](?=\s))\s*"
)
"""What a logger writes in front: the time, which changes from crash to crash, and the level."""

_SAID_AS = ("msg", "message", "error", "err")


def _is_noise(line: str) -> bool:
    return line.rstrip().endswith(":") or _NOISE.match(line) is not None


@lru_cache(maxsize=64)
def last_words(message: str) -> str:
    """What the run said last about its end, in at most `LONGEST` characters; empty where it said nothing of use.

    Secrets are taken out of the whole before a line is chosen or cut, and no word is cut in half: a value that is
    only known elsewhere is still found in it.
    """
    lines = [line for line in redact(message[-_READ:].splitlines()).lines if not _is_noise(line)]
    telling = [line for line in lines if _TELLING.search(line)] or lines
    return _short(_bare(telling[-1])) if telling else ""


def _bare(line: str) -> str:
    """A line without what its logger wrote in front, or the message of a logger that writes JSON."""
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
    """At most `LONGEST` characters: of a chain ``a: b: cause`` the end, for what went wrong comes last."""
    flat = " ".join(line.split())
    if len(flat) <= LONGEST:
        return flat
    if (begin := flat.find(": ", len(flat) - LONGEST - 2)) >= 0:
        return flat[begin + 2 :]
    kept = flat[:LONGEST].rpartition(" ")[0].rstrip(" ,;:(")
    return f"{kept}…" if kept else ""
