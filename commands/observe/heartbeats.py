"""``heartbeats``: each cron job's last success, when it is due and when stale, and the policy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.reply import Reply, Table
from bot.domain.heartbeats import judge_heartbeats
from bot.domain.heartbeats.heartbeat import Health, JobStatus
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import run_checks
from bot.services.health.checks.heartbeats import HeartbeatsCheck
from commands.shared import part_answer

MOST = 5
"""Maximum jobs without a policy that are named."""


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Judge all jobs; if the source can't be read, judge no job, and show what was last known of each."""
    began = ctx.clock.monotonic()
    check = HeartbeatsCheck()
    outcomes = await run_checks(ctx, [check])
    statuses = check.statuses
    if not check.groups and not any(s.last_success for s in statuses):
        statuses = ()  # an empty Pushgateway is no data: "never seen" everywhere would look like dead jobs
    known = sorted((s for s in statuses if s.policy), key=lambda s: -judge_heartbeats.verdict_of(s).badness)
    unknown = [s for s in statuses if s.policy is None]
    apart, note = judge_heartbeats.shared_note(known)
    now = ctx.clock.now()
    return part_answer.reply(
        ctx,
        outcomes,
        began,
        own="heartbeats",
        body=[f"Each job: {note}."] if note else [],
        tables=[_table(apart, now)],
        detailed=bool(known),
        notes=_not_judged(unknown, now),
        more=(("Processes", "processes"), ("Logs", "logs")),
        data={"jobs": [_data(s) for s in statuses]},
    )


def _not_judged(unknown: Sequence[JobStatus], now: datetime) -> list[str]:
    """Return the jobs without a rule as small print: they are not what anybody asked about."""
    if not unknown:
        return []
    names = [f"{_name(s)} ({words.ago(s.last_success, now)})" for s in unknown]
    more = [f"{len(names) - MOST:,} more"] if len(names) > MOST else []
    return [f"Not in the settings, so not judged: {words.listed([*names[:MOST], *more])}"]


def _table(statuses: Sequence[JobStatus], now: datetime) -> Table:
    rows = tuple(_row(s, now) for s in statuses)
    return Table(
        ("Job", "Last success", "State", "Rule"), rows, "", tuple(map(judge_heartbeats.sign_of, statuses))
    )


def _row(status: JobStatus, now: datetime) -> tuple[str, ...]:
    last = words.ago(status.last_success, now) if status.last_success else "never"
    return (_name(status), last, _state(status, now), judge_heartbeats.policy_in_words(status.policy))


def _name(status: JobStatus) -> str:
    return (words.cut(status.job, 60) or "(no name)") + (f" ({status.group})" if status.group else "")


def _state(status: JobStatus, now: datetime) -> str:
    """Return a job's state, what comes next, and its note."""
    when = _when(status, now)
    return f"{when}: {status.note}" if status.note else when


def _when(status: JobStatus, now: datetime) -> str:
    """Return a job's state and what comes next: when it is due or stale, or for how long it has been stale."""
    due, stale = status.due, status.stale_at
    if stale is None or status.health in (Health.FAILED, Health.NEVER_SEEN):
        return judge_heartbeats.health_of(status)
    if now >= stale:
        return f"stale for {words.age(now - stale)}"
    if due is not None and due != stale:
        when = f"due in {words.age(due - now)}" if now < due else f"due {words.ago(due, now)}"
        return f"{judge_heartbeats.health_of(status)}, {when}, stale in {words.age(stale - now)}"
    return f"{judge_heartbeats.health_of(status)}, stale in {words.age(stale - now)}"


def _data(status: JobStatus) -> dict[str, object]:
    return {
        "job": status.job,
        "group": status.group,
        "state": status.health.value,
        "verdict": judge_heartbeats.sign_of(status).value if status.policy else None,
        "last_success": words.iso(status.last_success),
        "due": words.iso(status.due),
        "stale_at": words.iso(status.stale_at),
        "policy": judge_heartbeats.policy_in_words(status.policy),
        "note": status.note,
    }


COMMAND = Command(
    name="heartbeats",
    threaded=True,
    summary="The cron jobs: last success, due, stale",
    needs=Capability.VIEW,
    run=run,
    examples=("heartbeats",),
    details=(
        "Reads the Pushgateway. When it can't be read or is empty, every job is unknown, and none counts as "
        "stale; its last known success is shown. Jobs that no policy names are listed, and not judged."
    ),
)
