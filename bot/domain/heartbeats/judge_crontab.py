"""Judge a crontab beside the heartbeats: lines that the cron refuses, and policies that contradict it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from bot.domain.core import words
from bot.domain.core.cron import Dialect, name_of, next_run, reader_of
from bot.domain.core.cron.clock import WallClock
from bot.domain.core.cron.crontab import AT_START, Crontab, JobLine, consequence
from bot.domain.core.cron.lines import InvalidLine
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import HeartbeatPolicy, Target, canonical_job

PROBE, TITLE = "cron", "Crontab"

ENOUGH, FAR = timedelta(days=8), timedelta(days=400)
"""How far runs are followed to find the longest time between two: eight days and `FEW` runs, at most so far."""
FEW, MOST = 14, 12_000
_LONGEST_NAME, _LONGEST_WHY = 60, 100
_OPERATORS = re.compile(r"&&|\|\||[;|&]")


@dataclass(frozen=True)
class CronJob:
    """A job of the crontab, with the policies of its heartbeats."""

    line: JobLine
    script: str | None
    """The script that it runs, by its name; None for a command that is no script of the folder."""
    policies: tuple[HeartbeatPolicy, ...]
    next_run: datetime | None
    """None for one that runs when the cron starts."""

    def pushes(self, job: str) -> bool:
        """Whether a heartbeat of this name, which no policy names, is this job's."""
        return canonical_job(job) in _names(self.line.command)


def jobs_of(
    crontab: Crontab, policies: Sequence[HeartbeatPolicy], folder: str, zone: str, dialect: Dialect, now: datetime
) -> list[CronJob]:
    """Return the crontab's jobs with what is known of each. ``folder`` is that of the scripts."""
    return [
        CronJob(
            line,
            script_of(line.command, folder),
            tuple(p for p in policies if _runs(line, p)),
            None if line.schedule == AT_START else next_run(line.schedule, zone, now, dialect),
        )
        for line in crontab.jobs
    ]


def script_of(command: str, folder: str) -> str | None:
    """The name of the script of the folder that a command begins with, also after ``bash`` or ``timeout 60``."""
    first = _OPERATORS.split(command)[0]
    paths = (word.strip("\"'") for word in first.split())
    return next((p.rpartition("/")[2] for p in paths if p.startswith(f"{folder}/")), None) or None


def _runs(line: JobLine, policy: HeartbeatPolicy) -> bool:
    """Whether a line pushes the policy's heartbeat: by the script in the settings, else by the job's name."""
    if policy.script is not None:
        return any(name == policy.script for name in _basenames(line.command))
    return policy.canonical in _names(line.command)


def _basenames(command: str) -> Iterator[str]:
    return (word.strip("\"';&|()").rpartition("/")[2] for word in command.split())


def _names(command: str) -> set[str]:
    """The names that a command's words give a job: ``session-manager`` for ``/opt/scripts/session_manager.sh``."""
    return {canonical_job(re.sub(r"\.(sh|bash|py|rb|js|pl)$", "", name)) for name in _basenames(command)} - {""}


@dataclass(frozen=True)
class Contradiction:
    """A policy that does not fit the crontab."""

    policy: HeartbeatPolicy
    said: str
    remedy: str


def contradictions(jobs: Sequence[CronJob], zone: str, dialect: Dialect, now: datetime) -> list[Contradiction]:
    """Return the policies that contradict the crontab, in the order of its lines."""
    policies = {p.canonical: p for job in jobs for p in job.policies}
    found = []
    for name, policy in policies.items():
        lines = [j.line for j in jobs if any(p.canonical == name for p in j.policies)]
        timed = [line for line in lines if line.schedule != AT_START]
        if timed and (one := _contradiction(policy, timed, zone, dialect, now)) is not None:
            found.append(one)
    return found


