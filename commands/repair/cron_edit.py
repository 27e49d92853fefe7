"""``cron edit`` and ``cron undo``: request a change of the pod's crontab."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.cron_edit import CRON_EDIT
from bot.domain.approvals.actions.cron_undo import CRON_UNDO
from bot.domain.approvals.crontab_change import CHANGE, CrontabChange, dump_change, snapshot
from bot.domain.approvals.repair import Proposal
from bot.domain.core import labels, words
from bot.domain.core.cron.edit import MOST_BYTES, BadEdit, Part, added, applied, digest, edit_of, lines_of, text_of
from bot.domain.core.planned import THEN
from bot.domain.core.reply import Form, FormField, Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.roles import Capability
from bot.errors import Refused
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.health.rights import secret_rights
from commands.repair import crontab
from commands.repair.crontab import Comparison, CrontabRead
from commands.shared import requests

MOST_IN_FORM, LONGEST_LINE = 20_000, 2_500
"""Characters of a crontab, and of a line of it, that a form can hold and still be edited."""
MOST_IN_BUTTON = 1_500
"""Characters of a line that a button can hold: it brings back what was typed."""
_KEPT = "What is asked for is shown on its card and kept."


class EditParams(Params):
    """The new crontab, and why."""

    crontab: str | None = Param(default=None, description="the whole new crontab")
    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")
    of: str | None = Param(
        default=None,
        pattern="^[0-9a-f]{12,64}$",
        description="the beginning of the SHA-256 of the crontab that was edited; the form sets it",
    )

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


class UndoParams(Params):
    """Why."""

    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


async def edit(ctx: Context, params: EditParams) -> Reply:
    """Request a new crontab; without it, open a form with the one that is there."""
    crontab.spec_of(ctx)
    began = ctx.clock.monotonic()
    if ctx.caller.is_terminal and (params.crontab is None or params.reason is None):
        return _form(ctx, params, [], "")
    seen = await crontab.read(ctx)
    if params.crontab is None:
        return _form(ctx, params, seen.shown(ctx), seen.digest)
    if params.of is not None and not seen.digest.startswith(params.of) and not ctx.dry_run:
        raise Refused(
            "Somebody has changed the crontab since the form was opened, so yours would undo that.",
            remedy=f"Open the form again: {ctx.prefix} cron edit.",
        )
    if params.reason is None:
        return _form(ctx, params, seen.shown(ctx), seen.digest)
    parts = await asyncio.to_thread(_parts, ctx, seen, params.crontab)
    text = applied(seen.text, parts)
    if len(text.encode()) > MOST_BYTES:
        raise Refused(f"The new crontab has more than {MOST_BYTES:,} bytes.", remedy="Change it in the pod.")
    if (wrong := crontab.refusal(ctx, seen, text, began, _again(params, seen))) is not None:
        return wrong
    if text == seen.text:
        raise Refused("Nothing to do: the crontab is like that already.")
    return await _ask(ctx, seen, CRON_EDIT, params.reason, text, parts)


def _again(params: EditParams, seen: CrontabRead) -> str:
    """The line that opens the form with what was typed; without the crontab where a button can't hold it."""
    why = f"cron edit --reason {words.quoted(params.reason or '')}"
    line = f"{why} --of {seen.digest[:12]} --crontab {words.verbatim(params.crontab or '')}"
    return line if len(json.dumps(line)) <= MOST_IN_BUTTON else why


def _parts(ctx: Context, seen: CrontabRead, entered: str) -> tuple[Part, ...]:
    """The edit. Raises `Refused` for what can't be stored."""
    try:
        parts = edit_of(seen.text, seen.shown(ctx), entered)
    except BadEdit as error:
        raise Refused(f"{words.upper_first(str(error))}.") from error
    numbers = {line: number for number, line in reversed(list(enumerate(lines_of(entered), 1)))}
    if why := crontab.secret_in(ctx, seen, added(parts), numbers):
        raise Refused(why)
    return parts


