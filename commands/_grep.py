"""Searches lines with a regular expression that somebody typed, which may be one that never ends.

Python's ``re`` backtracks and holds the interpreter's lock while it does, so that no timeout in this process
could end it. Patterns that can't backtrack are searched here; all others in a process of their own, which is
killed at the deadline.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import warnings
from collections.abc import Sequence

from bot.errors import UsageError

DEADLINE = 2.0
"""Seconds that a search may take, the start of its process included."""

MAX_PATTERN = 500
"""Longest pattern taken, in characters."""


def check_pattern(pattern: str) -> str:
    """The pattern, if it is one. Raises ValueError that says where it is wrong."""
    if not pattern:
        raise ValueError("the pattern is empty, which every line matches; leave --grep out to see all lines")
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern has {len(pattern):,} characters; at most {MAX_PATTERN} are taken")
    try:
        _compile(pattern)
    except re.error as error:
        position = error.pos or 0
        here = f" (at {pattern[position : position + 20]!r})" if pattern[position:] else " (at its end)"
        raise ValueError(f"not a regular expression: {error.msg} at position {position}{here}") from error
    except (RecursionError, OverflowError) as error:
        raise ValueError(
            "not a usable regular expression: it is nested too deeply or repeats too often"
        ) from error
    return pattern


def ignores_case(pattern: str) -> bool:
    """Whether case does not matter: it does once the pattern has a capital (escapes such as ``\\S`` are none)."""
    return not any(c.isupper() for c in re.sub(r"\\.", "", pattern, flags=re.DOTALL))


def _compile(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        # "Possible nested set" and the like tell programmers of a future Python, not who typed the pattern.
        warnings.simplefilter("ignore")
        return re.compile(pattern, re.IGNORECASE if ignores_case(pattern) else 0)


def cannot_backtrack(pattern: str) -> bool:
    """Whether there is no repetition and no group: the time is then the pattern's length times the text's."""
    return not re.search(r"[*+?{(]", re.sub(r"\\.", "", pattern, flags=re.DOTALL))


async def matching(pattern: str, lines: Sequence[str], deadline: float = DEADLINE) -> list[int]:
    """The numbers (from 0) of the lines in which the pattern is found.

    Raises UsageError when the search is not done within ``deadline`` seconds.
    """
    if cannot_backtrack(pattern):
        found = _compile(pattern).search
        return [number for number, line in enumerate(lines) if found(line)]
    return await _in_a_process(pattern, lines, deadline)


_SCRIPT = """
import json, re, signal, sys, warnings
signal.alarm(60)
warnings.simplefilter("ignore")
data = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
head, _, text = data.partition("\\n")
request = json.loads(head)
found = re.compile(request["pattern"], request["flags"]).search
lines = text.split("\\n") if request["lines"] else []
json.dump([number for number, line in enumerate(lines) if found(line)], sys.stdout)
"""
"""Nothing of the bot's is imported, and the alarm ends it should the bot die first."""


async def _in_a_process(pattern: str, lines: Sequence[str], deadline: float) -> list[int]:
    flags = int(re.IGNORECASE if ignores_case(pattern) else 0)
    head = json.dumps({"pattern": pattern, "flags": flags, "lines": len(lines)})
    request = "\n".join([head, *lines]).encode("utf-8", "surrogatepass")
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    # Without the environment, which may hold tokens, and without site packages.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", _SCRIPT, stdin=pipe, stdout=pipe, stderr=nothing, env={}
    )
    try:
        async with asyncio.timeout(deadline):
            answer, _ = await process.communicate(request)
    except TimeoutError as error:
        raise _too_slow(deadline) from error
    finally:
        await _end(process)
    if process.returncode:
        raise UsageError("--grep: this pattern could not be searched.", remedy="Try a simpler one.")
    return [int(number) for number in json.loads(answer)]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def _too_slow(deadline: float) -> UsageError:
    return UsageError(
        f"--grep: searching for this pattern took more than {deadline:g} s and was ended.",
        remedy="Nested repetitions such as (a+)+ take for ever. Use a plain word, or read less with --tail.",
    )
