"""What an edit of a crontab changes, in words: ``session-manager.sh: every 5 min → every 10 min``. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.core.change import lines_changed
from bot.domain.core.cron import Dialect
from bot.domain.core.cron.crontab import Crontab, JobLine
from bot.domain.core.cron.in_words import in_words

_VARIABLE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=")
_PERCENT = re.compile(r"(?<!\\)%")


@dataclass(frozen=True)
class NamedJob:
    """A job, and what people call it: a script's name, or its redacted command."""

    line: JobLine
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same job: when, and what."""
        return self.line.schedule, self.line.command


def changes(old: Sequence[NamedJob], new: Sequence[NamedJob], dialect: Dialect) -> list[str]:
    """What changes about jobs, in the order of the new crontab; then what is gone."""
    gone, fresh = _without(old, new), _without(new, old)
    said: list[str] = []
    for job in fresh:
        before = next((one for one in gone if one.line.command == job.line.command), None)
        if before is not None:
            gone.remove(before)
            said.append(f"{job.name}: {_when(before, dialect)} → {_when(job, dialect)}")
            continue
        before = next((one for one in gone if one.line.schedule == job.line.schedule), None)
        if before is not None:
            gone.remove(before)
            other = f"{before.name} → {job.name}" if before.name != job.name else f"{job.name}: another command"
            said.append(f"{other}, {_when(job, dialect)}")
            continue
        said.append(f"new: {job.name}, {_when(job, dialect)}")
    return [*said, *(f"gone: {job.name}, {_when(job, dialect)}" for job in gone)]


def _without(jobs: Sequence[NamedJob], others: Sequence[NamedJob]) -> list[NamedJob]:
    left, found = Counter(one.key for one in others), []
    for job in jobs:
        if left[job.key]:
            left[job.key] -= 1
        else:
            found.append(job)
    return found


def _when(job: NamedJob, dialect: Dialect) -> str:
    return in_words(job.line.schedule, dialect)


def other_changes(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """What changes about variables, and how many other lines that run nothing; never a value."""
    said = []
    before, after = _variables(old), _variables(new)
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            what = "set" if name not in before else "gone" if name not in after else "changed"
            said.append(f"variable {name} {what}")
    comments = [Counter(line.strip() for line in lines if line.strip().startswith("#")) for lines in (old, new)]
    if comments[0] != comments[1]:
        said.append("comments changed")
    return said


def _variables(lines: Sequence[str]) -> dict[str, list[str]]:
    """Name → the lines that set it."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if match := _VARIABLE.match(line):
            found.setdefault(match[1], []).append(line)
    return found


def warnings(old: Crontab, new: Crontab, jobs: Sequence[NamedJob], dialect: Dialect) -> list[str]:
    """What is right by the cron's rules, and hardly meant."""
    said = [f"line {p.number}: {p.why}" for p in new.problems if not p.fatal]
    if not new.jobs:
        said.append("no job is left: nothing runs any more")
    if old.zone != new.zone:
        said.append(
            f"all schedules move to another time zone: {old.zone or 'the cron’s own'} → {new.zone or 'its own'}"
        )
    counted = Counter(job.key for job in jobs)
    said += [f"{job.name} is there {counted[job.key]} times" for job in _firsts(jobs) if counted[job.key] > 1]
    if dialect == "debian":
        wrong = [job for job in new.jobs if _PERCENT.search(job.command)]
        said += [rf"line {one.number}: cron ends the command at %, write \% for the sign" for one in wrong]
    return said


def _firsts(jobs: Sequence[NamedJob]) -> list[NamedJob]:
    return list({job.key: job for job in reversed(jobs)}.values())[::-1]


COMPARED = 1000
"""Most lines of a crontab that are compared one by one between two looks."""
_WHOLE = ""
"""The name under which a longer one's fingerprint is."""


def lines_of(path: str, text: str, fingerprint: Callable[[str], str]) -> dict[str, str]:
    """A crontab as it is compared with a later look: the fingerprint of each line, and how often it is there."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > COMPARED:
        return {"path": path, _WHOLE: fingerprint(text)}
    return {"path": path, **{line: str(count) for line, count in Counter(map(fingerprint, lines)).items()}}


def lines_compared(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What changed between two looks at a crontab, as one change; another file is not compared."""
    path = after["path"]
    if before.get("path") != path or before == after:
        return []
    if _WHOLE in before or _WHOLE in after:
        return [(path, "", "changed")]
    old, new = ({line: count for line, count in one.items() if line != "path"} for one in (before, after))
    return [(path, "", lines_changed(old, new))]