def _contradiction(
    policy: HeartbeatPolicy, lines: Sequence[JobLine], zone: str, dialect: Dialect, now: datetime
) -> Contradiction | None:
    right = f'schedule: "{_one_line(lines[0].schedule)}"'
    remedy = f"Set {right}, timezone: {zone} instead."
    if policy.stale_after is not None:
        gap = longest_gap([line.schedule for line in lines], zone, dialect, now)
        if gap < policy.stale_after:
            return None
        between = f"up to {words.age(gap)} pass between its runs ({_numbers(lines)})"
        return Contradiction(
            policy, f"{policy.job} is stale after {words.age(policy.stale_after)}, but {between}", remedy
        )
    if not any(_same(policy, line, dialect) for line in lines):
        said = f"{_numbers(lines)} says {words.either([_one_line(line.schedule) for line in lines])}"
        return Contradiction(policy, f"{policy.job} is due by {policy.schedule}, but {said}", remedy)
    if _zone(policy.timezone) != _zone(zone):
        said = f"{policy.job} is due by the time of {policy.timezone}, but the crontab runs by that of {zone}"
        return Contradiction(policy, said, remedy)
    return None


def _numbers(lines: Sequence[JobLine]) -> str:
    return f"line{'s' if len(lines) > 1 else ''} {words.listed([str(line.number) for line in lines])}"


def _one_line(schedule: str) -> str:
    return " ".join(schedule.split())


def _zone(name: str) -> str:
    return (
        "UTC" if name in ("Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Universal", "GMT", "Etc/GMT") else name
    )


def _same(policy: HeartbeatPolicy, line: JobLine, dialect: Dialect) -> bool:
    """Whether both mean the same times, however they are written."""
    try:
        return reader_of(policy.cron)(policy.schedule or "") == reader_of(dialect)(line.schedule)
    except InvalidLine:
        return False


def longest_gap(schedules: Sequence[str], zone: str, dialect: Dialect, now: datetime) -> timedelta:
    """Return the longest time between two runs of a job that runs by all of these schedules."""
    start = int(now.timestamp())
    followed = [_followed(schedule, zone, dialect, start) for schedule in schedules]
    until = min(runs[-1] for runs in followed)
    runs = sorted({run for one in followed for run in one if run <= until})
    return timedelta(seconds=max((b - a for a, b in pairwise(runs)), default=0))


def _followed(schedule: str, zone: str, dialect: Dialect, start: int) -> list[int]:
    line, clock, runs, at = reader_of(dialect)(schedule), WallClock(zone), list[int](), start
    enough, far = start + ENOUGH.total_seconds(), start + FAR.total_seconds()
    while len(runs) < MOST and at < far and (at < enough or len(runs) < FEW):
        run = line.next_run(clock, at)
        if run is None:
            break
        at = run
        runs.append(run)
    return runs or [start]


def without_cron(
    crontab: Finding,
    count: int,
    dialect: Dialect,
    why: str,
    target: Target,
    gone: timedelta | None = None,
) -> Finding:
    """The finding where the cron does not run, or for the reason ``why`` it isn't known whether it does.

    ``count`` is the number of jobs, ``gone`` how long it has not run; None: not known.
    """
    name = name_of(dialect)
    also = () if crontab.verdict is Verdict.OK else (crontab.summary, *crontab.evidence)
    if why:
        if crontab.verdict is not Verdict.OK:
            return replace(crontab, evidence=(*crontab.evidence, f"whether {name} runs is not known: {why}"))
        return Finding(
            PROBE, TITLE, Verdict.UNKNOWN, f"whether {name} runs is not known: {why}", (crontab.summary,)
        )
    none = "its job does not run" if count == 1 else f"none of its {count:,} jobs runs"
    summary = f"{name} is not running, so {none}" if count else f"{name} is not running"
    return Finding(PROBE, TITLE, Verdict.FAIL, summary, also, target.remedies.process.after(gone))


