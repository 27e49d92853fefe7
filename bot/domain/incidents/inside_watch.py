"""What is wrong inside a pod that is ready, as incidents have it: a process that is gone, a full disk. Pure.

What could not be read is neither wrong nor well: its key is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import ExecResult
from bot.domain.health import judge_processes, judge_storage
from bot.domain.health.judge_processes import Looked, Match
from bot.domain.incidents.alerting import Kind, Problem


@dataclass(frozen=True)
class InsideFacts:
    """One look: what could be read, and what of it is wrong."""

    about: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    unread: tuple[str, ...] = ()
    """What could not be read, each with the reason."""


def process_key(target: str, container: str, process: str) -> str:
    """The key of the incident that an expected process does not run."""
    return f"process:{target}:{container}:{process}"


def disk_key(target: str) -> str:
    """The key of the incident that the home's disk fills up."""
    return f"storage:{target}"


def unread_key(target: str) -> str:
    """The key of the incident that nobody can look into the pod."""
    return f"inside:{target}"


def keys(target: Target) -> frozenset[str]:
    """All keys that are looked at."""
    expected = {process_key(target.name, c.name, p.name) for c in target.containers for p in c.processes}
    return frozenset(expected | {disk_key(target.name)})


def processes(target: Target, looked: Mapping[str, Looked], now: datetime) -> InsideFacts:
    """The expected processes, by the lists of the containers that gave one."""
    several = len(target.containers) > 1
    matches = [m for c in target.containers if c.name in looked for m in looked[c.name].matches]
    gone = [_gone(target, m, several, now) for m in matches if not m.found]
    unread = tuple(f"{name}: {one.unknown}" for name, one in looked.items() if one.unknown)
    return InsideFacts(tuple(process_key(target.name, m.container, m.name) for m in matches), tuple(gone), unread)


def unread(target: Target, reasons: Sequence[str], remedy: str, since: datetime) -> Problem:
    """That nobody can look into the pod: its processes and its disk are unknown."""
    facts = tuple(("Why", why) for why in reasons[:3])
    return Problem(
        key=unread_key(target.name),
        kind=Kind.BLIND,
        target=target.name,
        subject=f"the inside of {target.name}",
        summary="can't be read",
        severity="warning",
        since=since,
        facts=(*facts, *((("What to do", remedy),) if remedy else ())),
        advice="processes",
        issue=target.issue,
        meaning="Nothing is known of the processes and the disk named here: they are not called healthy.",
    )


def _gone(target: Target, match: Match, several: bool, now: datetime) -> Problem:
    finding = judge_processes.judge_processes([match])
    subject = f"{match.name} in {match.container}" if several else match.name
    key = process_key(target.name, match.container, match.name)
    gone = _problem(target, key, subject, "is not running", finding, "processes", now)
    return replace(gone, facts=_remedy(finding))


def disk(target: Target, result: ExecResult, now: datetime, counted: ExecResult | None = None) -> InsideFacts:
    """The home's file system; ``counted`` has its inodes: well is only what both say."""
    home = target.container().home
    finding = judge_storage.judge_disk(home, result, target.storage, counted)
    if finding.verdict is Verdict.UNKNOWN:
        return InsideFacts(unread=(f"the disk: {finding.summary}",))
    key = disk_key(target.name)
    if finding.verdict is Verdict.OK:
        return InsideFacts((key,) if counted is not None else ())
    found = judge_storage.parse_df(result.stdout, home)
    full = f"is {found.percent} % full" if found else finding.summary
    inodes = judge_storage.inodes_of(counted, found, home)
    if found and (short := judge_storage.short_of_inodes(found, inodes, target.storage)):
        full = judge_storage.inodes_said(short)
    filling = _problem(target, key, f"the disk of {home}", full, finding, "storage", now)
    return InsideFacts((key,), (replace(filling, restart=False),))


def _problem(
    target: Target, key: str, subject: str, summary: str, finding: Finding, advice: str, now: datetime
) -> Problem:
    evidence = tuple(("Evidence", seen) for seen in finding.evidence[:1])
    return Problem(
        key=key,
        kind=Kind.POD,
        target=target.name,
        subject=subject,
        summary=summary,
        severity="critical" if finding.verdict is Verdict.FAIL else "warning",
        since=now,
        facts=(*evidence, *_remedy(finding)),
        advice=advice,
        issue=target.issue,
    )


def _remedy(finding: Finding) -> tuple[tuple[str, str], ...]:
    return (("What to do", finding.remedy),) if finding.remedy else ()