def _form(ctx: Context, params: EditParams, shown: Sequence[str], of: str) -> Reply:
    text = text_of(shown) if params.crontab is None else params.crontab
    longest = max(map(len, text.split("\n")))
    if len(text) > MOST_IN_FORM or longest > LONGEST_LINE:
        what = f"a line of {longest:,} characters" if longest > LONGEST_LINE else f"{len(text):,} characters"
        raise Refused(
            f"The crontab has {what}: a form can't hold it.",
            remedy='In a shell: agentpod cron edit --reason … --crontab "$(cat FILE)"',
        )
    fields = (
        FormField("reason", "Why?", hint="Approvers and the audit trail see it", multiline=True,
                  max_length=requests.MAX_REASON, initial=params.reason or ""),
        FormField("crontab", "Crontab", hint="A line that you don't change keeps its redacted values",
                  multiline=True, max_length=MOST_IN_FORM, initial=text, split=True),
    )  # fmt: skip
    note = f"The crontab of {ctx.target.name} is replaced: an approver sees what changes and decides."
    command = f"cron edit --of {of[:12]}" if of else "cron edit"
    return requests.form(ctx, Form(labels.of(command), command, fields, submit="Ask", note=note))


async def undo(ctx: Context, params: UndoParams) -> Reply:
    """Request that the version before comes back."""
    crontab.spec_of(ctx)
    if params.reason is None and ctx.caller.is_terminal:
        return _undo_form(ctx)
    began = ctx.clock.monotonic()
    seen = await crontab.read(ctx, previous=True)
    if not ctx.dry_run:
        if not seen.previous:
            raise Refused(
                "There is no version before: the crontab was never changed with cron edit on this volume."
            )
        if seen.previous == seen.digest:
            raise Refused("Nothing to do: the version before is the same.")
        if (wrong := crontab.refusal(ctx, seen, seen.previous_text, began)) is not None:
            return wrong
    if params.reason is None:
        return _undo_form(ctx)
    return await _ask(ctx, seen, CRON_UNDO, params.reason, seen.previous_text, None)


def _undo_form(ctx: Context) -> Reply:
    why = FormField("reason", "Why?", multiline=True, max_length=requests.MAX_REASON)
    note = f"The last change of {ctx.target.name}'s crontab is undone: an approver decides."
    return requests.form(ctx, Form(labels.of("cron undo"), "cron undo", (why,), submit="Ask", note=note))


async def _ask(
    ctx: Context,
    seen: CrontabRead,
    action: RepairAction,
    reason: str,
    text: str,
    parts: tuple[Part, ...] | None,
) -> Reply:
    """Submit the request."""
    after = digest(text) if parts is not None else seen.previous
    change = CrontabChange(seen.container, seen.path, seen.digest, after, len(text.encode()), parts)
    details = {CHANGE: dump_change(change)}
    if ctx.outside.of(details) != details:
        raise Refused(f"The new crontab has something in it that looks like a secret. {_KEPT}")
    facts = [("Change", THEN)] if ctx.dry_run else Comparison(ctx, seen, seen.text, text).facts()
    proposal = Proposal(
        action,
        snapshot(seen.pod, seen.digest, seen.previous if parts is None else ""),
        reason,
        _effect(ctx, seen),
        tuple(facts),
        after[:12],
        details,
    )
    return await requests.ask(ctx, proposal)


def _effect(ctx: Context, seen: CrontabRead) -> str:
    takes = {
        "supercronic": "With -inotify, supercronic reads it once the running jobs have ended.",
        "debian": "cron reads it within a minute.",
    }[ctx.target.cron]
    kept = "`/agentpod cron undo` then restores the present version."
    return f"{seen.path} is replaced. {takes} {kept}"


def rights(target: Target) -> Sequence[Right]:
    """The action's, and those to read the Secrets whose values are redacted."""
    return [*CRON_EDIT.rights(target), *secret_rights(target.secrets)] if target.crontab else []


EDIT = Command(
    "cron edit",
    "Edit the crontab of the pod; an approver decides",
    Capability.REQUEST,
    edit,
    EditParams,
    group="Repair",
    examples=("cron edit",),
    sensitive_args=True,
    audited=True,
    details="Opens a form with the crontab, in which secrets are redacted. Each line is checked by the rules of "
    "the pod's cron. The card says what changes, which heartbeats contradict it, and the next runs. The approval "
    "is void when the pod was replaced or somebody else has edited the crontab. The version before is kept beside "
    "it.",
    off=crontab.off,
    rights=rights,
)
UNDO = Command(
    "cron undo",
    "Undo the crontab change; an approver decides",
    Capability.REQUEST,
    undo,
    UndoParams,
    group="Repair",
    examples=('cron undo --reason "the job runs too often"',),
    sensitive_args=True,
    audited=True,
    details="Swaps the crontab and its previous version, which cron edit keeps. Run it again to swap them back.",
    off=crontab.off,
    rights=rights,
)
