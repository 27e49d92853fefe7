"""The checks that are not ok at the time of a digest: what the ledger keeps of them, and which are news. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import msgspec

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.incidents import sources
from bot.domain.incidents.alerting import Incident

MOST_KEPT = 20
"""Most findings that are kept; of more, only their number."""
MOST_TITLE, MOST_SUMMARY = 80, 240
"""Characters of a finding that are kept."""
DAYS_KEPT = 2
"""Digests whose findings are kept: one that could not be posted yet, and the newest."""


class NotOk(msgspec.Struct, frozen=True):
    """A check that is not ok."""

    target: str
    check: str
    title: str
    verdict: Verdict
    summary: str


class ChecksRead(msgspec.Struct, frozen=True):
    """What the checks of all targets said at one time."""

    at: datetime
    not_ok: tuple[NotOk, ...] = ()
    """Worst first."""
    more: int = 0
    """Others that are not ok."""


def checks_read(at: datetime, found: Mapping[str, Sequence[Finding]]) -> ChecksRead:
    """The findings of each target that are not ok, bounded."""
    bad = [(target, f) for target, each in found.items() for f in each if f.verdict is not Verdict.OK]
    bad.sort(key=lambda one: -one[1].verdict.badness)
    kept = tuple(
        NotOk(t, f.probe, words.cut(f.title, MOST_TITLE), f.verdict, words.cut(f.summary, MOST_SUMMARY))
        for t, f in bad[:MOST_KEPT]
    )
    return ChecksRead(at, kept, len(bad) - len(kept))


def unsaid(read: ChecksRead, incidents: Sequence[Incident]) -> ChecksRead:
    """What no open incident says already."""
    problems = [incident.problem for incident in incidents if incident.open]
    of = [(sources.of(problem), problem) for problem in problems]

    def said(one: NotOk) -> bool:
        return any(
            one.check in source.says(problem) and (problem.target == one.target or not source.one_target)
            for source, problem in of
        )

    return ChecksRead(read.at, tuple(one for one in read.not_ok if not said(one)), read.more)


def with_day(text: str | None, day: date, read: ChecksRead) -> str:
    """The mark in the ledger with a day's findings added; those of the oldest days are left out."""
    known = {**_known(text), str(day): read}
    return msgspec.json.encode(dict(sorted(known.items())[-DAYS_KEPT:])).decode()


def of_day(text: str | None, day: date) -> ChecksRead | None:
    """A day's findings in the mark; None where it has none."""
    return _known(text).get(str(day))


def _known(text: str | None) -> dict[str, ChecksRead]:
    try:
        return msgspec.json.decode(text, type=dict[str, ChecksRead]) if text else {}
    except (msgspec.MsgspecError, RecursionError):
        return {}
