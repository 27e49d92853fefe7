"""``cron run``: requests that one of the cron's scripts is run now."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals.actions.cron_run import CRON_RUN
from bot.domain.approvals.actions.steps_action import snapshot
from bot.domain.approvals.repair import Proposal
from bot.domain.approvals.steps import PLAN, dump_plan
from bot.domain.core import labels, words
from bot.domain.core.cron.crontab import read_crontab
from bot.domain.core.planned import THEN
from bot.domain.core.reply import Form, FormField, Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod, Right
from bot.domain.health import judge_pod
from bot.domain.heartbeats import judge_crontab
from bot.domain.rbac.exec_forms import ExecForm
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, Refused, UsageError
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services import container_exec
from bot.services.approvals.actions.cron_run import NAME, plan_for, runnable
from commands.repair import crontab
from commands.shared import requests

SOON = timedelta(minutes=15)
"""How near a run by the schedule is said on the card."""
NEXT = "Next run when asked"
"""The card stays, and time goes on."""
MOST_NAMES = 20


class RunParams(Params):
    """Which script, and why."""

    script: str = Param(
        json_schema_extra={"positional": True, "listed": "cron scripts"},
        description="the script's name, as cron scripts lists it",
        max_length=100,
    )
    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")

    @field_validator("script")
    @classmethod
    def _name(cls, value: str) -> str:
        if re.fullmatch(NAME, value) is None:
            raise ValueError("takes a name that cron scripts lists: no folder, and no dash or dot in front")
        return value

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


async def run(ctx: Context, params: RunParams) -> Reply:
    """Request a run; without a reason, open a form that asks for it."""
    crontab.spec_of(ctx)
    requests.ledger(ctx)
    if params.reason is None and ctx.caller.is_terminal:
        return _form(ctx, params.script)
    pod = crontab.running(ctx, judge_pod.current(await ctx.cluster.pods(ctx.target.selector)))
    plan = plan_for(ctx.target, params.script)
    if plan is None:
        raise AssertionError("a target with a crontab has no plan")
    step = plan.steps[0]
    _, found, soon = await asyncio.gather(
        _require_listed(ctx, pod, params.script),
        runnable(ctx.cluster, pod.name, step.container, step.argv[0]),
        _soon(ctx, pod, params.script),
    )
    if not found.holds and not ctx.dry_run:
        raise Refused(f"cron run is refused: {found.why}.", remedy=f"{ctx.prefix} cron scripts lists them.")
    if params.reason is None:
        return _form(ctx, params.script)
    details = {PLAN: dump_plan(plan)}
    within = words.age(timedelta(seconds=step.seconds))
    facts = [("Runs", str(step)), ("Watched for", f"{within}; it is not stopped then"), *soon]
    proposal = Proposal(
        CRON_RUN,
        snapshot(plan, pod),
        params.reason,
        "It is run once, now, besides its schedule, without the variables that the crontab sets.",
        tuple(facts),
        plan.line,
        details,
    )
    return await requests.ask(ctx, proposal)


def _form(ctx: Context, script: str) -> Reply:
    hint = "Approvers and the audit trail see it"
    why = FormField("reason", "Why?", hint=hint, max_length=requests.MAX_REASON, multiline=True)
    note = f"{script} is run once, now, on {ctx.target.name}: an approver decides."
    return requests.form(ctx, Form(labels.of("cron run"), f"cron run {script}", (why,), submit="Ask", note=note))


async def _require_listed(ctx: Context, pod: Pod, script: str) -> None:
    """Raise `UsageError` unless the scripts' folder has it."""
    spec = ctx.target.container()
    folder = crontab.spec_of(ctx).folder(spec.home)
    result = await ctx.cluster.exec(pod.name, spec.name, ("ls", "-1", folder))
    if ctx.dry_run:
        return
    if result.exit_code != 0:
        said = words.cut(result.stderr, 200) or "ls printed nothing"
        raise Refused(f"{folder} can't be listed: {said.rstrip('.')}.", remedy="Check crontab.scripts.")
    names = [name for name in result.stdout.split("\n") if re.fullmatch(NAME, name)]
    if script not in names:
        known = words.listed(names[:MOST_NAMES]) or "none"
        raise UsageError(
            f"There is no such script in {folder}. There are: {known}.", remedy=f"{ctx.prefix} cron scripts"
        )


async def _soon(ctx: Context, pod: Pod, script: str) -> list[tuple[str, str]]:
    """Whether the schedule runs it within the next minutes; it only warns, and so never raises."""
    spec, place = ctx.target.container(), crontab.spec_of(ctx)
    try:
        read = await container_exec.text_file(ctx.cluster, pod.name, spec.name, place.path(spec.home))
    except AgentpodError as error:
        return [(NEXT, f"not known: {words.lower_first(words.cut(error.message, 160))}")]
    if ctx.dry_run:
        return [(NEXT, THEN)]
    found = read_crontab(read.stdout, ctx.target.cron)
    if read.exit_code != 0 or found.refused:
        return []
    now, zone, folder = ctx.clock.now(), found.zone or place.timezone, place.folder(spec.home)
    jobs = judge_crontab.jobs_of(found, ctx.target.heartbeats, folder, zone, ctx.target.cron, now)
    runs = [job.next_run for job in jobs if job.script == script and job.next_run is not None]
    if not runs:
        return []
    at = judge_crontab.shown_run(min(runs), now)
    near = min(runs) - now <= SOON
    return [("Warning", f"its schedule, too, runs it soon, when asked: {at}")] if near else [(NEXT, at)]


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare how the scripts and the crontab are read."""
    if target.crontab is None:
        return []
    spec, place = target.container(), target.crontab
    read = (("ls", "-1", place.folder(spec.home)), ("cat", place.path(spec.home)))
    return [ExecForm(spec.name, argv) for argv in read]


def rights(target: Target) -> Sequence[Right]:
    """The action's."""
    return CRON_RUN.rights(target) if target.crontab else []


COMMAND = Command(
    "cron run",
    "Run a cron script now; an approver decides",
    Capability.REQUEST,
    run,
    RunParams,
    group="Repair",
    audited=True,
    sensitive_args=True,
    examples=('cron run audit-digest.sh --reason "yesterday\'s is missing"',),
    details="Takes a name that cron scripts lists, and no arguments. The card shows its exit code and the end of "
    "its output, redacted. It is watched for crontab.run_within and never stopped or repeated.",
    off=crontab.off,
    rights=rights,
)
