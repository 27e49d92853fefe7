"""``secrets`` shows the Secrets without values; ``secrets set`` requests a change, ``secrets enter`` its value."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.repair import Proposal, secret_snapshot
from bot.domain.core import labels, summary, words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Form, FormField, Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import Target
from bot.domain.core.workload import Right, SecretFacts, SecretKey
from bot.domain.health import external_secrets, judge_secrets, secret_memory
from bot.domain.health.judge_secrets import External
from bot.domain.health.secret_memory import Remembered
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, NotFound, UsageError
from bot.runbook.command import Command, Concerns, NoParams, Params
from bot.runbook.context import Context
from bot.services.health.rights import POD_READ, secret_rights
from bot.services.health.sources import API, SourceUnavailable, cause_of
from commands.repair import managed
from commands.shared import requests, shape

T = TypeVar("T")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
"""The API server's rule for keys of Secrets and ConfigMaps."""


class SetParams(Params):
    """Which key, of which Secret, and why."""

    key: str = Param(
        json_schema_extra={"positional": True, "listed": "secrets"}, description="the key to give another value"
    )
    secret: str | None = Param(
        default=None, json_schema_extra={"metavar": "NAME"}, description="the Secret, where several are configured"
    )
    new: bool = Param(default=False, description="make the key if the Secret does not have it")
    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")

    @field_validator("key")
    @classmethod
    def _valid(cls, value: str) -> str:
        if not _KEY.fullmatch(value):
            raise ValueError("a key has letters, digits, dots, dashes and underscores, and at most 253 of them")
        return value

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


class EnterParams(Params):
    """Which request."""

    id: str = Param(
        json_schema_extra={"positional": True, "listed": "approvals"}, description="the approved request's id"
    )


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Reply with keys, lengths, fingerprints, ExternalSecrets' status, and whether the pod predates a change."""
    began = ctx.clock.monotonic()
    names = ctx.target.every_secret
    pods, external, job_states, found = await asyncio.gather(
        _or_error(ctx.cluster.pods(ctx.target.selector)),
        managed.external_secrets(ctx),
        _stored_fingerprints(ctx, names),
        asyncio.gather(*(_or_error(ctx.cluster.secret(name)) for name in names)),
    )
    secrets, read = dict(zip(names, found, strict=True)), [one for one in found if isinstance(one, SecretFacts)]
    operated = () if isinstance(external, AgentpodError) else external
    of_operator = judge_secrets.judge_external(external, ctx.target.namespace, ctx.clock.now())
    none = not operated and of_operator.verdict is Verdict.OK  # what is not configured is not among what is ok
    results = [
        _result(ctx, judge_secrets.judge_secret(name, one, pods, ctx.clock.now(), ctx.target, kept), one, pods)
        for name, one, kept in ((name, one, job_states.get(name)) for name, one in secrets.items())
    ]
    if not (none and results):
        results.append(_result(ctx, of_operator, external))
    findings = [one.finding for one in results]
    shown = summary.fold(results)
    restart = judge_secrets.restart_needed(
        judge_secrets.age(one, pods, job_states.get(name)) for name, one in secrets.items()
    )
    buttons = [("Ask for a restart", 'restart --reason "a secret was changed"')] if restart else []
    return Reply(
        judge_secrets.headline(findings) if shown[0] in findings else summary.headline(shown, len(results)),
        summary.overall(shown),
        findings=shape.addressed(ctx, shown),
        tables=(
            *(
                _table(ctx, s, external, pods, job_states.get(name))
                for name, s in secrets.items()
                if isinstance(s, SecretFacts)
            ),
            *([external_secrets.table(operated, ctx.clock.now())] if operated else []),
        ),
        buttons=shape.buttons(ctx, buttons),
        notes=shape.notes(
            ctx,
            began,
            *([judge_secrets.none_now(of_operator, read)] if none else []),
            *_about_fingerprints(read),
        ),
        data={"findings": shape.as_data(findings), "external_secrets": external_secrets.as_data(operated)},
    )


