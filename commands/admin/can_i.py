"""``can-i COMMAND``: whether the caller may, by which rule, and whether the bot has the rights for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pydantic import Field

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Fact, Reply
from bot.domain.core.workload import Right
from bot.domain.rbac.access import AccessDecision
from bot.domain.rbac.roles import Capability, holders
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from commands.shared import shape
from commands.shared.probes import API, Ask, Probe, run_probes


class CanIParams(Params):
    """The command's words."""

    command: tuple[str, ...] = Field(json_schema_extra={"positional": True}, description="A command's name")


@dataclass
class Rights:
    """What the API server's authoriser said of each right that a command needs."""

    needed: Sequence[Right]
    missing: list[Right] = field(default_factory=list)


async def run(ctx: Context, params: CanIParams) -> Reply:
    """Answer yes or no for the caller, then for the bot."""
    began = ctx.clock.monotonic()
    command = shape.command_called(ctx, params.command)
    decision = _decision(ctx, command)
    rights = Rights(list(dict.fromkeys(command.rights(ctx.target))))
    outcome = (await run_probes([_rights(ctx, rights)], ctx.probe_timeout))[0]
    finding = outcome.finding
    verdict = finding.verdict if decision.allowed else Verdict.FAIL
    return Reply(
        _headline(decision, finding),
        verdict=verdict,
        body=() if decision.allowed else (ctx.access.ask(),),
        findings=shape.addressed(ctx, [finding]) if finding.verdict is not Verdict.OK else (),
        facts=_facts(command, decision, finding),
        buttons=shape.buttons(ctx, [(f"Help on {command.name}", f"help {command.name}")] if command.name else ()),
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


def _decision(ctx: Context, command: Command) -> AccessDecision:
    """By the access rules, and by what else the command asks of whoever runs it."""
    decision = shape.allowed(ctx, command.needs)
    if decision.allowed and ctx.repairs is not None and not command.offered(ctx):
        return replace(decision, allowed=False, reason=f"{command.name} {command.unoffered}")
    return decision


def _headline(decision: AccessDecision, rights: Finding) -> str:
    if not decision.allowed:
        return f"No: {decision.reason}"
    if rights.verdict is Verdict.FAIL:
        return f"No: {rights.summary}"
    if rights.verdict is Verdict.UNKNOWN:
        return "Could not tell: you may, but the bot's own rights could not be checked"
    return f"Yes: {decision.reason}"


def _facts(command: Command, decision: AccessDecision, rights: Finding) -> tuple[Fact, ...]:
    return (
        Fact("Command", command.name, code=True),
        Fact("Needs the role", " or ".join(map(str, holders(command.needs)))),
        *_answers(decision, rights),
    )


def _answers(decision: AccessDecision, rights: Finding) -> list[Fact]:
    """What the headline and the finding do not say already."""
    yours = f"{decision.grant.role}, by {decision.grant.rule}"
    if not decision.allowed:
        return [Fact("The bot's rights", rights.summary, rights.verdict)]
    if rights.verdict is Verdict.OK:
        return [Fact("The bot's rights", rights.summary, rights.verdict)]
    return [Fact("Your role", yours, Verdict.OK)]


def _rights(ctx: Context, rights: Rights) -> Probe:
    title = "The bot's rights"

    async def ask_all(ask: Ask) -> Finding:
        if not rights.needed:
            return Finding("rights", title, Verdict.OK, "none needed of Kubernetes")
        reading = asyncio.gather(*(ctx.cluster.can_i(right) for right in rights.needed))
        granted = await ask.of(API, reading)
        rights.missing = [r for r, yes in zip(rights.needed, granted, strict=True) if not yes]
        total = words.plural(len(rights.needed), "right")
        if not rights.missing:
            return Finding("rights", title, Verdict.OK, f"all {total} granted" if len(granted) > 1 else "granted")
        return Finding(
            "rights",
            title,
            Verdict.FAIL,
            f"{len(rights.missing)} of the bot's {total} {'is' if len(rights.missing) == 1 else 'are'} missing",
            tuple(f"missing: {right}" for right in rights.missing),
            "Apply the shipped Role and RoleBinding, or grant what is missing to the bot's service account.",
            "agentpod check",
        )

    return Probe("rights", title, ask_all)


COMMAND = Command(
    name="can-i",
    summary="Whether you may run a command, and why",
    needs=Capability.EXPLAIN,
    run=run,
    params=CanIParams,
    group="Around it",
    quick=True,
    sensitive_args=True,
    examples=("can-i logs", "can-i processes"),
    details="Says which access rule decides, and which Kubernetes rights the bot lacks for it.",
)
