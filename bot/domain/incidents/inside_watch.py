"""Derive problems inside a ready pod for incidents: missing processes, a full disk. Pure.

What could not be read is neither a problem nor a recovery: its key is left out of ``about``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import ExecResult
from bot.domain.health import judge_processes, judge_storage
from bot.domain.health.judge_processes import Match, ProcessMatches
from bot.domain.incidents.problem import Problem
from bot.domain.incidents.sources.disk import DISK
from bot.domain.incidents.sources.process import PROCESS
from bot.domain.incidents.sources.source import ProblemSource


@dataclass(frozen=True)
class InsideFacts:
    """The result of one poll: the keys that could be checked (``about``), and their problems."""

    about: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    unread: tuple[str, ...] = ()
    """What could not be read, with the reason."""


def keys(target: Target) -> frozenset[str]:
    """All keys that are checked."""
    return PROCESS.keys(target) | {DISK.key(target.name)}


def processes(
    target: Target,
    looked: Mapping[str, ProcessMatches],
    now: datetime,
    since: Mapping[str, datetime] = MappingProxyType({}),
) -> InsideFacts:
    """Check the expected processes in the containers whose process lists are in ``looked``.

    ``since`` is when those that were gone already went, by their keys.
    """
    several = len(target.containers) > 1
    matches = [m for c in target.containers if c.name in looked for m in looked[c.name].matches]
    gone = [_gone(target, m, several, now, since) for m in matches if not m.found]
    unread = tuple(f"{name}: {one.unknown}" for name, one in looked.items() if one.unknown)
    return InsideFacts(tuple(PROCESS.key(target.name, m.container, m.name) for m in matches), tuple(gone), unread)


def _gone(target: Target, match: Match, several: bool, now: datetime, since: Mapping[str, datetime]) -> Problem:
    key = PROCESS.key(target.name, match.container, match.name)
    gone = now - since[key] if key in since else None
    finding = judge_processes.judge_processes([replace(match, gone=gone)], target)
    subject = f"{match.name} in {match.container}" if several else match.name
    problem = _problem(target, PROCESS, key, subject, "is not running", finding, now)
    return replace(problem, facts=_remedy(finding))


def disk(target: Target, result: ExecResult, now: datetime, counted: ExecResult | None = None) -> InsideFacts:
    """Check the home's file system. It has recovered only if its inodes, in ``counted``, could be read as well."""
    home = target.container().home
    finding = judge_storage.judge_disk(home, result, target.storage, counted)
    if finding.verdict is Verdict.UNKNOWN:
        return InsideFacts(unread=(f"the disk: {finding.summary}",))
    key = DISK.key(target.name)
    if finding.verdict is Verdict.OK:
        return InsideFacts((key,) if counted is not None else ())
    found = judge_storage.parse_df(result.stdout, home)
    full = f"is {found.percent} % full" if found else finding.summary
    inodes = judge_storage.inodes_of(counted, found, home)
    if found and (short := judge_storage.short_of_inodes(found, inodes, target.storage)):
        full = judge_storage.inodes_said(short)
    return InsideFacts((key,), (_problem(target, DISK, key, f"the disk of {home}", full, finding, now),))


def _problem(
    target: Target, source: ProblemSource, key: str, subject: str, summary: str, finding: Finding, now: datetime
) -> Problem:
    evidence = tuple(("Evidence", seen) for seen in finding.evidence[:1])
    return Problem(
        key=key,
        kind=source.stored,
        target=target.name,
        subject=subject,
        summary=summary,
        severity="critical" if finding.verdict is Verdict.FAIL else "warning",
        since=now,
        facts=(*evidence, *_remedy(finding)),
        advice=source.diagnosis,
        issue=target.issue,
        restart=source.restart,
    )


def _remedy(finding: Finding) -> tuple[tuple[str, str], ...]:
    return (("What to do", finding.remedy),) if finding.remedy else ()
