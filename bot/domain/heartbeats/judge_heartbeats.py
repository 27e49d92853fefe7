"""Combine the jobs' states into one finding, and describe jobs and policies."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.cron import Dialect, name_of
from bot.domain.core.probes import Finding, Verdict, worst
from bot.domain.core.target import HeartbeatPolicy
from bot.domain.heartbeats.heartbeat import Health, JobStatus

PROBE, TITLE = "heartbeats", "Heartbeats"
SEE = "See whether the Pushgateway runs."
"""What to do where it does not answer, and no more is known."""
EMPTIED = (
    "Check that the Pushgateway keeps its data over a restart (--persistence.file). The jobs may be fine: "
    "they are judged again once one of them pushes."
)
"""What to do where the Pushgateway has lost all that it held."""


NOT_SECONDS = (
    "Correct the value that the job's script pushes: it takes the seconds since 1970, as `date +%s` prints them."
)
"""What to do where a job pushes a value that is no time."""


def policy_in_words(policy: HeartbeatPolicy | None) -> str:
    """``stale after 3 h, critical``; ``due daily at 21:00 (UTC), stale 10 min later, warning``."""
    return "no policy" if policy is None else f"{policy.rule}, {policy.severity}"


def verdict_of(status: JobStatus) -> Verdict:
    """One job's verdict: stale by its policy's severity; never seen is unknown; paused or no policy is ok."""
    policy = status.policy
    if policy is None or status.health in (Health.UP, Health.PAUSED):
        return Verdict.OK
    if status.health is Health.UNKNOWN:
        return Verdict.UNKNOWN
    if status.health is Health.LATE:
        return Verdict.WARN
    if status.health is Health.NEVER_SEEN:
        return Verdict.UNKNOWN if policy.required else Verdict.OK
    return Verdict.FAIL if policy.severity == "critical" else Verdict.WARN


def sign_of(status: JobStatus) -> Verdict:
    """The verdict to show: what is only remembered of a job is not known to be ok now."""
    verdict = verdict_of(status)
    return Verdict.UNKNOWN if status.remembered and verdict is Verdict.OK else verdict


def health_of(status: JobStatus) -> str:
    """The health in words: that of a job of which it is only remembered is past."""
    return f"was {status.health.value}" if sign_of(status) is not verdict_of(status) else status.health.value


def describe(status: JobStatus, now: datetime) -> str:
    """One line: ``session-manager: stale, last success 14 min ago (stale after 10 min, critical)``."""
    name = status.job + (f" ({status.group})" if status.group else "")
    last = (
        "no success yet" if status.last_success is None else f"last success {words.ago(status.last_success, now)}"
    )
    note = f"; {status.note}" if status.note else ""
    return f"{name}: {health_of(status)}, {last} ({policy_in_words(status.policy)}){note}"


def judge_heartbeats(statuses: Sequence[JobStatus], groups: int, now: datetime) -> Finding:
    """One finding for all jobs. A Pushgateway without any group is unknown, not a list of stale jobs.

    Where it never held any, a job whose first deadline has passed still counts as stale.
    """
    known = [s for s in statuses if s.policy is not None]
    if not known:
        return Finding(PROBE, TITLE, Verdict.OK, "no heartbeats are expected by the settings")
    ordered = sorted(known, key=lambda s: -verdict_of(s).badness)
    verdict = worst(verdict_of(s) for s in known)
    if groups == 0 and verdict not in (Verdict.WARN, Verdict.FAIL):
        return _empty(_described([s for s in ordered if s.last_success], now))
    if verdict is Verdict.OK:
        return Finding(PROBE, TITLE, verdict, _all_fresh(known), _described(ordered, now))
    bad = [s for s in ordered if verdict_of(s) is not Verdict.OK]
    return Finding(PROBE, TITLE, verdict, _summary(bad), _described(bad, now), *_remedy(bad))


def _remedy(bad: Sequence[JobStatus]) -> tuple[str, str]:
    """Remedy and command line: for the worst job that runs in the pod, else for those elsewhere."""
    if all(_no_time(s) for s in bad):
        return NOT_SECONDS, "/agentpod heartbeats"
    bad = [s for s in bad if not _no_time(s)]
    inside = [s for s in bad if s.policy is not None and s.policy.inside]
    if not inside:
        where = "it runs" if len({s.job for s in bad}) == 1 else "they run"
        look = f"Look where {where}: not in this pod, so that neither its log nor a restart helps."
        return f"{look} {lost_push(bad[0].job)}", "/agentpod heartbeats"
    cron = name_of(inside[0].policy.cron) if inside[0].policy is not None else ""
    look = f"{_CHECK_CRON.format(cron)} {_READ_LOG} {lost_push(inside[0].job)}"
    return look, f"/agentpod logs --grep {inside[0].job}"


_CHECK_CRON = "Check that {} runs."
_READ_LOG = "See what the job's script says in the log."


def with_cron_running(finding: Finding, dialects: Collection[Dialect]) -> Finding:
    """The finding without the advice to check that the cron runs, where the same answer shows that it does."""
    remedy = finding.remedy or ""
    for dialect in dialects:
        remedy = remedy.replace(f"{_CHECK_CRON.format(name_of(dialect))} ", "")
    return replace(finding, remedy=remedy) if finding.remedy else finding


def lost_push(job: str) -> str:
    """What to do where the job ran, and no heartbeat arrived."""
    return (
        "If it ran, its push was lost: check the push line of its script, and the Pushgateway's log. "
        f"`/agentpod heartbeats push {job}` records the run until that is fixed."
    )


def _described(statuses: Sequence[JobStatus], now: datetime) -> tuple[str, ...]:
    """A line for each job; a note that all of them share comes once, in a line below."""
    apart, note = shared_note(statuses)
    return (*(describe(s, now) for s in apart), *([f"each job: {note}"] if note else []))


def shared_note(statuses: Sequence[JobStatus]) -> tuple[Sequence[JobStatus], str]:
    """Extract a note that all of several jobs share: the statuses without it, and the note (may be empty)."""
    notes = {s.note or "" for s in statuses}
    if len(statuses) < 2 or len(notes) > 1 or not (note := notes.pop()):
        return statuses, ""
    return [s._replace(note=None) for s in statuses], note


def _empty(remembered: Sequence[str]) -> Finding:
    summary = "the Pushgateway holds no heartbeats at all"
    if not remembered:
        return no_data(summary, "it may have restarted without its data")
    return replace(no_data(summary), evidence=tuple(remembered), remedy=EMPTIED)


def _all_fresh(known: Sequence[JobStatus]) -> str:
    paused = {s.job for s in known if s.health is Health.PAUSED}
    never = sorted({s.job for s in known if s.health is Health.NEVER_SEEN})
    on_time = len({s.job for s in known} - paused - set(never))
    parts = [words.plural(on_time, "job") + " on time"] if on_time or not (paused or never) else []
    parts += [f"{len(paused)} paused"] if paused else []
    return ", ".join([*parts, _clause(never, Health.NEVER_SEEN)] if never else parts)


def _no_time(status: JobStatus) -> bool:
    """Whether the value that it pushes is what is wrong: a push that was refused comes first, as in the alert."""
    return status.pushes_no_time and status.health is not Health.FAILED


def _summary(bad: Sequence[JobStatus]) -> str:
    """``exercise-reminder is stale``, ``3 jobs: a and b are stale, c is late``."""
    by_health: dict[Health | None, list[str]] = {}
    for status in bad:
        odd = _no_time(status) and status.last_success is None
        names = by_health.setdefault(None if odd else status.health, [])
        if status.job not in names:
            names.append(status.job)
    return ", ".join(_clause(names, health) for health, names in by_health.items())


def _clause(names: Sequence[str], health: Health | None) -> str:
    """``health`` is None for jobs of which only a value that is no time has come."""
    shown = words.listed(names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"])
    if health is None:
        return f"{shown} {'pushes' if len(names) == 1 else 'push'} a value that is no time"
    verb = {Health.NEVER_SEEN: ("was", "were"), Health.FAILED: ("has", "have")}.get(health, ("is", "are"))
    return f"{shown} {verb[0] if len(names) == 1 else verb[1]} {health.value}"


def unread(summary: str, remedy: str, known: Sequence[JobStatus], now: datetime) -> Finding:
    """The finding where the Pushgateway can't be read: the jobs as they are ``known``, and no conclusion."""
    found = replace(no_data(summary), remedy=remedy)
    return replace(found, evidence=_described(known, now)) if known else found


def no_data(summary: str, *evidence: str) -> Finding:
    """The finding where there is no data: unknown, with no conclusion about any job."""
    return Finding(
        PROBE,
        TITLE,
        Verdict.UNKNOWN,
        summary,
        (*evidence, "the state of every job is unknown"),
        SEE,
        "/agentpod heartbeats",
    )
