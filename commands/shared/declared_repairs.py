"""The repairs that the targets' runbooks declare, as commands that ask for approval like `restart`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from pydantic import Field, ValidationInfo, field_validator

from bot.domain.approvals.actions.declared_repair import DECLARED_REPAIR
from bot.domain.approvals.actions.steps_action import snapshot
from bot.domain.approvals.repair import Proposal
from bot.domain.approvals.steps import PLAN, Plan, dump_plan
from bot.domain.core import words
from bot.domain.core.reply import Form, FormField, Reply
from bot.domain.core.workload import Pod
from bot.domain.health import judge_pod
from bot.domain.rbac.roles import Capability
from bot.errors import Refused, Unfit, UsageError
from bot.runbook.command import Command, Concerns, Declared, Params
from bot.runbook.context import Context
from bot.runbook.file.compiled import CompiledRepair, CompiledRunbook
from bot.runbook.file.declared_repairs import command_line
from bot.runbook.file.judge_repair import Condition
from bot.services.runbook import declared_repair
from commands.shared import forecasts, requests, shape
from commands.shared.declared import params_of

NEEDS = {"request": Capability.REQUEST, "decide": Capability.DECIDE}
"""Capability in the file → the bot's."""


_KEPT = "What a repair runs is shown on its card and kept."


class RepairParams(Params):
    """Why; the repair's own parameters come besides."""

    reason: str | None = Field(default=None, description="why, for whoever decides and for the audit trail")

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


def commands(books: Mapping[str, CompiledRunbook]) -> list[Command]:
    """Return the repairs that the runbooks declare, each once; ``books`` are by target."""
    owners: dict[str, list[str]] = {}
    for target, book in books.items():
        for name in book.repairs:
            owners.setdefault(name, []).append(target)
    return [
        _command({target: books[target].repairs[name] for target in targets}) for name, targets in owners.items()
    ]


def _command(repairs: Mapping[str, CompiledRepair]) -> Command:
    targets, repair = tuple(repairs), next(iter(repairs.values()))
    entry, name = repair.entry, repair.name
    runs = words.listed([step.exec.describe() for step in entry.steps])
    return Command(
        name=name,
        summary=f"{entry.summary.removesuffix('.')}; an approver decides",
        needs=NEEDS[entry.capability],
        run=partial(run, name, targets),
        params=params_of(name, entry.params, RepairParams),
        group="Repair",
        concerns=Concerns.SEEN,
        approvals=entry.approval.needed,
        declared={target: Declared(one.entry.approval.needed) for target, one in repairs.items()},
        details=f"Declared in the runbook. Posts a card; once approved it runs {runs}, each at most once, and "
        f"then {entry.verify.check} must be all right within {words.age(entry.verify.within)}. The approval is "
        "void when the pod was replaced, its container restarted or the entry changed.",
        offered=lambda ctx: any(name in _repairs(one) for one in (ctx, *ctx.others)),
        unoffered="is not in this target's runbook",
        runbook_rights=partial(declared_repair.rights, name),
    )


def _repairs(ctx: Context) -> Mapping[str, CompiledRepair]:
    return ctx.book.repairs if ctx.book is not None else {}


