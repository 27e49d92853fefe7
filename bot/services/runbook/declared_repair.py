"""What a declared repair needs of the runbook's engine: its plan, its condition, and the check after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.approvals.steps import Plan, PlannedStep
from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.param import filled
from bot.errors import UsageError
from bot.runbook.file.compiled import CompiledRepair, CompiledRunbook, needed_checks
from bot.runbook.file.declared_repairs import command_line, repair_facts
from bot.runbook.file.judge_repair import Condition, facts_with, judge_condition
from bot.runbook.file.known import Unread, trusted
from bot.services.health import rights as health_rights
from bot.services.health.check import run_checks
from bot.services.health.reads import CheckContext, reads_for
from bot.services.runbook import impact
from bot.services.runbook.declared_check import DeclaredCheck, check_rights
from bot.services.runbook.declared_command import require_listed
from bot.services.runbook.fact_reader import container_name
from bot.services.runbook.fingerprint import fingerprint
from bot.services.runbook.read_facts import all_facts, all_lines, read_facts, rights_of, seconds_of, unblocked


def plan(book: CompiledRunbook, name: str, values: Mapping[str, str], target: Target) -> Plan:
    """Return what the repair ``name`` is to do, with the parameters' ``values`` in their slots."""
    repair = book.repairs[name]
    entry = repair.entry
    steps = tuple(
        PlannedStep(
            container_name(target, step.exec.container),
            filled(step.exec.command, values),
            step.deadline.total_seconds(),
            step.ok,
        )
        for step in entry.steps
    )
    return Plan(
        repair.name,
        dict(values),
        command_line(repair.name, entry.params, values),
        steps,
        entry.verify.check,
        entry.verify.within.total_seconds(),
        (fingerprint(entry), *_check_fingerprints(book, entry.verify.check)),
    )


def current_plan(ctx: CheckContext, name: str, values: Mapping[str, str]) -> Plan | None:
    """Return the plan by the runbook as it is now; None where it has no such repair, or other parameters."""
    repair = ctx.book.repairs.get(name) if ctx.book is not None else None
    if ctx.book is None or repair is None or set(repair.entry.params) != set(values):
        return None
    return plan(ctx.book, name, values, ctx.target)


def _check_fingerprints(book: CompiledRunbook, name: str) -> list[str]:
    """The fingerprints of a check and of all that it needs, or reads."""
    found: dict[str, str] = {}
    todo = [name]
    while todo:
        one = todo.pop()
        if one in found or one not in book.checks:
            continue
        entry = book.checks[one].entry
        found[one] = fingerprint(entry)
        todo += needed_checks(entry)
    return [f"{one} {found[one]}" for one in sorted(found)]


async def may_begin(ctx: CheckContext, name: str, values: Mapping[str, str]) -> Condition:
    """Judge right before the first step: the repair still takes the ``values``, and its condition holds."""
    taken = await _still_taken(ctx, name, values)
    return await condition(ctx, name, values) if taken.holds else taken


async def _still_taken(ctx: CheckContext, name: str, values: Mapping[str, str]) -> Condition:
    """Judge whether the repair takes the ``values`` by its entry, and by facts that are read now."""
    repair = ctx.book.repairs.get(name) if ctx.book is not None else None
    for one, param in repair.entry.params.items() if repair is not None else ():
        if one not in values:
            continue
        try:
            param.accepted(values[one])
        except ValueError as error:
            return Condition(False, f"{one} is not taken any more: {error}")
        if param.listed is not None:
            listed = await _listed(ctx, one, param.listed)
            if isinstance(listed, Unread):
                return Condition(None, f"{one} can't be checked: {listed.reason}", listed.remedy)
            if values[one] not in listed:
                return Condition(False, f"{param.listed.source} does not list {values[one]!r} any more")
    return Condition(True)


async def _listed(ctx: CheckContext, name: str, use: FactUse) -> Sequence[str] | Unread:
    """Read the names that a parameter takes."""
    with reads_for(ctx, [seconds_of(use, ctx.probe_timeout)]) as [reads]:
        listed = trusted(use, (await read_facts(reads, {name: use}))[name])
    return listed if isinstance(listed, Unread) else [line.strip() for line in listed.lines if line.strip()]


async def require_values(
    ctx: CheckContext, repair: CompiledRepair, values: Mapping[str, str], *, dry_run: bool = False
) -> None:
    """Raise UsageError for a value that the fact of its parameter doesn't list.

    In a dry run nothing is read, so nothing is required; what would be read is recorded.
    """
    for name, param in repair.entry.params.items():
        if param.listed is not None and name in values:
            listed = await _listed(ctx, name, param.listed)
            if dry_run:
                continue
            if isinstance(listed, Unread):
                raise UsageError(f"{name} can't be checked: {listed.reason}.", remedy=listed.remedy or None)
            require_listed(name, values[name], listed)


async def condition(ctx: CheckContext, name: str, values: Mapping[str, str]) -> Condition:
    """Judge the repair's condition on facts that are read now."""
    repair = ctx.book.repairs.get(name) if ctx.book is not None else None
    if repair is None:
        return Condition(False, f"the runbook has no repair {name}")
    if repair.only_if is None:
        return Condition(True)
    uses = facts_with(repair, values)
    longest = max((seconds_of(use, ctx.probe_timeout) for use in uses.values()), default=ctx.probe_timeout)
    with reads_for(ctx, [longest]) as [reads]:
        facts = await read_facts(reads, uses)
    now = ctx.clock.now()
    return await unblocked(all_lines(facts), lambda: judge_condition(repair, facts, values, now))


async def verdict(ctx: CheckContext, name: str) -> Finding:
    """Make the check that says whether a repair helped. It is unknown where the runbook has it no more."""
    check = ctx.book.checks.get(name) if ctx.book is not None else None
    if check is None:
        return Finding(name, name, Verdict.UNKNOWN, f"the runbook has no check {name} any more")
    [outcome] = await run_checks(ctx, [DeclaredCheck(check, ctx.probe_timeout)])
    return outcome.finding


def said(finding: Finding) -> str:
    """Return a finding as part of a sentence: "Supervised services: sshd is down"."""
    summary = finding.summary.rstrip(".")
    return summary if summary.startswith(finding.title) else f"{finding.title}: {words.lower_first(summary)}"


def rights(name: str, book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the Kubernetes rights that a declared repair needs; none where the runbook doesn't have it."""
    repair = book.repairs.get(name)
    if repair is None:
        return ()
    needed = [
        *health_rights.POD_READ,
        *health_rights.EXEC,
        *rights_of(all_facts(book, repair_facts(repair.entry)), target),
        *check_rights(book, [repair.entry.verify.check], target),
        *_impact_rights(book, repair.entry.impact, target),
    ]
    return list(dict.fromkeys(needed))


def _impact_rights(book: CompiledRunbook, wanted: bool | tuple[str, ...], target: Target) -> Sequence[Right]:
    return impact.rights(book, target, None if isinstance(wanted, bool) else wanted) if wanted else ()
