"""``heartbeats push``: pushes a heartbeat by hand, marked as manual so that it hides no outage."""

from __future__ import annotations

import re

from pydantic import Field as Param
from pydantic import field_validator

from bot.domain.core.reply import Reply
from bot.domain.core.target import canonical_job
from bot.domain.heartbeats.heartbeat import MANUAL, PUSHED
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, Permanent, UsageError
from bot.ports.heartbeats import HeartbeatSource
from bot.runbook.command import Command, Params
from bot.runbook.context import Context

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
MOST_LABELS = 10


class PushParams(Params):
    """Which group of the Pushgateway."""

    job: str = Param(json_schema_extra={"positional": True}, description="the job; - and _ are the same")
    labels: tuple[str, ...] = Param(
        default=(),
        json_schema_extra={"positional": True},
        description="label=value of its group",
    )

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
    """Record who pushes in the audit trail, then push: what can't be recorded is not pushed."""
    if ctx.heartbeats is None:
        raise UsageError("There is no Pushgateway here.", remedy="Set AGENTPOD_PUSHGATEWAY__URL.")
    if ctx.ledger is None:
        raise Permanent(
            "There is no ledger here, so it could not be recorded.", remedy="Set AGENTPOD_LEDGER__URL."
        )
    labels = {"job": await _group_name(ctx.heartbeats, params.job)} | dict(
        one.split("=", 1) for one in params.labels
    )
    now = ctx.clock.now()
    by = "terminal" if ctx.caller.is_terminal else ctx.caller.identity.user
    async with ctx.ledger.writing() as tx:
        await tx.record(now, "heartbeat", by, params.job, {"labels": labels, "by_hand": True})
    await ctx.heartbeats.push(labels, _gauges(ctx, params.job))
    notes = [f"{ctx.target.name} · it counts as a heartbeat, and heartbeats says that it was pushed by hand"]
    if not _known(ctx, params.job):
        notes.insert(0, f"No policy is about {params.job}: nobody is told when it stops.")
    shown = f" ({', '.join(params.labels)})" if params.labels else ""
    text = f"✍️ Pushed a heartbeat for {params.job}{shown} by hand"
    return Reply(text, notes=tuple(notes), shareable=False, repeatable=False)


async def _group_name(source: HeartbeatSource, job: str) -> str:
    """Return the job's name as its group spells it.

    For the bot ``-`` and ``_`` are the same; for the Pushgateway they are two groups, one of which would go stale.
    """
    try:
        groups = (await source.read((PUSHED,))).groups
    except AgentpodError:  # the push will report it
        return job
    found = {g.job for g in groups if canonical_job(g.job) == canonical_job(job)}
    return job if job in found or not found else min(found)


def _known(ctx: Context, job: str) -> bool:
    return any(canonical_job(h.job) == canonical_job(job) for h in ctx.target.heartbeats)


def _gauges(ctx: Context, job: str) -> dict[str, float]:
    """Return the manual mark, and the gauges that the job's policies read, except the gateway's own."""
    now = ctx.clock.now().timestamp()
    own = [h.metric for h in ctx.target.heartbeats if canonical_job(h.job) == canonical_job(job)]
    return {MANUAL: now, **{metric: now for metric in own if metric != PUSHED}}


COMMAND = Command(
    "heartbeats push",
    "Push a heartbeat by hand, marked as one",
    Capability.PUSH_HEARTBEATS,
    run,
    PushParams,
    group="Alerts",
    examples=("heartbeats push exercise_reminder context=desk",),
    details="For a job that ran but could not push. The audit trail and every answer say that it was by hand.",
)
