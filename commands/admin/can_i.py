"""``can-i COMMAND``: whether the caller may, by which rule, and whether the bot has the rights for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic import Field

from bot.domain.approvals import approvable
from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Fact, Line, Reply
from bot.domain.core.workload import Right
from bot.domain.rbac.access import AccessDecision
from bot.domain.rbac.roles import Capability
from bot.runbook.authorise import elsewhere
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Context
from bot.services.health.check import Check, run_checks
from bot.services.health.reads import Reads
from bot.services.health.sources import API
from commands.shared import shape


class CanIParams(Params):
    """The words of the command in question."""

    command: tuple[str, ...] = Field(
        json_schema_extra={"positional": True, "listed": "help"}, description="A command's name"
    )


class _RightsCheck(Check):
    """Asks the API server's authoriser for each right that a command needs."""

    id, title = "rights", "The bot's rights"

    def __init__(self, needed: Sequence[Right]) -> None:
        self.needed = needed
        self.missing: list[Right] = []

    async def run(self, reads: Reads) -> Finding:
        if not self.needed:
            return Finding(self.id, self.title, Verdict.OK, "none needed of Kubernetes")
        reading = asyncio.gather(*(reads.ctx.cluster.can_i(right) for right in self.needed))
        granted = await reads.of(API, reading)
        self.missing = [r for r, yes in zip(self.needed, granted, strict=True) if not yes]
        total = words.plural(len(self.needed), "right")
        if not self.missing:
            said = f"all {total} granted" if len(granted) > 1 else "granted"
            return Finding(self.id, self.title, Verdict.OK, said)
        return Finding(
            self.id,
            self.title,
            Verdict.FAIL,
            f"{len(self.missing)} of the bot's {total} {'is' if len(self.missing) == 1 else 'are'} missing",
            tuple(f"missing: {right}" for right in self.missing),
            "Apply the shipped Role and RoleBinding, or grant what is missing to the bot's service account.",
            "agentpod check",
        )


async def run(ctx: Context, params: CanIParams) -> Reply:
    """Answer yes or no for the caller, then for the bot."""
    began = ctx.clock.monotonic()
    command = shape.command_called(ctx, params.command)
    decision = _decision(ctx, command)
    of_runbook = command.runbook_rights(ctx.book, ctx.target) if ctx.book is not None else ()
    rights = _RightsCheck(list(dict.fromkeys((*command.rights(ctx.target), *of_runbook))))
    finding = (await run_checks(ctx, [rights]))[0].finding
    verdict = finding.verdict if decision.allowed else Verdict.FAIL
    return Reply(
        _headline(decision, finding, _instead_of(ctx, command)),
        verdict=verdict,
        body=() if decision.allowed else (*_instead(ctx, command), *_ask(ctx, command)),
        findings=shape.addressed(ctx, [finding]) if finding.verdict is not Verdict.OK else (),
        facts=_facts(ctx, command, decision, finding),
        buttons=shape.buttons(ctx, _help(command) if shape.somewhere(ctx, command).allowed else ()),
        notes=shape.notes(ctx, began),
        data={
            "command": command.name,
            "allowed": decision.allowed,
            "rule": decision.grant.rule,
            "rights": [str(r) for r in rights.needed],
            "missing_rights": [str(r) for r in rights.missing],
            "rights_known": finding.verdict is not Verdict.UNKNOWN,
        },
        command=f"can-i {command.name}",
    )


def _ask(ctx: Context, command: Command) -> Iterator[Line]:
    """Yield whom to ask, and for what; nothing where nobody can give it."""
    named = (ctx.target.name,)
    about = shape.allowed(ctx, command.needs, named) if command.concerns is Concerns.TARGET else None
    if not (about or shape.somewhere(ctx, command)).allowed:
        yield from _who_decides(ctx, command)
        roles = words.either([str(role) for role in ctx.access.holders(command.needs)])
        yield ctx.access.ask(f" for the role {roles}")
    elif setting := command.off(ctx):
        yield ctx.access.ask(f" to set {setting}")


def _who_decides(ctx: Context, command: Command) -> Iterator[Line]:
    """Yield who can decide on requests, for a command that does: nobody needs a role for that."""
    ids = approvable.named_approvers(ctx.access, ctx.target.name, ctx.caller.identity.channel)
    if command.needs is Capability.DECIDE and ids:
        yield approvable.able(ids, f"{command.name} requests")


def _help(command: Command) -> list[tuple[str, str]]:
    return [(f"Help on {command.name}", f"help {command.name}")] if command.name else []


def _instead(ctx: Context, command: Command) -> tuple[str, ...]:
    """The targets for which the caller may run the command, where there are some."""
    if command.off(ctx):
        return ()
    others = elsewhere(ctx.access, ctx.caller.identity, command, ctx.targets, ())
    return (f"You may with --target {words.either(list(map(words.quoted, others)))}.",) if others else ()


def _decision(ctx: Context, command: Command) -> AccessDecision:
    """Decide by the access rules, and by the command's own conditions (`Command.offered`, `Command.off`)."""
    of_target = command.concerns is Concerns.TARGET
    decision = (
        shape.allowed(ctx, command.needs, (ctx.target.name,)) if of_target else shape.somewhere(ctx, command)
    )
    if decision.allowed and ctx.repairs is not None and not command.offered(ctx):
        return replace(decision, allowed=False, reason=f"{command.name} {command.unoffered}")
    if decision.allowed and not command.off_answer(ctx) and (setting := command.off(ctx)):
        return replace(decision, allowed=False, reason=f"it is off for {ctx.target.name}; set {setting}")
    return decision


def _instead_of(ctx: Context, command: Command) -> str:
    """What a command that is off does all the same; empty where it is on, or refuses."""
    return f"it is off for {ctx.target.name}: it only {command.off_answer(ctx)}" if command.off(ctx) else ""


def _headline(decision: AccessDecision, rights: Finding, off: str) -> str:
    if not decision.allowed:
        return f"No: {decision.reason}"
    if rights.verdict is Verdict.FAIL:
        return f"No: {rights.summary}"
    if rights.verdict is Verdict.UNKNOWN:
        return "Could not tell: you may, but the bot's own rights could not be checked"
    if off:
        return f"Yes, but {off}"
    return f"Yes: {decision.reason}"


def _facts(ctx: Context, command: Command, decision: AccessDecision, rights: Finding) -> tuple[Fact, ...]:
    return (
        Fact("Command", command.name, code=True),
        Fact("Needs the role", words.either([str(role) for role in ctx.access.holders(command.needs)])),
        *_answers(decision, rights),
        *(shape.off(ctx, command) if decision.allowed else ()),
    )


def _answers(decision: AccessDecision, rights: Finding) -> list[Fact]:
    """Return the facts that the headline and the finding do not already state."""
    yours = f"{decision.grant.role}, by {decision.grant.rule}"
    if not decision.allowed:
        return [Fact("The bot's rights", rights.summary, rights.verdict)]
    if rights.verdict is Verdict.OK:
        return [Fact("The bot's rights", rights.summary, rights.verdict)]
    return [Fact("Your role", yours, Verdict.OK)]


COMMAND = Command(
    name="can-i",
    summary="Whether you may run a command, and why",
    needs=Capability.EXPLAIN,
    run=run,
    params=CanIParams,
    group="General",
    concerns=Concerns.NOTHING,
    quick=True,
    sensitive_args=True,
    examples=("can-i logs", "can-i processes"),
    details="Says which access rule decides, and which Kubernetes rights the bot lacks for it.",
)
