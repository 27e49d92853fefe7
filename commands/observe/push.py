"""``heartbeats push``: pushes a heartbeat by hand, or asks for that; it is marked, so that it hides no outage."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals.actions.heartbeat_push import HEARTBEAT_PUSH, details, snapshot
from bot.domain.approvals.approval import ApprovalPolicy
from bot.domain.approvals.repair import Proposal
from bot.domain.core import words
from bot.domain.core.labels import of as label_of
from bot.domain.core.reply import Form, FormField, Reply
from bot.domain.core.target import canonical_job
from bot.domain.heartbeats import by_hand
from bot.domain.heartbeats.heartbeat import PUSHED, Group
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, Permanent, UsageError
from bot.ports.heartbeats import HeartbeatSource
from bot.ports.ledger import Ledger
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from commands.shared import requests

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
MOST_LABELS = 10
MOST_NAMED = 10
"""Jobs that the refusal of an unknown one names."""


class PushParams(Params):
    """Which group of the Pushgateway."""

    job: str = Param(
        json_schema_extra={"positional": True, "listed": "heartbeats"},
        description="the job, in which - and _ are the same",
    )
    labels: tuple[str, ...] = Param(
        default=(),
        json_schema_extra={"positional": True},
        description="label=value of its group",
    )

    reason: str | None = Param(default=None, description="why, for the audit trail and for whoever decides")

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)

    @field_validator("job")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value.strip() or len(value) > 120 or not value.isprintable():
            raise ValueError("is no job's name")
        return value

    @field_validator("labels")
    @classmethod
    def _pairs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = []
        for one in value:
            name, equals, rest = one.partition("=")
            if equals and name == "job":
                raise ValueError("the job is the first word, and no label beside it")
            if not equals or not _LABEL.fullmatch(name) or len(rest) > 200:
                raise ValueError(f"{one[:40]!r} is not label=value, such as context=desk")
            names.append(name)
        if len(set(names)) < len(names) or len(names) > MOST_LABELS:
            raise ValueError("a label is there twice, or there are more than ten")
        return value


async def run(ctx: Context, params: PushParams) -> Reply:
    """Push, or request it where the settings ask for approval. Raises UsageError for a job that nobody knows."""
    if ctx.heartbeats is None:
        raise UsageError("There is no Pushgateway here.", remedy="Set AGENTPOD_PUSHGATEWAY__URL.")
    _require_no_secret(ctx, params)
    if ctx.ledger is None:
        raise Permanent(
            "There is no ledger here, so it could not be recorded.", remedy="Set AGENTPOD_LEDGER__URL."
        )
    await _require_known(ctx, ctx.heartbeats, params.job)
    if ctx.repairs is not None and ctx.repairs.policy.heartbeats_push == "approval":
        return await _ask(ctx, ctx.heartbeats, params)
    if params.reason is None and ctx.caller.surface == "button":  # one tap does nothing, and takes no reason along
        return _form(ctx, params, "Push", "the audit trail says who did it, and why.", "The audit trail has it")
    return await _push(ctx, ctx.heartbeats, ctx.ledger, params)


def _require_no_secret(ctx: Context, params: PushParams) -> None:
    """Raise UsageError for a job that no policy names, or a label, that contains a known value."""
    named = () if by_hand.known(ctx.target.heartbeats, params.job) else (params.job,)
    if any(ctx.outside.has_known(one) for one in (*named, *params.labels)):
        raise UsageError(
            "The job or a label has something in it that looks like a secret: leave it out, since pushes are kept."
        )


async def _require_known(ctx: Context, source: HeartbeatSource, job: str) -> None:
    """Raise UsageError for a job that no policy covers and that has never pushed: its name is mistyped.

    A dry run reads no groups, so there any job may have pushed. Raises the Pushgateway's error where they
    can't be read.
    """
    if by_hand.known(ctx.target.heartbeats, job):
        return
    groups = (await source.read((PUSHED,))).groups
    if ctx.dry_run or any(canonical_job(group.job) == canonical_job(job) for group in groups):
        return
    names = sorted({policy.job for policy in ctx.target.heartbeats} | {group.job for group in groups})
    near = difflib.get_close_matches(job, names, n=1)
    listed = f"Jobs: {words.listed(names[:MOST_NAMED])}." if names else "Add it to targets[].heartbeats."
    raise UsageError(
        f"There is no job {job!r}: no policy covers it, and it has never pushed.",
        remedy=f"Did you mean {near[0]!r}?" if near else listed,
    )


async def _push(ctx: Context, source: HeartbeatSource, ledger: Ledger, params: PushParams) -> Reply:
    """Record who pushes in the audit trail, then push: what can't be recorded is not pushed."""
    labels = _labels(params, await _groups(source))
    now = ctx.clock.now()
    by = "terminal" if ctx.caller.is_terminal else ctx.caller.identity.user
    data = {"labels": labels, "by_hand": True, **({"reason": params.reason} if params.reason else {})}
    async with ledger.writing() as tx:
        await tx.record(now, "heartbeat", by, params.job, data)
    await source.push(labels, by_hand.gauges(ctx.target.heartbeats, params.job, ctx.clock.now()))
    notes = [f"{ctx.target.name} · it counts as a heartbeat, and is marked as pushed by hand"]
    notes[:0] = _unknown(ctx, params.job)
    return Reply(
        f"✍️ Pushed a heartbeat for {_called(params)} by hand",
        notes=tuple(notes),
        shareable=False,
        repeatable=False,
    )