async def run(name: str, targets: Sequence[str], ctx: Context, params: RepairParams) -> Reply:
    """Request a declared repair; without a reason, open a form that asks for it."""
    ctx = _chosen(name, targets, ctx)
    book = ctx.book
    if book is None:
        raise AssertionError("a declared repair without a runbook")
    repair = book.repairs[name]
    shape.require(ctx, NEEDS[repair.entry.capability])
    values = {one: str(getattr(params, one.replace("-", "_"))) for one in repair.entry.params}
    _require_no_secret(ctx, values)
    if params.reason is None:
        return _form(ctx, repair, values)
    requests.approval_service(ctx)
    await declared_repair.require_values(ctx, repair, values, dry_run=ctx.dry_run)
    async with forecasts.costs(ctx, DECLARED_REPAIR, repair.entry.impact) as costs:
        pods, condition = await asyncio.gather(
            ctx.cluster.pods(ctx.target.selector), declared_repair.condition(ctx, name, values)
        )
        plan = declared_repair.plan(book, name, values, ctx.target)
        pod = _running(ctx, judge_pod.current(pods), plan)  # first: without it, the condition is not known either
        if not ctx.dry_run:
            _require(name, condition)
        details = {PLAN: dump_plan(plan)}
        if ctx.outside.of(details) != details:
            raise Refused(f"{name} is refused: its command has something in it that looks like a secret. {_KEPT}")
        proposal = Proposal(
            DECLARED_REPAIR,
            snapshot(plan, pod),
            params.reason,
            f"{repair.entry.summary.removesuffix('.')}.",
            tuple(_facts(plan)),
            plan.line,
            details,
            needed=repair.entry.approval.needed,
        )
        return await requests.ask(ctx, proposal, costs=costs)


def _require_no_secret(ctx: Context, values: Mapping[str, str]) -> None:
    """Raise UsageError for a value that would be stored redacted."""
    for name, value in values.items():
        if ctx.outside.text(value) != value:
            raise UsageError(f"{name.upper()} has something in it that looks like a secret: leave it out. {_KEPT}")


def _chosen(name: str, targets: Sequence[str], ctx: Context) -> Context:
    """The context of the target that has the repair. Raises UsageError where none was meant, or several may be."""
    having = [one for one in (ctx, *ctx.others) if name in _repairs(one)]
    if len(having) == 1:
        return having[0]
    if having:
        raise UsageError(f"Several targets have {name}: name one with --target {' or '.join(targets)}.")
    raise UsageError(
        f"The runbook of {ctx.target.name} has no repair {name}.",
        remedy=f"{words.listed(targets)} {'has' if len(targets) == 1 else 'have'} it: use --target {targets[0]}.",
    )


def _form(ctx: Context, repair: CompiledRepair, values: Mapping[str, str]) -> Reply:
    line = command_line(repair.name, repair.entry.params, values)
    hint = "Approvers and the audit trail see it"
    why = FormField("reason", "Why?", hint=hint, max_length=requests.MAX_REASON, multiline=True)
    note = f"{repair.entry.summary.removesuffix('.')}, on {ctx.target.name}: an approver decides."
    wanted = Form(title=words.cut(repair.name, 24), command=line, fields=(why,), submit="Ask", note=note)
    return requests.form(ctx, wanted)


def _require(name: str, condition: Condition) -> None:
    """Raise `Refused` unless the condition holds."""
    if condition.holds is None:
        raise Refused(
            f"{name} is refused, since nobody can say whether it may be done: {condition.why.rstrip('.')}.",
            remedy=condition.remedy or None,
        )
    if not condition.holds:
        raise Refused(f"{name} is refused: {condition.why.rstrip('.')}.", remedy=condition.remedy or None)


def _running(ctx: Context, pod: Pod | None, plan: Plan) -> Pod:
    """The pod, in which all containers of the plan run. Raises `Refused` otherwise."""
    if pod is None:
        raise Refused(
            "No pod is running, so no command can be run in it.", remedy=f"{ctx.prefix} status says why."
        )
    for name in dict.fromkeys(step.container for step in plan.steps):
        container = pod.container(name)
        if container is None:
            known = words.listed([one.name for one in pod.lasting])
            raise Unfit(
                f"{plan.name} can't be run: the pod has no container {name}.",
                remedy=f"The pod has {known}. Correct the container in the runbook's repair {plan.name}.",
            )
        if container.state != "running":
            state = container.reason or container.state
            raise Refused(f"{name} does not run ({state}).", remedy=f"{ctx.prefix} status says why.")
    return pod


def _facts(plan: Plan) -> list[tuple[str, str]]:
    many = len(plan.steps) > 1
    steps = [(f"Step {n}" if many else "Runs", str(step)) for n, step in enumerate(plan.steps, 1)]
    return [*steps, ("Then checks", f"{plan.verify}, within {words.took(plan.within).removeprefix('took ')}")]