def _result(ctx: Context, finding: Finding, *read: object) -> ProbeResult:
    """A finding about what was ``read``, with the error that kept it from being judged."""
    errors = [one for one in read if isinstance(one, AgentpodError) and not isinstance(one, NotFound)]
    if finding.verdict is not Verdict.UNKNOWN or not errors:
        return ProbeResult(finding)
    return ProbeResult(finding, cause_of(SourceUnavailable(API, ctx.probe_timeout, errors[0])))


def _about_fingerprints(found: Iterable[SecretFacts]) -> Iterator[str]:
    """Yield what fingerprints tell, or why there are none."""
    keyed = [bool(one.fingerprint_key) for one in found]
    if keyed:
        yield (
            "Fingerprints tell whether two values are the same, and nothing else"
            if all(keyed)
            else "No fingerprints: their key comes from slack.bot_token, which is not set here"
        )


async def _stored_fingerprints(ctx: Context, names: Sequence[str]) -> Mapping[str, Remembered]:
    """Return the stored fingerprints of the values; empty if the ledger can't be read."""
    if ctx.ledger is None:
        return {}
    found = {}
    for name in names:
        kept = await _or_error(ctx.ledger.mark(secret_memory.mark(ctx.target.name, name)))
        memory = secret_memory.from_json(kept) if isinstance(kept, str) else None
        if memory is not None:
            found[name] = memory
    return found


async def _or_error(read: Awaitable[T]) -> T | AgentpodError:
    """Return a read's result, or its error. No deadline here: each of the cluster's calls has its own."""
    try:
        return await read
    except AgentpodError as error:
        return error


def _table(ctx: Context, facts: SecretFacts, external: External, pods: object, memory: Remembered | None) -> Table:
    """The keys; in the title when they changed, unless the Secret's finding says it."""
    keyed = bool(facts.fingerprint_key)
    rows = tuple(
        (key, f"{value.length} bytes", *([value.fingerprint] if keyed else []))
        for key, value in facts.keys.items()
    )
    said = judge_secrets.says_when(judge_secrets.age(facts, pods, memory))
    changed = "" if said else f", changed {words.ago(secret_memory.changed_at(facts, memory), ctx.clock.now())}"
    managers = judge_secrets.managed_by(judge_secrets.managers(facts, external))
    by = f", written by {managers}" if managers else ", immutable" if facts.immutable else ""
    return Table(("Key", "Length", *(["Fingerprint"] if keyed else [])), rows, title=f"{facts.name}{changed}{by}")


async def set_value(ctx: Context, params: SetParams) -> Reply:
    """Request a new value for a key; the value is entered after the approval."""
    name = _named(ctx, params.secret)
    seen = await ctx.cluster.secret(name)
    if ctx.dry_run:  # no keys were read: what was typed may be a value, and is not shown
        params = params.model_copy(update={"key": "<the key>", "new": True})
    _known(params, seen)  # first: a value typed in place of the key must not appear in the form
    warnings = await managed.warnings(ctx, seen, [params.key])
    if params.reason is None:
        return _reason_form(ctx, params, name)
    requests.ledger(ctx)
    present = seen.keys.get(params.key)
    proposal = Proposal(
        action=SECRET_SET,
        snapshot=secret_snapshot(seen),
        reason=params.reason,
        effect=SECRET_SET.effect,
        # The headline names the Secret and the key.
        facts=(("Now", "not read" if ctx.dry_run else _now(present)), *warnings),
        subject=f"{name}/{params.key}",
        details={"secret": name, "key": params.key},
    )
    return await requests.ask(ctx, proposal)


def _now(present: SecretKey | None) -> str:
    if present is None:
        return "not there yet"
    return f"{present.length} bytes" + (f", fingerprint {present.fingerprint}" if present.fingerprint else "")


