"""Split a crontab line into fields, and format errors that mark the wrong part. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

LONGEST = 200
"""Longest schedule, in characters."""

Extent = tuple[int, int]
"""Start and end of a part of the line, in characters."""


class InvalidLine(Exception):
    """What is wrong with a line, and where. ``where`` is None where no single part is wrong."""

    def __init__(self, why: str, where: Extent | None = None) -> None:
        """``why`` is a sentence without its full stop."""
        super().__init__(why)
        self.why, self.where = why, where


def shown(schedule: str) -> str:
    """Strip a line and replace tabs by spaces, so that a mark under it stands in the right column."""
    return schedule.strip(" \t\r\n").replace("\t", " ")


def fields(line: str, least: int, most: int, cron: str) -> list[re.Match[str]]:
    """Split a line into its fields. Raises InvalidLine for too few or too many, and for what no cron accepts."""
    if len(line) > LONGEST:
        raise InvalidLine(f"it is longer than {LONGEST} characters")
    if line.startswith("#"):
        raise InvalidLine("a line that begins with # is a comment, which never runs")
    if zone := re.match(r"(CRON_)?TZ=\S*", line):
        raise InvalidLine("a zone is no part of the schedule: give it as the job's timezone", zone.span())
    if odd := re.search(r"[^ -~]+", line):
        raise InvalidLine("a crontab has plain letters, digits and signs only", odd.span())
    found = list(re.finditer(r"\S+", line))
    if least <= len(found) <= most:
        return found
    takes = str(least) if least == most else f"{least} to {most}"
    where = found[most].span() if len(found) > most else (len(line), len(line) + 1)
    raise InvalidLine(f"it has {len(found)} fields, and {cron} takes {takes}", where)


def expanded(line: str, shorthands: Mapping[str, str], cron: str) -> str:
    """Replace a shorthand such as ``@daily`` by its fields. Raises InvalidLine for an unknown one."""
    if not line.startswith("@"):
        return line
    name, _, rest = line.partition(" ")
    if name not in shorthands:
        raise InvalidLine(f"{cron} knows no {name}: it has {', '.join(shorthands)}", (0, len(name)))
    if rest:
        raise InvalidLine(f"{name} stands alone", (len(name), len(line)))
    return shorthands[name]


def no_value(name: str, takes: str, where: Extent) -> InvalidLine:
    """The error for a text that is no value of a field."""
    return InvalidLine(f"this is not a valid {name}: it takes {takes}", where)


def wrong(line: str, where: Extent | None, why: str, cron: str) -> ValueError:
    """The error for people: the line and, under it, a mark at the wrong part."""
    start, end = where or (0, max(len(line), 1))
    line, marks = line[:LONGEST], f"{' ' * start}{'^' * (end - start)}"[:LONGEST]
    return ValueError(f"this is not a crontab schedule for {cron}:\n      {line}\n      {marks} {why}")
