"""``cron``: each job of the pod's crontab: schedule in words, last success, next run; errors by line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.cron.brief import brief, has_steps
from bot.domain.core.cron.in_words import in_words
from bot.domain.core.probes import Verdict, worst
from bot.domain.core.reply import Excerpt, Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.heartbeats import judge_crontab, judge_heartbeats
from bot.domain.heartbeats.heartbeat import JobStatus
from bot.domain.heartbeats.judge_crontab import CronJob
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import run_checks
from bot.services.health.checks.crontab import CrontabCheck
from bot.services.health.checks.heartbeats import HeartbeatsCheck
from commands.shared import part_answer, shape
from commands.shared.secret_values import SecretValues, redacted

MOST = 60
"""Maximum jobs that are shown."""


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Read the crontab and the heartbeats, and show both beside each other."""
    began = ctx.clock.monotonic()
    if ctx.target.crontab is None:
        return none_in_the_settings(ctx, began)
    check, secrets = CrontabCheck(ctx.target.crontab, with_heartbeats=True), SecretValues()
    beats = [c for c in HeartbeatsCheck.of(ctx) if isinstance(c, HeartbeatsCheck)]
    outcomes = await run_checks(ctx, [check, *beats, secrets])
    statuses = [status for one in beats for status in one.statuses]
    shown, now = check.jobs[:MOST], ctx.clock.now()
    commands = redacted([j.line.command for j in shown], secrets.values, 1_000)
    names = [_name(job, command) for job, command in zip(shown, commands, strict=True)]
    return part_answer.reply(
        ctx,
        [outcomes[0], *_not_ok(outcomes[1:-1], shown=bool(shown))],
        began,
        own="cron",
        body=_body(ctx, check, bool(statuses)),
        tables=[_table(ctx, check, names, statuses, now)],
        excerpts=[*_errors(check, secrets.values), *_whole(shown, names, commands)],
        more=(("Heartbeats", "heartbeats"), ("Cron scripts", "cron scripts")),
        data={
            "zone": check.zone,
            "jobs": [_data(j, n, check.idle or check.earlier) for j, n in zip(shown, names, strict=True)],
        },
    )


def _not_ok(beats: Sequence[ProbeResult], *, shown: bool) -> list[ProbeResult]:
    """Return the heartbeats' finding where it is not ok, without the jobs, which the table shows."""
    bad = [o for o in beats if o.finding.verdict is not Verdict.OK]
    return [part_answer.bare(o) if shown and not o.cause else o for o in bad]


def none_in_the_settings(ctx: Context, began: float) -> Reply:
    """Return the reply for a target without a crontab."""
    said = "Where the pod has one, name it in targets[].crontab, or in the section pod of its runbook."
    headline = "Neither the settings nor the runbook name a crontab"
    return Reply(headline, body=(said,), notes=shape.notes(ctx, began))


def _body(ctx: Context, check: CrontabCheck, beats: bool) -> list[str]:
    if check.crontab is None:
        return []
    body = [f"In the settings {one.said}. {one.remedy}" for one in check.against]
    if len(check.jobs) > MOST:
        body.append(f"The first {MOST} of {len(check.jobs):,} jobs are shown.")
    whole = not (check.idle or check.crontab.problems)  # else its wrong line, or its daemon, is what to look at
    if beats and whole and (missing := judge_crontab.unmatched(check.jobs, ctx.target.heartbeats)):
        body.append(
            f"The crontab doesn't name {words.either(missing)}. If one of its scripts pushes the heartbeat, "
            "name that script in `heartbeats[].script` of the settings."
        )
    return body


def _name(job: CronJob, command: str) -> str:
    """Return the script's name where the job runs nothing else; else its command in brief."""
    return brief(command, 60) if job.script is None or has_steps(command) else job.script


def _whole(jobs: Sequence[CronJob], names: Sequence[str], commands: Sequence[str]) -> list[Excerpt]:
    """Return the lines whose commands the table shortens, whole."""
    shortened = [
        f"line {job.line.number}: {command}"
        for job, name, command in zip(jobs, names, commands, strict=True)
        if "…" in name
    ]
    return [Excerpt("\n".join(shortened), "Whole commands", "crontab-commands.txt")] if shortened else []


def _table(
    ctx: Context, check: CrontabCheck, names: Sequence[str], statuses: Sequence[JobStatus], now: datetime
) -> Table:
    rows, verdicts = [], []
    for job, name in zip(check.jobs, names, strict=False):  # the first ones, which are shown
        mine = [s for s in statuses if s.policy in job.policies or (s.policy is None and job.pushes(s.job))]
        runs = "at its start" if job.next_run is None else judge_crontab.shown_run(job.next_run, now)
        runs = "does not run" if check.idle else "not known" if check.earlier else runs
        rows.append((name, _schedule(ctx, job, check.zone), _beats(job, mine, now), runs))
        judged = [s for s in mine if s.policy is not None]
        verdicts.append(worst(map(judge_heartbeats.sign_of, judged)) if judged else None)
    columns = ("Job", "Schedule", "Last success", "Next run")
    return Table(columns, tuple(rows), "", tuple(verdicts))


def _schedule(ctx: Context, job: CronJob, zone: str) -> str:
    """Return the schedule in words; with the zone of its times, since the runs beside it are in the reader's."""
    schedule = job.line.schedule
    said = in_words(schedule, ctx.target.cron)
    return f"{said} ({zone})" if ":" in said or said == schedule else said


def _beats(job: CronJob, statuses: Sequence[JobStatus], now: datetime) -> str:
    """Return the last success; ``-`` for a job that pushes no heartbeat."""
    if not statuses:
        return "unknown" if job.policies else "-"
    newest = max((s.last_success for s in statuses if s.last_success), default=None)
    return words.ago(newest, now) if newest else "never"


def _errors(check: CrontabCheck, secrets: frozenset[str] | None) -> list[Excerpt]:
    """Return the wrong lines with a mark at the wrong part."""
    problems = check.crontab.problems[:MOST] if check.crontab else ()
    if not problems:
        return []
    if secrets is None:
        text = "\n".join(f"line {p.number}: {p.why}" for p in problems)
    else:
        text = "\n".join(line for p in problems for line in p.lines)
    return [Excerpt(text, "Errors", "crontab-errors.txt")]


def _data(job: CronJob, name: str, no_run: bool) -> dict[str, object]:
    return {
        "line": job.line.number,
        "job": name,
        "schedule": job.line.schedule,
        "next_run": None if no_run else words.iso(job.next_run),
        "heartbeats": [p.job for p in job.policies],
    }


def rights(target: Target) -> Sequence[Right]:
    """Return the rights of the check, and to read each Secret whose values are redacted."""
    return [*CrontabCheck.rights(target), *SecretValues.rights(target)] if target.crontab else []


COMMAND = Command(
    name="cron",
    audited=True,
    sensitive_args=True,
    summary="The pod's crontab: schedules, heartbeats, next runs",
    needs=Capability.VIEW,
    anew=True,
    run=run,
    examples=("cron",),
    details="Lines are read by the rules of the pod's cron (supercronic or Debian's). Wrong lines are shown with "
    "what is wrong, and heartbeat settings that contradict the crontab are named.",
    rights=rights,
)