def _named(ctx: Context, secret: str | None) -> str:
    names = ctx.target.secrets
    if not names:
        raise UsageError("No Secret is configured.", remedy="List it under targets[].secrets in the settings.")
    if secret is not None and secret not in names:
        raise UsageError(
            "The Secret named after --secret is not configured.", remedy=f"Configured: {', '.join(names)}."
        )
    return secret or names[0]


def _known(params: SetParams, seen: SecretFacts) -> None:
    if params.key in seen.keys or params.new:
        return
    known = ", ".join(seen.keys) or "none"
    raise UsageError(f"{seen.name} has no such key. It has {known}.", remedy="Add --new to create the key.")


def _reason_form(ctx: Context, params: SetParams, name: str) -> Reply:
    switches = " --new" if params.new else ""
    line = f"secrets set {params.key} --secret {name}{switches}"
    field = FormField(
        "reason", "Why?", hint="Don't put the value here: you enter it after the approval", multiline=True
    )
    note = f"{params.key} of {name} gets another value for {ctx.target.name}: an approver decides."
    return requests.form(
        ctx,
        Form(labels.of(line), line, (field,), submit="Ask", note=note),
    )


async def enter(ctx: Context, params: EnterParams) -> Reply:
    """Open the one-time form for the value of an approved request."""
    if ctx.caller.is_terminal:
        raise UsageError("Only the requester can enter the value, in Slack.")
    repair = await requests.approval_service(ctx).may_give_value(params.id, ctx.caller)
    field = FormField(
        "value", repair.subject, hint="At most 3,000 characters", multiline=True, max_length=3000, secret=True
    )
    form = Form(
        labels.of("secrets enter"),
        "",
        (field,),
        submit="Store",
        note=f"The new value of {repair.subject} for {repair.target}, as approved ({repair.id}). "
        "It goes straight to the API server, and is neither shown nor kept anywhere. The form works once.",
        sink=requests.value_sink(repair),
    )
    return Reply(f"The value of {repair.subject}", form=form, shareable=False, repeatable=False)


def read_rights(target: Target) -> Sequence[Right]:
    """Return the rights to read each Secret by name, the pod's age, and ExternalSecrets."""
    return [
        *secret_rights(target.every_secret),
        *POD_READ,
        Right("list", "externalsecrets", "external-secrets.io"),
    ]


def write_rights(target: Target) -> Sequence[Right]:
    """Return the rights of the change, and to list ExternalSecrets, which may undo it."""
    return [*SECRET_SET.rights(target), Right("list", "externalsecrets", "external-secrets.io")]


COMMAND = Command(
    "secrets",
    "Which secrets are set, and whether the pod has them",
    Capability.VIEW_CREDENTIALS,
    run,
    audited=True,
    group="Secrets",
    sensitive_args=True,
    details=(
        "Key names, lengths and fingerprints, never a part of a value. Of each ExternalSecret its condition, "
        "last refresh and store, and the Secret that it fills."
    ),
    rights=read_rights,
)
SET = Command(
    "secrets set",
    "Set a secret's value; an approver decides",
    Capability.REQUEST,
    set_value,
    SetParams,
    group="Secrets",
    sensitive_args=True,
    examples=('secrets set GITHUB_TOKEN --reason "rotated"',),
    details="An approver decides first; then you get a form that works once. The value goes nowhere else.",
    off=lambda ctx: "" if ctx.target.secrets else "targets[].secrets",
    offered=shape.in_slack,
    unoffered=shape.IN_SLACK,
    rights=write_rights,
)
ENTER = Command(
    "secrets enter",
    "Enter the value of an approved request",
    Capability.REQUEST,
    enter,
    EnterParams,
    group="Secrets",
    concerns=Concerns.REQUEST,
    sensitive_args=True,
    offered=shape.in_slack,
    unoffered=shape.IN_SLACK,
    rights=SECRET_SET.rights,
)