async def _ask(ctx: Context, source: HeartbeatSource, params: PushParams) -> Reply:
    """Request a push; without a reason, open a form that asks for it."""
    if params.reason is None:
        return _form(ctx, params, "Ask", "an approver decides.", "Approvers and the audit trail see it")
    groups = (await source.read((PUSHED,))).groups
    labels = _labels(params, groups)
    group = by_hand.group_of(labels, groups)
    last = group.gauges.get(PUSHED) if group is not None else None
    at = datetime.fromtimestamp(last, UTC) if last is not None else None
    said = f"{words.moment(at)}, {words.ago(at, ctx.clock.now())}" if at else "never seen"
    return await requests.ask(
        ctx,
        Proposal(
            action=HEARTBEAT_PUSH,
            snapshot=snapshot(labels, group),
            reason=params.reason,
            effect=HEARTBEAT_PUSH.effect,
            facts=(("Last success", said), *(("Policy", text) for text in _unknown(ctx, params.job))),
            subject=_called(params),
            details=details(labels),
        ),
    )


def _form(ctx: Context, params: PushParams, submit: str, then: str, hint: str) -> Reply:
    """Ask for the reason, without which a click pushes nothing."""
    line = " ".join([HEARTBEAT_PUSH.name, *(words.quoted(word) for word in (params.job, *params.labels))])
    why = FormField("reason", "Why?", hint=hint, multiline=True)
    note = f"A heartbeat of {_called(params)} is pushed by hand for {ctx.target.name}: {then}"
    return requests.form(ctx, Form(label_of(line), line, (why,), submit=submit, note=note))


def _called(params: PushParams) -> str:
    return params.job + (f" ({', '.join(params.labels)})" if params.labels else "")


def _labels(params: PushParams, groups: Sequence[Group]) -> dict[str, str]:
    """The labels of the group to push to."""
    return {"job": by_hand.group_name(params.job, groups)} | dict(one.split("=", 1) for one in params.labels)


async def _groups(source: HeartbeatSource) -> Sequence[Group]:
    try:
        return (await source.read((PUSHED,))).groups
    except AgentpodError:  # the push will report it
        return ()


def _unknown(ctx: Context, job: str) -> list[str]:
    if by_hand.known(ctx.target.heartbeats, job):
        return []
    return [f"No policy covers {job}: no alert is raised when it stops."]


COMMAND = Command(
    "heartbeats push",
    "Push a heartbeat by hand, marked as one",
    Capability.PUSH_HEARTBEATS,
    run,
    PushParams,
    group="Alerts",
    examples=("heartbeats push exercise_reminder context=desk",),
    off=lambda ctx: "" if ctx.heartbeats is not None else "AGENTPOD_PUSHGATEWAY__URL",
    details="For a job that ran but could not push. The audit trail and every answer say that it was by hand. "
    "The setting approvals.heartbeats_push lets operators push as well, or makes each push need an approval. "
    "The approval is void once the job itself has pushed.",
)


def needs(policy: ApprovalPolicy) -> Capability:
    """What the command needs by the settings: where operators may push, or ask for it, what a request needs."""
    return Capability.PUSH_HEARTBEATS if policy.heartbeats_push == "approver" else Capability.REQUEST
