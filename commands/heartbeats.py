"""``heartbeats``: each cron job's last success, when it is due and stale, and by which rule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain import judge_heartbeats, words
from bot.domain.access import Role
from bot.domain.heartbeat import PUSHED, Health, JobStatus
from bot.domain.reply import Reply, Table
from bot.runbook import Command, Context, NoParams
from commands import _answer
from commands._checks import Checks
from commands._probes import run_probes
from commands._reads import Reads

MOST = 30
"""Jobs without a policy that are shown."""


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Judge all jobs; a source that can't be read is said once, and nothing is said of any job."""
    began = ctx.clock.monotonic()
    async with Reads(ctx) as reads:
        checks = Checks(ctx, reads)
        outcomes = await run_probes([checks.heartbeats()], ctx.probe_timeout)
    # An empty Pushgateway is blindness too: rows of "never seen" would read like dead jobs.
    statuses = (checks.seen.statuses or ()) if checks.seen.groups else ()
    known = sorted((s for s in statuses if s.policy), key=lambda s: -judge_heartbeats.verdict_of(s).badness)
    unknown = [s for s in statuses if s.policy is None]
    now = ctx.clock.now()
    return _answer.reply(
        ctx,
        outcomes,
        began,
        own="heartbeats",
        body=_body(known, unknown),
        tables=[_table(known, now, "Expected"), _table(unknown[:MOST], now, "Without a policy")],
        more=(("Processes", "processes"), ("Logs", "logs")),
        data={"jobs": [_data(s) for s in statuses]},
    )


def _body(known: Sequence[JobStatus], unknown: Sequence[JobStatus]) -> list[str]:
    body = []
    never = [s.job for s in known if s.health is Health.NEVER_SEEN]
    if never:
        body.append(f"Never seen: {words.listed(never)}.")
    if unknown:
        names = [words.cut(s.job, 60) or "(no name)" for s in unknown]
        shown = words.listed(names) if len(names) <= 5 else f"{', '.join(names[:5])} and {len(names) - 5:,} more"
        body.append(f"Not in the settings: {shown}.")
    return body


def _table(statuses: Sequence[JobStatus], now: datetime, title: str) -> Table:
    rows = tuple(_row(s, now) for s in statuses)
    verdicts = tuple(judge_heartbeats.verdict_of(s) if s.policy else None for s in statuses)
    return Table(("Job", "State", "Last success", "Next", "Policy", "Source"), rows, title, verdicts)


def _row(status: JobStatus, now: datetime) -> tuple[str, ...]:
    state = status.health.value + (f" ({status.note})" if status.note else "")
    last = words.ago(status.last_success, now) if status.last_success else "never"
    policy = judge_heartbeats.policy_in_words(status.policy)
    return (words.cut(status.job, 60) or "(no name)", state, last, _next(status, now), policy, _source(status))


def _next(status: JobStatus, now: datetime) -> str:
    """What comes next: due, stale, or since when it is."""
    due, stale = status.due, status.stale_at
    if stale is None:
        return "-"
    if now >= stale:
        return f"stale since {words.age(now - stale)}"
    if due is not None and due != stale:
        when = f"due in {words.age(due - now)}" if now < due else f"due {words.ago(due, now)}"
        return f"{when}, stale in {words.age(stale - now)}"
    return f"stale in {words.age(stale - now)}"


def _source(status: JobStatus) -> str:
    metric = status.policy.metric if status.policy else PUSHED
    return metric + (f" ({status.group})" if status.group else "")


def _data(status: JobStatus) -> dict[str, object]:
    return {
        "job": status.job,
        "group": status.group,
        "state": status.health.value,
        "verdict": judge_heartbeats.verdict_of(status).value if status.policy else None,
        "last_success": _iso(status.last_success),
        "due": _iso(status.due),
        "stale_at": _iso(status.stale_at),
        "policy": judge_heartbeats.policy_in_words(status.policy),
        "note": status.note,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


COMMAND = Command(
    name="heartbeats",
    summary="The cron jobs: last success, due, stale",
    role=Role.VIEWER,
    run=run,
    examples=("heartbeats",),
    details=(
        "Reads the Pushgateway. When it can't be read or is empty, that is said once: blind is not dead. "
        "Jobs that no policy names are listed, and not judged."
    ),
)