def judge_crontab(crontab: Crontab, jobs: Sequence[CronJob], dialect: Dialect, now: datetime) -> Finding:
    """Judge the crontab: a refused line fails; a line that never runs is a warning.

    Settings that contradict it make nothing unwell: `cron` names them (`contradictions`).
    """
    said = [f"line {p.number}: {p.why}" for p in sorted(crontab.problems, key=lambda p: not p.fatal)]
    if crontab.left_out:
        said.append(f"{words.plural(crontab.left_out, 'line')} at the end were not read")
    if crontab.refused:
        remedy = f"Fix {_numbers_of(crontab)} of the crontab."
        lines = (consequence(dialect), *said[1:])
        return Finding(PROBE, TITLE, Verdict.FAIL, said[0], lines, remedy)
    if crontab.left_out:
        return Finding(PROBE, TITLE, Verdict.UNKNOWN, said[-1], tuple(said[:-1]))
    if said:
        remedy = f"Fix {_numbers_of(crontab)} of the crontab."
        return Finding(PROBE, TITLE, Verdict.WARN, said[0], tuple(said[1:]), remedy)
    if not jobs:
        remedy = "Check that it is the file that the cron reads."
        return Finding(PROBE, TITLE, Verdict.WARN, f"{name_of(dialect)} has no job", (), remedy)
    return Finding(PROBE, TITLE, Verdict.OK, f"{words.plural(len(jobs), 'job')}{_next(jobs, now)}")


def _numbers_of(crontab: Crontab) -> str:
    numbers = [str(p.number) for p in crontab.problems]
    return f"line{'s' if len(numbers) > 1 else ''} {words.listed(numbers)}"


def _next(jobs: Sequence[CronJob], now: datetime) -> str:
    first = min((j for j in jobs if j.next_run), key=lambda j: j.next_run or now, default=None)
    return f", the next one runs {_ahead(first.next_run, now)}" if first else ""


def _ahead(run: datetime | None, now: datetime) -> str:
    """``in 5 min``; ``now`` for a run that is due in this second, or was while the crontab was read."""
    return "now" if run is not None and run <= now + timedelta(seconds=1) else words.ago(run, now)


def ends_cron(crontab: Crontab, *, runs: bool) -> str:
    """What a start of supercronic comes to at a crontab that it refuses; ``runs``: it runs until then."""
    comes = "Will stop every cron job" if runs else "Won't start the cron jobs"
    wrong = next(p for p in crontab.problems if p.fatal)
    why = words.cut(wrong.why, _LONGEST_WHY)
    return f"{comes}: line {wrong.number} of the crontab is wrong ({why}). Fix it first"


def with_earlier_file(refused: Finding) -> Finding:
    """The finding of a crontab that a running supercronic would refuse: it read the file before it was changed."""
    summary = f"supercronic still runs with the earlier file, and would refuse this one: {refused.summary}"
    _, *others = refused.evidence
    lines = ("at its next start supercronic ends at it, and so runs no job", *others)
    return replace(refused, verdict=Verdict.WARN, summary=summary, evidence=lines)


def no_crontab(path: str, stderr: str, target: Target) -> Finding:
    """The finding where the crontab can't be read: a file that is absent fails, anything else is unknown."""
    said = words.cut(stderr, 200)
    if "no such file" in said.lower():
        summary = f"there is no crontab at {path}"
        return Finding(PROBE, TITLE, Verdict.FAIL, summary, (said,), target.remedies.crontab)
    return Finding(PROBE, TITLE, Verdict.UNKNOWN, f"{path} can't be read: {said or 'no output'}")


def unmatched(jobs: Sequence[CronJob], policies: Sequence[HeartbeatPolicy]) -> list[str]:
    """Return the heartbeat jobs of the pod that no line of the crontab pushes."""
    known = {p.canonical for job in jobs for p in job.policies}
    return [p.job for p in policies if p.inside and not p.paused and p.canonical not in known]


def shown_run(at: datetime, now: datetime) -> str:
    """``05:00 (in 8 h)``, with a time that is shown in the reader's zone."""
    return f"{words.moment(at)} ({_ahead(at, now)})"
